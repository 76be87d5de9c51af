use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::domain::event_types::PublishedEvents;
use crate::domain::ids::OrderId;
use crate::domain::text::Name;

/// A threshold that no stock is below.
fn never() -> LowStockThreshold {
    LowStockThreshold::try_from(0).unwrap()
}

fn given(events: Vec<ProductEvent>) -> AggregateTestExecutor<Product> {
    TestFramework::with(()).given(events)
}

fn created() -> ProductEvent {
    ProductEvent::Created {
        name: "Kettle".to_owned(),
        description: String::new(),
        price: Money::parse("20.00").unwrap(),
        category_id: CategoryId(1),
        sku: None,
        details: None,
        created_at: None,
        low_stock_threshold: None,
    }
}

fn received(quantity: i64) -> ProductEvent {
    ProductEvent::StockReceived { quantity, reason: None, on_hand: quantity, reserved: 0 }
}

fn reserved(quantity: i64, on_hand: i64, reserved: i64) -> ProductEvent {
    ProductEvent::StockReserved { order_id: OrderId(1), quantity, on_hand, reserved }
}

fn reserve(quantity: i64) -> ProductCommand {
    ProductCommand::Reserve { order_id: OrderId(1), quantity, shop_threshold: None }
}

#[test]
fn only_available_units_can_be_reserved() {
    let on_the_shelf = vec![created(), received(5), reserved(3, 5, 3)];
    given(on_the_shelf.clone()).when(reserve(2)).then_expect_events(vec![reserved(2, 5, 5)]);
    given(on_the_shelf).when(reserve(3)).then_expect_error(ProductError::OutOfStock { requested: 3, available: 2 });
}

#[test]
fn shipping_removes_units_from_stock_and_releasing_makes_them_available() {
    let on_the_shelf = vec![created(), received(5), reserved(3, 5, 3)];
    given(on_the_shelf.clone()).when(ProductCommand::Ship { order_id: OrderId(1), quantity: 3 }).then_expect_events(
        vec![ProductEvent::StockShipped { order_id: OrderId(1), quantity: 3, on_hand: 2, reserved: 0 }],
    );
    given(on_the_shelf).when(ProductCommand::Release { order_id: OrderId(1), quantity: 3 }).then_expect_events(vec![
        ProductEvent::StockReleased { order_id: OrderId(1), quantity: 3, on_hand: 5, reserved: 0 },
    ]);
}

#[test]
fn a_loss_never_goes_below_the_reserved_units() {
    let on_the_shelf = vec![created(), received(5), reserved(3, 5, 3)];
    let adjust = |change| ProductCommand::AdjustStock { change, reason: None, shop_threshold: never() };
    given(on_the_shelf.clone()).when(adjust(-3)).then_expect_error(ProductError::BelowReserved { reserved: 3 });
    given(on_the_shelf).when(adjust(-2)).then_expect_events(vec![ProductEvent::StockCorrected {
        change: -2,
        reason: None,
        on_hand: 3,
        reserved: 3,
    }]);
}

#[test]
fn impossible_stock_figures_are_refused() {
    let adjust = |change| ProductCommand::AdjustStock { change, reason: None, shop_threshold: never() };
    for (command, error) in [
        (adjust(0), ProductError::NoChange),
        (adjust(i64::MAX), ProductError::TooManyUnits),
        (adjust(Stock::MAX + 1), ProductError::TooManyUnits),
        (adjust(i64::MIN), ProductError::BelowReserved { reserved: 0 }),
        (
            ProductCommand::CountStock { counted: -1, reason: None, shop_threshold: never() },
            ProductError::NegativeCount,
        ),
        (
            ProductCommand::CountStock { counted: i64::MAX, reason: None, shop_threshold: never() },
            ProductError::TooManyUnits,
        ),
    ] {
        given(vec![created()]).when(command).then_expect_error(error);
    }
}

#[test]
fn a_product_that_was_ordered_can_be_discontinued_but_not_deleted() {
    let ordered = vec![created(), received(5), reserved(3, 5, 3)];
    given(ordered.clone()).when(ProductCommand::Delete).then_expect_error(ProductError::Ordered);
    given(ordered).when(ProductCommand::Discontinue).then_expect_events(vec![ProductEvent::Discontinued {}]);
    given(vec![created()]).when(ProductCommand::Delete).then_expect_events(vec![ProductEvent::Deleted {}]);
}

#[test]
fn a_discontinued_product_cannot_be_reserved_but_its_orders_can_still_be_shipped() {
    let discontinued = vec![created(), received(5), reserved(3, 5, 3), ProductEvent::Discontinued {}];
    given(discontinued.clone()).when(reserve(1)).then_expect_error(ProductError::Discontinued);
    given(discontinued).when(ProductCommand::Ship { order_id: OrderId(1), quantity: 3 }).then_expect_events(vec![
        ProductEvent::StockShipped { order_id: OrderId(1), quantity: 3, on_hand: 2, reserved: 0 },
    ]);
}

