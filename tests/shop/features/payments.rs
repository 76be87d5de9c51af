//! Payments through a provider: by card, retried, refunded in parts, and refused where they are invalid.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::card_stub::{CardStub, Operation};
use crate::support::guests::as_guest;
use crate::support::paying_shop::{DECLINED, GOOD, PayingShop, pay_with, test_card};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_by_card_and_the_token_is_stored_nowhere() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    let summary = paying_shop.summary(order).await;
    assert_eq!(
        (&summary["status"], &summary["paid"], &summary["due"]),
        (&json!("pending"), &json!("25.00"), &json!("0.00"))
    );
    assert_eq!(
        paying_shop.events(order).await,
        ["OrderPlaced", "OrderPaymentRequested", "OrderPaymentAuthorised", "OrderPaid"]
    );
    let actors: Vec<String> = sqlx::query_scalar(
        "select distinct (metadata ->> 'actor') || ' ' || (metadata ->> 'role') from events
         where event_type in ('OrderPaymentAuthorised', 'OrderPaid')",
    )
    .fetch_all(&paying_shop.shop.pool)
    .await
    .unwrap();
    assert_eq!(actors, ["payments system"]);
    paying_shop.compare_with_provider().await;
    let ledger = paying_shop.stub.ledger();
    assert_eq!((ledger.payments[0].captured, ledger.payments[0].currency.as_str()), (2_500, "eur"));
    assert_eq!(paying_shop.instrument_count().await, 0);
    assert_eq!(paying_shop.tables_containing(GOOD).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_can_be_replaced_by_another() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order("pm_card_visa_chargeDeclinedInsufficientFunds").await;
    paying_shop.wait_for_state(order, "payment", "failed").await;
    let reasons: Vec<String> =
        sqlx::query_scalar("select payload ->> 'reason' from events where event_type = 'OrderPaymentFailed'")
            .fetch_all(&paying_shop.shop.pool)
            .await
            .unwrap();
    assert_eq!(reasons, ["insufficient_funds"]);
    for (token, payment) in [(DECLINED, "failed"), ("pm_card_stubCaptureFails", "failed"), (GOOD, "paid")] {
        let asked = paying_shop.shop.done(&format!("order/{order}/pay/"), json!({ "payment": pay_with(token) })).await;
        assert_eq!(asked["payment"], "pending");
        paying_shop.wait_for_state(order, "payment", payment).await;
    }
    let again = paying_shop.shop.post(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await;
    assert_eq!((again.status, again.problem()), (StatusCode::CONFLICT, "illegal_move"));
    paying_shop.compare_with_provider().await;
    assert_eq!(paying_shop.instrument_count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_retries_a_payment_with_the_cart_token() {
    let paying_shop = PayingShop::open().await;
    let checkout = paying_shop.filled_cart().await;
    let cart = checkout.strip_suffix("checkout/").unwrap();
    let mut body = as_guest("Jo");
    body["payment"] = pay_with(DECLINED);
    let order = paying_shop.shop.send_without_token("POST", &checkout, body).await.body["order_id"].as_i64().unwrap();
    paying_shop.wait_for_state(order, "payment", "failed").await;
    assert_eq!(paying_shop.summary(order).await["payment_failure"], "card_declined");
    let another = paying_shop.filled_cart().await.replace("checkout/", "");
    let payment = json!({ "payment": pay_with(GOOD) });
    let refused =
        paying_shop.shop.send_without_token("POST", &format!("{another}order/{order}/pay/"), payment.clone()).await;
    assert_eq!(refused.problem(), "order_not_found");
    let asked = paying_shop.shop.send_without_token("POST", &format!("{cart}order/{order}/pay/"), payment).await;
    assert_eq!((asked.status, &asked.body["payment"]), (StatusCode::OK, &json!("pending")), "{}", asked.body);
    paying_shop.wait_for_state(order, "payment", "paid").await;
    assert_eq!(paying_shop.summary(order).await["payment_failure"], Value::Null);
    paying_shop.compare_with_provider().await;

    let methods = paying_shop.shop.send_without_token("GET", "payment-methods/", Value::Null).await.body;
    let invoice = json!({ "method": "invoice", "online": false, "guests": true, "currency": "EUR" });
    let card = json!({ "method": "card", "online": true, "guests": true, "currency": "EUR" });
    assert_eq!(methods, json!([invoice, card]));
}

#[tokio::test(flavor = "multi_thread")]
async fn test_cards_work_where_they_are_enabled() {
    let paying_shop = PayingShop::with_test_cards().await;
    for (number, payment) in [
        ("4242 4242 4242 4242", "paid"),
        ("4000000000000002", "failed"),
        ("4000000000009995", "failed"),
        ("4000000000000341", "failed"),
        ("4000000000000119", "paid"),
    ] {
        let order = paying_shop.order_paid_by("test", test_card(number)).await;
        paying_shop.wait_for_state(order, "payment", payment).await;
    }
    assert_eq!(paying_shop.instrument_count().await, 0);
    let captured: Vec<(i64, i64)> = sqlx::query_as(
        "select order_id, count(*) from test_charge where state <> 'cancelled' group by order_id order by order_id",
    )
    .fetch_all(&paying_shop.shop.pool)
    .await
    .unwrap();
    assert_eq!(captured, [(1, 1), (5, 1)]);
    let order = paying_shop.order_paid_by("test", test_card("4242424242424242")).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    paying_shop.shop.done(&format!("order/{order}/cancel/"), Value::Null).await;
    paying_shop.wait_for_state(order, "payment", "refunded").await;
    let refunded: String = sqlx::query_scalar("select sum(amount)::text from test_refund")
        .fetch_one(&paying_shop.shop.pool)
        .await
        .unwrap();
    assert_eq!(refunded, "25.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_payment_is_refused_and_places_no_order() {
    let paying_shop = PayingShop::open().await;
    let (shop, cart) = (&paying_shop.shop, paying_shop.filled_cart().await);
    let before = shop.engine.journal.position();
    for (body, status, problem) in [
        (json!({ "payment_method": "card" }), StatusCode::BAD_REQUEST, "invalid_request"),
        (json!({ "payment": { "method": "card" } }), StatusCode::BAD_REQUEST, "invalid_request"),
        (
            json!({ "payment": { "method": "card", "token": "4242424242424242" } }),
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (json!({ "payment": { "method": "cash", "token": GOOD } }), StatusCode::BAD_REQUEST, "invalid_request"),
        (
            json!({ "payment": { "method": "card", "token": GOOD, "cvc": "1" } }),
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (json!({ "payment": test_card("4111111111111111") }), StatusCode::BAD_REQUEST, "invalid_request"),
        (json!({ "payment": "4111111111111111" }), StatusCode::BAD_REQUEST, "invalid_request"),
        (json!({ "payment": { "4111111111111111": "" } }), StatusCode::BAD_REQUEST, "invalid_request"),
        (
            json!({ "payment": { "method": "card", "token": 4_111_111_111_111_111_i64 } }),
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (json!({ "payment_method": "invoice", "payment": pay_with(GOOD) }), StatusCode::BAD_REQUEST, "invalid_request"),
        (json!({ "payment": test_card("4242424242424242") }), StatusCode::CONFLICT, "payment_method_unavailable"),
    ] {
        let mut checkout = as_guest("Jo");
        checkout.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = shop.post(&cart, checkout).await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{body}");
        let repeated = |number| answer.body.to_string().contains(number);
        assert!(!repeated("4242424242424242") && !repeated("4111111111111111"), "a number is not repeated");
    }
    assert_eq!(shop.engine.journal.position(), before);
    assert_eq!((paying_shop.instrument_count().await, paying_shop.stub.ledger().payments.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_refunded_in_parts_once_each() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    let refund = format!("order/{order}/refund/");
    for amount in ["10.00", "5.00"] {
        paying_shop.shop.done(&refund, json!({ "amount": amount })).await;
    }
    let much = paying_shop.shop.post(&refund, json!({ "amount": "10.01" })).await;
    assert_eq!(much.problem(), "refund_too_large");
    paying_shop.wait_for_refund(order, "15.00").await;
    paying_shop.wait_for_state(order, "payment", "partially_refunded").await;
    paying_shop.shop.done(&refund, Value::Null).await;
    paying_shop.wait_for_state(order, "payment", "refunded").await;
    paying_shop.compare_with_provider().await;
    assert_eq!(paying_shop.stub.requests(Operation::Refund), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refund_is_shown_and_can_be_requested_again() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    // As after a chargeback of a part.
    paying_shop.stub.change(|ledger| ledger.payments[0].captured = 1_000);
    paying_shop.shop.done(&format!("order/{order}/refund/"), Value::Null).await;
    paying_shop.wait_for_event(order, "OrderRefundFailed").await;
    paying_shop.stub.change(|ledger| ledger.payments[0].captured = 2_500);
    paying_shop.shop.done(&format!("order/{order}/refund/"), Value::Null).await;
    paying_shop.wait_for_state(order, "payment", "refunded").await;
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_providers_accepts_invoices_only() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    let path = format!("customer/{customer}/cart/checkout/");
    let refused = shop.post(&path, json!({ "payment": pay_with(GOOD) })).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "payment_method_unavailable"));
    let placed = shop.post(&path, json!({ "payment_method": "invoice" })).await;
    assert_eq!(placed.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_payment_instruments_are_deleted_after_a_day() {
    let stub = CardStub::start();
    let paying_shop = PayingShop::without_reactor(stub).await;
    paying_shop.order(GOOD).await;
    assert_eq!(paying_shop.tables_containing(GOOD).await, ["public.payment_instrument"]);
    let sweep = || cartwright::payments::sweep_instruments(&paying_shop.shop.pool);
    assert_eq!((paying_shop.instrument_count().await, sweep().await.unwrap()), (1, 0));
    let age = "update payment_instrument set given_at = given_at - interval '25 hours'";
    sqlx::query(age).execute(&paying_shop.shop.pool).await.unwrap();
    assert_eq!((sweep().await.unwrap(), paying_shop.instrument_count().await), (1, 0));
}
