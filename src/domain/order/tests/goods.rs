//! Shipments, deliveries, returns and cancellation.

use super::*;

#[test]
fn an_order_goes_from_placed_to_completed_in_two_shipments() {
    use {Fulfilment as F, Payment as P, Status as S};
    let mut order = Story::of(None);
    assert_eq!(order.states(), (S::Pending, P::Pending, F::Unfulfilled));
    order.then(PAY);
    order.then(OrderCommand::Process);
    assert_eq!(order.states(), (S::Processing, P::Paid, F::Unfulfilled));
    order.then(ship(&[(1, 1)]));
    assert_eq!(order.states(), (S::Processing, P::Paid, F::PartiallyShipped));
    order.then(OrderCommand::Deliver { shipment: Some(1) });
    assert_eq!(order.refuses(OrderCommand::Deliver { shipment: Some(1) }), OrderError::AlreadyDelivered(1));
    assert_eq!(order.refuses(OrderCommand::Deliver { shipment: Some(2) }), OrderError::UnknownShipment(2));
    let sent = order.then(ship(&[]));
    assert_eq!(sent[1], OrderEvent::Shipped { fulfilment: Some(F::Shipped) });
    assert_eq!(order.states(), (S::Shipped, P::Paid, F::Shipped));
    order.then(DELIVER);
    assert_eq!(order.states(), (S::Completed, P::Paid, F::Delivered));
}

#[test]
fn an_order_that_is_older_than_shipments_counts_as_shipped() {
    let mut order = Story::of(None);
    for event in [OrderEvent::ProcessingStarted {}, OrderEvent::Shipped { fulfilment: None }] {
        order.0.evolve(&event);
    }
    assert_eq!(order.states().2, Fulfilment::Shipped);
    assert!(order.0.placed().unwrap().lines().all(|(line, units)| line.unshipped(units) == 0));
    // A returned unit does not show where the others are.
    assert_eq!(order.then(return_units(&[(2, 1)], false)).len(), 1);
    assert_eq!(order.states(), (Status::Shipped, Payment::Pending, Fulfilment::Shipped));
    order.then(DELIVER);
    assert_eq!(order.states(), (Status::Completed, Payment::Pending, Fulfilment::Delivered));
    order.then(return_units(&[(1, 1)], false));
    assert_eq!(order.states(), (Status::Completed, Payment::Pending, Fulfilment::Delivered));
    order.then(return_units(&[(1, 1)], false));
    assert_eq!(order.states().2, Fulfilment::Returned);
}

#[test]
fn an_illegal_move_names_the_allowed_actions() {
    let order = Story::of(None);
    let error = order.refuses(ship(&[]));
    assert_eq!(
        error.to_string(),
        "cannot ship an order with status: pending, payment: pending, fulfilment: unfulfilled"
    );
    let OrderError::IllegalMove { action: Action::Ship, order } = error else { panic!("{error}") };
    let allowed = Order::Placed(order).allowed(|_| Some(Mover::Staff));
    assert_eq!(allowed, [Action::Process, Action::Pay, Action::Cancel]);
}

#[test]
fn a_line_cannot_ship_or_return_more_units_than_it_has() {
    let mut order = Story::of(None);
    order.then(OrderCommand::Process);
    let too_many = |line, requested, available| OrderError::TooManyUnits { line, requested, available };
    assert_eq!(order.refuses(ship(&[(1, 3)])), too_many(1, 3, 2));
    assert_eq!(order.refuses(ship(&[(1, 1), (1, 1)])), OrderError::DuplicateLine(1));
    assert_eq!(order.refuses(ship(&[(3, 1)])), OrderError::UnknownLine(3));
    assert_eq!(order.refuses(return_units(&[(0, 1)], false)), OrderError::UnknownLine(0));
    order.then(ship(&[(1, 2)]));
    order.then(return_units(&[(1, 1)], false));
    assert_eq!(order.refuses(return_units(&[(1, 2)], false)), too_many(1, 2, 1));
}

