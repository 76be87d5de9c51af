//! Tables of fees and rates, and orders that are priced by them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, TestShop};

pub async fn put_table(shop: &TestShop, table: &str, body: Value) -> Answer {
    shop.send("PUT", &format!("pricing/{table}/"), body, &[]).await
}

/// Germany: 19 %, 7 % on books; shipping 4.90, free from 50.00 on. Elsewhere: no tax; shipping 9.90.
pub async fn german_tables(shop: &TestShop, inclusive: bool, books: i64) {
    let fees = json!([
        { "from": "0.00", "fee": "9.90" },
        { "country": "DE", "from": "0.00", "fee": "4.90" },
        { "country": "DE", "from": "50.00", "fee": "0.00" }
    ]);
    let rates = json!([
        { "percent": "0" },
        { "country": "DE", "percent": "19" },
        { "country": "DE", "category_id": books, "percent": "7" }
    ]);
    assert_eq!(put_table(shop, "shipping", json!({ "fees": fees })).await.status, StatusCode::OK);
    assert_eq!(
        put_table(shop, "taxes", json!({ "inclusive": inclusive, "rates": rates })).await.status,
        StatusCode::OK
    );
}

pub async fn check_out(shop: &TestShop, customer: i64, body: Value) -> Answer {
    shop.post(&format!("customer/{customer}/cart/checkout/"), body).await
}

/// A story with every event of prices: changed and emptied tables, and a discount that is changed, used, released, ended.
pub async fn story(shop: &TestShop, customer: i64, product: i64) {
    german_tables(shop, false, 1).await;
    shop.done("discounts/", json!({ "code": "Later", "kind": "free_shipping", "until": "2099-01-01T00:00:00Z" })).await;
    shop.done("discounts/", json!({ "code": "Story", "kind": "percent", "value": "12.5", "total_limit": 2 })).await;
    for value in ["5.00", "6.00"] {
        let change = json!({ "kind": "amount", "value": value, "total_limit": null });
        let changed = shop.send("PATCH", "discount/story/", change, &[]).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    }
    for cancelled in [true, false] {
        shop.add(customer, product, 3).await;
        let body = json!({ "discount_code": "story", "shipping_country": "DE" });
        let order = check_out(shop, customer, body).await;
        assert_eq!(order.status, StatusCode::CREATED, "{}", order.body);
        if cancelled {
            shop.done(&format!("order/{}/cancel/", order.body["order_id"]), Value::Null).await;
        }
    }
    shop.send("DELETE", "discount/story/", Value::Null, &[]).await;
    put_table(shop, "shipping", json!({ "fees": [] })).await;
    let story = shop.read("discount/story/").await;
    assert_eq!((&story["uses"], &story["ended"]), (&json!(1), &json!(true)));
}
