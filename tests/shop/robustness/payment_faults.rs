//! Payments with faults: lost, late or wrong answers, repeated and reordered messages, cancellations in between.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use cartwright::domain::ids::OrderId;
use cartwright::domain::order::{OrderCommand, PaymentFailure};
use cartwright::journal::{Actor, Context};
use cartwright::shop::RecordPayment;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::card_stub::{Fault, Operation, PATIENCE};
use crate::support::paying_shop::{DECLINED, GOOD, PayingShop, pay_with};
use crate::support::reactors::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn lost_late_and_failed_answers_repeat_no_operation() {
    let paying_shop = PayingShop::open().await;
    let mut orders = Vec::new();
    for fault in
        [Fault::LoseAnswer, Fault::Late(PATIENCE * 2), Fault::FailAfterwards, Fault::Refuse(500), Fault::Refuse(429)]
    {
        for operation in [Operation::Authorise, Operation::Capture, Operation::Refund] {
            paying_shop.stub.fault(operation, fault.clone());
            let order = paying_shop.order(GOOD).await;
            paying_shop.wait_for_state(order, "payment", "paid").await;
            paying_shop.shop.done(&format!("order/{order}/refund/"), json!({ "amount": "5.00" })).await;
            paying_shop.wait_for_refund(order, "5.00").await;
            orders.push(order);
        }
    }
    paying_shop.compare_with_provider().await;
    let ledger = paying_shop.stub.ledger();
    assert_eq!((ledger.payments.len(), ledger.refunds.len()), (orders.len(), orders.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_answer_is_replaced_by_the_providers_message() {
    let paying_shop = PayingShop::open().await;
    // Every answer is a failure and the payment cannot be looked up: only the message shows the outcome.
    paying_shop.stub.change(|ledger| ledger.search_lags = true);
    paying_shop.stub.fault(Operation::Authorise, Fault::FailAfterwards);
    let order = paying_shop.order(GOOD).await;
    eventually("a second attempt", async || (paying_shop.stub.requests(Operation::Authorise) > 1).then_some(())).await;
    assert_eq!(paying_shop.summary(order).await["payment"], "pending", "nothing is guessed");
    let message = paying_shop.stub.messages()[0].clone();
    assert_eq!(paying_shop.receive_message(&message).await.status, StatusCode::NO_CONTENT);
    paying_shop.wait_for_state(order, "payment", "paid").await;
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_and_reordered_messages_take_effect_once() {
    let paying_shop = PayingShop::open().await;
    let paid = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(paid, "payment", "paid").await;
    paying_shop.shop.done(&format!("order/{paid}/refund/"), json!({ "amount": "5.00" })).await;
    paying_shop.wait_for_refund(paid, "5.00").await;
    let declined = paying_shop.order(DECLINED).await;
    paying_shop.wait_for_state(declined, "payment", "failed").await;
    let cancelled = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(cancelled, "payment", "paid").await;
    paying_shop.cancel(cancelled).await;
    paying_shop.wait_for_state(cancelled, "payment", "refunded").await;
    paying_shop.wait_until_idle().await;
    let before =
        (paying_shop.events(paid).await, paying_shop.events(declined).await, paying_shop.events(cancelled).await);

    let mut messages = paying_shop.stub.messages();
    // Late: a message about the failed first attempt, after the second has succeeded.
    let mut failed = messages[0].clone();
    failed["type"] = json!("payment_intent.payment_failed");
    failed["data"]["object"]["status"] = json!("requires_payment_method");
    messages.push(failed);
    messages.reverse();
    for message in messages.iter().chain(&messages) {
        assert_eq!(paying_shop.receive_message(message).await.status, StatusCode::NO_CONTENT, "{message}");
    }
    let all = join_all(messages.iter().map(|message| paying_shop.receive_message(message))).await;
    assert!(all.iter().all(|answer| answer.status == StatusCode::NO_CONTENT));
    paying_shop.compare_with_provider().await;
    assert_eq!(
        (paying_shop.events(paid).await, paying_shop.events(declined).await, paying_shop.events(cancelled).await),
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_arrive_before_the_answers_count_once() {
    let paying_shop = PayingShop::open().await;
    for operation in [Operation::Authorise, Operation::Capture] {
        paying_shop.stub.fault(operation, Fault::Late(Duration::from_millis(300)));
        let sent_before = paying_shop.stub.messages().len();
        let order = paying_shop.order(GOOD).await;
        eventually("a message", async || {
            let messages = paying_shop.stub.messages();
            (messages.len() > sent_before + usize::from(operation == Operation::Capture)).then_some(())
        })
        .await;
        for message in paying_shop.stub.messages().iter().skip(sent_before).rev() {
            for _ in 0..2 {
                assert_eq!(paying_shop.receive_message(message).await.status, StatusCode::NO_CONTENT);
            }
        }
        paying_shop.wait_for_state(order, "payment", "paid").await;
        paying_shop.wait_until_idle().await;
        let events = paying_shop.events(order).await;
        assert_eq!(events, ["OrderPlaced", "OrderPaymentRequested", "OrderPaymentAuthorised", "OrderPaid"]);
    }
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_about_a_payment_of_another_shop_is_ignored() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order(DECLINED).await;
    paying_shop.wait_for_state(order, "payment", "failed").await;
    let other = PayingShop::without_reactor(paying_shop.stub.clone()).await;
    assert_eq!(other.order(GOOD).await, order, "it has the same number there");
    paying_shop.stub.change(|ledger| ledger.payments[0].status = "requires_capture");
    let mut message = paying_shop.stub.messages()[0].clone();
    assert_eq!(other.receive_message(&message).await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.events(order).await, ["OrderPlaced", "OrderPaymentRequested"]);
    message["data"]["object"]["id"] = json!("pi_unknown");
    assert_eq!(other.receive_message(&message).await.status, StatusCode::NO_CONTENT);
    // For the shop that it belongs to, it is the payment that seemed to be refused.
    assert_eq!(paying_shop.receive_message(&paying_shop.stub.messages()[0]).await.status, StatusCode::NO_CONTENT);
    paying_shop.wait_for_state(order, "payment", "paid").await;
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_requested_again_while_the_provider_is_unreachable() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    paying_shop.stub.fault(Operation::Look, Fault::Refuse(503));
    let message = paying_shop.stub.messages()[0].clone();
    let answer = paying_shop.receive_message(&message).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "payment_unavailable"));
    assert_eq!(paying_shop.receive_message(&message).await.status, StatusCode::NO_CONTENT);
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_for_a_cancelled_order_is_voided() {
    let paying_shop = PayingShop::open().await;
    let gate = Arc::new(Semaphore::new(0));
    paying_shop.stub.fault(Operation::Authorise, Fault::Hold(Arc::clone(&gate)));
    let order = paying_shop.order(GOOD).await;
    eventually("the request", async || (paying_shop.stub.requests(Operation::Authorise) > 0).then_some(())).await;
    assert_eq!(paying_shop.cancel(order).await.status, StatusCode::OK);
    gate.add_permits(1);
    paying_shop.wait_for_state(order, "payment", "failed").await;
    paying_shop.compare_with_provider().await;
    assert_eq!(paying_shop.stub.ledger().payments[0].status, "canceled");
    assert_eq!(paying_shop.stub.requests(Operation::Capture), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cancelled_before_its_payment_request_is_never_charged() {
    let mut paying_shop = PayingShop::open().await;
    paying_shop.stop_reacting().await;
    let order = paying_shop.order(GOOD).await;
    assert_eq!(paying_shop.cancel(order).await.status, StatusCode::OK);
    let later = paying_shop.order(GOOD).await;
    let (_shop, _reactors) = paying_shop.second_node().await;
    paying_shop.wait_for_state(later, "payment", "paid").await;
    paying_shop.wait_for_state(order, "payment", "failed").await;
    paying_shop.compare_with_provider().await;
    assert_eq!((paying_shop.stub.requests(Operation::Authorise), paying_shop.instrument_count().await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_during_a_capture_leaves_no_money_taken() {
    let paying_shop = PayingShop::open().await;
    // The capture is requested and not done yet.
    let gate = Arc::new(Semaphore::new(0));
    paying_shop.stub.fault(Operation::Capture, Fault::Hold(Arc::clone(&gate)));
    let held = paying_shop.order(GOOD).await;
    eventually("the capture", async || (paying_shop.stub.requests(Operation::Capture) > 0).then_some(())).await;
    assert_eq!(paying_shop.cancel(held).await.status, StatusCode::OK);
    eventually("the end of the hold", async || (paying_shop.stub.requests(Operation::Cancel) > 0).then_some(())).await;
    gate.add_permits(1);
    paying_shop.wait_for_state(held, "payment", "failed").await;

    // The capture is done, and its answer has not arrived.
    paying_shop.stub.fault(Operation::Capture, Fault::Late(Duration::from_millis(500)));
    let taken = paying_shop.order(GOOD).await;
    eventually("the money", async || {
        let captured = paying_shop.stub.ledger().payments.iter().any(|payment| payment.captured > 0);
        captured.then_some(())
    })
    .await;
    assert_eq!(paying_shop.cancel(taken).await.status, StatusCode::OK);
    paying_shop.wait_for_state(taken, "payment", "refunded").await;
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_faults_and_cancellations_agree_with_the_provider() {
    let paying_shop = PayingShop::open().await;
    let (other, _reactors) = paying_shop.second_node().await;
    let faults = [Fault::LoseAnswer, Fault::Late(Duration::from_millis(30)), Fault::FailAfterwards, Fault::Refuse(503)];
    let operations = [Operation::Authorise, Operation::Capture, Operation::Cancel, Operation::Refund, Operation::Look];
    for (place, fault) in faults.iter().cycle().take(40).enumerate() {
        paying_shop.stub.fault(operations[place % operations.len()], fault.clone());
    }
    let lives = (0..40_u64).map(|number| {
        let (paying_shop, other) = (&paying_shop, &other);
        async move {
            let token = if number % 5 == 4 { DECLINED } else { GOOD };
            let order = paying_shop.order(token).await;
            tokio::time::sleep(Duration::from_millis(number * 13 % 200)).await;
            match number % 4 {
                0 => drop(other.post(&format!("order/{order}/cancel/"), Value::Null).await),
                1 => drop(other.post(&format!("order/{order}/refund/"), json!({ "amount": "5.00" })).await),
                2 => drop(other.post(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await),
                _ => {}
            }
            for message in paying_shop.stub.messages().iter().rev().take(3) {
                paying_shop.receive_message(message).await;
            }
        }
    });
    join_all(lives).await;
    paying_shop.compare_with_provider().await;
    let ledger = paying_shop.stub.ledger();
    let taken = ledger.payments.iter().filter(|payment| payment.captured > 0).count();
    assert!((10..=40).contains(&taken), "{taken} orders were paid");
    let parked: i64 =
        sqlx::query_scalar("select count(*) from reaction").fetch_one(&paying_shop.shop.pool).await.unwrap();
    assert_eq!(parked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_payment_of_an_order_is_refunded_automatically() {
    let paying_shop = PayingShop::open().await;
    let order = paying_shop.order(DECLINED).await;
    paying_shop.wait_for_state(order, "payment", "failed").await;
    paying_shop.shop.done(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await;
    paying_shop.wait_for_state(order, "payment", "paid").await;
    paying_shop.compare_with_provider().await;
    // The declined payment is captured after all, by the provider's staff.
    paying_shop.stub.change(|ledger| {
        ledger.payments[0].status = "succeeded";
        ledger.payments[0].captured = 2_500;
    });
    let before = paying_shop.events(order).await;
    for _ in 0..2 {
        assert_eq!(paying_shop.receive_message(&paying_shop.stub.messages()[0]).await.status, StatusCode::NO_CONTENT);
    }
    let ledger = paying_shop.stub.ledger();
    assert_eq!((ledger.refunded(&ledger.payments[0].id), ledger.refunded(&ledger.payments[1].id)), (2_500, 0));
    assert_eq!((paying_shop.events(order).await, ledger.refunds.len()), (before, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_of_a_failed_attempt_is_voided() {
    let paying_shop = PayingShop::open().await;
    for _ in 0..20 {
        paying_shop.stub.fault(Operation::Capture, Fault::Refuse(500));
    }
    let order = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(order, "payment", "authorised").await;
    // As recorded by a reactor that read the order a moment too early.
    let note = OrderCommand::RecordPaymentFailure { attempt: 1, reason: PaymentFailure::InstrumentMissing };
    let record = RecordPayment { order_id: OrderId(order), command: note };
    let context = Context::of(Actor { id: "payments".to_owned(), role: "system" });
    paying_shop.shop.engine.journal.run(record, context).await.unwrap();
    paying_shop.wait_until_idle().await;
    assert_eq!(paying_shop.summary(order).await["payment"], "failed");
    paying_shop.compare_with_provider().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_captured_amount_counts_not_the_requested_one() {
    let paying_shop = PayingShop::open().await;
    paying_shop.stub.fault(Operation::Capture, Fault::Refuse(500));
    let order = paying_shop.order(GOOD).await;
    paying_shop.wait_for_state(order, "payment", "authorised").await;
    // The provider's staff capture a part before the shop retries.
    paying_shop.stub.change(|ledger| {
        ledger.payments[0].status = "succeeded";
        ledger.payments[0].captured = 1_000;
    });
    paying_shop.wait_for_state(order, "payment", "partially_paid").await;
    let summary = paying_shop.summary(order).await;
    assert_eq!((&summary["paid"], &summary["due"]), (&json!("10.00"), &json!("15.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_fails_after_a_day_and_money_that_arrives_later_counts() {
    let mut paying_shop = PayingShop::open().await;
    // The payment is made and its answer lost; the provider's search does not find it yet.
    paying_shop.stub.change(|ledger| ledger.search_lags = true);
    paying_shop.stub.fault(Operation::Authorise, Fault::FailAfterwards);
    let order = paying_shop.order(GOOD).await;
    eventually("a second attempt", async || (paying_shop.stub.requests(Operation::Authorise) > 1).then_some(())).await;
    paying_shop.stop_reacting().await;
    let age = "alter table events disable trigger user;
               update events set recorded_at = recorded_at - interval '23 hours' where event_type = 'OrderPaymentRequested';
               alter table events enable trigger user;
               update reaction set due_at = now()";
    sqlx::raw_sql(age).execute(&paying_shop.shop.pool).await.unwrap();
    let asked = paying_shop.stub.requests(Operation::Authorise);
    let (_shop, _reactors) = paying_shop.second_node().await;
    paying_shop.wait_for_state(order, "payment", "failed").await;
    assert_eq!(
        paying_shop.stub.requests(Operation::Authorise),
        asked,
        "the provider would take it for another request"
    );
    assert_eq!(paying_shop.receive_message(&paying_shop.stub.messages()[0]).await.status, StatusCode::NO_CONTENT);
    paying_shop.wait_for_state(order, "payment", "paid").await;
    paying_shop.wait_until_idle().await;
    crate::support::paying_shop::compare_books(&paying_shop.shop.pool, &paying_shop.stub).await;
}
