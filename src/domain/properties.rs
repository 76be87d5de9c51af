//! Rules that hold after any sequence of commands, whatever is refused on the way.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::Decider;
use super::cart::{Cart, CartCommand, MergeMode};
use super::ids::{CategoryId, CustomerId, OrderId, ProductId};
use super::money::Money;
use super::order::{Order, OrderCommand, PlaceLine, PlaceOrder, Status};
use super::product::{Product, ProductCommand, ProductEvent};
use super::quantity::Quantity;
use super::text::Name;

const PRODUCTS: i64 = 3;

/// A wish of a client or of staff, on a shop with three products.
#[derive(Clone, Debug)]
enum Wish {
    Adjust { product: i64, change: i64 },
    Count { product: i64, counted: i64 },
    Discontinue { product: i64 },
    Place { lines: Vec<(i64, i64)> },
    Move { order: usize, to: Status },
}

fn wish() -> impl Strategy<Value = Wish> {
    let product = 0..PRODUCTS;
    let status = prop_oneof![
        Just(Status::Pending),
        Just(Status::Processing),
        Just(Status::Shipped),
        Just(Status::Completed),
        Just(Status::Cancelled)
    ];
    prop_oneof![
        3 => (product.clone(), -20..40i64).prop_map(|(product, change)| Wish::Adjust { product, change }),
        1 => (product.clone(), -2..30i64).prop_map(|(product, counted)| Wish::Count { product, counted }),
        1 => product.clone().prop_map(|product| Wish::Discontinue { product }),
        6 => prop::collection::vec((product, 1..9i64), 0..5).prop_map(|lines| Wish::Place { lines }),
        6 => (0..20usize, status).prop_map(|(order, to)| Wish::Move { order, to }),
    ]
}

/// The shop in memory, and what its events say besides.
struct Shop {
    products: Vec<Product>,
    orders: Vec<Order>,
    received: Vec<i64>,
    shipped: Vec<i64>,
    corrected: Vec<i64>,
}

impl Shop {
    fn new() -> Self {
        let create = ProductCommand::Create {
            name: Name::parse("Kettle").unwrap(),
            description: Default::default(),
            price: Money::parse("24.90").unwrap(),
            category_id: CategoryId(1),
            sku: None,
        };
        let mut product = Product::default();
        let created = product.decide(create).unwrap();
        created.iter().for_each(|event| product.evolve(event));
        let products = vec![product; PRODUCTS as usize];
        let zeros = vec![0; PRODUCTS as usize];
        Self { products, orders: vec![], received: zeros.clone(), shipped: zeros.clone(), corrected: zeros }
    }

    /// All of it or nothing, as in a unit of work.
    fn wish(&mut self, wish: &Wish) {
        let (products, orders) = (self.products.clone(), self.orders.clone());
        let sums = (self.received.clone(), self.shipped.clone(), self.corrected.clone());
        if self.try_wish(wish).is_none() {
            (self.products, self.orders) = (products, orders);
            (self.received, self.shipped, self.corrected) = sums;
        }
    }

    fn try_wish(&mut self, wish: &Wish) -> Option<()> {
        match wish {
            Wish::Adjust { product, change } => {
                self.product(*product, ProductCommand::AdjustStock { change: *change, reason: None })
            }
            Wish::Count { product, counted } => {
                self.product(*product, ProductCommand::CountStock { counted: *counted, reason: None })
            }
            Wish::Discontinue { product } => self.product(*product, ProductCommand::Discontinue),
            Wish::Place { lines } => self.place(lines),
            Wish::Move { order, to } => self.move_order(*order, *to),
        }
    }

