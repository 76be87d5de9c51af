//! Rules of an order's addresses and contact.

use super::*;
use crate::domain::order::ContactField;

/// Events of a guest's order, and after them those of each command.
fn of_guest(commands: Vec<OrderCommand>) -> Vec<OrderEvent> {
    let OrderCommand::Place(order) = place(vec![line(1, 2, "20.00")]) else { unreachable!() };
    let first = OrderCommand::Place(OrderDraft { customer_id: None, ..order });
    let mut order = Order::Unknown;
    let mut events = Vec::new();
    for command in std::iter::once(first).chain(commands) {
        for event in order.decide(command).unwrap() {
            order.evolve(&event);
            events.push(event);
        }
    }
    events
}

fn country(code: &str) -> Country {
    Country::try_from(code.to_owned()).unwrap()
}

fn correct_addresses() -> OrderCommand {
    OrderCommand::CorrectAddresses { shipping: Some(country("DE")), billing: true }
}

fn correct_contact() -> OrderCommand {
    OrderCommand::CorrectContact { fields: vec![ContactField::Email] }
}

#[test]
fn the_contact_of_a_guest_is_erased_once_and_only_when_the_order_is_closed() {
    let erase = || OrderCommand::EraseContact;
    given(of_guest(vec![])).when(erase()).then_expect_error(OrderError::StillOpen);
    let sent = vec![OrderCommand::Process, ship(&[]), DELIVER];
    given(of_guest(sent.clone())).when(erase()).then_expect_error(OrderError::StillOpen);
    let closed = [sent, vec![PAY]].concat();
    given(of_guest(closed.clone())).when(erase()).then_expect_events(vec![OrderEvent::ContactErased {}]);
    given(of_guest([closed, vec![erase()]].concat())).when(erase()).then_expect_events(vec![]);
    given(of_guest(vec![CANCEL])).when(erase()).then_expect_events(vec![OrderEvent::ContactErased {}]);
    given(vec![placed()]).when(erase()).then_expect_error(OrderError::HasCustomer(CustomerId(1)));
    given(vec![]).when(erase()).then_expect_error(OrderError::NotFound);
}

#[test]
fn a_refund_that_the_provider_has_not_executed_keeps_an_order_open() {
    let request = OrderCommand::RequestPayment { method: Some(PaymentMethod::Card) };
    let mut commands = vec![request, paid(1, "40.00"), CANCEL];
    given(of_guest(commands.clone())).when(OrderCommand::EraseContact).then_expect_error(OrderError::StillOpen);
    commands.push(OrderCommand::RecordRefund { refund: 1, reference: reference() });
    given(of_guest(commands)).when(OrderCommand::EraseContact).then_expect_events(vec![OrderEvent::ContactErased {}]);
}

#[test]
fn an_order_may_be_archived_when_it_is_closed_and_nothing_of_it_waits() {
    let may_be_archived = |commands: Vec<OrderCommand>| {
        let mut order = Order::Unknown;
        of_guest(commands).iter().for_each(|event| order.evolve(event));
        order.placed().unwrap().may_be_archived()
    };
    let sent = vec![OrderCommand::Process, ship(&[]), DELIVER];
    let request = OrderCommand::RequestPayment { method: Some(PaymentMethod::Card) };
    let refunding = vec![request.clone(), paid(1, "40.00"), CANCEL];
    let refunded = OrderCommand::RecordRefund { refund: 1, reference: reference() };
    for (commands, expected) in [
        (vec![], false),
        (vec![CANCEL], true),
        (sent.clone(), false),
        ([sent.clone(), vec![PAY]].concat(), true),
        ([sent, vec![PAY, refund("5.00")]].concat(), true),
        (vec![request.clone()], false),
        (vec![request, CANCEL], false),
        (refunding.clone(), false),
        ([refunding, vec![refunded]].concat(), true),
        (vec![OrderCommand::RequestContactErasure, CANCEL], false),
        (vec![OrderCommand::RequestContactErasure, CANCEL, OrderCommand::EraseContact], true),
    ] {
        assert_eq!(may_be_archived(commands.clone()), expected, "{commands:?}");
    }
}

#[test]
fn a_wait_for_the_erasure_is_recorded_once_and_can_be_withdrawn() {
    let (request, withdraw) = (OrderCommand::RequestContactErasure, OrderCommand::WithdrawContactErasure);
    let requested = OrderEvent::ContactErasureRequested {};
    given(of_guest(vec![])).when(request.clone()).then_expect_events(vec![requested.clone()]);
    given(of_guest(vec![request.clone()])).when(request.clone()).then_expect_events(vec![]);
    given(of_guest(vec![])).when(withdraw.clone()).then_expect_events(vec![]);
    given(of_guest(vec![request.clone()]))
        .when(withdraw.clone())
        .then_expect_events(vec![OrderEvent::ContactErasureWithdrawn {}]);
    given(of_guest(vec![request.clone(), withdraw])).when(request).then_expect_events(vec![requested]);
}

#[test]
fn addresses_and_contact_can_be_corrected_while_units_are_to_be_sent() {
    let kinds = AddressKind::ALL.to_vec();
    let addresses = OrderEvent::AddressesCorrected { kinds, shipping_country: Some(country("DE")) };
    let contact = OrderEvent::ContactCorrected { fields: vec![ContactField::Email] };
    for commands in [vec![], vec![OrderCommand::Process], vec![OrderCommand::Process, ship(&[(1, 1)])]] {
        given(of_guest(commands.clone())).when(correct_addresses()).then_expect_events(vec![addresses.clone()]);
        given(of_guest(commands)).when(correct_contact()).then_expect_events(vec![contact.clone()]);
    }
    for commands in [vec![CANCEL], vec![OrderCommand::Process, ship(&[])]] {
        given(of_guest(commands.clone())).when(correct_addresses()).then_expect_error(OrderError::NothingToSend);
        given(of_guest(commands)).when(correct_contact()).then_expect_error(OrderError::NothingToSend);
    }
    given(vec![placed()]).when(correct_contact()).then_expect_error(OrderError::HasCustomer(CustomerId(1)));
    given(vec![placed()]).when(correct_addresses()).then_expect_events(vec![addresses]);
}

#[test]
fn erased_data_never_comes_back() {
    // Older versions erased the contact of open orders.
    let erased = [of_guest(vec![]), vec![OrderEvent::ContactErased {}]].concat();
    for command in [correct_addresses(), correct_contact()] {
        given(erased.clone()).when(command).then_expect_error(OrderError::ContactErased);
    }
}

#[test]
fn the_event_of_a_collected_shipment_says_so() {
    let OrderCommand::Ship { lines, .. } = ship(&[]) else { unreachable!() };
    let collect = OrderCommand::Ship { carrier: None, tracking_number: None, lines, collected: true };
    let events = of_guest(vec![OrderCommand::Process, collect]);
    let sent = events.iter().find(|event| matches!(event, OrderEvent::ShipmentSent { .. })).unwrap();
    assert!(matches!(sent, OrderEvent::ShipmentSent { collected: true, .. }), "{sent:?}");
}
