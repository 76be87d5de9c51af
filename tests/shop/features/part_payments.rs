//! Payments in parts, and orders with nothing to pay.

use axum::http::StatusCode;
use cartwright::scheduler::RunReport;
use cartwright::scheduler::tasks::{TaskContext, cancel_unpaid};
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::guests::as_guest;
use crate::support::paying_shop::{GOOD, PayingShop, pay_with, test_card};

/// An order of staff for 25.00.
async fn order(shop: &TestShop) -> i64 {
    let product = shop.product("Kettle", "12.50", 50).await;
    let order = json!({ "lines": [{ "product_id": product, "quantity": 2 }] });
    shop.done("orders/", order).await["order_id"].as_i64().unwrap()
}

async fn pay(shop: &TestShop, order: i64, body: Value) -> Value {
    shop.done(&format!("order/{order}/pay/"), body).await
}

fn money(state: &Value) -> Value {
    json!([state["payment"], state["paid"], state["due"]])
}

async fn run_cancellations(shop: &TestShop) -> RunReport {
    let (journal, projector) = (shop.engine.journal.clone(), shop.engine.projector.clone());
    shop.settle().await;
    cancel_unpaid(&TaskContext { journal, projector, pool: shop.pool.clone() }).run().await.unwrap()
}

/// Puts the deadlines of all orders into the past.
async fn let_deadlines_pass(shop: &TestShop) {
    shop.settle().await;
    sqlx::query("update orders set pay_by = now() - interval '1 day' where pay_by is not null")
        .execute(&shop.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_record_a_payment_in_parts() {
    let shop = TestShop::new().await;
    let order = order(&shop).await;
    let first = pay(&shop, order, json!({ "amount": "10.00", "reference": "transfer 1" })).await;
    assert_eq!(money(&first), json!(["partially_paid", "10.00", "15.00"]));
    let summary = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!(money(&summary), json!(["partially_paid", "10.00", "15.00"]));
    for (body, status, code) in [
        (json!({ "amount": "15.01" }), StatusCode::CONFLICT, "payment_too_large"),
        (json!({ "amount": "0.00" }), StatusCode::BAD_REQUEST, "invalid_request"),
        (json!({ "amount": "-1.00" }), StatusCode::BAD_REQUEST, "invalid_request"),
        (
            json!({ "amount": "1.00", "payment": test_card("4242424242424242") }),
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (json!({ "amount": "1.00", "method": "card" }), StatusCode::BAD_REQUEST, "invalid_request"),
    ] {
        let refused = shop.post(&format!("order/{order}/pay/"), body.clone()).await;
        assert_eq!((refused.status, refused.problem()), (status, code), "{body}");
    }
    let listed = shop.read("orders/?payment=partially_paid").await;
    assert_eq!(listed.as_array().unwrap().iter().map(|row| &row["order_id"]).collect::<Vec<_>>(), [&json!(order)]);
    assert_eq!(shop.read("orders/?payment=pending").await, json!([]));
    assert_eq!(shop.get("orders/?payment=partly").await.status, StatusCode::BAD_REQUEST);

    assert_eq!(money(&pay(&shop, order, json!({})).await), json!(["paid", "25.00", "0.00"]));
    let history = shop.read(&format!("order/{order}/history/")).await;
    let types: Vec<_> = history.as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert!(types.contains(&"OrderPartiallyPaid") && types.contains(&"OrderPaid"), "{types:?}");
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partially_paid_order_is_not_cancelled_and_its_money_goes_back_with_a_cancellation() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "12.50", 50).await;
    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 2).await;
    let order = shop.check_out(ada).await.body["order_id"].as_i64().unwrap();
    pay(&shop, order, json!({ "amount": "0.01" })).await;
    let_deadlines_pass(&shop).await;
    assert_eq!(run_cancellations(&shop).await, RunReport::default());
    let cancelled = shop.done(&format!("order/{order}/cancel/"), json!({})).await;
    assert_eq!(money(&cancelled), json!(["refunded", "0.01", "0.00"]));
    assert_eq!(cancelled["refunded"], "0.01");
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_charged_by_card_once_and_each_part_is_refunded_the_way_it_came() {
    let paying_shop = PayingShop::open().await;
    let shop = &paying_shop.shop;
    let order = order(shop).await;
    pay(shop, order, json!({ "amount": "10.00" })).await;
    let asked = pay(shop, order, json!({ "payment": pay_with(GOOD) })).await;
    assert_eq!(money(&asked), json!(["pending", "10.00", "15.00"]));
    paying_shop.wait_for_state(order, "payment", "paid").await;
    assert_eq!(money(&paying_shop.summary(order).await), json!(["paid", "25.00", "0.00"]));
    assert_eq!(paying_shop.stub.ledger().payments[0].captured, 1_500);
    let again = shop.post(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await;
    assert_eq!(again.problem(), "illegal_move");

    let cancelled = paying_shop.cancel(order).await;
    assert_eq!(cancelled.body["refunded"], "10.00", "staff give it back; the provider is asked for the rest");
    paying_shop.wait_for_refund(order, "25.00").await;
    assert_eq!(paying_shop.summary(order).await["payment"], "refunded");
    assert_eq!(paying_shop.stub.ledger().refunds.iter().map(|refund| refund.amount).sum::<i64>(), 1_500);
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_leaves_a_partially_paid_order_partially_paid() {
    let paying_shop = PayingShop::with_test_cards().await;
    let shop = &paying_shop.shop;
    let order = order(shop).await;
    pay(shop, order, json!({ "amount": "10.00" })).await;
    pay(shop, order, json!({ "payment": test_card("4000000000000002") })).await;
    paying_shop.wait_for_event(order, "OrderPaymentFailed").await;
    assert_eq!(money(&paying_shop.summary(order).await), json!(["partially_paid", "10.00", "15.00"]));
    pay(shop, order, json!({ "payment": test_card("4242424242424242") })).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_nothing_to_pay_is_paid_for_every_buyer_and_method() {
    let paying_shop = PayingShop::with_test_cards().await;
    let shop = &paying_shop.shop;
    let gift = shop.product("Gift", "0.00", 50).await;
    let kettle = shop.product("Teapot", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    shop.done("discounts/", json!({ "code": "ALL", "kind": "percent", "value": "100" })).await;
    let mut orders = vec![];
    for method in [None, Some("invoice"), Some("test")] {
        for (product, code) in [(gift, None), (kettle, Some("ALL"))] {
            let mut wish = json!({});
            if let Some(method) = method {
                wish["payment_method"] = json!(method);
            }
            if method == Some("test") {
                wish["payment"] = test_card("4242424242424242");
            }
            if let Some(code) = code {
                wish["discount_code"] = json!(code);
            }
            shop.add(ada, product, 1).await;
            orders.push(shop.post(&format!("customer/{ada}/cart/checkout/"), wish.clone()).await);
            let cart = shop.guest_cart(product).await;
            let mut body = as_guest("Jo");
            body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
            orders.push(shop.send_without_token("POST", &format!("{cart}checkout/"), body).await);
        }
    }
    orders.push(shop.post("orders/", json!({ "lines": [{ "product_id": gift, "quantity": 1 }] })).await);
    shop.settle().await;
    let_deadlines_pass(shop).await;
    assert_eq!(run_cancellations(shop).await, RunReport::default());
    for placed in orders {
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.body);
        let order = &placed.body["order_id"];
        let summary = shop.read(&format!("order/{order}/summary/")).await;
        assert_eq!(money(&summary), json!(["paid", "0.00", "0.00"]));
        assert_eq!((&summary["pay_by"], &summary["status"]), (&Value::Null, &json!("pending")));
        let paid = shop.post(&format!("order/{order}/pay/"), json!({})).await;
        assert_eq!((paid.status, paid.problem()), (StatusCode::CONFLICT, "nothing_due"));
    }
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_an_older_log_with_nothing_to_pay_stands() {
    let shop = TestShop::new().await;
    let gift = shop.product("Gift", "0.00", 50).await;
    let placed = json!({
        "event": "OrderPlaced", "customer_id": null, "placed_at": "2026-01-01T00:00:00Z", "reference": null,
        "total": "0.00", "payment_method": "invoice", "pay_by": "2026-02-01T00:00:00Z",
        "lines": [{
            "line": 1, "product_id": gift, "product_name": "Gift", "category_id": 1, "category_name": "Kitchen",
            "quantity": 1, "unit_price": "0.00", "subtotal": "0.00",
        }],
    });
    sqlx::query(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         values ('Order', '1', 1, 'OrderPlaced', '1.0', $1, '{}')",
    )
    .bind(&placed)
    .execute(&shop.pool)
    .await
    .unwrap();
    assert_eq!(run_cancellations(&shop).await, RunReport::default());
    let summary = shop.read("order/1/summary/").await;
    assert_eq!((money(&summary), &summary["pay_by"]), (json!(["paid", "0.00", "0.00"]), &Value::Null));
    assert_eq!(shop.post("order/1/pay/", json!({})).await.problem(), "nothing_due");
}

#[tokio::test]
async fn an_order_that_was_refunded_is_not_shipped() {
    let shop = TestShop::new().await;
    let order = order(&shop).await;
    shop.address_order(order).await;
    pay(&shop, order, json!({})).await;
    shop.done(&format!("order/{order}/process/"), json!({})).await;
    shop.done(&format!("order/{order}/refund/"), json!({ "amount": "5.00" })).await;
    let line = json!({ "lines": [{ "line": 1, "quantity": 1 }], "collected": true });
    shop.done(&format!("order/{order}/ship/"), line).await;
    shop.done(&format!("order/{order}/refund/"), json!({})).await;
    let refused = shop.post(&format!("order/{order}/ship/"), json!({ "collected": true })).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "order_refunded"));
}
