//! Sample data of an empty shop: commands in `seeds/`, run through the same use cases as a client's commands.
//!
//! One use case runs them all, so the data is loaded completely or not at all, and never twice.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use thiserror::Error;

use crate::domain::claim::{Claim, ClaimIds};
use crate::domain::ids::{CartId, CustomerId, OrderId, ProductId};
use crate::domain::metadata::Metadata;
use crate::domain::money::Money;
use crate::domain::order::{Action, OrderCommand};
use crate::domain::product::Slug;
use crate::domain::quantity::Quantity;
use crate::domain::text::{Description, Email, LastName, Name, full_name};
use crate::journal::{Actor, CommandError, Context, Interrupt, Journal, UnitOfWork, UseCase};
use crate::shop::{
    CartChange, CategoryKey, ChangeCart, ChangeProduct, CreateCategory, CreateProduct, MoveOrder, PlaceOrder,
    Recipients, RegisterCustomer, RequestedLine,
};

#[derive(Debug, Error)]
pub enum SeedError {
    #[error("cannot read seeds/: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Counts of the loaded sample data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    pub products: usize,
    pub customers: usize,
    pub orders: usize,
}

/// Returns whether the log is empty.
pub async fn is_empty_shop(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select position = 0 from journal_head").fetch_one(pool).await
}

/// Loads the sample data into an empty shop. If two servers start at once, the second loads nothing.
pub async fn load(journal: &Journal) -> Result<Loaded, SeedError> {
    let seeds = Seeds {
        categories: serde_json::from_str(include_str!("../seeds/categories.json"))?,
        products: serde_json::from_str(include_str!("../seeds/products.json"))?,
        customers: serde_json::from_str(include_str!("../seeds/customers.json"))?,
        orders: serde_json::from_str(include_str!("../seeds/orders.json"))?,
        carts: serde_json::from_str(include_str!("../seeds/carts.json"))?,
    };
    let context = Context::of(Actor { id: "seeds".to_owned(), role: "admin" });
    Ok(journal.run(seeds, context).await?.answer)
}

