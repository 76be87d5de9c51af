//! Units that are cancelled before they are shipped: the stock, the money, the states, and what callers see of them.

use axum::http::StatusCode;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::guests::as_guest;
use crate::support::tokens::{claims, sign};
use crate::support::{TestShop, fresh_database};

/// A customer's order of three kettles at 10.00, paid and in process; ten were in stock.
async fn three_kettles(shop: &TestShop) -> (i64, i64, i64) {
    let kettle = shop.product("Kettle", "10.00", 10).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, kettle, 3).await;
    let order = shop.check_out(customer).await.body["order_id"].as_i64().unwrap();
    shop.address_order(order).await;
    for step in ["pay", "process"] {
        shop.done(&format!("order/{order}/{step}/"), Value::Null).await;
    }
    (order, kettle, customer)
}

fn states(body: &Value) -> [&str; 3] {
    ["status", "payment", "fulfilment"].map(|state| body[state].as_str().unwrap())
}

fn units(line: i64, quantity: i64) -> Value {
    json!({ "lines": [{ "line": line, "quantity": quantity }] })
}

/// Units on hand, reserved and for sale.
async fn stock(shop: &TestShop, product: i64) -> [i64; 3] {
    let product = shop.read(&format!("product/{product}/")).await;
    ["on_hand", "reserved", "stock"].map(|name| product[name].as_i64().unwrap())
}

async fn allowed(shop: &TestShop, order: i64) -> Value {
    shop.read(&format!("order/{order}/summary/")).await["allowed"].clone()
}