#[test]
fn a_change_to_the_current_value_causes_no_event() {
    let same_name = ProductCommand::Change {
        name: Some(Name::parse("Kettle").unwrap()),
        description: None,
        category_id: Some(CategoryId(1)),
    };
    given(vec![created()]).when(same_name).then_expect_events(vec![]);
    let same_price = ProductCommand::Reprice { price: Money::parse("20").unwrap() };
    given(vec![created()]).when(same_price).then_expect_events(vec![]);
    let discontinued = vec![created(), ProductEvent::Discontinued {}];
    given(discontinued).when(ProductCommand::Discontinue).then_expect_events(vec![]);
}

#[test]
fn an_unknown_or_deleted_product_is_not_found() {
    for events in [vec![], vec![created(), ProductEvent::Deleted {}]] {
        given(events.clone()).when(reserve(1)).then_expect_error(ProductError::NotFound);
        given(events).when(ProductCommand::Discontinue).then_expect_error(ProductError::NotFound);
    }
}

#[test]
fn a_count_may_find_fewer_units_than_are_reserved_and_orders_ship_what_is_left() {
    let short = |on_hand, reserved, change| ProductEvent::StockCorrected { change, reason: None, on_hand, reserved };
    let on_the_shelf = vec![created(), received(10), reserved(5, 10, 5)];
    let count = ProductCommand::CountStock { counted: 3, reason: None, shop_threshold: never() };
    given(on_the_shelf.clone()).when(count).then_expect_events(vec![short(3, 5, -7)]);
    let counted = [on_the_shelf, vec![short(3, 5, -7)]].concat();
    given(counted.clone()).when(reserve(1)).then_expect_error(ProductError::OutOfStock { requested: 1, available: 0 });
    let ship = |quantity| ProductCommand::Ship { order_id: OrderId(1), quantity };
    given(counted.clone()).when(ship(4)).then_expect_error(ProductError::NotOnHand { requested: 4, on_hand: 3 });
    given(counted.clone()).when(ship(3)).then_expect_events(vec![ProductEvent::StockShipped {
        order_id: OrderId(1),
        quantity: 3,
        on_hand: 0,
        reserved: 2,
    }]);
    let adjust = |change| ProductCommand::AdjustStock { change, reason: None, shop_threshold: never() };
    given(counted.clone()).when(adjust(-1)).then_expect_error(ProductError::BelowReserved { reserved: 5 });
    given(counted.clone()).when(adjust(1)).then_expect_events(vec![ProductEvent::StockReceived {
        quantity: 1,
        reason: None,
        on_hand: 4,
        reserved: 5,
    }]);
    given(counted.clone()).when(ProductCommand::Restock { order_id: OrderId(2), quantity: 1 }).then_expect_events(
        vec![ProductEvent::StockReturned { order_id: OrderId(2), quantity: 1, on_hand: 4, reserved: 5 }],
    );
    given(counted).when(ProductCommand::Release { order_id: OrderId(1), quantity: 4 }).then_expect_events(vec![
        ProductEvent::StockReleased { order_id: OrderId(1), quantity: 4, on_hand: 3, reserved: 1 },
    ]);
    assert_eq!((Stock { on_hand: 3, reserved: 5 }.available(), Stock { on_hand: 3, reserved: 5 }.missing()), (0, 2));
}

#[test]
fn a_discontinued_product_can_be_sold_again() {
    let discontinued = vec![created(), received(5), ProductEvent::Discontinued {}];
    given(discontinued.clone()).when(ProductCommand::Relist).then_expect_events(vec![ProductEvent::Relisted {}]);
    given(vec![created()]).when(ProductCommand::Relist).then_expect_events(vec![]);
    let relisted = [discontinued, vec![ProductEvent::Relisted {}]].concat();
    given(relisted).when(ProductCommand::Discontinue).then_expect_events(vec![ProductEvent::Discontinued {}]);
}

#[test]
fn a_sku_is_changed_and_removed() {
    let sku = |sku: &str| Some(crate::domain::text::Sku::parse(sku).unwrap());
    let changed = |sku: Option<&str>, previous_sku: Option<&str>| ProductEvent::SkuChanged {
        sku: sku.map(str::to_owned),
        previous_sku: previous_sku.map(str::to_owned),
    };
    let previous = changed(Some("K-1"), None);
    let given_sku = || given(vec![created(), previous.clone()]);
    given_sku().when(ProductCommand::ChangeSku { sku: sku("K-1") }).then_expect_events(vec![]);
    given_sku()
        .when(ProductCommand::ChangeSku { sku: sku("K-2") })
        .then_expect_events(vec![changed(Some("K-2"), Some("K-1"))]);
    given_sku().when(ProductCommand::ChangeSku { sku: None }).then_expect_events(vec![changed(None, Some("K-1"))]);
}

