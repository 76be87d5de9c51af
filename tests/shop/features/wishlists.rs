//! Wishlists: products that a customer has marked, whatever becomes of the products.

use axum::http::StatusCode;
use cartwright::journal::check_log;
use serde_json::{Value, json};

use crate::support::accounts::{PASSWORD, access};
use crate::support::{Answer, TestShop};

const WISHLIST: &str = "customer/1/wishlist/";

async fn wish(shop: &TestShop, product: i64) -> Answer {
    shop.send("PUT", &format!("{WISHLIST}{product}/"), Value::Null, &[]).await
}

async fn forget(shop: &TestShop, product: i64) -> Answer {
    shop.send("DELETE", &format!("{WISHLIST}{product}/"), Value::Null, &[]).await
}

fn products(wishlist: &Value) -> Vec<i64> {
    wishlist.as_array().unwrap().iter().map(|item| item["product_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_wishlist_shows_every_product_and_why_it_cannot_be_ordered() {
    let shop = TestShop::new().await;
    for (name, stock) in [("Kettle", 5), ("Cup", 0), ("Teapot", 3), ("Tray", 9)] {
        shop.product(name, "20.00", stock).await;
    }
    shop.customer("Ada").await;
    assert_eq!(shop.read(WISHLIST).await, json!([]));
    let mut item = json!({
        "product_id": 1, "name": "Kettle", "price": "20.00", "available": true, "reason": null, "in_stock": 5,
    });
    let added = wish(&shop, 1).await;
    assert_eq!((added.status, &added.body), (StatusCode::OK, &item));
    for product in [2, 3, 4] {
        wish(&shop, product).await;
    }
    let head = shop.engine.journal.position();
    assert_eq!(wish(&shop, 1).await.body, item, "it is there already");
    assert_eq!(shop.engine.journal.position(), head);

    shop.send("PATCH", "product/1/", json!({ "name": "Electric kettle", "price": "25.00" }), &[]).await;
    shop.send("PATCH", "product/3/", json!({ "discontinued": true }), &[]).await;
    shop.send("DELETE", "product/4/", Value::Null, &[]).await;
    let wishlist = shop.read(WISHLIST).await;
    assert_eq!(products(&wishlist), [4, 3, 2, 1], "newest first");
    let shown: Vec<_> = wishlist.as_array().unwrap().iter().map(|item| (&item["reason"], &item["available"])).collect();
    let (no, yes) = (json!(false), json!(true));
    assert_eq!(
        shown,
        [(&json!("deleted"), &no), (&json!("discontinued"), &no), (&json!("out_of_stock"), &no), (&Value::Null, &yes),]
    );
    assert_eq!((&wishlist[0]["name"], &wishlist[0]["in_stock"]), (&json!("Tray"), &json!(0)));
    (item["name"], item["price"], item["added_at"]) =
        (json!("Electric kettle"), json!("25.00"), wishlist[3]["added_at"].clone());
    assert_eq!(wishlist[3], item);
    // A deleted product stays until it is removed, and cannot be added again; a discontinued one can.
    assert_eq!(wish(&shop, 4).await.body["reason"], "deleted");
    assert_eq!(forget(&shop, 4).await.status, StatusCode::NO_CONTENT);
    for product in [4, 99] {
        let unknown = wish(&shop, product).await;
        assert_eq!((unknown.status, unknown.problem()), (StatusCode::NOT_FOUND, "product_not_found"));
        assert_eq!(forget(&shop, product).await.problem(), "item_not_found");
    }
    forget(&shop, 3).await;
    assert_eq!(wish(&shop, 3).await.body["reason"], "discontinued");
    assert_eq!(products(&shop.read(WISHLIST).await), [3, 2, 1], "added again, it is the newest");
    shop.send("PATCH", "product/3/", json!({ "discontinued": false }), &[]).await;
    assert_eq!(shop.read(WISHLIST).await[0]["available"], true);

    let page = shop.get(&format!("{WISHLIST}?limit=2")).await;
    let next = page.header("link").split(['<', '>']).nth(1).unwrap().strip_prefix("/shop/api/").unwrap().to_owned();
    assert_eq!((products(&page.body), products(&shop.read(&next).await)), (vec![3, 2], vec![1]));
    assert_eq!(shop.get("customer/9/wishlist/").await.problem(), "customer_not_found");
    assert_eq!(shop.send("PUT", "customer/9/wishlist/1/", Value::Null, &[]).await.problem(), "customer_not_found");
    for path in ["customer/x/wishlist/", "customer/1/wishlist/?limit=0"] {
        assert_eq!(shop.get(path).await.problem(), "invalid_request", "{path}");
    }
    assert_eq!(shop.send("PUT", "customer/1/wishlist/x/", Value::Null, &[]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        shop.send("PUT", "customer/1/wishlist/1/", json!({ "units": 2 }), &[]).await.status,
        StatusCode::BAD_REQUEST
    );
    let planned = shop.send("DELETE", "customer/1/wishlist/1/?dry_run=true", Value::Null, &[]).await;
    assert_eq!(planned.body["events"][0]["payload"], json!({ "event": "WishlistItemRemoved", "product_id": 1 }));
    let history = shop.read("customer/1/wishlist/history/").await;
    assert_eq!(history[1]["before"]["products"], json!([1]));
    assert_eq!(history[1]["after"]["products"], json!([1, 2]));
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_wishlist_is_bounded_however_many_requests_come_at_once() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 5).await;
    shop.customer("Ada").await;
    // The path of 497 products is not what this is about.
    sqlx::query(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         select 'Wishlist', '1', number, 'WishlistItemAdded', '1.0',
             jsonb_build_object('event', 'WishlistItemAdded', 'product_id', 1000 + number), '{}'
         from generate_series(1, 497) as number",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    for number in 0..7 {
        shop.product(&format!("Cup {number}"), "2.00", 5).await;
    }
    let answers = futures_util::future::join_all((1..=8).map(|product| wish(&shop, product))).await;
    let added = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT);
    assert_eq!((added, refused.map(|answer| answer.problem()).collect::<Vec<_>>()), (3, vec!["too_many_items"; 5]));
    shop.check_log().await;
    shop.verify().await;
    let damage = "alter table events disable trigger user;
        update events set payload = payload || '{\"product_id\": 1002}' where payload ->> 'product_id' = '1001'";
    sqlx::raw_sql(damage).execute(&shop.pool).await.unwrap();
    let broken = check_log(&shop.pool).await.unwrap().into_iter().filter(|rule| rule.offences > 0);
    let found: Vec<_> = broken.map(|rule| (rule.name, rule.findings[0].found.clone())).collect();
    assert_eq!(found, [("wishlists", "2 times, among 2".to_owned())]);
}

#[tokio::test]
async fn a_wishlist_is_exported_to_its_owner_and_goes_with_the_customer() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let customer = shop.member("Zoe").await;
    let path = format!("customer/{customer}/wishlist/{product}/");
    let token = access(&shop.log_in("zoe@example.com", PASSWORD).await).to_owned();
    let added = shop.send_with_token(&token, "PUT", &path, Value::Null).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.body);
    let list = format!("customer/{customer}/wishlist/");
    assert_eq!(
        products(&shop.send_with_token(&token, "GET", &list, Value::Null).await.body),
        [product],
        "one's own write"
    );
    let export = shop.read(&format!("customer/{customer}/export/")).await;
    assert_eq!(
        (&export["wishlist"][0]["product_name"], export["wishlist"].as_array().unwrap().len()),
        (&json!("Kettle"), 1)
    );
    let types = export["history"].as_array().unwrap().iter().filter(|event| event["event_type"] == "WishlistItemAdded");
    assert_eq!(types.count(), 1);
    let erased = shop.send("DELETE", &format!("customer/{customer}/"), Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
    assert_eq!(shop.read(&list).await, json!([]));
    let left: i64 = sqlx::query_scalar("select count(*) from live.wishlist_items").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(shop.send("PUT", &path, Value::Null, &[]).await.problem(), "customer_not_found");
    shop.check_log().await;
    shop.verify().await;
}