#[tokio::test]
async fn a_part_of_a_line_that_cannot_be_delivered_is_cancelled() {
    let shop = TestShop::new().await;
    let (order, kettle, customer) = three_kettles(&shop).await;
    let step = async |action: &str, body: Value| shop.done(&format!("order/{order}/{action}/"), body).await;
    step("ship", units(1, 1)).await;

    let mut body = units(1, 2);
    body["reason"] = json!("broken in the warehouse");
    let dry = shop.post(&format!("order/{order}/cancel/?dry_run=true"), body.clone()).await;
    let events: Vec<_> = dry.body["events"].as_array().unwrap().iter().map(|event| &event["event_type"]).collect();
    assert_eq!(events, ["OrderUnitsCancelled", "OrderShipped", "OrderRefunded", "StockReleased"]);
    let cancelled = step("cancel", body).await;
    assert_eq!(states(&cancelled), ["shipped", "partially_refunded", "shipped"]);
    assert_eq!((&cancelled["refunded"], &cancelled["credited"]), (&json!("20.00"), &json!("20.00")));
    assert_eq!(cancelled["stock"], json!([{ "product_id": kettle, "stock": 9 }]));
    assert_eq!(stock(&shop, kettle).await, [9, 0, 9]);
    let seen = shop.read(&format!("order/{order}/summary/")).await;
    let line = &seen["lines"][0];
    assert_eq!((&line["shipped"], &line["withdrawn"], &line["returned"]), (&json!(1), &json!(2), &json!(0)));
    assert_eq!(seen["refunds"][0]["reason"], "broken in the warehouse");
    assert_eq!(seen["allowed"], json!(["deliver", "return", "refund"]));

    let best = shop.read("bestsellers/").await;
    assert_eq!((&best[0]["total_sold"], &best[0]["total_revenue"]), (&json!(1), &json!("10.00")));
    let day = shop.read("sales/?by=day").await;
    assert_eq!((&day[0]["orders"], &day[0]["units"], &day[0]["revenue"]), (&json!(1), &json!(1), &json!("10.00")));
    let stats = shop.read("customer-stats/").await;
    assert_eq!((&stats[0]["customer_id"], &stats[0]["total_spent"]), (&json!(customer), &json!("10.00")));
    let history = shop.read(&format!("order/{order}/history/")).await;
    let entry = history.as_array().unwrap().iter().find(|entry| entry["event_type"] == "OrderUnitsCancelled").unwrap();
    assert_eq!(
        (&entry["before"]["units"][0]["withdrawn"], &entry["after"]["units"][0]["withdrawn"]),
        (&json!(0), &json!(2))
    );
    shop.check_log().await;
    shop.verify().await;

    // The unit that was sent comes back after all.
    let returned =
        step("return", json!({ "lines": [{ "line": 1, "quantity": 1, "restock": true }], "refund": true })).await;
    assert_eq!(states(&returned), ["completed", "refunded", "returned"]);
    assert_eq!(stock(&shop, kettle).await, [10, 0, 10]);
    assert_eq!(allowed(&shop, order).await, json!([]), "the order has ended by itself");
    assert_eq!(shop.read("bestsellers/").await, json!([]));
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], "0.00");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_return_takes_shipped_units_only_and_names_cancel() {
    let shop = TestShop::new().await;
    let (order, ..) = three_kettles(&shop).await;
    let path = format!("order/{order}/return/");
    let refused = shop.post(&path, units(1, 1)).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "not_shipped"));
    assert!(refused.body["detail"].as_str().unwrap().contains("use cancel"), "{}", refused.body);
    shop.done(&format!("order/{order}/ship/"), units(1, 1)).await;
    let refused = shop.post(&path, units(1, 2)).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "not_shipped"));
    assert!(refused.body["detail"].as_str().unwrap().contains("use cancel"), "{}", refused.body);
    for (body, status, code) in [
        (json!({}), 409, "partly_shipped"),
        (json!({ "lines": [] }), 400, "invalid_request"),
        (json!({ "lines": null }), 409, "partly_shipped"),
        (units(1, 0), 400, "invalid_request"),
        (units(2, 1), 400, "line_not_found"),
        (units(-1, 1), 400, "line_not_found"),
        (units(1, 3), 409, "already_shipped"),
        (json!({ "lines": [{ "line": 1, "quantity": 1 }, { "line": 1, "quantity": 1 }] }), 400, "line_named_twice"),
        (json!({ "lines": [{ "line": 1, "quantity": 1, "restock": true }] }), 400, "invalid_request"),
    ] {
        let answer = shop.post(&format!("order/{order}/cancel/"), body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (status, code), "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn cancelling_every_unit_before_anything_is_shipped_cancels_the_order() {
    let shop = TestShop::new().await;
    let (order, kettle, _) = three_kettles(&shop).await;
    let path = format!("order/{order}/cancel/");
    let first = shop.done(&path, units(1, 1)).await;
    assert_eq!(states(&first), ["processing", "partially_refunded", "unfulfilled"]);
    let last = shop.done(&path, units(1, 2)).await;
    assert_eq!((states(&last), &last["refunded"]), (["cancelled", "refunded", "unfulfilled"], &json!("30.00")));
    assert_eq!(stock(&shop, kettle).await, [10, 0, 10]);
    assert_eq!(shop.read("sales/?by=day").await, json!([]));
    let again = shop.post(&path, units(1, 1)).await;
    assert_eq!((again.problem(), &again.body["allowed"]), ("illegal_move", &json!([])));
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn an_unpaid_order_owes_less_and_counts_as_paid_when_nothing_is_due() {
    let shop = TestShop::new().await;
    let (kettle, gift) = (shop.product("Kettle", "10.00", 10).await, shop.product("Gift", "0.00", 10).await);
    let customer = shop.customer("Ada").await;
    shop.add(customer, kettle, 2).await;
    shop.add(customer, gift, 1).await;
    let order = shop.check_out(customer).await.body["order_id"].as_i64().unwrap();
    let path = format!("order/{order}/cancel/");
    let cancelled = shop.done(&path, units(1, 1)).await;
    assert_eq!((states(&cancelled)[1], &cancelled["due"]), ("pending", &json!("10.00")));
    let cancelled = shop.done(&path, units(1, 1)).await;
    assert_eq!((states(&cancelled)[1], &cancelled["due"]), ("paid", &json!("0.00")));
    assert_eq!(allowed(&shop, order).await, json!(["process", "cancel"]), "nothing to pay, and nothing to refund");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn each_caller_is_shown_its_own_moves() {
    let shop = TestShop::new().await;
    let (order, kettle, customer) = three_kettles(&shop).await;
    let bearer = |role: &str, customer| format!("Bearer {}", sign(&claims(role, 900_001, customer)));
    let (owner, reader) = (bearer("customer", Some(customer)), bearer("reader", None));
    let seen_by = async |path: &str, token: &str| {
        shop.settle().await;
        let answer = shop.send("GET", path, Value::Null, &[("authorization", token)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["allowed"].clone()
    };
    let summary = format!("order/{order}/summary/");
    assert_eq!(allowed(&shop, order).await, json!(["ship", "cancel", "refund"]));
    assert_eq!(seen_by(&summary, &reader).await, json!([]));
    assert_eq!(seen_by(&summary, &owner).await, json!(["cancel"]), "it is paid");
    let send = async |action: &str, body: Value| {
        shop.send("POST", &format!("order/{order}/{action}/"), body, &[("authorization", &owner)]).await
    };
    let refused = send("cancel", units(1, 1)).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::FORBIDDEN, "forbidden"));
    shop.done(&format!("order/{order}/ship/"), units(1, 1)).await;
    assert_eq!(seen_by(&summary, &owner).await, json!([]));
    assert_eq!(send("cancel", Value::Null).await.problem(), "partly_shipped");
    shop.done(&format!("order/{order}/ship/"), Value::Null).await;
    let refused = send("cancel", Value::Null).await;
    assert_eq!((refused.problem(), &refused.body["allowed"]), ("illegal_move", &json!([])));
    assert!(refused.body["detail"].as_str().unwrap().ends_with("allowed: nothing"), "{}", refused.body);

    // A guest may pay online where that is set up, and nothing else.
    let cart = shop.guest_cart(kettle).await;
    let guest = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Jo")).await;
    let order = guest.body["order_id"].as_i64().unwrap();
    shop.settle().await;
    let seen = shop.send_without_token("GET", &format!("{cart}order/{order}/"), Value::Null).await;
    assert_eq!((seen.status, &seen.body["allowed"]), (StatusCode::OK, &json!([])), "no payment provider is set up");
    assert_eq!(allowed(&shop, order).await, json!(["process", "pay", "cancel"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_not_both_shipped_and_cancelled() {
    let database = fresh_database().await;
    let [shop, other] = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let kettle = shop.product("Kettle", "10.00", 100).await;
    let mut outcomes = Vec::new();
    for _ in 0..10 {
        let lines = json!([{ "product_id": kettle, "quantity": 3 }]);
        let order = shop.done("orders/", json!({ "lines": lines })).await["order_id"].as_i64().unwrap();
        shop.done(&format!("order/{order}/process/"), Value::Null).await;
        let (ship, cancel) = (format!("order/{order}/ship/"), format!("order/{order}/cancel/"));
        let all = json!({ "lines": [{ "line": 1, "quantity": 3 }], "collected": true });
        let (shipped, cancelled) = join(shop.post(&ship, all), other.post(&cancel, units(1, 2))).await;
        let mut statuses = [shipped.status, cancelled.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT], "{} {}", shipped.body, cancelled.body);
        outcomes.push(shipped.status);
    }
    shop.check_log().await;
    shop.verify().await;
    let shipped = outcomes.iter().filter(|status| **status == StatusCode::OK).count();
    let left = i64::try_from(100 - 3 * shipped).unwrap();
    assert_eq!(
        stock(&shop, kettle).await,
        [left, 10 - i64::try_from(shipped).unwrap(), left - 10 + i64::try_from(shipped).unwrap()]
    );
}

/// The scheduler cannot cancel such an order, so it must not stand before those that it can.
#[tokio::test]
async fn a_partly_shipped_order_is_not_listed_as_one_to_cancel_unpaid() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "10.00", 10).await;
    let customer = shop.customer("Ada").await;
    let mut orders = Vec::new();
    for _ in 0..2 {
        shop.add(customer, kettle, 2).await;
        orders.push(shop.check_out(customer).await.body["order_id"].as_i64().unwrap());
    }
    shop.done(&format!("order/{}/process/", orders[0]), Value::Null).await;
    let part = json!({ "lines": [{ "line": 1, "quantity": 1 }], "collected": true });
    shop.done(&format!("order/{}/ship/", orders[0]), part).await;
    shop.settle().await;
    let overdue: Vec<i64> = sqlx::query_scalar(include_str!("../../../projections/orders/unpaid.sql"))
        .bind(chrono::Utc::now() + chrono::TimeDelta::days(100))
        .bind(10_i64)
        .fetch_all(&shop.pool)
        .await
        .unwrap();
    assert_eq!(overdue, orders[1..]);
}
