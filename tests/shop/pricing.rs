//! What shipping costs and how things are taxed, and what orders cost with it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop};

pub async fn put(shop: &TestShop, table: &str, body: Value) -> Answer {
    shop.send("PUT", &format!("pricing/{table}/"), body, &[]).await
}

#[tokio::test]
async fn a_table_of_fees_or_rates_is_read_as_it_was_written() {
    let shop = TestShop::new().await;
    let tea = shop.category("Tea").await;
    let empty = shop.get("pricing/shipping/").await;
    assert_eq!((&empty.body, empty.header("etag")), (&json!({ "fees": [] }), "\"0\""));
    assert_eq!(shop.read("pricing/taxes/").await, json!({ "inclusive": false, "rates": [] }));

    let fees = json!({ "fees": [
        { "country": null, "from": "0.00", "fee": "9.90" },
        { "country": "DE", "from": "0.00", "fee": "4.90" },
        { "country": "DE", "from": "50.00", "fee": "0.00" }
    ] });
    let changed = put(&shop, "shipping", fees.clone()).await;
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &fees));
    let rates = json!({ "inclusive": true, "rates": [
        { "category_id": null, "country": "DE", "percent": "19" },
        { "category_id": tea, "country": "DE", "percent": "7.5" }
    ] });
    let changed = put(&shop, "taxes", rates.clone()).await;
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &rates));

    let read = shop.get("pricing/taxes/").await;
    assert_eq!((&read.body, read.header("etag")), (&rates, "\"2\""));
    assert_eq!(shop.read("pricing/shipping/").await, fees);
    shop.verify().await;
}

#[tokio::test]
async fn an_unchanged_table_is_no_event_and_a_stale_one_is_refused() {
    let shop = TestShop::new().await;
    let fees = json!({ "fees": [{ "from": "0", "fee": "9.9" }, { "country": "DE", "from": "0", "fee": "4.9" }] });
    put(&shop, "shipping", fees).await;
    let position = shop.engine.journal.position();
    let same = json!({ "fees": [{ "country": "DE", "from": "0.00", "fee": "4.90" }, { "from": "0", "fee": "9.90" }] });
    assert_eq!(put(&shop, "shipping", same.clone()).await.status, StatusCode::OK);
    assert_eq!(shop.engine.journal.position(), position, "the same rows in another order");
    let stale = shop.send("PUT", "pricing/shipping/", json!({ "fees": [] }), &[("if-match", "\"0\"")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let fresh = shop.send("PUT", "pricing/shipping/", json!({ "fees": [] }), &[("if-match", "\"1\"")]).await;
    assert_eq!((fresh.status, &fresh.body), (StatusCode::OK, &json!({ "fees": [] })));
}

#[tokio::test]
async fn a_table_with_a_row_that_cannot_be_is_refused_whole() {
    let shop = TestShop::new().await;
    let before = shop.engine.journal.position();
    let fee = |country: &str, from: &str, fee: &str| json!({ "country": country, "from": from, "fee": fee });
    let rate = |category: Value, percent: &str| json!({ "category_id": category, "percent": percent });
    let many: Vec<_> = (0..1_001).map(|from| fee("DE", &from.to_string(), "1")).collect();
    for (table, body, problem) in [
        ("shipping", json!({ "fees": [fee("DE", "0", "1"), fee("DE", "0.00", "2")] }), "fee_twice"),
        ("shipping", json!({ "fees": [fee("Germany", "0", "1")] }), "invalid_request"),
        ("shipping", json!({ "fees": [fee("DE", "-1", "1")] }), "invalid_request"),
        ("shipping", json!({ "fees": [fee("DE", "0", "1.005")] }), "invalid_request"),
        ("shipping", json!({ "fees": many }), "too_many_rows"),
        (
            "taxes",
            json!({ "inclusive": true, "rates": [rate(json!(null), "19"), rate(json!(null), "7")] }),
            "rate_twice",
        ),
        ("taxes", json!({ "inclusive": true, "rates": [rate(json!(null), "100.001")] }), "invalid_request"),
        ("taxes", json!({ "inclusive": true, "rates": [rate(json!(null), "1.0001")] }), "invalid_request"),
        ("taxes", json!({ "inclusive": true, "rates": [rate(json!(99), "19")] }), "category_not_found"),
        ("taxes", json!({ "rates": [] }), "invalid_request"),
    ] {
        let answer = put(&shop, table, body.clone()).await;
        assert_eq!(answer.problem(), problem, "{table} {body}: {}", answer.body);
    }
    assert_eq!(shop.engine.journal.position(), before);
}
