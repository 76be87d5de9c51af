//! Payments in parts, and orders of which nothing is due any more.

use super::*;

fn pay(amount: &str) -> OrderCommand {
    OrderCommand::MarkPaid { amount: Some(money(amount)), reference: None }
}

fn failed(attempt: i64) -> OrderCommand {
    OrderCommand::RecordPaymentFailure { attempt, reason: PaymentFailure::Declined }
}

const PAY_ONLINE: OrderCommand = OrderCommand::RequestPayment { method: Some(PaymentMethod::Card) };

#[test]
fn an_order_is_paid_in_parts() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    let events = order.then(pay("20.00"));
    let (amount, due) = (money("20.00"), money("39.99"));
    assert_eq!(events, [OrderEvent::PartiallyPaid { attempt: None, amount, due, reference: None }]);
    assert_eq!((order.states().1, order.bill().due()), (Payment::PartiallyPaid, due));
    order.then(pay("9.99"));
    assert_eq!((order.states().1, order.bill().due()), (Payment::PartiallyPaid, money("30.00")));
    for amount in ["0.00", "30.01"] {
        assert_eq!(order.refuses(pay(amount)), OrderError::PaymentTooLarge { due: money("30.00") });
    }
    let events = order.then(PAY);
    assert_eq!(events, [OrderEvent::Paid { attempt: None, amount: money("30.00"), reference: None }]);
    assert_eq!((order.states().1, order.bill().due()), (Payment::Paid, Money::ZERO));
    assert!(matches!(order.refuses(pay("1.00")), OrderError::IllegalMove { .. }));
}

#[test]
fn an_exact_amount_pays_the_order() {
    let mut order = Story::of(None);
    assert!(matches!(&order.then(pay("59.99"))[..], [OrderEvent::Paid { .. }]));
}

#[test]
fn a_partially_paid_order_is_never_cancelled_as_unpaid() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(pay("0.01"));
    let late = OrderCommand::CancelUnpaid { now: DateTime::<Utc>::MAX_UTC };
    assert_eq!(order.then(late.clone()), []);
    // Neither while the rest is requested, nor after that failed.
    order.then(PAY_ONLINE);
    assert_eq!(order.then(late.clone()), []);
    order.then(failed(1));
    assert_eq!((order.states().1, order.then(late)), (Payment::PartiallyPaid, vec![]));
}

#[test]
fn the_rest_of_a_partially_paid_order_is_charged_once() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(pay("20.00"));
    let requested = order.then(PAY_ONLINE);
    let amount = money("39.99");
    assert_eq!(requested, [OrderEvent::PaymentRequested { attempt: 1, method: PaymentMethod::Card, amount }]);
    assert_eq!(order.refuses(pay("1.00")), OrderError::PaymentPending);
    assert_eq!(order.refuses(PAY_ONLINE), OrderError::PaymentPending);
    order.then(paid(1, "39.99"));
    assert_eq!((order.states().1, order.bill().due()), (Payment::Paid, Money::ZERO));
    assert_eq!(order.then(paid(1, "39.99")), []);

    // A late capture beyond what is due goes back.
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(failed(1));
    order.then(pay("20.00"));
    let events = order.then(paid(1, "59.99"));
    assert!(
        matches!(&events[..], [
        OrderEvent::Paid { attempt: Some(1), .. },
        OrderEvent::RefundRequested { amount, attempt: Some(1), .. },
    ] if *amount == money("20.00")),
        "{events:?}"
    );
}

#[test]
fn a_capture_below_the_amount_due_leaves_the_rest_due() {
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(paid(1, "10.00"));
    assert_eq!((order.states().1, order.bill().due()), (Payment::PartiallyPaid, money("49.99")));
    order.then(OrderCommand::Process);
    assert_eq!(order.refuses(ship(&[])), OrderError::NotPaid);
    order.then(PAY_ONLINE);
    order.then(paid(2, "49.99"));
    order.then(ship(&[]));
}

#[test]
fn refunds_of_parts_go_back_the_way_they_came() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(pay("20.00"));
    order.then(PAY_ONLINE);
    order.then(paid(1, "39.99"));
    let events = order.then(CANCEL);
    let [OrderEvent::Cancelled { .. }, by_provider, by_staff] = &events[..] else { panic!("{events:?}") };
    assert!(
        matches!(by_provider, OrderEvent::RefundRequested { refund: 1, amount, attempt: Some(1), .. } if *amount == money("39.99"))
    );
    assert!(matches!(by_staff, OrderEvent::Refunded { refund: 2, amount, .. } if *amount == money("20.00")));
    assert_eq!(order.states().1, Payment::PartiallyRefunded);
    order.then(OrderCommand::RecordRefund { refund: 1, reference: reference() });
    assert_eq!((order.states().1, order.bill().kept()), (Payment::Refunded, Money::ZERO));
}

#[test]
fn a_refund_of_a_part_leaves_the_rest_due_and_a_refund_of_all_leaves_nothing_due() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(pay("20.00"));
    order.then(refund("5.00"));
    assert_eq!((order.states().1, order.bill().due()), (Payment::PartiallyPaid, money("39.99")));
    assert_eq!(order.refuses(refund("15.01")), OrderError::RefundTooLarge { refundable: money("15.00") });
    order.then(refund("15.00"));
    assert_eq!((order.states().1, order.bill().due()), (Payment::Refunded, Money::ZERO));
    assert!(matches!(order.refuses(PAY), OrderError::IllegalMove { .. }));
}

