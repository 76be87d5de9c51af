//! A shop in memory that executes requests like the use cases do: all or nothing, stock together with its order.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::DateTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::invariants::check_moves;
use super::ledger::Ledger;
use super::steps::Step;
use super::{CATEGORIES, Request};
use crate::domain::Decider;
use crate::domain::cart::{Cart, CartChange, CartCommand, Items};
use crate::domain::category::{Category, CategoryCommand};
use crate::domain::ids::{CategoryId, CustomerId, OrderId, ProductId};
use crate::domain::money::Money;
use crate::domain::order::{
    Order, OrderCommand, OrderDraft, OrderError, OrderLine, PaymentMethod, PlacedOrder, StockMoved,
};
use crate::domain::pricing::{Benefit, Percent, Priced, Pricing, ShippingFee, TaxRate};
use crate::domain::product::{DetailsChange, Product, ProductCommand};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::settings::{LowStockThreshold, ShopSettings};
use crate::domain::text::{Description, Name};

/// States of all aggregates, and the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shop {
    pub(super) categories: BTreeMap<i64, Category>,
    pub(super) products: BTreeMap<i64, Product>,
    pub(super) carts: BTreeMap<i64, Cart>,
    pub(super) orders: BTreeMap<i64, Order>,
    pub(super) ledger: Ledger,
}

impl Shop {
    pub(super) fn new() -> Self {
        let mut shop = Self::default();
        for category in 1..=CATEGORIES {
            let name = Name::parse(&format!("Category {category}")).unwrap();
            execute(&mut shop.categories, category, CategoryCommand::Create { name, parent_id: None }).unwrap();
        }
        for product in 1..=3 {
            let price = Money::parse("19.99").unwrap();
            shop.attempt(Request::Create { product, category: 1, price }).unwrap();
            shop.attempt(Request::Adjust { product, change: 40 }).unwrap();
        }
        shop
    }

    /// Executes the request, or changes nothing.
    pub(super) fn attempt(&mut self, request: Request) -> Result<(), Refusal> {
        let mut next = self.clone();
        next.execute_request(request)?;
        *self = next;
        Ok(())
    }

    fn execute_request(&mut self, request: Request) -> Result<(), Refusal> {
        match request {
            Request::Create { product, category, price } => {
                let create = ProductCommand::Create {
                    name: Name::parse("Kettle").unwrap(),
                    description: Description::default(),
                    price,
                    category_id: CategoryId(category),
                    sku: None,
                    details: Box::default(),
                    created_at: None,
                    low_stock_threshold: None,
                };
                self.change_product(product, create)?;
                self.change_category(category, CategoryCommand::AddProduct { product_id: ProductId(product) })
            }
            Request::MoveProduct { product, category } => {
                let previous = self.product(product).listing()?.category_id;
                let category_id = Some(CategoryId(category));
                self.change_product(product, ProductCommand::Change { name: None, description: None, category_id })?;
                if previous != CategoryId(category) {
                    let product_id = ProductId(product);
                    self.change_category(previous.0, CategoryCommand::RemoveProduct { product_id })?;
                    self.change_category(category, CategoryCommand::AddProduct { product_id })?;
                }
                Ok(())
            }
            Request::Reprice { product, price } => self.change_product(product, ProductCommand::Reprice { price }),
            Request::Discontinue { product } => self.change_product(product, ProductCommand::Discontinue),
            Request::PutOnSale { product, on_sale } => {
                let change = DetailsChange { on_sale: Some(on_sale), ..DetailsChange::default() };
                self.change_product(product, ProductCommand::ChangeDetails(Box::new(change)))
            }
            Request::Delete { product } => {
                let category = self.product(product).listing()?.category_id.0;
                self.change_product(product, ProductCommand::Delete)?;
                self.change_category(category, CategoryCommand::RemoveProduct { product_id: ProductId(product) })
            }
            Request::Adjust { product, change } => self.change_product(
                product,
                ProductCommand::AdjustStock { change, reason: None, shop_threshold: shop_threshold() },
            ),
            Request::Count { product, counted } => self.change_product(
                product,
                ProductCommand::CountStock { counted, reason: None, shop_threshold: shop_threshold() },
            ),
            Request::Add { cart, product, quantity } => {
                self.product(product).for_sale()?;
                let quantity = Quantity::new(quantity).unwrap();
                self.change_cart(
                    cart,
                    CartCommand::Change(CartChange::Add { product_id: ProductId(product), quantity }),
                )
            }
            Request::Set { cart, product, quantity } => {
                let quantity = Quantity::new(quantity).ok();
                self.change_cart(
                    cart,
                    CartCommand::Change(CartChange::Set { product_id: ProductId(product), quantity }),
                )
            }
            Request::Empty { cart } => self.change_cart(cart, CartCommand::Change(CartChange::Empty)),
            Request::Merge { cart, into, mode } => {
                let items = self.cart(cart).items();
                self.change_cart(cart, CartCommand::CloseAfterMerge { customer_id: CustomerId(into) })?;
                self.change_cart(into, CartCommand::MergeItems { items, mode })
            }
            Request::CheckOut { cart } => {
                let items: Items = self.cart(cart).checkout_items()?.clone();
                let lines = items.iter().map(|(product_id, quantity)| (product_id.0, quantity.get(), None));
                let order_id = self.place_order(lines.collect())?;
                let checked_out = self.change_cart(cart, CartCommand::CheckOut { order_id });
                assert_eq!(checked_out, Ok(()), "the order stands, so the cart must follow");
                Ok(())
            }
            Request::PlaceOrder { lines } => self.place_order(lines).map(drop),
            Request::Step { order, step } => self.step(order, &step),
        }
    }

