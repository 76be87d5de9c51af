//! Discounts: their terms, and their limits under concurrent checkouts.

use axum::http::StatusCode;
use cartwright::journal::check_log;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::guests::as_guest;
use crate::support::pricing::check_out;
use crate::support::{Answer, TestShop, fresh_database};

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
async fn an_invalid_discount_is_refused() {
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

/// Customers with a kettle at 24.90 in each of their carts.
async fn buyers(shop: &TestShop, count: usize) -> Vec<i64> {
    let product = shop.product("Kettle", "24.90", 1_000).await;
    let buyers = shop.customers(count).await;
    for &buyer in &buyers {
        shop.add(buyer, product, 1).await;
    }
    buyers
}

async fn fill_again(shop: &TestShop, customer: i64) {
    shop.add(customer, 1, 1).await;
}

async fn create(shop: &TestShop, terms: Value) {
    let mut body = json!({ "code": "FIVE", "kind": "amount", "value": "5.00" });
    body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    shop.done("discounts/", body).await;
}

async fn with_code(shop: &TestShop, customer: i64) -> Answer {
    check_out(shop, customer, json!({ "discount_code": "five" })).await
}

async fn uses(shop: &TestShop) -> Value {
    shop.read("discount/five/").await["uses"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_limited_to_five_orders_is_used_five_times_by_many_buyers_on_two_nodes() {
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let shop = &nodes[0];
    let buyers = buyers(shop, 32).await;
    create(shop, json!({ "total_limit": 5 })).await;
    let orders = buyers.iter().enumerate().map(|(place, buyer)| with_code(&nodes[place % 2], *buyer));
    let answers = join_all(orders).await;
    let had: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
    assert_eq!(had.len(), 5);
    assert!(had.iter().all(|answer| answer.body["total_amount"] == "19.90"), "{had:?}");
    for refused in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "discount_used_up"));
    }
    for node in &nodes {
        node.settle().await;
        assert_eq!(uses(node).await, 5);
    }
    assert_eq!(shop.read("orders/").await.as_array().unwrap().len(), 5, "the others have ordered nothing");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_cancelled_order_releases_its_discount_use_once() {
    let shop = TestShop::new().await;
    let buyers = buyers(&shop, 3).await;
    create(&shop, json!({ "total_limit": 1 })).await;
    let order = with_code(&shop, buyers[0]).await.body["order_id"].clone();
    assert_eq!(with_code(&shop, buyers[1]).await.problem(), "discount_used_up");
    shop.done(&format!("order/{order}/cancel/"), Value::Null).await;
    assert_eq!(uses(&shop).await, 0);
    assert_eq!(shop.post(&format!("order/{order}/cancel/"), Value::Null).await.problem(), "illegal_move");
    assert_eq!(with_code(&shop, buyers[1]).await.status, StatusCode::CREATED);
    assert_eq!(with_code(&shop, buyers[2]).await.problem(), "discount_used_up");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn an_order_of_which_every_unit_is_cancelled_releases_its_discount_use() {
    let shop = TestShop::new().await;
    let buyers = buyers(&shop, 1).await;
    create(&shop, json!({})).await;
    let order = with_code(&shop, buyers[0]).await.body["order_id"].clone();
    shop.done(&format!("order/{order}/cancel/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["status"], "cancelled");
    assert_eq!(uses(&shop).await, 0);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_limit_counts_per_customer_and_excludes_guests() {
    let shop = TestShop::new().await;
    let buyers = buyers(&shop, 2).await;
    create(&shop, json!({ "customer_limit": 1 })).await;
    assert_eq!(with_code(&shop, buyers[0]).await.status, StatusCode::CREATED);
    fill_again(&shop, buyers[0]).await;
    assert_eq!(with_code(&shop, buyers[0]).await.problem(), "discount_used_up_by_customer");
    assert_eq!(with_code(&shop, buyers[1]).await.status, StatusCode::CREATED);

    let token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    shop.done(&format!("carts/{token}/items/"), json!({ "product_id": 1, "quantity": 1 })).await;
    let mut checkout = as_guest("Jo");
    checkout["discount_code"] = json!("FIVE");
    let guest = shop.post(&format!("carts/{token}/checkout/"), checkout.clone()).await;
    assert_eq!((guest.status, guest.problem()), (StatusCode::CONFLICT, "discount_needs_customer"));
    patch(&shop, "five", json!({ "customer_limit": null })).await;
    let guest = shop.post(&format!("carts/{token}/checkout/"), checkout.clone()).await;
    assert_eq!((guest.status, &guest.body["total_amount"]), (StatusCode::CREATED, &json!("19.90")));
    assert_eq!(uses(&shop).await, 3);
}

#[tokio::test]
async fn a_code_that_is_not_valid_now_is_refused_with_its_reason() {
    let shop = TestShop::new().await;
    let buyer = buyers(&shop, 1).await[0];
    create(&shop, json!({ "minimum": "24.91" })).await;
    let before = shop.engine.journal.position();
    assert_eq!(with_code(&shop, buyer).await.problem(), "discount_below_minimum");
    let unknown = check_out(&shop, buyer, json!({ "discount_code": "NONE" })).await;
    assert_eq!((unknown.status, unknown.problem()), (StatusCode::CONFLICT, "discount_not_found"));
    let malformed = check_out(&shop, buyer, json!({ "discount_code": "a b" })).await;
    assert_eq!(malformed.body["errors"][0]["field"], "discount_code");
    assert_eq!(shop.engine.journal.position(), before);
    for (change, problem) in [
        (json!({ "minimum": null, "from": "2099-01-01T00:00:00Z" }), "discount_not_yet_valid"),
        (json!({ "from": null, "until": "2020-01-01T00:00:00Z" }), "discount_expired"),
    ] {
        assert_eq!(patch(&shop, "five", change).await.status, StatusCode::OK);
        assert_eq!(with_code(&shop, buyer).await.problem(), problem);
    }
    patch(&shop, "five", json!({ "until": null })).await;
    shop.send("DELETE", "discount/five/", Value::Null, &[]).await;
    assert_eq!(with_code(&shop, buyer).await.problem(), "discount_ended");
    assert_eq!(shop.read("orders/").await, json!([]));
    assert_eq!(uses(&shop).await, 0);
}

#[tokio::test]
async fn free_shipping_removes_only_the_fee() {
    let shop = TestShop::new().await;
    let buyers = buyers(&shop, 2).await;
    let fees = json!({ "fees": [{ "from": "0", "fee": "9.90" }] });
    assert_eq!(shop.send("PUT", "pricing/shipping/", fees, &[]).await.status, StatusCode::OK);
    create(&shop, json!({ "kind": "free_shipping", "value": null })).await;
    assert_eq!(check_out(&shop, buyers[0], Value::Null).await.body["total_amount"], "34.80");
    let free = with_code(&shop, buyers[1]).await.body;
    assert_eq!((&free["total_amount"], &free["pricing"]["shipping"]), (&json!("24.90"), &json!("0.00")));
    assert_eq!((&free["pricing"]["discount_code"], uses(&shop).await), (&json!("FIVE"), json!(1)));
}

#[tokio::test]
async fn an_order_with_a_total_of_zero_is_placed() {
    let shop = TestShop::new().await;
    let buyer = buyers(&shop, 1).await[0];
    create(&shop, json!({ "value": "100.00" })).await;
    let order = with_code(&shop, buyer).await.body;
    assert_eq!((&order["total_amount"], &order["pricing"]["discount"]), (&json!("0.00"), &json!("24.90")));
    assert_eq!(order["lines"][0]["total"], "0.00");
    shop.check_log().await;
}

#[tokio::test]
async fn log_verification_finds_discount_uses_beyond_limits_and_without_orders() {
    let shop = TestShop::new().await;
    let buyers = buyers(&shop, 3).await;
    create(&shop, json!({ "total_limit": 3, "customer_limit": 2 })).await;
    for buyer in [buyers[0], buyers[0], buyers[1]] {
        fill_again(&shop, buyer).await;
        assert_eq!(with_code(&shop, buyer).await.status, StatusCode::CREATED);
    }
    shop.done("order/2/cancel/", Value::Null).await;
    shop.check_log().await;
    for (damage, rule, found) in [
        (
            "update events set payload = payload || '{\"total_limit\": 2}' where event_type = 'DiscountCreated'",
            "discounts",
            "expected at most 2 uses, 2 by the customer; found 3 uses, 1 by the customer",
        ),
        (
            "update events set payload = payload || '{\"customer_limit\": 1}' where event_type = 'DiscountCreated'",
            "discounts",
            "expected at most 3 uses, 1 by the customer; found 2 uses, 2 by the customer",
        ),
        (
            "update events set payload = payload || '{\"order_id\": 1}' where event_type = 'DiscountReleased'",
            "discounts",
            "Order/1: expected used 1 times, released 0 times; found used 1 times, released 1 times",
        ),
        (
            "update events set payload = jsonb_set(payload, '{pricing,shipping}', '\"1.00\"')
             where event_type = 'OrderPlaced' and aggregate_id = '3'",
            "money",
            "Order/3: expected a total of 45.80, as its parts; found a total of 44.80",
        ),
    ] {
        let keep = "create table kept as table events; alter table events disable trigger user";
        let restore = "delete from events; insert into events table kept; drop table kept;
            alter table events enable trigger user";
        shop.pool.execute(format!("{keep}; {damage}").as_str()).await.unwrap();
        let broken = check_log(&shop.pool).await.unwrap().into_iter().filter(|rule| rule.offences > 0);
        let findings: Vec<_> = broken
            .flat_map(|broken| broken.findings.iter().map(|f| format!("{} {f}", broken.name)).collect::<Vec<_>>())
            .collect();
        assert!(findings.iter().any(|f| f.starts_with(rule) && f.contains(found)), "{damage}: {findings:?}");
        shop.pool.execute(restore).await.unwrap();
        shop.check_log().await;
    }
}
