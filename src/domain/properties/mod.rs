//! Invariants across aggregates after any sequence of commands.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Decider;
use super::cart::{Cart, CartChange, CartCommand, MergeMode};
use super::ids::{CustomerId, OrderId, ProductId};
use super::money::Money;
use super::order::{Fulfilment, Payment, StateValue, Status};
use super::quantity::Quantity;

mod invariants;
mod ledger;
mod shop;
mod steps;

use shop::Shop;
use steps::Step;

/// A request of a client. Few products, customers and orders, so that requests meet each other.
#[derive(Clone, Debug)]
enum Request {
    Create { product: i64, category: i64, price: Money },
    MoveProduct { product: i64, category: i64 },
    Reprice { product: i64, price: Money },
    Discontinue { product: i64 },
    PutOnSale { product: i64, on_sale: bool },
    Delete { product: i64 },
    Adjust { product: i64, change: i64 },
    Count { product: i64, counted: i64 },
    Add { cart: i64, product: i64, quantity: i64 },
    Set { cart: i64, product: i64, quantity: i64 },
    Empty { cart: i64 },
    Merge { cart: i64, into: i64, mode: MergeMode },
    CheckOut { cart: i64 },
    PlaceOrder { lines: Vec<(i64, i64, Option<Money>)> },
    Step { order: i64, step: Step },
}

const CATEGORIES: i64 = 2;

fn request() -> impl Strategy<Value = Request> {
    let product = || 1..=5_i64;
    let category = || 1..=CATEGORIES;
    let cart = || 1..=3_i64;
    let quantity = || prop_oneof![8 => 1..=6_i64, 1 => 1..=Quantity::MAX];
    let price = || {
        prop_oneof![8 => 0..=5_000_i64, 1 => Just(99_999_999_999_999_i64)]
            .prop_map(|cents| Money::parse(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap())
    };
    let change = prop_oneof![8 => -10..=30_i64, 1 => any::<i64>()];
    let counted = prop_oneof![8 => -1..=30_i64, 1 => any::<i64>()];
    let mode = prop_oneof![
        Just(MergeMode::Sum),
        Just(MergeMode::KeepLarger),
        Just(MergeMode::KeepGuest),
        Just(MergeMode::KeepCustomer)
    ];
    let line = (product(), quantity(), proptest::option::of(price()));
    prop_oneof![
        10 => (product(), category(), price()).prop_map(|(product, category, price)| Request::Create { product, category, price }),
        1 => (product(), category()).prop_map(|(product, category)| Request::MoveProduct { product, category }),
        1 => (product(), price()).prop_map(|(product, price)| Request::Reprice { product, price }),
        1 => product().prop_map(|product| Request::Discontinue { product }),
        1 => (product(), any::<bool>()).prop_map(|(product, on_sale)| Request::PutOnSale { product, on_sale }),
        1 => product().prop_map(|product| Request::Delete { product }),
        20 => (product(), change).prop_map(|(product, change)| Request::Adjust { product, change }),
        5 => (product(), counted).prop_map(|(product, counted)| Request::Count { product, counted }),
        20 => (cart(), product(), quantity()).prop_map(|(cart, product, quantity)| Request::Add { cart, product, quantity }),
        5 => (cart(), product(), 0..=6_i64).prop_map(|(cart, product, quantity)| Request::Set { cart, product, quantity }),
        1 => cart().prop_map(|cart| Request::Empty { cart }),
        1 => (cart(), cart(), mode).prop_map(|(cart, into, mode)| Request::Merge { cart, into, mode }),
        20 => cart().prop_map(|cart| Request::CheckOut { cart }),
        20 => proptest::collection::vec(line, 0..4).prop_map(|lines| Request::PlaceOrder { lines }),
        80 => (1..=3_i64, steps::step()).prop_map(|(order, step)| Request::Step { order, step }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stock_orders_and_categories_agree_after_any_requests(requests in proptest::collection::vec(request(), 1..80)) {
        let mut shop = Shop::new();
        for request in requests {
            let before = shop.clone();
            if shop.attempt(request).is_err() {
                prop_assert_eq!(&shop, &before, "a refused command changes nothing");
            }
            shop.check();
        }
    }

    #[test]
    fn a_cart_stays_within_its_bounds_and_replays_to_the_same_state(
        commands in prop::collection::vec(cart_command(), 1..120),
    ) {
        let mut cart = Cart::default();
        let mut log = Vec::new();
        for command in commands {
            for event in cart.decide(command).unwrap_or_default() {
                cart.evolve(&event);
                log.push(event);
            }
            prop_assert!(cart.items().len() <= Cart::MAX_ITEMS);
        }
        let mut replayed = Cart::default();
        log.iter().for_each(|event| replayed.evolve(event));
        prop_assert_eq!(replayed, cart);
    }
}

/// The requests must reach every state, or the invariants would be checked on nothing.
#[test]
fn random_requests_reach_every_state_of_an_order() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::<StateValue, usize>::new();
    for _ in 0..200 {
        let requests = proptest::collection::vec(request(), 120).new_tree(&mut runner).unwrap().current();
        let mut shop = Shop::new();
        for request in requests {
            // Refused requests are part of the story.
            let _ = shop.attempt(request);
        }
        for state in shop.orders.values().flat_map(|order| order.placed().unwrap().states.each()) {
            *reached.entry(state).or_default() += 1;
        }
    }
    let states = (Status::ALL.iter().map(|status| StateValue::Status(*status)))
        .chain(Payment::ALL.iter().map(|payment| StateValue::Payment(*payment)))
        .chain(Fulfilment::ALL.iter().map(|fulfilment| StateValue::Fulfilment(*fulfilment)));
    for state in states {
        assert!(reached.get(&state).is_some_and(|orders| *orders >= 5), "too few {state:?}: {reached:?}");
    }
}

fn cart_command() -> impl Strategy<Value = CartCommand> {
    let product_id = (1..6i64).prop_map(ProductId);
    let quantity = prop_oneof![1..5i64, Just(Quantity::MAX)].prop_map(|units| Quantity::new(units).unwrap());
    let mode = prop_oneof![
        Just(MergeMode::Sum),
        Just(MergeMode::KeepLarger),
        Just(MergeMode::KeepGuest),
        Just(MergeMode::KeepCustomer)
    ];
    let items = prop::collection::btree_map(product_id.clone(), quantity.clone(), 0..4);
    prop_oneof![
        1 => Just(CartCommand::Open),
        6 => (product_id.clone(), quantity.clone())
            .prop_map(|(product_id, quantity)| CartCommand::Change(CartChange::Add { product_id, quantity })),
        4 => (product_id, prop::option::of(quantity))
            .prop_map(|(product_id, quantity)| CartCommand::Change(CartChange::Set { product_id, quantity })),
        1 => Just(CartCommand::Change(CartChange::Empty)),
        1 => (items, mode).prop_map(|(items, mode)| CartCommand::MergeItems { items, mode }),
        1 => Just(CartCommand::CheckOut { order_id: OrderId(1) }),
        1 => Just(CartCommand::CloseAfterMerge { customer_id: CustomerId(1) }),
    ]
}