    fn place_order(&mut self, lines: Vec<(i64, i64, Option<Money>)>) -> Result<OrderId, Refusal> {
        let requested = units_by_product(lines.iter().map(|(product, quantity, _)| (*product, *quantity)));
        for (&product, &requested) in &requested {
            if self.product(product).supply().refuse(requested).is_some() {
                return Err(Refusal::ItemsUnavailable(vec![]));
            }
        }
        let lines = lines.into_iter().map(|(product, quantity, unit_price)| {
            let listing = self.product(product).listing().unwrap().clone();
            let category_name = self.categories[&listing.category_id.0].name().unwrap();
            let quantity = Quantity::new(quantity).unwrap();
            OrderLine::of(ProductId(product), &listing, category_name, quantity, unit_price)
        });
        let lines = lines.collect::<Result<Vec<_>, OrderError>>()?;
        let priced = if self.orders.len().is_multiple_of(2) { None } else { priced(&lines) };
        let order = i64::try_from(self.orders.len()).unwrap() + 1;
        let place = OrderDraft {
            customer_id: None,
            placed_at: DateTime::UNIX_EPOCH,
            reference: None,
            request_digest: None,
            lines,
            payment_method: [None, Some(PaymentMethod::Invoice), Some(PaymentMethod::Card)][self.orders.len() % 3],
            pay_by: Some(DateTime::UNIX_EPOCH),
            shipping_country: None,
            priced,
            discount_code: None,
        };
        execute(&mut self.orders, order, OrderCommand::Place(place))?;
        let order_id = OrderId(order);
        for (product, quantity) in requested {
            let reserved = self.change_product(
                product,
                ProductCommand::Reserve { order_id, quantity, shop_threshold: Some(shop_threshold()) },
            );
            assert_eq!(reserved, Ok(()), "what was found available must be reserved");
        }
        Ok(order_id)
    }

