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
    let message =
        "cannot ship an order that is pending, pending and unfulfilled; allowed: process, pay, cancel, return";
    assert_eq!(error.to_string(), message);
    assert!(matches!(error, OrderError::IllegalMove { action: Action::Ship, .. }));
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
fn withdrawing_every_unit_cancels_the_order() {
    let mut order = Story::of(None);
    order.then(return_units(&[(1, 2)], false));
    let events = order.then(return_units(&[(2, 1)], false));
    let OrderEvent::Cancelled { total, lines, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!((*total, lines.len(), lines[0].product_id), (money("19.99"), 1, ProductId(2)));
    assert_eq!(order.states().0, Status::Cancelled);
}