    fn place(&mut self, lines: &[(i64, i64)]) -> Option<()> {
        let order_id = OrderId(self.orders.len() as i64);
        let line = |(product, quantity): &(i64, i64)| PlaceLine {
            product_id: ProductId(*product),
            product_name: "Kettle".to_owned(),
            category_id: CategoryId(1),
            category_name: "Kitchen".to_owned(),
            quantity: Quantity::new(*quantity).unwrap(),
            unit_price: Money::parse("24.90").unwrap(),
        };
        let placed_at = DateTime::<Utc>::UNIX_EPOCH;
        let lines = lines.iter().map(line).collect();
        let place = OrderCommand::Place(PlaceOrder { customer_id: None, placed_at, reference: None, lines });
        let mut order = Order::default();
        let events = order.decide(place).ok()?;
        events.iter().for_each(|event| order.evolve(event));
        self.orders.push(order);
        for (product, quantity) in self.units(self.orders.len() - 1) {
            self.product(product, ProductCommand::Reserve { order_id, quantity })?;
        }
        Some(())
    }

    fn move_order(&mut self, order: usize, to: Status) -> Option<()> {
        let order_id = OrderId(order as i64);
        let events = self.orders.get(order)?.decide(OrderCommand::Move { to, reason: None }).ok()?;
        events.iter().for_each(|event| self.orders[order].evolve(event));
        for (product, quantity) in self.units(order) {
            match to {
                Status::Shipped => self.product(product, ProductCommand::Ship { order_id, quantity })?,
                Status::Cancelled => self.product(product, ProductCommand::Release { order_id, quantity })?,
                Status::Pending | Status::Processing | Status::Completed => {}
            }
        }
        Some(())
    }

    fn product(&mut self, product: i64, command: ProductCommand) -> Option<()> {
        let place = product as usize;
        for event in self.products[place].decide(command).ok()? {
            match &event {
                ProductEvent::StockReceived { quantity, .. } => self.received[place] += quantity,
                ProductEvent::StockShipped { quantity, .. } => self.shipped[place] += quantity,
                ProductEvent::StockCorrected { change, .. } => self.corrected[place] += change,
                _ => {}
            }
            self.products[place].evolve(&event);
        }
        Some(())
    }

    fn units(&self, order: usize) -> BTreeMap<i64, i64> {
        let mut units = BTreeMap::new();
        for line in &self.orders[order].placed().unwrap().lines {
            *units.entry(line.product_id.0).or_default() += line.quantity.get();
        }
        units
    }

    fn check(&self) {
        let mut reserved = vec![0; PRODUCTS as usize];
        for (place, order) in self.orders.iter().enumerate() {
            let order = order.placed().unwrap();
            let sum = order.lines.iter().try_fold(Money::ZERO, |sum, line| sum.plus(line.subtotal));
            assert_eq!(Some(order.total), sum, "the total is the sum of the lines");
            if matches!(order.status, Status::Pending | Status::Processing) {
                self.units(place).into_iter().for_each(|(product, units)| reserved[product as usize] += units);
            }
        }
        for (place, product) in self.products.iter().enumerate() {
            let stock = product.listing().unwrap().stock;
            assert!(stock.reserved >= 0 && stock.available() >= 0, "stock is never negative: {stock:?}");
            assert_eq!(stock.reserved, reserved[place], "reserved is what open orders hold");
            let moved = self.received[place] - self.shipped[place] + self.corrected[place];
            assert_eq!(stock.on_hand, moved, "on hand is received less shipped, corrected");
        }
    }
}

proptest! {
    #[test]
    fn stock_and_orders_agree_after_any_sequence_of_wishes(wishes in prop::collection::vec(wish(), 1..80)) {
        let mut shop = Shop::new();
        for wish in &wishes {
            shop.wish(wish);
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
            .prop_map(|(product_id, quantity)| CartCommand::AddItem { product_id, quantity }),
        4 => (product_id, prop::option::of(quantity))
            .prop_map(|(product_id, quantity)| CartCommand::SetItem { product_id, quantity }),
        1 => Just(CartCommand::Empty),
        1 => (items, mode).prop_map(|(items, mode)| CartCommand::TakeOver { items, mode }),
        1 => Just(CartCommand::CheckOut { order_id: OrderId(1) }),
        1 => Just(CartCommand::CloseMerged { customer_id: CustomerId(1) }),
    ]
}
