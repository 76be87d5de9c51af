//! Products that run low: their own threshold, the event, the mail and the list.

use std::sync::Arc;

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use cartwright::mail::{MailConfig, Mailer, StaffMails};
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::accounts::api_key;
use crate::support::reactors::{eventually, start_all};

async fn set_threshold(shop: &TestShop, product: i64, threshold: Value) -> Value {
    let body = json!({ "low_stock_threshold": threshold });
    let answer = shop.send("PATCH", &format!("product/{product}/"), body, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn order(shop: &TestShop, product: i64, quantity: i64) {
    shop.done("orders/", json!({ "lines": [{ "product_id": product, "quantity": quantity }] })).await;
}

/// Numbers of the listed products, with the threshold that counts.
async fn listed(shop: &TestShop, query: &str) -> Vec<(i64, Value)> {
    let list = shop.read(&format!("low-stock/{query}")).await;
    let shown = |row: &Value| (row["product_id"].as_i64().unwrap(), row["low_stock_threshold"].clone());
    list.as_array().unwrap().iter().map(shown).collect()
}

async fn events(shop: &TestShop) -> Vec<Value> {
    let events = shop.read("events/?type=ProductRanLow").await;
    events.as_array().unwrap().iter().map(|event| event["payload"].clone()).collect()
}

#[tokio::test]
async fn a_product_that_falls_below_its_threshold_is_mailed_once_and_listed() {
    let shop = TestShop::new().await;
    api_key(&shop, "editor", Role::Editor).await;
    api_key(&shop, "admin", Role::Admin).await;
    api_key(&shop, "reader", Role::Reader).await;
    let config = MailConfig {
        smtp_url: None,
        folder: shop.mail_dir.clone(),
        folder_max: 0,
        from: "shop@example.com".to_owned(),
        public_url: "https://shop.example.com".to_owned(),
    };
    let mails = StaffMails::new(shop.pool.clone(), Mailer::new(&config, shop.engine.journal.clock()));
    let reactors = start_all(&shop, vec![Arc::new(mails)]).await;

    let kettle = shop.product("Kettle", "20.00", 12).await;
    let pot = shop.product("Pot", "30.00", 7).await;
    let cup = shop.product("Cup", "5.00", 40).await;
    let created =
        json!({ "name": "Jug", "price": "9.00", "category": "Kitchen", "stock": 3, "low_stock_threshold": 4 });
    let jug = shop.done("products/", created).await["product_id"].as_i64().unwrap();
    assert_eq!(events(&shop).await, Vec::<Value>::new(), "new products do not fall");
    assert_eq!(set_threshold(&shop, kettle, json!(5)).await["low_stock_threshold"], 5);
    assert_eq!(shop.read(&format!("product/{kettle}/")).await["low_stock_threshold"], 5);
    assert_eq!(shop.read(&format!("product/{cup}/")).await["low_stock_threshold"], Value::Null);
    order(&shop, kettle, 7).await;
    order(&shop, cup, 31).await;
    let with_past = json!({ "placed_at": "2020-01-01T12:00:00Z", "lines": [{ "product_id": pot, "quantity": 1 }] });
    shop.done("orders/", with_past).await;
    order(&shop, kettle, 1).await;
    order(&shop, kettle, 1).await;
    let low = |name: &str, stock: i64, threshold: i64| json!({ "event": "ProductRanLow", "name": name, "stock": stock, "threshold": threshold });
    assert_eq!(events(&shop).await, [low("Cup", 9, 10), low("Kettle", 4, 5)]);

    let (ten, none) = (json!(10), Value::Null);
    let all = [(kettle, &none), (jug, &none), (pot, &none), (cup, &none)].map(|(id, value)| (id, value.clone()));
    assert_eq!(listed(&shop, "").await, all, "the list without a parameter is as before");
    let own = [(kettle, json!(5)), (jug, json!(4)), (pot, ten.clone()), (cup, ten.clone())];
    assert_eq!(listed(&shop, "?threshold=own").await, own);
    assert_eq!(listed(&shop, "?threshold=own&all=true").await, own);
    let first = shop.get("low-stock/?threshold=own&limit=2").await;
    let next = first.header("link").split_once("shop/api/").unwrap().1.split_once('>').unwrap().0.to_owned();
    assert_eq!(shop.get(&next).await.body[0]["product_id"], pot);
    set_threshold(&shop, cup, json!(0)).await;
    set_threshold(&shop, kettle, Value::Null).await;
    assert_eq!(listed(&shop, "?threshold=own").await, [(kettle, ten.clone()), (jug, json!(4)), (pot, ten)]);
    let answer = shop.send("PATCH", "settings/", json!({ "low_stock_threshold": 4 }), &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(listed(&shop, "?threshold=own").await, [(kettle, json!(4)), (jug, json!(4))]);
    for (query, problem) in [("?threshold=low", "threshold"), ("?threshold=1.5", "threshold")] {
        let refused = shop.get(&format!("low-stock/{query}")).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(problem)));
    }
    for threshold in [json!(-1), json!(1_000_000_001), json!("5")] {
        let body = json!({ "low_stock_threshold": threshold });
        let refused = shop.send("PATCH", &format!("product/{kettle}/"), body, &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{threshold}: {}", refused.body);
    }

    // Two events, each to the editor and the admin.
    let mails = eventually("four mails", async || {
        let files = std::fs::read_dir(&shop.mail_dir).into_iter().flatten();
        let texts: Vec<_> = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        (texts.len() >= 4).then_some(texts)
    })
    .await;
    let sent =
        |to: &str, subject: &str| mails.iter().filter(|mail| mail.contains(to) && mail.contains(subject)).count();
    for to in ["editor@example.com", "admin@example.com"] {
        assert_eq!((sent(to, "Low stock: Kettle"), sent(to, "Low stock: Cup")), (1, 1), "{to}");
    }
    assert_eq!(mails.len(), 4);
    reactors.stop().await;
    shop.verify().await;
    shop.check_log().await;
}
