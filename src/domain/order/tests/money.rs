//! Payments, credits and refunds.

use super::*;

#[test]
fn units_are_credited_if_unpaid_and_refundable_if_paid() {
    let mut order = Story::of(None);
    let events = order.then(cancel_units(&[(1, 1)]));
    assert!(
        matches!(&events[..], [OrderEvent::UnitsCancelled { credit, .. }] if *credit == money("20.00")),
        "{events:?}"
    );
    assert_eq!(order.bill().due(), money("39.99"));
    order.then(PAY);
    assert_eq!((order.bill().paid, order.bill().due()), (money("39.99"), Money::ZERO));
    order.then(OrderCommand::Process);
    order.then(ship(&[]));
    let events = order.then(return_units(&[(2, 1)], false));
    assert!(matches!(&events[..], [OrderEvent::Returned { credit, .. }] if credit.is_zero()), "{events:?}");
    assert_eq!(order.refuses(refund("40.00")), OrderError::RefundTooLarge { refundable: money("39.99") });
    order.then(refund("19.99"));
    assert_eq!(order.states().1, Payment::PartiallyRefunded);
    assert_eq!(order.bill().worth(), money("20.00"));
    order.then(return_units(&[(1, 1)], true));
    assert_eq!(order.states(), (Status::Completed, Payment::Refunded, Fulfilment::Returned));
    assert_eq!((order.bill().worth(), order.bill().kept()), (Money::ZERO, Money::ZERO));
}

#[test]
fn amounts_of_returned_units_add_up_to_the_line() {
    let mut order = Story(Order::default());
    order.then(place(vec![line(1, 3, "0.33")]));
    order.then(OrderCommand::Process);
    order.then(ship(&[]));
    let amounts = (0..3).map(|_| {
        let events = order.then(return_units(&[(1, 1)], false));
        let OrderEvent::Returned { lines, .. } = &events[0] else { panic!("{events:?}") };
        lines[0].amount
    });
    assert_eq!(amounts.collect::<Vec<_>>(), [money("0.33"); 3]);
}

#[test]
fn cancelling_a_paid_order_refunds_it() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(PAY);
    let events = order.then(CANCEL);
    assert!(
        matches!(&events[..], [OrderEvent::Cancelled { .. }, OrderEvent::Refunded { credit, .. }] if credit.is_zero())
    );
    assert_eq!(order.states(), (Status::Cancelled, Payment::Refunded, Fulfilment::Unfulfilled));

    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(paid(1, "59.99"));
    let events = order.then(CANCEL);
    assert!(matches!(&events[1], OrderEvent::RefundRequested { refund: 1, amount, .. } if *amount == money("59.99")));
    order.then(OrderCommand::RecordRefund { refund: 1, reference: reference() });
    assert_eq!(order.states().1, Payment::Refunded);
    assert_eq!(order.then(OrderCommand::RecordRefund { refund: 1, reference: reference() }), []);
}

#[test]
fn one_payment_attempt_runs_at_a_time_and_a_repeated_report_changes_nothing() {
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(OrderCommand::Process);
    assert_eq!(order.refuses(ship(&[])), OrderError::NotPaid);
    let again = OrderCommand::RequestPayment { method: None };
    assert_eq!(order.refuses(again.clone()), OrderError::PaymentPending);
    assert_eq!(order.refuses(PAY), OrderError::PaymentPending);
    let failed = |attempt| OrderCommand::RecordPaymentFailure { attempt, reason: PaymentFailure::Declined };
    order.then(failed(1));
    assert_eq!(order.then(failed(1)), []);
    let asked = order.then(again);
    assert_eq!(
        asked,
        [OrderEvent::PaymentRequested { attempt: 2, method: PaymentMethod::Card, amount: money("59.99") }]
    );
    assert_eq!(order.then(failed(1)), [], "it speaks of an attempt that is over");
    let authorised = OrderCommand::RecordAuthorisation { attempt: 2, amount: money("59.99"), reference: reference() };
    order.then(authorised.clone());
    order.then(paid(2, "59.99"));
    assert_eq!(order.then(paid(2, "59.99")), []);
    assert_eq!(order.then(authorised), []);
    assert_eq!(order.then(failed(2)), []);
    assert_eq!(order.refuses(paid(1, "59.99")), OrderError::PaidByOtherAttempt);
    assert_eq!(order.refuses(paid(3, "59.99")), OrderError::UnknownAttempt(3));
    assert_eq!(order.states().1, Payment::Paid);
}

#[test]
fn a_payment_for_a_cancelled_order_is_refunded() {
    let mut order = Story::of(Some(PaymentMethod::Card));
    order.then(CANCEL);
    let events = order.then(paid(1, "59.99"));
    assert!(
        matches!(&events[..], [OrderEvent::Paid { .. }, OrderEvent::RefundRequested { amount, .. }] if *amount == money("59.99"))
    );
}

#[test]
fn an_unpaid_order_is_cancelled_after_its_deadline() {
    let at = |story: &Story| story.bill().pay_by.unwrap();
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    let now = at(&order);
    assert_eq!(order.then(OrderCommand::CancelUnpaid { now: now - chrono::TimeDelta::seconds(1) }), []);
    order.then(OrderCommand::CancelUnpaid { now });
    assert_eq!(order.states().0, Status::Cancelled);

    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(PAY);
    assert_eq!(order.then(OrderCommand::CancelUnpaid { now }), []);
}

