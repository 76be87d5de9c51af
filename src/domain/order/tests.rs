use chrono::TimeZone;
use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::domain::ids::CategoryId;
use crate::domain::product::{Listing, Stock};
use crate::domain::quantity::Quantity;

fn given(events: Vec<OrderEvent>) -> AggregateTestExecutor<Order> {
    TestFramework::with(()).given(events)
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn kettle(quantity: i64, agreed_price: Option<&str>) -> Result<OrderLine, OrderError> {
    let listing = Listing {
        name: "Kettle".to_owned(),
        description: String::new(),
        price: money("29.99"),
        category_id: CategoryId(1),
        sku: None,
        stock: Stock::default(),
        ordered: false,
    };
    OrderLine::of(ProductId(1), &listing, "Kitchen", Quantity::new(quantity).unwrap(), agreed_price.map(money))
}

fn line(product: i64, quantity: i64, unit_price: &str) -> OrderLine {
    OrderLine { product_id: ProductId(product), ..kettle(quantity, Some(unit_price)).unwrap() }
}

fn place(lines: Vec<OrderLine>) -> OrderCommand {
    let placed_at = Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap();
    OrderCommand::Place(PlaceOrder {
        customer_id: Some(CustomerId(1)),
        placed_at,
        reference: None,
        lines,
        payment_method: None,
        pay_by: None,
        shipping_country: None,
        priced: None,
        discount_code: None,
    })
}

fn placed() -> OrderEvent {
    Order::Unknown.decide(place(vec![line(1, 2, "20.00"), line(1, 1, "19.99")])).unwrap().remove(0)
}

/// An order that executes one command after another.
struct Story(Order);

impl Story {
    fn of(method: Option<PaymentMethod>) -> Self {
        let OrderCommand::Place(order) = place(vec![line(1, 2, "20.00"), line(2, 1, "19.99")]) else { unreachable!() };
        let pay_by = Some(order.placed_at);
        let mut story = Self(Order::default());
        story.then(OrderCommand::Place(PlaceOrder { payment_method: method, pay_by, ..order }));
        story
    }

    fn then(&mut self, command: OrderCommand) -> Vec<OrderEvent> {
        let events = self.0.decide(command.clone()).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        events.iter().for_each(|event| self.0.evolve(event));
        events
    }

    fn refuses(&self, command: OrderCommand) -> OrderError {
        self.0.decide(command).unwrap_err()
    }

    fn states(&self) -> (Status, Payment, Fulfilment) {
        let OrderStates { status, payment, fulfilment } = self.0.placed().unwrap().states;
        (status, payment, fulfilment)
    }

    fn bill(&self) -> &Bill {
        &self.0.placed().unwrap().bill
    }
}

fn ship(lines: &[(i64, i64)]) -> OrderCommand {
    let units = |(line, units): &(i64, i64)| LineUnits { line: *line, quantity: Quantity::new(*units).unwrap() };
    OrderCommand::Ship { carrier: None, tracking_number: None, lines: lines.iter().map(units).collect() }
}

fn return_units(lines: &[(i64, i64)], refund: bool) -> OrderCommand {
    let line = |(line, units): &(i64, i64)| ReturnLine {
        line: *line,
        quantity: Quantity::new(*units).unwrap(),
        restock: true,
    };
    OrderCommand::Return { lines: lines.iter().map(line).collect(), refund, reason: None }
}

fn refund(amount: &str) -> OrderCommand {
    OrderCommand::Refund { amount: Some(money(amount)), reason: None }
}

fn reference() -> ProviderReference {
    ProviderReference::parse("pi_1").unwrap()
}

fn paid(attempt: i64, amount: &str) -> OrderCommand {
    OrderCommand::RecordCapture { attempt, amount: money(amount), reference: reference() }
}

const DELIVER: OrderCommand = OrderCommand::Deliver { shipment: None };
const CANCEL: OrderCommand = OrderCommand::Cancel { reason: None };
const PAY: OrderCommand = OrderCommand::MarkPaid { reference: None };

#[test]
fn the_total_is_the_sum_of_the_subtotals_and_one_product_can_have_two_lines_at_two_prices() {
    let OrderEvent::Placed { total, lines, .. } = placed() else { panic!("not placed") };
    assert_eq!(total, money("59.99"));
    assert_eq!(
        lines.iter().map(|line| (line.line, line.subtotal)).collect::<Vec<_>>(),
        [(1, money("40.00")), (2, money("19.99"))]
    );
}

#[test]
fn a_line_has_the_agreed_price_or_the_catalogue_price() {
    assert_eq!(kettle(2, None).unwrap().subtotal, money("59.98"));
    assert_eq!(kettle(2, Some("10.00")).unwrap().subtotal, money("20.00"));
}

#[test]
fn an_order_is_placed_once_and_with_lines() {
    given(vec![placed()]).when(place(vec![line(1, 1, "1")])).then_expect_error(OrderError::AlreadyPlaced);
    given(vec![]).when(place(vec![])).then_expect_error(OrderError::NoLines);
    given(vec![]).when(place(vec![line(1, 1, "1"); 2_001])).then_expect_error(OrderError::TooManyLines);
}

#[test]
fn a_total_above_the_maximum_is_refused() {
    assert_eq!(kettle(Quantity::MAX, Some("999999999999.99")), Err(OrderError::TotalTooLarge));
    let half = line(1, 1, "999999999999.99");
    given(vec![]).when(place(vec![half.clone(), half])).then_expect_error(OrderError::TotalTooLarge);
}

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
fn returned_units_are_credited_if_unpaid_and_refundable_if_paid() {
    let mut order = Story::of(None);
    let events = order.then(return_units(&[(1, 1)], true));
    assert!(matches!(&events[..], [OrderEvent::Returned { credit, .. }] if *credit == money("20.00")), "{events:?}");
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
    assert_eq!(order.states(), (Status::Shipped, Payment::Refunded, Fulfilment::Returned));
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
fn withdrawing_every_unit_cancels_the_order() {
    let mut order = Story::of(None);
    order.then(return_units(&[(1, 2)], false));
    let events = order.then(return_units(&[(2, 1)], false));
    let OrderEvent::Cancelled { total, lines, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!((*total, lines.len(), lines[0].product_id), (money("19.99"), 1, ProductId(2)));
    assert_eq!(order.states().0, Status::Cancelled);
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
fn an_order_with_a_total_of_zero_is_paid_when_it_is_placed() {
    let OrderCommand::Place(order) = place(vec![line(1, 1, "0.00")]) else { unreachable!() };
    let mut story = Story(Order::default());
    story.then(OrderCommand::Place(PlaceOrder { payment_method: Some(PaymentMethod::Card), ..order }));
    assert_eq!(story.states().1, Payment::Paid);
}

#[test]
fn an_unknown_order_is_not_found() {
    given(vec![]).when(DELIVER).then_expect_error(OrderError::NotFound);
}

#[test]
fn only_the_contact_of_a_guest_is_erased_and_only_once() {
    let OrderCommand::Place(order) = place(vec![line(1, 2, "20.00")]) else { unreachable!() };
    let of_guest = Order::Unknown.decide(OrderCommand::Place(PlaceOrder { customer_id: None, ..order })).unwrap();
    given(of_guest.clone()).when(OrderCommand::EraseContact).then_expect_events(vec![OrderEvent::ContactErased {}]);
    given([of_guest, vec![OrderEvent::ContactErased {}]].concat())
        .when(OrderCommand::EraseContact)
        .then_expect_events(vec![]);
    given(vec![placed()]).when(OrderCommand::EraseContact).then_expect_error(OrderError::HasCustomer(CustomerId(1)));
    given(vec![]).when(OrderCommand::EraseContact).then_expect_error(OrderError::NotFound);
}
