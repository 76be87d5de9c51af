use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<CartEvent>) -> AggregateTestExecutor<Cart> {
    TestFramework::with(()).given(events)
}

fn units(units: i64) -> Quantity {
    Quantity::new(units).unwrap()
}

fn add(product: i64, quantity: i64) -> CartCommand {
    CartCommand::Change(CartChange::Add { product_id: ProductId(product), quantity: units(quantity) })
}

fn added(product: i64, quantity: i64, new_quantity: i64) -> CartEvent {
    let product_id = ProductId(product);
    CartEvent::ItemAdded { product_id, quantity: units(quantity), new_quantity: units(new_quantity) }
}

fn changed(product: i64, new_quantity: i64) -> CartEvent {
    CartEvent::ItemQuantityChanged { product_id: ProductId(product), new_quantity: units(new_quantity) }
}

fn removed(product: i64) -> CartEvent {
    CartEvent::ItemRemoved { product_id: ProductId(product) }
}

fn checked_out() -> CartEvent {
    CartEvent::CheckedOut { order_id: OrderId(9) }
}

#[test]
fn adding_a_product_twice_adds_up_the_quantities() {
    given(vec![]).when(add(1, 2)).then_expect_events(vec![added(1, 2, 2)]);
    given(vec![added(1, 2, 2)]).when(add(1, 3)).then_expect_events(vec![added(1, 3, 5)]);
}

#[test]
fn setting_the_current_quantity_causes_no_event() {
    let set = |quantity| CartCommand::Change(CartChange::Set { product_id: ProductId(1), quantity });
    given(vec![added(1, 2, 2)]).when(set(Some(units(2)))).then_expect_events(vec![]);
    given(vec![added(1, 2, 2)]).when(set(Some(units(7)))).then_expect_events(vec![changed(1, 7)]);
    given(vec![added(1, 2, 2)]).when(set(None)).then_expect_events(vec![removed(1)]);
    given(vec![]).when(set(None)).then_expect_error(CartError::ItemNotFound);
}

#[test]
fn an_empty_cart_cannot_be_checked_out() {
    let check_out = || CartCommand::CheckOut { order_id: OrderId(9) };
    given(vec![CartEvent::Opened {}]).when(check_out()).then_expect_error(CartError::Empty);
    given(vec![added(1, 2, 2), removed(1)]).when(check_out()).then_expect_error(CartError::Empty);
    given(vec![]).when(check_out()).then_expect_error(CartError::NotFound);
}

#[test]
fn a_cart_is_checked_out_once() {
    let check_out = || CartCommand::CheckOut { order_id: OrderId(9) };
    given(vec![added(1, 2, 2)]).when(check_out()).then_expect_events(vec![checked_out()]);
    given(vec![added(1, 2, 2), checked_out()])
        .when(check_out())
        .then_expect_error(CartError::AlreadyCheckedOut { order_id: OrderId(9) });
}

#[test]
fn the_next_item_reopens_a_checked_out_cart() {
    given(vec![added(1, 2, 2), checked_out()]).when(add(1, 1)).then_expect_events(vec![added(1, 1, 1)]);
}

#[test]
fn emptying_an_empty_cart_causes_no_event_and_an_unknown_cart_is_not_found() {
    given(vec![added(1, 2, 2)])
        .when(CartCommand::Change(CartChange::Empty))
        .then_expect_events(vec![CartEvent::Emptied {}]);
    given(vec![CartEvent::Opened {}]).when(CartCommand::Change(CartChange::Empty)).then_expect_events(vec![]);
    given(vec![]).when(CartCommand::Change(CartChange::Empty)).then_expect_error(CartError::NotFound);
}

#[test]
fn every_merge_mode_keeps_what_its_name_says() {
    let guest_items = Items::from([(ProductId(1), units(5)), (ProductId(3), units(1))]);
    for (mode, events) in [
        (MergeMode::Sum, vec![changed(1, 7), changed(3, 1)]),
        (MergeMode::KeepLarger, vec![changed(1, 5), changed(3, 1)]),
        (MergeMode::KeepGuest, vec![removed(2), changed(1, 5), changed(3, 1)]),
        (MergeMode::KeepCustomer, vec![]),
    ] {
        given(vec![added(1, 2, 2), added(2, 4, 4)])
            .when(CartCommand::MergeItems { items: guest_items.clone(), mode })
            .then_expect_events(events);
    }
}

#[test]
fn a_merged_cart_is_not_found() {
    let merged = CartEvent::Merged { customer_id: CustomerId(1) };
    let close = CartCommand::CloseAfterMerge { customer_id: CustomerId(1) };
    given(vec![CartEvent::Opened {}]).when(close.clone()).then_expect_events(vec![merged.clone()]);
    for command in [close, add(1, 1), CartCommand::Change(CartChange::Empty), CartCommand::Open] {
        given(vec![CartEvent::Opened {}, merged.clone()]).when(command).then_expect_error(CartError::NotFound);
    }
}

#[test]
fn only_an_open_cart_expires_and_the_next_item_reopens_it() {
    let expired = CartEvent::Expired {};
    for open in [vec![CartEvent::Opened {}], vec![added(1, 2, 2)]] {
        given(open).when(CartCommand::Expire).then_expect_events(vec![expired.clone()]);
    }
    let merged = CartEvent::Merged { customer_id: CustomerId(1) };
    given(vec![CartEvent::Opened {}, merged]).when(CartCommand::Expire).then_expect_error(CartError::NotFound);
    for closed in [vec![], vec![added(1, 2, 2), checked_out()], vec![added(1, 2, 2), expired.clone()]] {
        given(closed).when(CartCommand::Expire).then_expect_events(vec![]);
    }
    let gone = || vec![added(1, 2, 2), CartEvent::Expired {}];
    given(gone()).when(add(1, 1)).then_expect_events(vec![added(1, 1, 1)]);
    given(gone()).when(CartCommand::CheckOut { order_id: OrderId(9) }).then_expect_error(CartError::Empty);
    let take = CartCommand::CloseAfterMerge { customer_id: CustomerId(1) };
    given(gone()).when(take).then_expect_error(CartError::NotFound);
}

#[test]
fn a_cart_that_holds_nothing_may_be_archived() {
    let merged = CartEvent::Merged { customer_id: CustomerId(1) };
    for (events, expected) in [
        (vec![], false),
        (vec![CartEvent::Opened {}], true),
        (vec![added(1, 2, 2)], false),
        (vec![added(1, 2, 2), CartEvent::Emptied {}], true),
        (vec![added(1, 2, 2), checked_out()], true),
        (vec![added(1, 2, 2), CartEvent::Expired {}], true),
        (vec![added(1, 2, 2), merged], true),
        (vec![added(1, 2, 2), checked_out(), added(1, 1, 1)], false),
    ] {
        let mut cart = Cart::Unknown;
        events.iter().for_each(|event| cart.evolve(event));
        assert_eq!(cart.may_be_archived(), expected, "{events:?}");
    }
}

#[test]
fn a_cart_has_limits() {
    let full: Vec<_> = (1..=500).map(|product| added(product, 1, 1)).collect();
    given(full.clone()).when(add(501, 1)).then_expect_error(CartError::TooManyItems);
    given(full.clone()).when(add(500, 1)).then_expect_events(vec![added(500, 1, 2)]);
    given(full).when(add(1, Quantity::MAX)).then_expect_error(CartError::TooManyUnits);
}