#[test]
fn an_order_with_nothing_to_pay_is_paid_from_the_start_whatever_its_method() {
    for payment_method in [None, Some(PaymentMethod::Invoice), Some(PaymentMethod::Test), Some(PaymentMethod::Card)] {
        let OrderCommand::Place(order) = place(vec![line(1, 1, "0.00")]) else { unreachable!() };
        let pay_by = Some(order.placed_at);
        let mut story = Story(Order::default());
        let events = story.then(OrderCommand::Place(OrderDraft { payment_method, pay_by, ..order }));
        assert!(
            matches!(&events[..], [OrderEvent::Placed { pay_by: None, .. }, OrderEvent::Paid { amount, .. }] if amount.is_zero()),
            "{events:?}"
        );
        assert_eq!((story.states().1, story.bill().due()), (Payment::Paid, Money::ZERO));
        assert_eq!(story.then(OrderCommand::CancelUnpaid { now: DateTime::<Utc>::MAX_UTC }), []);
        assert_eq!(story.refuses(PAY), OrderError::NothingDue);
        assert_eq!(
            story.refuses(OrderCommand::RequestPayment { method: Some(PaymentMethod::Card) }),
            OrderError::NothingDue
        );
        story.then(OrderCommand::Process);
        story.then(ship(&[]));
    }
}

#[test]
fn an_order_of_an_older_log_with_nothing_to_pay_is_paid_and_never_cancelled_as_unpaid() {
    let OrderEvent::Placed { customer_id, placed_at, lines, .. } = placed() else { unreachable!() };
    let older = OrderEvent::Placed {
        customer_id,
        placed_at,
        reference: None,
        total: Money::ZERO,
        lines,
        payment_method: Some(PaymentMethod::Invoice),
        pay_by: Some(placed_at),
        shipping_country: None,
        pricing: None,
        request_digest: None,
    };
    let mut story = Story(Order::default());
    story.0.evolve(&older);
    assert_eq!((story.states().1, story.bill().pay_by), (Payment::Paid, None));
    assert_eq!(story.then(OrderCommand::CancelUnpaid { now: DateTime::<Utc>::MAX_UTC }), []);
    assert_eq!(story.refuses(PAY), OrderError::NothingDue);
}

#[test]
fn amounts_of_cancelled_and_returned_units_add_up_to_the_line() {
    let mut order = Story(Order::default());
    order.then(place(vec![OrderLine { subtotal: money("1.00"), ..line(1, 3, "0.33") }]));
    order.then(PAY);
    order.then(OrderCommand::Process);
    order.then(ship(&[(1, 1)]));
    let cancelled = |events: Vec<OrderEvent>| {
        let OrderEvent::UnitsCancelled { lines, .. } = &events[0] else { panic!("{events:?}") };
        let OrderEvent::Refunded { amount, .. } = events.last().unwrap() else { panic!("{events:?}") };
        assert_eq!(*amount, lines[0].amount);
        lines[0].amount
    };
    assert_eq!(cancelled(order.then(cancel_units(&[(1, 1)]))), money("0.33"));
    assert_eq!(cancelled(order.then(cancel_units(&[(1, 1)]))), money("0.34"));
    order.then(return_units(&[(1, 1)], true));
    assert_eq!((order.bill().refunded, order.states().1), (money("1.00"), Payment::Refunded));
    assert_eq!((order.bill().worth(), order.bill().kept()), (Money::ZERO, Money::ZERO));
}

#[test]
fn an_order_of_which_nothing_is_due_any_more_counts_as_paid() {
    let mut order = Story(Order::default());
    order.then(place(vec![line(1, 1, "20.00"), line(2, 1, "0.00")]));
    let events = order.then(cancel_units(&[(1, 1)]));
    assert_eq!(events[1..], [OrderEvent::Paid { attempt: None, amount: Money::ZERO, reference: None }]);
    assert_eq!(order.states(), (Status::Pending, Payment::Paid, Fulfilment::Unfulfilled));
}

#[test]
fn money_that_a_provider_takes_for_cancelled_units_goes_back() {
    let mut order = Story::of(Some(PaymentMethod::Card));
    let authorised = OrderCommand::RecordAuthorisation { attempt: 1, amount: money("59.99"), reference: reference() };
    order.then(authorised);
    let events = order.then(cancel_units(&[(1, 1)]));
    assert!(
        matches!(&events[..], [OrderEvent::UnitsCancelled { credit, .. }] if *credit == money("20.00")),
        "{events:?}"
    );
    let events = order.then(paid(1, "59.99"));
    assert!(
        matches!(&events[1], OrderEvent::RefundRequested { amount, .. } if *amount == money("20.00")),
        "{events:?}"
    );
    order.then(OrderCommand::RecordRefund { refund: 1, reference: reference() });
    let events = order.then(cancel_units(&[(1, 1)]));
    assert!(
        matches!(&events[1], OrderEvent::RefundRequested { amount, .. } if *amount == money("20.00")),
        "{events:?}"
    );
}

#[test]
fn an_unpaid_order_that_is_partly_shipped_is_not_cancelled_after_its_deadline() {
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    order.then(OrderCommand::Process);
    order.then(ship(&[(1, 1)]));
    let now = order.bill().pay_by.unwrap();
    assert_eq!(order.then(OrderCommand::CancelUnpaid { now }), []);
}
