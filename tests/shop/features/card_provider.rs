//! The card provider's client against a stub, and the test provider: a repeated request takes effect once.

use std::time::Duration;

use axum::http::StatusCode;
use cartwright::domain::money::Money;
use cartwright::domain::order::PaymentToken;
use cartwright::payments::{
    AuthorisationRequest, CardProvider, Currency, Instrument, IntentState, PaymentError, PaymentProvider,
    PaymentPurpose, RefundRequest, TestProvider,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::card_stub::{CardStub, Fault, Operation, PATIENCE, signature};
use crate::support::paying_shop::deliver;
use crate::support::{TestShop, fresh_database, pool};

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn charge(token: &str) -> AuthorisationRequest {
    let purpose = PaymentPurpose { order_id: 17, attempt: 2, request: Uuid::now_v7() };
    AuthorisationRequest {
        purpose,
        amount: money("12.50"),
        currency: Currency::EUR,
        instrument: PaymentToken::new(token),
    }
}

fn request(reference: &str, amount: &str) -> RefundRequest {
    RefundRequest {
        reference: reference.to_owned(),
        order_id: 17,
        refund: 1,
        amount: money(amount),
        request: Uuid::now_v7(),
    }
}

fn declined(code: &str) -> PaymentError {
    PaymentError::Declined { code: code.to_owned() }
}

fn is_unknown<T: std::fmt::Debug>(outcome: Result<T, PaymentError>) {
    assert!(matches!(outcome, Err(PaymentError::Unavailable(_))), "{outcome:?}");
}

fn client(stub: &CardStub) -> CardProvider {
    CardProvider::new(stub.payments().card.as_ref().unwrap()).unwrap()
}

/// Checks what every provider guarantees for a valid card; returns the reference of a captured payment.
async fn each_step_is_done_once(provider: &dyn PaymentProvider, token: &str) -> (AuthorisationRequest, String) {
    let charge = charge(token);
    let first = provider.authorise(&charge).await.unwrap();
    assert_eq!(provider.authorise(&charge).await.unwrap(), first);
    let reference = first.reference;
    let found = provider.find(charge.purpose.request).await.unwrap().unwrap();
    assert_eq!((&found.reference, found.purpose, found.amount), (&reference, Some(charge.purpose), charge.amount));
    assert_eq!(found.state, IntentState::Authorised);
    assert_eq!(provider.find(Uuid::now_v7()).await.unwrap(), None);

    for _ in 0..2 {
        assert_eq!(provider.capture(&reference, charge.amount).await.unwrap(), charge.amount);
    }
    assert_eq!(provider.retrieve(&reference).await.unwrap().state, IntentState::Captured);
    assert!(matches!(provider.void(&reference).await, Err(PaymentError::Declined { .. })), "it was taken");

    let half = request(&reference, "6.25");
    let refunded = provider.refund(&half).await.unwrap();
    assert_eq!(provider.refund(&half).await.unwrap(), refunded, "the same request");
    let other_half = request(&reference, "6.25");
    assert_ne!(provider.refund(&other_half).await.unwrap(), refunded);
    let too_much = provider.refund(&request(&reference, "0.01")).await;
    assert!(matches!(too_much, Err(PaymentError::Declined { .. })), "{too_much:?}");

    let another = self::charge(token);
    let held = provider.authorise(&another).await.unwrap().reference;
    assert_ne!(held, reference);
    for _ in 0..2 {
        provider.void(&held).await.unwrap();
    }
    assert_eq!(provider.retrieve(&held).await.unwrap().state, IntentState::Cancelled);
    assert_eq!(provider.capture(&held, another.amount).await, Err(declined("authorisation_gone")));
    (charge, reference)
}

#[tokio::test]
async fn each_card_operation_follows_the_providers_protocol_and_is_done_once() {
    let stub = CardStub::start();
    let (charge, reference) = each_step_is_done_once(&client(&stub), "pm_card_visa").await;
    let ledger = stub.ledger();
    assert_eq!((ledger.payments.len(), ledger.refunds.len()), (2, 2));
    let payment = &ledger.payments[0];
    assert_eq!((payment.id.as_str(), payment.amount, payment.captured), (reference.as_str(), 1_250, 1_250));
    assert_eq!(payment.currency, "eur");
    let request = charge.purpose.request.to_string();
    for (name, value) in [("order_id", "17"), ("attempt", "2"), ("request", &request)] {
        assert_eq!(payment.metadata[name], value);
    }
    assert_eq!(ledger.refunded(&reference), 1_250);
}

#[tokio::test]
async fn the_test_provider_does_each_operation_once() {
    let provider = TestProvider::new(pool(&fresh_database().await).await);
    each_step_is_done_once(&provider, "succeeds").await;
}

#[tokio::test]
async fn each_test_card_has_its_documented_outcome() {
    let pool = pool(&fresh_database().await).await;
    let provider = TestProvider::new(pool.clone());
    let of =
        |number: &str| AuthorisationRequest { instrument: Instrument::test(number).unwrap().token(), ..charge("") };
    for (number, code) in [
        ("4000000000000002", "card_declined"),
        ("4000000000009995", "insufficient_funds"),
        ("4000002500003155", "authentication_required"),
    ] {
        assert_eq!(provider.authorise(&of(number)).await, Err(declined(code)));
    }
    let held = provider.authorise(&of("4000000000000341")).await.unwrap();
    assert_eq!(provider.capture(&held.reference, money("12.50")).await, Err(declined("capture_failed")));

    let lost = of("4000000000000119");
    is_unknown(provider.authorise(&lost).await);
    let found = provider.find(lost.purpose.request).await.unwrap().unwrap();
    assert_eq!(provider.authorise(&lost).await.unwrap().reference, found.reference);

    let slow = of("4000000000000077");
    let begun = std::time::Instant::now();
    assert!(provider.authorise(&slow).await.is_ok() && begun.elapsed() >= Duration::from_secs(3));
    let charges: i64 = sqlx::query_scalar("select count(*) from test_charge").fetch_one(&pool).await.unwrap();
    assert_eq!(charges, 3, "one each, and none for those that were declined");
}

#[tokio::test]
async fn a_refusal_is_final_and_has_a_reason() {
    let stub = CardStub::start();
    let provider = client(&stub);
    for (token, code) in [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_authenticationRequired", "authentication_required"),
        ("pm_unknown", "resource_missing"),
    ] {
        let charge = charge(token);
        for _ in 0..2 {
            assert_eq!(provider.authorise(&charge).await, Err(declined(code)), "{token}");
        }
    }
    let little = AuthorisationRequest { amount: money("0.49"), ..charge("pm_card_visa") };
    assert_eq!(provider.authorise(&little).await, Err(declined("amount_too_small")));
    assert_eq!(provider.retrieve("pi_unknown").await, Err(declined("resource_missing")));
    assert_eq!(stub.ledger().charges(17).len(), 0);
    let intent = provider.retrieve(&stub.ledger().payments[1].id).await.unwrap();
    assert_eq!(intent.state, IntentState::Failed { code: "insufficient_funds".to_owned() });
}

#[tokio::test]
async fn an_operation_whose_answer_was_lost_is_found_and_not_repeated() {
    let stub = CardStub::start();
    let provider = client(&stub);
    let charge = charge("pm_card_visa");
    stub.fault(Operation::Authorise, Fault::LoseAnswer);
    is_unknown(provider.authorise(&charge).await);
    let reference = provider.authorise(&charge).await.unwrap().reference;
    for fault in [Fault::LoseAnswer, Fault::Refuse(500)] {
        stub.fault(Operation::Capture, fault);
        is_unknown(provider.capture(&reference, charge.amount).await);
    }
    provider.capture(&reference, charge.amount).await.unwrap();
    let request = request(&reference, "12.50");
    stub.fault(Operation::Refund, Fault::LoseAnswer);
    is_unknown(provider.refund(&request).await);
    provider.refund(&request).await.unwrap();
    let ledger = stub.ledger();
    assert_eq!((ledger.payments.len(), ledger.refunds.len()), (1, 1));
}

#[tokio::test]
async fn a_late_answer_leaves_the_outcome_unknown() {
    let stub = CardStub::start();
    let provider = client(&stub);
    let charge = charge("pm_card_visa");
    stub.fault(Operation::Authorise, Fault::Late(PATIENCE * 2));
    is_unknown(provider.authorise(&charge).await);
    is_unknown(provider.authorise(&charge).await);
    assert_eq!(stub.requests(Operation::Authorise), 2, "the second attempt learned that the first is in progress");
    let found = provider.find(charge.purpose.request).await.unwrap().unwrap();
    assert_eq!(found.state, IntentState::Authorised);
    assert_eq!(stub.ledger().payments.len(), 1);
}

#[tokio::test]
async fn a_failure_repeated_for_the_key_is_resolved_by_a_lookup() {
    let stub = CardStub::start();
    let provider = client(&stub);
    let charge = charge("pm_card_visa");
    stub.fault(Operation::Authorise, Fault::FailAfterwards);
    for _ in 0..2 {
        is_unknown(provider.authorise(&charge).await);
    }
    let found = provider.find(charge.purpose.request).await.unwrap().unwrap();
    provider.capture(&found.reference, charge.amount).await.unwrap();
    let request = request(&found.reference, "12.50");
    stub.fault(Operation::Refund, Fault::FailAfterwards);
    is_unknown(provider.refund(&request).await);
    provider.refund(&request).await.unwrap();
    assert_eq!(stub.requests(Operation::Refund), 1, "what went back is seen before it is asked for again");
}

#[tokio::test]
async fn an_answer_without_an_outcome_leaves_it_unknown() {
    let stub = CardStub::start();
    let charge = charge("pm_card_visa");
    for status in [409, 429, 500, 502, 503, 418, 302] {
        stub.fault(Operation::Authorise, Fault::Refuse(status));
        is_unknown(client(&stub).authorise(&charge).await);
    }
    let stranger = CardProvider::new(&stub.card("sk_test_unknown")).unwrap();
    let outcome = stranger.authorise(&charge).await;
    assert!(matches!(outcome, Err(PaymentError::Misconfigured(_))), "{outcome:?}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = cartwright::payments::CardConfig { url: format!("http://{closed}").parse().unwrap(), ..stub.card("") };
    is_unknown(CardProvider::new(&away).unwrap().authorise(&charge).await);
    assert_eq!(stub.ledger().payments.len(), 0);
}

#[tokio::test]
async fn unreadable_and_endless_answers_are_rejected() {
    let endless = format!("{{\"id\": \"{}\"}}", "x".repeat(3 * 1024 * 1024));
    for (answer, reason) in [
        (r#"{"id": "pi_1", "status": "requires_capture", "amount": "pm_card_visa"}"#, "unreadable response"),
        (endless.as_str(), "response too long"),
    ] {
        let answer = answer.to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = axum::serve(listener, axum::Router::new().fallback(async move || answer));
        let server = tokio::spawn(server.into_future());
        let config = cartwright::payments::CardConfig { url, ..CardStub::start().card("sk_test_1") };
        let outcome = CardProvider::new(&config).unwrap().authorise(&charge("pm_card_visa")).await;
        assert_eq!(outcome, Err(PaymentError::Unavailable(reason.to_owned())));
        server.abort();
    }
}

#[tokio::test]
async fn provider_messages_need_a_valid_signature() {
    let stub = CardStub::start();
    let shop = TestShop::paid(fresh_database().await, &stub.payments()).await;
    let body = json!({ "id": "evt_1", "type": "customer.created", "data": { "object": { "id": "cus_1" } } });
    let body = body.to_string();
    let good = signature(&body);
    assert_eq!(deliver(&shop, &body, &good).await.status, StatusCode::NO_CONTENT);
    for (body, signature, code) in [
        (body.as_str(), "", "signature_invalid"),
        (body.as_str(), "t=1,v1=00", "signature_invalid"),
        ("{}", good.as_str(), "signature_invalid"),
        ("{}", &signature("{}"), "invalid_request"),
    ] {
        let answer = deliver(&shop, body, signature).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::BAD_REQUEST, code));
    }
    let long = "x".repeat(1024 * 1024 + 1);
    assert_eq!(deliver(&shop, &long, &good).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let without = TestShop::new().await;
    assert_eq!(deliver(&without, &body, &good).await.problem(), "payments_not_set_up");
}
