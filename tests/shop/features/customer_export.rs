//! The export of all data that the shop holds about a customer.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::accounts::{PASSWORD, access};

/// A customer with an account and data of every kind.
async fn customer_with_data(shop: &TestShop) -> (i64, String) {
    let product = shop.product("Kettle", "20.00", 50).await;
    let customer = shop.member("Zoe").await;
    let address = json!({
        "name": "Zoe Miller", "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB",
    });
    shop.done(&format!("customer/{customer}/addresses/"), address).await;
    for _ in 0..2 {
        shop.add(customer, product, 2).await;
        assert_eq!(shop.check_out(customer).await.status, StatusCode::CREATED);
    }
    shop.add(customer, product, 3).await;
    assert_eq!(shop.log_in("zoe@example.com", "not the password").await.status, StatusCode::UNAUTHORIZED);
    let token = access(&shop.log_in("zoe@example.com", PASSWORD).await).to_owned();
    shop.post("auth/reset/", json!({ "email": "ZOE@example.com" })).await;
    (customer, token)
}

#[tokio::test]
async fn an_export_contains_everything_except_secrets() {
    let shop = TestShop::new().await;
    let (customer, token) = customer_with_data(&shop).await;
    let path = format!("customer/{customer}/export/");
    let answer = shop.send_with_token(&token, "GET", &path, Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!((answer.header("link"), answer.header("cache-control")), ("", "no-store"));
    let export = answer.body;
    assert_eq!(export["complete"], true);
    assert_eq!((&export["first_name"], &export["email"]), (&json!("Zoe"), &json!("zoe@example.com")));
    assert_eq!(export["account"]["role"], "customer");
    assert_eq!(export["addresses"][0]["line1"], "12 Mill Lane");
    assert_eq!(export["cart"], json!([{ "product_id": 1, "product_name": "Kettle", "quantity": 3 }]));
    assert_eq!(export["orders"].as_array().unwrap().len(), 2);
    assert_eq!(export["orders"][1]["total_amount"], "40.00");
    assert_eq!(export["orders"][1]["lines"][0]["product_name"], "Kettle");
    assert_eq!(export["orders"][1]["lines"][0]["subtotal"], "40.00");
    let outcomes: Vec<_> =
        export["sign_ins"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["wrong_password", "logged_in"]);
    let mut session: Vec<_> = export["sessions"][0].as_object().unwrap().keys().cloned().collect();
    session.sort();
    assert_eq!(session, ["expires_at", "started_at"]);
    assert_eq!(export["mailed_links"][0]["purpose"], "reset");
    let types: Vec<_> =
        export["history"].as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    for expected in ["CustomerRegistered", "AccountOpened", "CustomerAddressAdded", "CartItemAdded", "CartCheckedOut"] {
        assert!(types.contains(&expected), "{expected} is not in {types:?}");
    }
    let secrets: Vec<String> = sqlx::query_scalar("select password_hash from account where password_hash is not null")
        .fetch_all(&shop.pool)
        .await
        .unwrap();
    let text = export.to_string();
    assert!(!secrets.is_empty() && !secrets.iter().any(|secret| text.contains(secret)));
    assert!(!text.contains("hash"), "{text}");
}

#[tokio::test]
async fn the_pages_of_an_export_are_complete() {
    let shop = TestShop::new().await;
    let (customer, _) = customer_with_data(&shop).await;
    let path = format!("customer/{customer}/export/");
    let whole = shop.read(&path).await;
    let lists = ["orders", "sign_ins", "sessions", "mailed_links", "history"];
    let mut joined: Vec<Vec<Value>> = lists.iter().map(|_| vec![]).collect();
    let mut next = format!("{path}?limit=1");
    loop {
        let page = shop.get(&next).await;
        for (list, joined) in lists.iter().zip(&mut joined) {
            joined.extend(page.body[list].as_array().unwrap().iter().cloned());
        }
        let link = page.header("link");
        assert_eq!(page.body["complete"], link.is_empty());
        if link.is_empty() {
            break;
        }
        next = link.split(['<', '>']).nth(1).unwrap().strip_prefix("/shop/api/").unwrap().to_owned();
    }
    for (list, joined) in lists.iter().zip(joined) {
        assert_eq!(json!(joined), whole[list], "{list}");
    }
}

#[tokio::test]
async fn an_export_of_an_unknown_customer_is_not_found() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    assert_eq!(shop.read(&format!("customer/{customer}/export/")).await["account"], Value::Null);
    shop.send("DELETE", &format!("customer/{customer}/"), Value::Null, &[]).await;
    for customer in [customer, 99] {
        let answer = shop.get(&format!("customer/{customer}/export/")).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::NOT_FOUND, "customer_not_found"));
    }
}
