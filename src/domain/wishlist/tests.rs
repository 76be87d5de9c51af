use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::domain::wishlist::WishlistEvent::{Emptied, ItemAdded, ItemRemoved};

const KETTLE: ProductId = ProductId(1);

fn given(events: Vec<WishlistEvent>) -> AggregateTestExecutor<Wishlist> {
    TestFramework::with(()).given(events)
}

#[test]
fn a_product_is_added_once_and_can_be_added_again_after_its_removal() {
    let (added, removed) = (ItemAdded { product_id: KETTLE }, ItemRemoved { product_id: KETTLE });
    let add = || WishlistCommand::Add { product_id: KETTLE };
    given(vec![]).when(add()).then_expect_events(vec![added.clone()]);
    given(vec![added.clone()]).when(add()).then_expect_events(vec![]);
    given(vec![added.clone(), removed]).when(add()).then_expect_events(vec![added]);
}

#[test]
fn only_a_product_of_the_wishlist_can_be_removed() {
    let remove = || WishlistCommand::Remove { product_id: KETTLE };
    let (added, removed) = (ItemAdded { product_id: KETTLE }, ItemRemoved { product_id: KETTLE });
    given(vec![added.clone()]).when(remove()).then_expect_events(vec![removed.clone()]);
    for events in [vec![], vec![added.clone(), removed], vec![added, Emptied {}]] {
        given(events).when(remove()).then_expect_error(WishlistError::ItemNotFound(KETTLE));
    }
}

#[test]
fn the_number_of_products_is_limited() {
    let full: Vec<_> = (1..=500).map(|number| ItemAdded { product_id: ProductId(number) }).collect();
    let add = |number| WishlistCommand::Add { product_id: ProductId(number) };
    given(full.clone()).when(add(501)).then_expect_error(WishlistError::TooManyItems);
    given(full.clone()).when(add(500)).then_expect_events(vec![]);
    let room = [full, vec![ItemRemoved { product_id: ProductId(7) }]].concat();
    given(room).when(add(501)).then_expect_events(vec![ItemAdded { product_id: ProductId(501) }]);
}

#[test]
fn emptying_removes_every_product_and_an_empty_wishlist_stays_as_it_is() {
    given(vec![]).when(WishlistCommand::Empty).then_expect_events(vec![]);
    let added = ItemAdded { product_id: KETTLE };
    given(vec![added.clone()]).when(WishlistCommand::Empty).then_expect_events(vec![Emptied {}]);
    given(vec![added, Emptied {}]).when(WishlistCommand::Empty).then_expect_events(vec![]);
}
