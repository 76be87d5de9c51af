use chrono::TimeZone;
use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<OrderEvent>) -> AggregateTestExecutor<Order> {
    TestFramework::with(()).given(events)
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn line(product: i64, quantity: i64, unit_price: &str) -> PlaceLine {
    PlaceLine {
        product_id: ProductId(product),
        product_name: "Kettle".to_owned(),
        category_id: CategoryId(1),
        category_name: "Kitchen".to_owned(),
        quantity: Quantity::new(quantity).unwrap(),
        unit_price: money(unit_price),
    }
}

fn place(lines: Vec<PlaceLine>) -> OrderCommand {
    let placed_at = Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap();
    OrderCommand::Place(PlaceOrder { customer_id: Some(CustomerId(1)), placed_at, reference: None, lines })
}

fn placed() -> OrderEvent {
    Order::Unknown.decide(place(vec![line(1, 2, "20.00"), line(1, 1, "19.99")])).unwrap().remove(0)
}

fn move_to(to: Status) -> OrderCommand {
    OrderCommand::Move { to, reason: None }
}

#[test]
fn the_total_is_the_sum_of_the_subtotals_and_a_product_may_stand_in_two_lines_at_two_prices() {
    let OrderEvent::Placed { total, lines, .. } = placed() else { panic!("not placed") };
    assert_eq!(total, money("59.99"));
    assert_eq!(
        lines.iter().map(|line| (line.line, line.subtotal)).collect::<Vec<_>>(),
        [(1, money("40.00")), (2, money("19.99"))]
    );
}

#[test]
fn an_order_is_placed_once_and_has_lines() {
    given(vec![placed()]).when(place(vec![line(1, 1, "1")])).then_expect_error(OrderError::AlreadyPlaced);
    given(vec![]).when(place(vec![])).then_expect_error(OrderError::NoLines);
    given(vec![]).when(place(vec![line(1, 1, "1"); 2_001])).then_expect_error(OrderError::TooManyLines);
}

#[test]
fn a_total_that_no_account_could_hold_is_refused() {
    let dear = line(1, Quantity::MAX, "999999999999.99");
    given(vec![]).when(place(vec![dear])).then_expect_error(OrderError::TotalTooLarge);
    let half = line(1, 1, "999999999999.99");
    given(vec![]).when(place(vec![half.clone(), half])).then_expect_error(OrderError::TotalTooLarge);
}

#[test]
fn an_order_moves_only_along_the_table() {
    use Status::{Cancelled, Completed, Pending, Processing, Shipped};
    let paths: [(Status, Vec<OrderEvent>); 5] = [
        (Pending, vec![]),
        (Processing, vec![OrderEvent::ProcessingStarted {}]),
        (Shipped, vec![OrderEvent::ProcessingStarted {}, OrderEvent::Shipped {}]),
        (Completed, vec![OrderEvent::ProcessingStarted {}, OrderEvent::Shipped {}, OrderEvent::Completed {}]),
        (Cancelled, vec![cancelled()]),
    ];
    let allowed = [
        (Pending, Processing),
        (Pending, Cancelled),
        (Processing, Shipped),
        (Processing, Cancelled),
        (Shipped, Completed),
    ];
    for (from, path) in &paths {
        let mut order = Order::default();
        for event in [placed()].iter().chain(path) {
            order.evolve(event);
        }
        for (to, _) in &paths {
            let outcome = order.decide(move_to(*to));
            if allowed.contains(&(*from, *to)) {
                assert_eq!(outcome.unwrap().len(), 1, "{from:?} to {to:?}");
            } else {
                assert_eq!(outcome, Err(OrderError::IllegalMove { from: *from, to: *to }));
            }
        }
    }
}

#[test]
fn cancelling_repeats_what_was_ordered() {
    given(vec![placed()]).when(move_to(Status::Cancelled)).then_expect_events(vec![cancelled()]);
}

#[test]
fn an_unknown_order_is_not_found() {
    given(vec![]).when(move_to(Status::Shipped)).then_expect_error(OrderError::NotFound);
}

fn cancelled() -> OrderEvent {
    let mut order = Order::default();
    order.evolve(&placed());
    let order = order.placed().unwrap().clone();
    OrderEvent::Cancelled {
        reason: None,
        customer_id: order.customer_id,
        placed_at: order.placed_at,
        total: order.total,
        lines: order.lines.iter().map(OrderLine::units).collect(),
    }
}