    fn step(&mut self, order: i64, step: &Step) -> Result<(), Refusal> {
        let before = self.orders.get(&order).cloned().unwrap_or_default();
        let command = before.placed().ok().map_or(OrderCommand::Process, |placed| step.command(placed));
        let action = step.action();
        execute(&mut self.orders, order, command)?;
        let (before, after) = (before.placed().unwrap().clone(), self.orders[&order].placed().unwrap().clone());
        check_moves(action, before.states, after.states);
        let (before, after) = (moved(&before), moved(&after));
        let order_id = OrderId(order);
        for (product, after) in after {
            let before = before[&product];
            let released = ProductCommand::Release { order_id, quantity: after.released - before.released };
            let shipped = ProductCommand::Ship { order_id, quantity: after.shipped - before.shipped };
            let restocked = ProductCommand::Restock { order_id, quantity: after.restocked - before.restocked };
            for command in [released, shipped, restocked] {
                let (ProductCommand::Release { quantity, .. }
                | ProductCommand::Ship { quantity, .. }
                | ProductCommand::Restock { quantity, .. }) = command
                else {
                    unreachable!("these are the three")
                };
                assert!(quantity >= 0, "what was done is not undone");
                if quantity > 0 {
                    self.change_product(product, command)?;
                }
            }
        }
        Ok(())
    }

    fn change_product(&mut self, product: i64, command: ProductCommand) -> Result<(), Refusal> {
        for event in execute(&mut self.products, product, command)? {
            self.ledger.record(product, &event);
        }
        Ok(())
    }

    fn change_category(&mut self, category: i64, command: CategoryCommand) -> Result<(), Refusal> {
        Ok(execute(&mut self.categories, category, command).map(drop)?)
    }

    fn change_cart(&mut self, cart: i64, command: CartCommand) -> Result<(), Refusal> {
        Ok(execute(&mut self.carts, cart, command).map(drop)?)
    }

    fn product(&self, product: i64) -> Product {
        self.products.get(&product).cloned().unwrap_or_default()
    }

    fn cart(&self, cart: i64) -> Cart {
        self.carts.get(&cart).cloned().unwrap_or_default()
    }
}

/// Stock movements of an order, by product.
pub(super) fn moved(placed: &PlacedOrder) -> BTreeMap<i64, StockMoved> {
    let mut products = BTreeMap::<i64, StockMoved>::new();
    for (product_id, line) in placed.stock_moved() {
        let product = products.entry(product_id.0).or_default();
        product.released += line.released;
        product.shipped += line.shipped;
        product.restocked += line.restocked;
    }
    products
}

/// Decides a command and applies its events, each by way of its stored form.
fn execute<A>(states: &mut BTreeMap<i64, A>, id: i64, command: A::Command) -> Result<Vec<A::Event>, A::Error>
where
    A: Decider + PartialEq + Debug + Serialize + DeserializeOwned,
    A::Event: PartialEq,
{
    let mut state = states.get(&id).cloned().unwrap_or_default();
    let events = state.decide(command)?;
    for event in &events {
        let stored = serde_json::to_string(event).unwrap();
        let read: A::Event = serde_json::from_str(&stored).unwrap();
        assert_eq!(&read, event);
        state.evolve(&read);
    }
    let snapshot = serde_json::to_value(&state).unwrap();
    assert_eq!(serde_json::from_value::<A>(snapshot).unwrap(), state, "a snapshot gives the same state");
    if !events.is_empty() {
        states.insert(id, state);
    }
    Ok(events)
}

fn units_by_product(lines: impl Iterator<Item = (i64, i64)>) -> BTreeMap<i64, i64> {
    let mut units = BTreeMap::new();
    for (product, quantity) in lines {
        *units.entry(product).or_default() += quantity;
    }
    units
}

/// Price of lines with shipping, taxes and a discount.
fn priced(lines: &[OrderLine]) -> Option<Priced> {
    let money = |text| Money::parse(text).unwrap();
    let pricing = Pricing {
        fees: vec![ShippingFee { country: None, from: Money::ZERO, fee: money("4.90") }],
        inclusive: false,
        rates: vec![TaxRate { category_id: None, country: None, percent: Percent::parse("19").unwrap() }],
    };
    let items: Vec<_> = lines.iter().map(OrderLine::item).collect();
    pricing.price(&items, None, Some(Benefit::Amount(money("2.50")))).ok()
}

fn shop_threshold() -> LowStockThreshold {
    ShopSettings::default().low_stock_threshold
}