#[test]
fn the_movement_of_every_stock_event_leads_from_the_state_before_it_to_the_state_after_it() {
    let (order_id, reason) = (OrderId(1), None);
    let commands = [
        ProductCommand::AdjustStock { change: 10, reason: reason.clone(), shop_threshold: never() },
        ProductCommand::Reserve { order_id, quantity: 4, shop_threshold: None },
        ProductCommand::Reserve { order_id, quantity: 5, shop_threshold: None },
        ProductCommand::Release { order_id, quantity: 2 },
        ProductCommand::AdjustStock { change: -1, reason: reason.clone(), shop_threshold: never() },
        ProductCommand::Ship { order_id, quantity: 3 },
        ProductCommand::Restock { order_id, quantity: 1 },
        ProductCommand::CountStock { counted: 2, reason, shop_threshold: never() },
    ];
    let mut product = Product::default();
    product.evolve(&created());
    assert_eq!(created().stock_movement(), None);
    let mut seen = std::collections::BTreeSet::new();
    for command in commands {
        for event in product.decide(command).unwrap() {
            let before = product.listing().unwrap().stock;
            product.evolve(&event);
            let movement = event.stock_movement().unwrap();
            assert_eq!((movement.before, movement.after), (before, product.listing().unwrap().stock), "{event:?}");
            let of_order = !matches!(event.name(), "StockReceived" | "StockCorrected");
            assert_eq!(movement.order_id.is_some(), of_order, "{event:?}");
            seen.insert(event.name());
        }
    }
    assert_eq!(seen, ProductEvent::STOCK_EVENTS.into());
    let named = <ProductEvent as PublishedEvents>::VERSIONS.iter().filter(|(name, _)| name.starts_with("Stock"));
    assert_eq!(named.map(|(name, _)| *name).collect::<std::collections::BTreeSet<_>>(), seen);
}

#[test]
fn details_change_one_by_one_and_a_change_to_the_same_causes_no_event() {
    let change = |change: DetailsChange| ProductCommand::ChangeDetails(Box::new(change));
    let brand = |text: &str| Some(Some(Brand::parse(text).unwrap()));
    let details = ProductDetails { brand: Some("Bosch".to_owned()), weight_g: Some(900), ..ProductDetails::default() };
    let changed = |details: &ProductDetails| ProductEvent::DetailsChanged { details: Box::new(details.clone()) };
    let weight = Some(Some(WeightGrams::new(900).unwrap()));
    let both = DetailsChange { brand: brand("Bosch"), weight_g: weight, ..DetailsChange::default() };
    given(vec![created()]).when(change(both.clone())).then_expect_events(vec![changed(&details)]);
    let known = vec![created(), changed(&details)];
    given(known.clone()).when(change(both)).then_expect_events(vec![]);
    given(known.clone()).when(change(DetailsChange::default())).then_expect_events(vec![]);
    let removed = DetailsChange { brand: Some(None), ..DetailsChange::default() };
    let without = ProductDetails { brand: None, ..details };
    given(known).when(change(removed)).then_expect_events(vec![changed(&without)]);
}

#[test]
fn a_product_off_sale_cannot_be_reserved_until_it_is_on_sale_again() {
    let on_sale = |on_sale: bool| ProductEvent::DetailsChanged {
        details: Box::new(ProductDetails { on_sale, ..ProductDetails::default() }),
    };
    let off_sale = vec![created(), received(5), reserved(2, 5, 2), on_sale(false)];
    given(off_sale.clone()).when(reserve(1)).then_expect_error(ProductError::NotOnSale);
    given(off_sale.clone()).when(ProductCommand::Ship { order_id: OrderId(1), quantity: 2 }).then_expect_events(vec![
        ProductEvent::StockShipped { order_id: OrderId(1), quantity: 2, on_hand: 3, reserved: 0 },
    ]);
    let again = [off_sale, vec![on_sale(true)]].concat();
    given(again).when(reserve(1)).then_expect_events(vec![reserved(1, 5, 3)]);
    let mut product = Product::default();
    product.evolve(&created());
    product.evolve(&on_sale(false));
    assert_eq!(product.supply().refuse(0), Some(UnavailableReason::NotOnSale));
}

#[test]
fn an_imei_leaves_only_its_presence_in_the_log() {
    let imei = |present| ProductCommand::ChangeImei { present };
    given(vec![created()]).when(imei(false)).then_expect_events(vec![]);
    let stored = ProductEvent::ImeiChanged { present: true };
    given(vec![created()]).when(imei(true)).then_expect_events(vec![stored.clone()]);
    let removed = ProductEvent::ImeiChanged { present: false };
    given(vec![created(), stored]).when(imei(false)).then_expect_events(vec![removed]);
}