#[test]
fn cancelling_a_partially_paid_order_refunds_what_was_received() {
    let mut order = Story::of(None);
    order.then(pay("20.00"));
    let events = order.then(CANCEL);
    assert!(
        matches!(&events[..], [OrderEvent::Cancelled { .. }, OrderEvent::Refunded { amount, .. }] if *amount == money("20.00"))
    );
    assert_eq!((order.states().0, order.states().1), (Status::Cancelled, Payment::Refunded));
}

#[test]
fn an_order_of_which_nothing_is_due_any_more_is_paid() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(OrderCommand::Process);
    order.then(ship(&[]));
    let events = order.then(return_units(&[(1, 2), (2, 1)], false));
    assert!(
        matches!(events.last(), Some(OrderEvent::Paid { attempt: None, amount, .. }) if amount.is_zero()),
        "{events:?}"
    );
    assert_eq!((order.states().1, order.bill().due()), (Payment::Paid, Money::ZERO));
    assert_eq!(order.refuses(PAY), OrderError::NothingDue);

    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(pay("40.00"));
    order.then(cancel_units(&[(2, 1)]));
    assert_eq!((order.states().1, order.bill().kept()), (Payment::Paid, money("40.00")));

    // An attempt may still be running when the last unit comes back; it ends as usual.
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(OrderCommand::Process);
    order.then(ship(&[]));
    order.then(PAY_ONLINE);
    order.then(return_units(&[(1, 2), (2, 1)], false));
    assert_eq!(order.states().1, Payment::Pending);
    order.then(failed(1));
    assert_eq!(order.states().1, Payment::Paid);
}

#[test]
fn an_older_order_whose_credit_left_nothing_due_is_not_cancelled() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(OrderCommand::Process);
    order.then(ship(&[]));
    let mut events = order.0.decide(return_units(&[(1, 2), (2, 1)], false)).unwrap();
    // Logs from before have no payment of an order that is worth nothing.
    events.retain(|event| !matches!(event, OrderEvent::Paid { .. }));
    events.iter().for_each(|event| order.0.evolve(event));
    assert_eq!(order.states().1, Payment::Pending);
    assert_eq!(order.then(OrderCommand::CancelUnpaid { now: DateTime::<Utc>::MAX_UTC }), []);
    assert_eq!(order.refuses(PAY), OrderError::NothingDue);
}

#[test]
fn nothing_is_shipped_of_an_order_that_was_refunded() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(OrderCommand::Process);
    order.then(PAY);
    order.then(refund("10.00"));
    order.then(ship(&[(1, 1)]));
    order.then(refund("49.99"));
    assert_eq!(order.refuses(ship(&[])), OrderError::Refunded);

    // A requested refund counts, one that failed does not.
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(OrderCommand::Process);
    order.then(paid(1, "59.99"));
    order.then(refund("59.99"));
    assert_eq!(order.refuses(ship(&[])), OrderError::Refunded);
    let reason = crate::domain::text::Reason::parse("card expired").unwrap();
    order.then(OrderCommand::RecordRefundFailure { refund: 1, reason });
    order.then(ship(&[]));
}

#[test]
fn a_gift_is_shipped_after_the_units_beside_it_were_given_up_and_refunded() {
    let OrderCommand::Place(order) = place(vec![line(1, 1, "20.00"), line(2, 1, "0.00")]) else { unreachable!() };
    let mut story = Story(Order::default());
    story.then(OrderCommand::Place(order));
    story.then(OrderCommand::Process);
    story.then(PAY);
    story.then(cancel_units(&[(1, 1)]));
    assert_eq!(story.states().1, Payment::Refunded);
    story.then(ship(&[]));
}

#[test]
fn a_refund_of_an_older_log_belongs_to_the_only_charge() {
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(paid(1, "59.99"));
    let older = OrderEvent::RefundRequested { refund: 1, amount: money("9.99"), reason: None, attempt: None };
    order.0.evolve(&older);
    assert_eq!(order.bill().refunds[0].attempt, Some(1));
    assert_eq!(order.bill().refundable_of(&order.bill().charges[0]), money("50.00"));
}

#[test]
fn an_authorised_payment_may_still_fail_so_nothing_is_shipped_before_its_capture() {
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(OrderCommand::Process);
    order.then(OrderCommand::RecordAuthorisation { attempt: 1, amount: money("59.99"), reference: reference() });
    assert_eq!(order.0.decide(ship(&[])), Err(OrderError::NotPaid));
    order.then(paid(1, "59.99"));
    order.then(ship(&[]));
}

#[test]
fn a_delivery_without_an_undelivered_shipment_is_refused() {
    let mut order = Story::of(None);
    order.then(OrderCommand::Process);
    order.then(ship(&[(1, 1)]));
    order.then(DELIVER);
    assert_eq!(order.0.decide(DELIVER), Err(OrderError::NothingToDeliver));
}
