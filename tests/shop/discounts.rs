//! Discounts: their terms, and that their limits hold however many ask at once.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop};

async fn patch(shop: &TestShop, code: &str, body: Value) -> Answer {
    shop.send("PATCH", &format!("discount/{code}/"), body, &[]).await
}

#[tokio::test]
async fn a_discount_is_created_changed_and_ended() {
    let shop = TestShop::new().await;
    let new = json!({ "code": "Spring-24", "kind": "percent", "value": "12.50", "until": "2099-01-01T00:00:00Z",
        "total_limit": 5, "customer_limit": 1, "minimum": "20" });
    let created = shop.post("discounts/", new.clone()).await;
    assert_eq!((created.status, created.header("location")), (StatusCode::CREATED, "/shop/api/discount/Spring-24/"));
    let mut expected = json!({ "code": "Spring-24", "kind": "percent", "value": "12.5", "from": null,
        "until": "2099-01-01T00:00:00Z", "total_limit": 5, "customer_limit": 1, "minimum": "20.00",
        "uses": 0, "ended": false });
    assert_eq!(created.body, expected);
    let mut again = new;
    again["code"] = json!("SPRING-24");
    assert_eq!(shop.post("discounts/", again.clone()).await.problem(), "discount_exists");

    let found = shop.get("discount/sPRING-24/").await;
    assert_eq!((&found.body, found.header("etag")), (&expected, "\"1\""));
    let change = json!({ "kind": "amount", "value": "5", "until": null, "total_limit": 8 });
    let changed = patch(&shop, "spring-24", change.clone()).await;
    for (field, value) in
        [("kind", json!("amount")), ("value", json!("5.00")), ("until", json!(null)), ("total_limit", json!(8))]
    {
        expected[field] = value;
    }
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &expected));
    let position = shop.engine.journal.position();
    patch(&shop, "spring-24", change).await;
    assert_eq!(shop.engine.journal.position(), position, "nothing is left to change");
    assert_eq!(shop.read("discounts/").await, json!([expected.clone()]));

    let end = || shop.send("DELETE", "discount/spring-24/", Value::Null, &[]);
    assert_eq!((end().await.status, end().await.status), (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
    expected["ended"] = json!(true);
    assert_eq!(shop.read("discount/SPRING-24/").await, expected);
    assert_eq!(patch(&shop, "spring-24", json!({ "total_limit": 9 })).await.problem(), "discount_ended");
    assert_eq!(shop.post("discounts/", again).await.problem(), "discount_exists", "a code is never given again");
    shop.verify().await;
}

#[tokio::test]
async fn a_discount_that_cannot_be_is_refused() {
    let shop = TestShop::new().await;
    let with = |fields: Value| {
        let mut body = json!({ "code": "X", "kind": "amount", "value": "5.00" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let day = |day: u32| format!("2026-05-{day:02}T00:00:00Z");
    for (fields, problem) in [
        (json!({ "code": "a b" }), "invalid_request"),
        (json!({ "kind": "gift" }), "invalid_request"),
        (json!({ "value": null }), "invalid_request"),
        (json!({ "value": "1.005" }), "invalid_request"),
        (json!({ "kind": "percent", "value": "101" }), "invalid_request"),
        (json!({ "kind": "free_shipping" }), "invalid_request"),
        (json!({ "total_limit": 0 }), "invalid_request"),
        (json!({ "value": "0.00" }), "discount_gives_nothing"),
        (json!({ "from": day(2), "until": day(2) }), "discount_never_valid"),
    ] {
        let answer = shop.post("discounts/", with(fields.clone())).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::BAD_REQUEST, problem), "{fields}");
    }
    for (method, path) in [("GET", "discount/none/"), ("PATCH", "discount/none/"), ("DELETE", "discount/none/")] {
        assert_eq!(shop.send(method, path, Value::Null, &[]).await.problem(), "discount_not_found", "{method}");
    }
    assert_eq!(shop.get("discount/a%20b/").await.status, StatusCode::BAD_REQUEST);
    shop.done("discounts/", with(json!({}))).await;
    assert_eq!(patch(&shop, "x", json!({ "value": "6.00" })).await.body["errors"][0]["field"], "kind");
}

#[tokio::test]
async fn discounts_are_listed_by_code_in_pages() {
    let shop = TestShop::new().await;
    for code in ["c", "A", "b"] {
        shop.done("discounts/", json!({ "code": code, "kind": "free_shipping" })).await;
    }
    let first = shop.get("discounts/?limit=2").await;
    let codes: Vec<_> = first.body.as_array().unwrap().iter().map(|row| row["code"].clone()).collect();
    assert_eq!(codes, ["A", "b"]);
    let next = first.header("link").split(['<', '>']).nth(1).unwrap().replace("/shop/api/", "");
    assert_eq!(shop.read(&next).await[0]["code"], "c");
}