#[test]
fn cancelling_every_unit_cancels_the_order() {
    let mut order = Story::of(None);
    order.then(cancel_units(&[(1, 2)]));
    let events = order.then(cancel_units(&[(2, 1)]));
    let OrderEvent::Cancelled { total, lines, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!((*total, lines.len(), lines[0].product_id), (money("19.99"), 1, ProductId(2)));
    assert_eq!(order.states().0, Status::Cancelled);
}

#[test]
fn units_that_cannot_be_delivered_are_cancelled_and_the_order_ends_with_the_others() {
    use {Fulfilment as F, Payment as P, Status as S};
    let mut order = Story::of(None);
    order.then(PAY);
    order.then(OrderCommand::Process);
    order.then(ship(&[(1, 1)]));
    let events = order.then(cancel_units(&[(1, 1)]));
    assert!(matches!(&events[..], [OrderEvent::UnitsCancelled { .. }, OrderEvent::Refunded { .. }]), "{events:?}");
    assert_eq!(order.states(), (S::Processing, P::PartiallyRefunded, F::PartiallyShipped));
    order.then(OrderCommand::Deliver { shipment: Some(1) });
    let events = order.then(cancel_units(&[(2, 1)]));
    let OrderEvent::UnitsCancelled { fulfilment, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(*fulfilment, F::Delivered);
    assert_eq!(order.states(), (S::Completed, P::PartiallyRefunded, F::Delivered));
    let moved: Vec<_> = order.0.placed().unwrap().stock_moved().map(|(_, moved)| moved).collect();
    let one_of = |released, shipped| StockMoved { released, shipped, restocked: 0 };
    assert_eq!(moved, [one_of(1, 1), one_of(1, 0)]);
}

#[test]
fn an_order_of_which_everything_came_back_or_was_cancelled_is_completed() {
    use {Fulfilment as F, Payment as P, Status as S};
    let mut order = Story::of(None);
    order.then(PAY);
    order.then(OrderCommand::Process);
    order.then(ship(&[(1, 2)]));
    order.then(return_units(&[(1, 2)], true));
    assert_eq!(
        order.states(),
        (S::Processing, P::PartiallyRefunded, F::PartiallyShipped),
        "line 2 is still to be sent"
    );
    order.then(cancel_units(&[(2, 1)]));
    assert_eq!(order.states(), (S::Completed, P::Refunded, F::Returned));

    let mut order = Story::of(None);
    order.then(OrderCommand::Process);
    order.then(ship(&[]));
    order.then(return_units(&[(1, 2), (2, 1)], false));
    assert_eq!(order.states(), (S::Completed, P::Paid, F::Returned), "nothing of it is due any more");
}

#[test]
fn only_shipped_units_are_returned_and_only_others_are_cancelled() {
    let mut order = Story::of(None);
    let refused = order.refuses(return_units(&[(1, 1)], false));
    assert_eq!(refused, OrderError::NotShipped { line: 1, requested: 1, shipped: 0 });
    assert!(refused.to_string().contains("use cancel for units that are not shipped"), "{refused}");
    order.then(OrderCommand::Process);
    order.then(ship(&[(1, 1)]));
    assert_eq!(
        order.refuses(return_units(&[(1, 2)], false)),
        OrderError::NotShipped { line: 1, requested: 2, shipped: 1 }
    );
    let refused = order.refuses(cancel_units(&[(1, 2)]));
    assert_eq!(refused, OrderError::AlreadyShipped { line: 1, requested: 2, unshipped: 1 });
    assert!(refused.to_string().contains("use return for shipped units"), "{refused}");
    assert_eq!(order.refuses(CANCEL), OrderError::PartlyShipped);
    assert_eq!(order.refuses(cancel_units(&[])), OrderError::NoLines);
    assert_eq!(order.refuses(cancel_units(&[(1, 1), (1, 1)])), OrderError::DuplicateLine(1));
    assert_eq!(order.refuses(cancel_units(&[(3, 1)])), OrderError::UnknownLine(3));
    let too_many = OrderError::TooManyUnits { line: 2, requested: 2, available: 1 };
    assert_eq!(order.refuses(cancel_units(&[(2, 2)])), too_many);
    order.then(ship(&[]));
    assert!(matches!(order.refuses(cancel_units(&[(1, 1)])), OrderError::IllegalMove { .. }));
}

#[test]
fn a_return_of_an_older_log_still_withdraws_units() {
    let mut order = Story::of(None);
    let line = ReturnedUnits {
        line: 1,
        product_id: ProductId(1),
        quantity: Quantity::new(1).unwrap(),
        withdrawn: 1,
        restocked: true,
        subtotal: money("20.00"),
        amount: money("20.00"),
    };
    let placed_at = order.0.placed().unwrap().placed_at;
    let (reason, customer_id, fulfilment) = (None, Some(CustomerId(1)), Fulfilment::Unfulfilled);
    let credit = money("20.00");
    order.0.evolve(&OrderEvent::Returned { reason, lines: vec![line], credit, fulfilment, customer_id, placed_at });
    let placed = order.0.placed().unwrap();
    assert_eq!((placed.units[0].withdrawn, placed.units[0].returned, placed.bill.due()), (1, 0, money("39.99")));
    assert_eq!(placed.stock_moved().next().unwrap().1, StockMoved { released: 1, shipped: 0, restocked: 0 });
    let events = order.then(cancel_units(&[(1, 1)]));
    let OrderEvent::UnitsCancelled { lines, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(lines[0].amount, money("20.00"));
    assert_eq!(
        order.refuses(cancel_units(&[(1, 1)])),
        OrderError::TooManyUnits { line: 1, requested: 1, available: 0 }
    );
}

#[test]
fn each_caller_is_shown_what_the_order_accepts_from_it_now() {
    use Action::{Cancel, Deliver, Pay, Process, Refund, Return, Ship};
    let staff = |order: &Story| order.0.allowed(|_| Some(Mover::Staff));
    let buyer = |order: &Story| order.0.allowed(|action| matches!(action, Pay | Cancel).then_some(Mover::Buyer));
    let mut order = Story::of(Some(PaymentMethod::Invoice));
    assert_eq!((staff(&order), buyer(&order)), (vec![Process, Pay, Cancel], vec![Pay, Cancel]));
    order.then(PAY);
    order.then(OrderCommand::Process);
    assert_eq!((staff(&order), buyer(&order)), (vec![Ship, Cancel, Refund], vec![Cancel]));
    order.then(ship(&[(1, 1)]));
    assert_eq!(staff(&order), [Ship, Deliver, Cancel, Return, Refund]);
    assert_eq!(buyer(&order), [], "staff alone cancel what is left of a partly shipped order");
    order.then(DELIVER);
    assert_eq!(staff(&order), [Ship, Cancel, Return, Refund], "no shipment is on its way");
    order.then(ship(&[]));
    order.then(refund("59.99"));
    assert_eq!(staff(&order), [Deliver, Return], "no money is left to refund");
    order.then(return_units(&[(1, 2), (2, 1)], false));
    assert_eq!(staff(&order), []);
    assert_eq!(order.0.allowed(|_| None), []);

    let mut order = Story::of(Some(PaymentMethod::Card));
    assert_eq!(buyer(&order), [Cancel], "the outcome of the first attempt is open");
    order.then(OrderCommand::RecordPaymentFailure { attempt: 1, reason: PaymentFailure::Declined });
    assert_eq!(buyer(&order), [Pay, Cancel]);
    assert_eq!(Order::Unknown.allowed(|_| Some(Mover::Staff)), []);
}

#[test]
fn an_order_of_an_older_log_of_which_everything_came_back_can_be_completed() {
    for shipments in [true, false] {
        let mut order = Story::of(None);
        order.then(OrderCommand::Process);
        if shipments {
            order.then(ship(&[]));
        } else {
            order.0.evolve(&OrderEvent::Shipped { fulfilment: None });
        }
        let returned = order.0.decide(return_units(&[(1, 2), (2, 1)], false)).unwrap();
        order.0.evolve(&returned[0]);
        assert_eq!((order.states().0, order.states().2), (Status::Shipped, Fulfilment::Returned));
        order.then(DELIVER);
        assert_eq!((order.states().0, order.states().2), (Status::Completed, Fulfilment::Returned));
    }
}
