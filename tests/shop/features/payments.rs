//! Orders that are paid through a provider which fails in every way: in the end nobody was charged twice, and no order
//! is paid without its money.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::card_stub::{CardStub, Operation};
use crate::support::guests::as_guest;
use crate::support::paying_shop::{DECLINED, GOOD, Till, pay_with, test_card};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_by_card_and_nothing_remembers_the_token() {
    let till = Till::open().await;
    let order = till.order(GOOD).await;
    till.becomes(order, "payment", "paid").await;
    let summary = till.summary(order).await;
    assert_eq!(
        (&summary["status"], &summary["paid"], &summary["due"]),
        (&json!("pending"), &json!("25.00"), &json!("0.00"))
    );
    assert_eq!(
        till.events(order).await,
        ["OrderPlaced", "OrderPaymentRequested", "OrderPaymentAuthorised", "OrderPaid"]
    );
    let actors: Vec<String> = sqlx::query_scalar(
        "select distinct (metadata ->> 'actor') || ' ' || (metadata ->> 'role') from events
         where event_type in ('OrderPaymentAuthorised', 'OrderPaid')",
    )
    .fetch_all(&till.shop.pool)
    .await
    .unwrap();
    assert_eq!(actors, ["payments system"]);
    till.audit().await;
    let ledger = till.stub.ledger();
    assert_eq!((ledger.payments[0].captured, ledger.payments[0].currency.as_str()), (2_500, "eur"));
    assert_eq!(till.instruments().await, 0);
    assert_eq!(till.tables_that_know(GOOD).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_declined_can_be_followed_by_another_one() {
    let till = Till::open().await;
    let order = till.order("pm_card_visa_chargeDeclinedInsufficientFunds").await;
    till.becomes(order, "payment", "failed").await;
    let reasons: Vec<String> =
        sqlx::query_scalar("select payload ->> 'reason' from events where event_type = 'OrderPaymentFailed'")
            .fetch_all(&till.shop.pool)
            .await
            .unwrap();
    assert_eq!(reasons, ["insufficient_funds"]);
    for (token, payment) in [(DECLINED, "failed"), ("pm_card_stubCaptureFails", "failed"), (GOOD, "paid")] {
        let asked = till.shop.done(&format!("order/{order}/pay/"), json!({ "payment": pay_with(token) })).await;
        assert_eq!(asked["payment"], "pending");
        till.becomes(order, "payment", payment).await;
    }
    let again = till.shop.post(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await;
    assert_eq!((again.status, again.problem()), (StatusCode::CONFLICT, "illegal_move"));
    till.audit().await;
    assert_eq!(till.instruments().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_pays_again_by_the_token_of_the_cart() {
    let till = Till::open().await;
    let checkout = till.filled_cart().await;
    let cart = checkout.strip_suffix("checkout/").unwrap();
    let mut body = as_guest("Jo");
    body["payment"] = pay_with(DECLINED);
    let order = till.shop.as_nobody("POST", &checkout, body).await.body["order_id"].as_i64().unwrap();
    till.becomes(order, "payment", "failed").await;
    assert_eq!(till.summary(order).await["payment_failure"], "card_declined");
    let another = till.filled_cart().await.replace("checkout/", "");
    let payment = json!({ "payment": pay_with(GOOD) });
    let refused = till.shop.as_nobody("POST", &format!("{another}order/{order}/pay/"), payment.clone()).await;
    assert_eq!(refused.problem(), "order_not_found");
    let asked = till.shop.as_nobody("POST", &format!("{cart}order/{order}/pay/"), payment).await;
    assert_eq!((asked.status, &asked.body["payment"]), (StatusCode::OK, &json!("pending")), "{}", asked.body);
    till.becomes(order, "payment", "paid").await;
    assert_eq!(till.summary(order).await["payment_failure"], Value::Null);
    till.audit().await;

    let methods = till.shop.as_nobody("GET", "payment-methods/", Value::Null).await.body;
    let invoice = json!({ "method": "invoice", "online": false, "currency": "EUR" });
    assert_eq!(methods, json!([invoice, { "method": "card", "online": true, "currency": "EUR" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cards_for_tests_work_where_they_are_switched_on() {
    let till = Till::with_test_cards().await;
    for (number, payment) in [
        ("4242 4242 4242 4242", "paid"),
        ("4000000000000002", "failed"),
        ("4000000000009995", "failed"),
        ("4000000000000341", "failed"),
        ("4000000000000119", "paid"),
    ] {
        let order = till.order_paid_by("test", test_card(number)).await;
        till.becomes(order, "payment", payment).await;
    }
    assert_eq!(till.instruments().await, 0);
    let captured: Vec<(i64, i64)> = sqlx::query_as(
        "select order_id, count(*) from test_charge where state <> 'cancelled' group by order_id order by order_id",
    )
    .fetch_all(&till.shop.pool)
    .await
    .unwrap();
    assert_eq!(captured, [(1, 1), (5, 1)]);
    let order = till.order_paid_by("test", test_card("4242424242424242")).await;
    till.becomes(order, "payment", "paid").await;
    till.shop.done(&format!("order/{order}/cancel/"), Value::Null).await;
    till.becomes(order, "payment", "refunded").await;
    let refunded: String =
        sqlx::query_scalar("select sum(amount)::text from test_refund").fetch_one(&till.shop.pool).await.unwrap();
    assert_eq!(refunded, "25.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_way_to_pay_is_refused_and_places_no_order() {
    let till = Till::open().await;
    let (shop, cart) = (&till.shop, till.filled_cart().await);
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
        let mut told = as_guest("Jo");
        told.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = shop.post(&cart, told).await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{body}");
        let repeated = |number| answer.body.to_string().contains(number);
        assert!(!repeated("4242424242424242") && !repeated("4111111111111111"), "a number is not repeated");
    }
    assert_eq!(shop.engine.journal.position(), before);
    assert_eq!((till.instruments().await, till.stub.ledger().payments.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_goes_back_in_parts_once_each() {
    let till = Till::open().await;
    let order = till.order(GOOD).await;
    till.becomes(order, "payment", "paid").await;
    let refund = format!("order/{order}/refund/");
    for amount in ["10.00", "5.00"] {
        till.shop.done(&refund, json!({ "amount": amount })).await;
    }
    let much = till.shop.post(&refund, json!({ "amount": "10.01" })).await;
    assert_eq!(much.problem(), "refund_too_large");
    till.refunded(order, "15.00").await;
    till.becomes(order, "payment", "partially_refunded").await;
    till.shop.done(&refund, Value::Null).await;
    till.becomes(order, "payment", "refunded").await;
    till.audit().await;
    assert_eq!(till.stub.requests(Operation::Refund), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_provider_refuses_is_told_and_can_be_asked_for_again() {
    let till = Till::open().await;
    let order = till.order(GOOD).await;
    till.becomes(order, "payment", "paid").await;
    // As if the bank had taken part of the money back.
    till.stub.change(|ledger| ledger.payments[0].captured = 1_000);
    till.shop.done(&format!("order/{order}/refund/"), Value::Null).await;
    till.happens(order, "OrderRefundFailed").await;
    till.stub.change(|ledger| ledger.payments[0].captured = 2_500);
    till.shop.done(&format!("order/{order}/refund/"), Value::Null).await;
    till.becomes(order, "payment", "refunded").await;
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_providers_takes_invoices_only() {
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
async fn what_nobody_used_is_deleted_after_a_day() {
    let stub = CardStub::start();
    let till = Till::without_reactor(stub).await;
    till.order(GOOD).await;
    assert_eq!(till.tables_that_know(GOOD).await, ["public.payment_instrument"]);
    let sweep = || cartwright::payments::sweep_instruments(&till.shop.pool);
    assert_eq!((till.instruments().await, sweep().await.unwrap()), (1, 0));
    let age = "update payment_instrument set given_at = given_at - interval '25 hours'";
    sqlx::query(age).execute(&till.shop.pool).await.unwrap();
    assert_eq!((sweep().await.unwrap(), till.instruments().await), (1, 0));
}