struct Seeds {
    categories: Vec<Name>,
    products: Vec<Product>,
    customers: Vec<Customer>,
    orders: Vec<Order>,
    carts: Vec<Cart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    name: Name,
    description: Description,
    price: Money,
    category: Name,
    stock: i64,
    #[serde(default)]
    discontinued: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Customer {
    first_name: Name,
    last_name: LastName,
    email: Email,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// First and last name; absent for a guest.
    customer: Option<String>,
    days_ago: i64,
    lines: Vec<Item>,
    /// Actions on the order, named as in the routes.
    moves: Vec<Action>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cart {
    customer: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    product: String,
    quantity: Quantity,
}

impl UseCase for Seeds {
    type Answer = Loaded;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Loaded, Interrupt> {
        // Read together, so that they are loaded with one query.
        let names: Vec<_> = self.categories.iter().map(ClaimIds::category_name).collect();
        if work.get_all::<Claim, _>(names.iter().flat_map(ClaimIds::all))?.iter().any(|claim| claim.holder.is_some()) {
            return Ok(Loaded::default());
        }
        let slugs =
            self.products.iter().filter_map(|product| Slug::candidates(product.name.as_str(), ProductId(0)).next());
        let slugs: Vec<_> = slugs.map(|slug| ClaimIds::product_slug(&slug)).collect();
        work.get_all::<Claim, _>(slugs.iter().flat_map(ClaimIds::all))?;
        work.get_all::<crate::domain::cart::Cart, _>(1..=self.customers.len())?;
        for name in &self.categories {
            CreateCategory { name: name.clone(), parent_id: None }.decide(work)?;
        }
        let mut products = HashMap::new();
        for product in &self.products {
            products.insert(product.name.as_str(), product.create(work)?);
        }
        let mut customers = HashMap::new();
        for customer in &self.customers {
            let name = full_name(customer.first_name.as_str(), customer.last_name.as_str());
            customers.insert(name, customer.register(work)?);
        }
        for order in &self.orders {
            order.place(work, &products, &customers)?;
        }
        for cart in &self.carts {
            cart.fill(work, &products, &customers)?;
        }
        for product in self.products.iter().filter(|product| product.discontinued) {
            let product_id = products[product.name.as_str()];
            ChangeProduct { discontinued: Some(true), ..ChangeProduct::of(product_id) }.decide(work)?;
        }
        Ok(Loaded { products: products.len(), customers: customers.len(), orders: self.orders.len() })
    }
}

impl Product {
    fn create(&self, work: &mut UnitOfWork<'_>) -> Result<ProductId, Interrupt> {
        let category = CategoryKey::Name(self.category.clone());
        let create = CreateProduct {
            description: self.description.clone(),
            stock: self.stock,
            ..CreateProduct::new(self.name.clone(), self.price, category)
        };
        Ok(create.decide(work)?.product_id)
    }
}

impl Customer {
    fn register(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerId, Interrupt> {
        let (first_name, last_name, email) = (self.first_name.clone(), self.last_name.clone(), self.email.clone());
        Ok(RegisterCustomer { first_name, last_name, email, metadata: Metadata::default() }.decide(work)?.customer_id)
    }
}

impl Order {
    fn place(
        &self,
        work: &mut UnitOfWork<'_>,
        products: &HashMap<&str, ProductId>,
        customers: &HashMap<String, CustomerId>,
    ) -> Result<(), Interrupt> {
        let customer_id = self.customer.as_ref().map(|name| find(customers, name)).transpose()?;
        let lines = self.lines.iter().map(|item| {
            let product_id = find(products, item.product.as_str())?;
            Ok(RequestedLine { product_id, quantity: item.quantity, unit_price: None })
        });
        let place = PlaceOrder {
            customer_id,
            placed_at: Some(work.now() - TimeDelta::days(self.days_ago)),
            reference: None,
            lines: lines.collect::<Result<_, Interrupt>>()?,
            recipients: Recipients::default(),
            metadata: Metadata::default(),
        };
        let order_id = place.decide(work)?.order.order_id;
        for action in &self.moves {
            let command = match action {
                Action::Process => OrderCommand::Process,
                Action::Pay => OrderCommand::MarkPaid { amount: None, reference: None },
                // The sample customers have no addresses.
                Action::Ship => {
                    OrderCommand::Ship { carrier: None, tracking_number: None, lines: Vec::new(), collected: true }
                }
                Action::Deliver => OrderCommand::Deliver { shipment: None },
                Action::Cancel => OrderCommand::Cancel { reason: None },
                other => return Err(Interrupt::Broken(format!("seeds/ cannot {}", other.as_str()))),
            };
            MoveOrder { order_id: OrderId(order_id), command }.decide(work)?;
        }
        Ok(())
    }
}

impl Cart {
    fn fill(
        &self,
        work: &mut UnitOfWork<'_>,
        products: &HashMap<&str, ProductId>,
        customers: &HashMap<String, CustomerId>,
    ) -> Result<(), Interrupt> {
        let cart_id = CartId::Customer(find(customers, &self.customer)?);
        for item in &self.items {
            let product_id = find(products, item.product.as_str())?;
            let change = CartChange::Add { product_id, quantity: item.quantity };
            ChangeCart { cart: cart_id.into(), change }.decide(work)?;
        }
        Ok(())
    }
}

/// Finds an id by name. The data is our own, so an unknown name is a bug.
fn find<Key, Id: Copy>(named: &HashMap<Key, Id>, name: &str) -> Result<Id, Interrupt>
where
    Key: std::borrow::Borrow<str> + std::hash::Hash + Eq,
{
    named.get(name).copied().ok_or_else(|| Interrupt::Broken(format!("seeds/ has no {name}")))
}
