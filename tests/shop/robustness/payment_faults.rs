//! Answers that are lost, late or wrong; messages twice and out of order; cancellations in between.

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
use crate::support::paying_shop::{DECLINED, GOOD, Till, pay_with};
use crate::support::reactors::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_may_be_lost_late_or_a_failure_and_nothing_is_done_twice() {
    let till = Till::open().await;
    let mut orders = Vec::new();
    for fault in
        [Fault::LoseAnswer, Fault::Late(PATIENCE * 2), Fault::FailAfterwards, Fault::Refuse(500), Fault::Refuse(429)]
    {
        for operation in [Operation::Authorise, Operation::Capture, Operation::Refund] {
            till.stub.fault(operation, fault.clone());
            let order = till.order(GOOD).await;
            till.becomes(order, "payment", "paid").await;
            till.shop.done(&format!("order/{order}/refund/"), json!({ "amount": "5.00" })).await;
            till.refunded(order, "5.00").await;
            orders.push(order);
        }
    }
    till.audit().await;
    let ledger = till.stub.ledger();
    assert_eq!((ledger.payments.len(), ledger.refunds.len()), (orders.len(), orders.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_is_replaced_by_a_message_of_the_provider() {
    let till = Till::open().await;
    // The answer is a failure for ever, and the payment cannot be found: only the message tells.
    till.stub.change(|ledger| ledger.search_lags = true);
    till.stub.fault(Operation::Authorise, Fault::FailAfterwards);
    let order = till.order(GOOD).await;
    eventually("a second attempt", async || (till.stub.requests(Operation::Authorise) > 1).then_some(())).await;
    assert_eq!(till.summary(order).await["payment"], "pending", "nothing is guessed");
    let message = till.stub.messages()[0].clone();
    assert_eq!(till.hears(&message).await.status, StatusCode::NO_CONTENT);
    till.becomes(order, "payment", "paid").await;
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_twice_and_in_any_order_change_nothing_twice() {
    let till = Till::open().await;
    let paid = till.order(GOOD).await;
    till.becomes(paid, "payment", "paid").await;
    till.shop.done(&format!("order/{paid}/refund/"), json!({ "amount": "5.00" })).await;
    till.refunded(paid, "5.00").await;
    let declined = till.order(DECLINED).await;
    till.becomes(declined, "payment", "failed").await;
    let cancelled = till.order(GOOD).await;
    till.becomes(cancelled, "payment", "paid").await;
    till.cancel(cancelled).await;
    till.becomes(cancelled, "payment", "refunded").await;
    till.rests().await;
    let before = (till.events(paid).await, till.events(declined).await, till.events(cancelled).await);

    let mut messages = till.stub.messages();
    // Late: it failed, says the first try, after it has succeeded.
    let mut failed = messages[0].clone();
    failed["type"] = json!("payment_intent.payment_failed");
    failed["data"]["object"]["status"] = json!("requires_payment_method");
    messages.push(failed);
    messages.reverse();
    for message in messages.iter().chain(&messages) {
        assert_eq!(till.hears(message).await.status, StatusCode::NO_CONTENT, "{message}");
    }
    let all = join_all(messages.iter().map(|message| till.hears(message))).await;
    assert!(all.iter().all(|answer| answer.status == StatusCode::NO_CONTENT));
    till.audit().await;
    assert_eq!((till.events(paid).await, till.events(declined).await, till.events(cancelled).await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_overtake_the_answers_are_taken_once() {
    let till = Till::open().await;
    for operation in [Operation::Authorise, Operation::Capture] {
        till.stub.fault(operation, Fault::Late(Duration::from_millis(300)));
        let told = till.stub.messages().len();
        let order = till.order(GOOD).await;
        eventually("a message", async || {
            let messages = till.stub.messages();
            (messages.len() > told + usize::from(operation == Operation::Capture)).then_some(())
        })
        .await;
        for message in till.stub.messages().iter().skip(told).rev() {
            for _ in 0..2 {
                assert_eq!(till.hears(message).await.status, StatusCode::NO_CONTENT);
            }
        }
        till.becomes(order, "payment", "paid").await;
        till.rests().await;
        let events = till.events(order).await;
        assert_eq!(events, ["OrderPlaced", "OrderPaymentRequested", "OrderPaymentAuthorised", "OrderPaid"]);
    }
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_about_a_payment_of_another_shop_is_let_be() {
    let till = Till::open().await;
    let order = till.order(DECLINED).await;
    till.becomes(order, "payment", "failed").await;
    let other = Till::without_reactor(till.stub.clone()).await;
    assert_eq!(other.order(GOOD).await, order, "it has the same number there");
    till.stub.change(|ledger| ledger.payments[0].status = "requires_capture");
    let mut message = till.stub.messages()[0].clone();
    assert_eq!(other.hears(&message).await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.events(order).await, ["OrderPlaced", "OrderPaymentRequested"]);
    message["data"]["object"]["id"] = json!("pi_nobody");
    assert_eq!(other.hears(&message).await.status, StatusCode::NO_CONTENT);
    // To the shop that it belongs to it is the money that seemed to be refused.
    assert_eq!(till.hears(&till.stub.messages()[0]).await.status, StatusCode::NO_CONTENT);
    till.becomes(order, "payment", "paid").await;
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_is_away_its_messages_are_asked_for_again() {
    let till = Till::open().await;
    let order = till.order(GOOD).await;
    till.becomes(order, "payment", "paid").await;
    till.stub.fault(Operation::Look, Fault::Refuse(503));
    let message = till.stub.messages()[0].clone();
    let answer = till.hears(&message).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "payment_unavailable"));
    assert_eq!(till.hears(&message).await.status, StatusCode::NO_CONTENT);
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_for_a_cancelled_order_is_let_go_of() {
    let till = Till::open().await;
    let gate = Arc::new(Semaphore::new(0));
    till.stub.fault(Operation::Authorise, Fault::Hold(Arc::clone(&gate)));
    let order = till.order(GOOD).await;
    eventually("the request", async || (till.stub.requests(Operation::Authorise) > 0).then_some(())).await;
    assert_eq!(till.cancel(order).await.status, StatusCode::OK);
    gate.add_permits(1);
    till.becomes(order, "payment", "failed").await;
    till.audit().await;
    assert_eq!(till.stub.ledger().payments[0].status, "canceled");
    assert_eq!(till.stub.requests(Operation::Capture), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_cancelled_before_anybody_was_asked_is_never_charged() {
    let mut till = Till::open().await;
    till.stop_reacting().await;
    let order = till.order(GOOD).await;
    assert_eq!(till.cancel(order).await.status, StatusCode::OK);
    let later = till.order(GOOD).await;
    let (_shop, _reactors) = till.node().await;
    till.becomes(later, "payment", "paid").await;
    till.becomes(order, "payment", "failed").await;
    till.audit().await;
    assert_eq!((till.stub.requests(Operation::Authorise), till.instruments().await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_and_a_capture_at_once_end_with_nothing_taken() {
    let till = Till::open().await;
    // The capture is on its way, and not done yet.
    let gate = Arc::new(Semaphore::new(0));
    till.stub.fault(Operation::Capture, Fault::Hold(Arc::clone(&gate)));
    let held = till.order(GOOD).await;
    eventually("the capture", async || (till.stub.requests(Operation::Capture) > 0).then_some(())).await;
    assert_eq!(till.cancel(held).await.status, StatusCode::OK);
    eventually("the end of the hold", async || (till.stub.requests(Operation::Cancel) > 0).then_some(())).await;
    gate.add_permits(1);
    till.becomes(held, "payment", "failed").await;

    // The capture is done, and its answer on its way.
    till.stub.fault(Operation::Capture, Fault::Late(Duration::from_millis(500)));
    let taken = till.order(GOOD).await;
    eventually("the money", async || {
        let captured = till.stub.ledger().payments.iter().any(|payment| payment.captured > 0);
        captured.then_some(())
    })
    .await;
    assert_eq!(till.cancel(taken).await.status, StatusCode::OK);
    till.becomes(taken, "payment", "refunded").await;
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_faults_and_cancellations_at_any_moment_keep_the_books() {
    let till = Till::open().await;
    let (other, _reactors) = till.node().await;
    let faults = [Fault::LoseAnswer, Fault::Late(Duration::from_millis(30)), Fault::FailAfterwards, Fault::Refuse(503)];
    let operations = [Operation::Authorise, Operation::Capture, Operation::Cancel, Operation::Refund, Operation::Look];
    for (place, fault) in faults.iter().cycle().take(40).enumerate() {
        till.stub.fault(operations[place % operations.len()], fault.clone());
    }
    let lives = (0..40_u64).map(|number| {
        let (till, other) = (&till, &other);
        async move {
            let token = if number % 5 == 4 { DECLINED } else { GOOD };
            let order = till.order(token).await;
            tokio::time::sleep(Duration::from_millis(number * 13 % 200)).await;
            match number % 4 {
                0 => drop(other.post(&format!("order/{order}/cancel/"), Value::Null).await),
                1 => drop(other.post(&format!("order/{order}/refund/"), json!({ "amount": "5.00" })).await),
                2 => drop(other.post(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await),
                _ => {}
            }
            for message in till.stub.messages().iter().rev().take(3) {
                till.hears(message).await;
            }
        }
    });
    join_all(lives).await;
    till.audit().await;
    let ledger = till.stub.ledger();
    let taken = ledger.payments.iter().filter(|payment| payment.captured > 0).count();
    assert!((10..=40).contains(&taken), "{taken} orders were paid");
    let parked: i64 = sqlx::query_scalar("select count(*) from reaction").fetch_one(&till.shop.pool).await.unwrap();
    assert_eq!(parked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_payment_of_an_order_goes_back_by_itself() {
    let till = Till::open().await;
    let order = till.order(DECLINED).await;
    till.becomes(order, "payment", "failed").await;
    till.shop.done(&format!("order/{order}/pay/"), json!({ "payment": pay_with(GOOD) })).await;
    till.becomes(order, "payment", "paid").await;
    till.audit().await;
    // What was declined is taken after all, by hand.
    till.stub.change(|ledger| {
        ledger.payments[0].status = "succeeded";
        ledger.payments[0].captured = 2_500;
    });
    let before = till.events(order).await;
    for _ in 0..2 {
        assert_eq!(till.hears(&till.stub.messages()[0]).await.status, StatusCode::NO_CONTENT);
    }
    let ledger = till.stub.ledger();
    assert_eq!((ledger.refunded(&ledger.payments[0].id), ledger.refunded(&ledger.payments[1].id)), (2_500, 0));
    assert_eq!((till.events(order).await, ledger.refunds.len()), (before, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_an_attempt_that_is_said_to_have_failed_is_let_go_of() {
    let till = Till::open().await;
    for _ in 0..20 {
        till.stub.fault(Operation::Capture, Fault::Refuse(500));
    }
    let order = till.order(GOOD).await;
    till.becomes(order, "payment", "authorised").await;
    // As somebody says who looked at the order a moment too early.
    let note = OrderCommand::RecordPaymentFailure { attempt: 1, reason: PaymentFailure::InstrumentMissing };
    let record = RecordPayment { order_id: OrderId(order), command: note };
    let context = Context::of(Actor { id: "payments".to_owned(), role: "system" });
    till.shop.engine.journal.run(record, context).await.unwrap();
    till.rests().await;
    assert_eq!(till.summary(order).await["payment"], "failed");
    till.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_is_how_much_was_taken_not_how_much_was_asked_for() {
    let till = Till::open().await;
    till.stub.fault(Operation::Capture, Fault::Refuse(500));
    let order = till.order(GOOD).await;
    till.becomes(order, "payment", "authorised").await;
    // A part of it is taken by hand before the shop asks again.
    till.stub.change(|ledger| {
        ledger.payments[0].status = "succeeded";
        ledger.payments[0].captured = 1_000;
    });
    till.becomes(order, "payment", "paid").await;
    let summary = till.summary(order).await;
    assert_eq!((&summary["paid"], &summary["due"]), (&json!("10.00"), &json!("15.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_after_a_day_has_failed_and_money_that_comes_later_counts() {
    let mut till = Till::open().await;
    // Once it is known what the provider calls a payment, it is made and its answer lost.
    till.stub.change(|ledger| ledger.search_lags = true);
    till.stub.fault(Operation::Authorise, Fault::FailAfterwards);
    let order = till.order(GOOD).await;
    eventually("a second attempt", async || (till.stub.requests(Operation::Authorise) > 1).then_some(())).await;
    till.stop_reacting().await;
    let age = "alter table events disable trigger user;
               update events set recorded_at = recorded_at - interval '23 hours' where event_type = 'OrderPaymentRequested';
               alter table events enable trigger user;
               update reaction set due_at = now()";
    sqlx::raw_sql(age).execute(&till.shop.pool).await.unwrap();
    let asked = till.stub.requests(Operation::Authorise);
    let (_shop, _reactors) = till.node().await;
    till.becomes(order, "payment", "failed").await;
    assert_eq!(till.stub.requests(Operation::Authorise), asked, "the provider would take it for another request");
    assert_eq!(till.hears(&till.stub.messages()[0]).await.status, StatusCode::NO_CONTENT);
    till.becomes(order, "payment", "paid").await;
    till.rests().await;
    crate::support::paying_shop::audit(&till.shop.pool, &till.stub).await;
}
