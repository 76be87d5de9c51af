//! Rules of an order: given events, when a command, then events or an error.

use std::sync::Arc;

use chrono::TimeZone;
use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::domain::ids::CategoryId;
use crate::domain::product::{Images, Listing, Stock};
use crate::domain::quantity::Quantity;

mod goods;
mod money;
mod parts;
mod recipients;

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
        images: Images::default(),
        details: Arc::default(),
        has_imei: false,
        low_stock_threshold: None,
    };
    OrderLine::of(ProductId(1), &listing, "Kitchen", Quantity::new(quantity).unwrap(), agreed_price.map(money))
}

fn line(product: i64, quantity: i64, unit_price: &str) -> OrderLine {
    OrderLine { product_id: ProductId(product), ..kettle(quantity, Some(unit_price)).unwrap() }
}

fn place(lines: Vec<OrderLine>) -> OrderCommand {
    let placed_at = Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap();
    OrderCommand::Place(OrderDraft {
        customer_id: Some(CustomerId(1)),
        placed_at,
        reference: None,
        request_digest: None,
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
        story.then(OrderCommand::Place(OrderDraft { payment_method: method, pay_by, ..order }));
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
    let lines = lines.iter().map(units).collect();
    OrderCommand::Ship { carrier: None, tracking_number: None, lines, collected: false }
}

fn return_units(lines: &[(i64, i64)], refund: bool) -> OrderCommand {
    let line = |(line, units): &(i64, i64)| ReturnLine {
        line: *line,
        quantity: Quantity::new(*units).unwrap(),
        restock: true,
    };
    OrderCommand::Return { lines: lines.iter().map(line).collect(), refund, reason: None }
}

fn cancel_units(lines: &[(i64, i64)]) -> OrderCommand {
    let units = |(line, units): &(i64, i64)| LineUnits { line: *line, quantity: Quantity::new(*units).unwrap() };
    OrderCommand::CancelUnits { lines: lines.iter().map(units).collect(), reason: None }
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
const PAY: OrderCommand = OrderCommand::MarkPaid { amount: None, reference: None };

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
fn an_unknown_order_is_not_found() {
    given(vec![]).when(DELIVER).then_expect_error(OrderError::NotFound);
}

#[test]
fn a_line_with_incomplete_prices_is_unreadable() {
    let mut stored = serde_json::to_value(line(1, 1, "20.00")).unwrap();
    assert_eq!(serde_json::from_value::<OrderLine>(stored.clone()).unwrap().priced, None);
    stored["tax"] = "3.19".into();
    assert!(serde_json::from_value::<OrderLine>(stored.clone()).is_err());
    for (field, value) in [("discount", "0.00"), ("tax_rate", "19"), ("total", "20.00")] {
        stored[field] = value.into();
    }
    assert_eq!(serde_json::from_value::<OrderLine>(stored.clone()).unwrap().amount(), money("20.00"));
    stored["tax"] = "-1".into();
    assert!(serde_json::from_value::<OrderLine>(stored).is_err());
}
