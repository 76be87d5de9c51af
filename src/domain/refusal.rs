//! Every business rule that can refuse a command, of aggregates and of use cases.

use serde::Serialize;
use thiserror::Error;

use super::account::AccountError;
use super::cart::CartError;
use super::category::CategoryError;
use super::claim::ClaimError;
use super::customer::CustomerError;
use super::discount::DiscountError;
use super::ids::{CategoryId, CustomerId, ProductId};
use super::order::OrderError;
use super::pricing::PricingError;
use super::product::ProductError;
use super::webhook::WebhookError;

/// A broken business rule, of an aggregate or a use case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Cart(#[from] CartError),
    #[error(transparent)]
    Category(#[from] CategoryError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Customer(#[from] CustomerError),
    #[error(transparent)]
    Discount(#[from] DiscountError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Pricing(#[from] PricingError),
    #[error(transparent)]
    Product(#[from] ProductError),
    #[error(transparent)]
    Webhook(#[from] WebhookError),

    #[error("{}", list_shortages(.0))]
    OutOfStock(Vec<Shortage>),
    /// A shipment has more units than are on hand.
    #[error("{}", list_missing_units(.0))]
    NotOnHand(Vec<MissingUnits>),
    #[error("the name already belongs to category {0}")]
    CategoryNameTaken(CategoryId),
    #[error("the SKU already belongs to product {0}")]
    SkuTaken(ProductId),
    #[error("the e-mail address already belongs to an account")]
    EmailTaken,
    #[error("addresses in this country need a postal code")]
    PostalCodeRequired,
    #[error("the link is invalid, expired or already used")]
    LinkInvalid,
    /// The stored address differs from the one that the command was decided with.
    #[error("the address was changed or removed in the meantime; check it and try again")]
    AddressChanged,
    /// The command names a product that cannot be ordered.
    #[error("product {product_id}: {error}")]
    Unavailable { product_id: ProductId, error: ProductError },
    #[error("category {0} not found")]
    UnknownCategory(String),
    #[error("customer {0} not found")]
    UnknownCustomer(CustomerId),
    #[error("an order cannot be placed in the future")]
    PlacedInTheFuture,
    #[error("an order cannot be placed before 1900")]
    PlacedTooEarly,
}

/// A product with fewer available units than requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shortage {
    pub product_id: ProductId,
    pub name: String,
    pub requested: i64,
    pub available: i64,
}

/// A product with fewer units on hand than a shipment has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingUnits {
    pub product_id: ProductId,
    pub name: String,
    pub requested: i64,
    pub on_hand: i64,
}

fn list_missing_units(missing: &[MissingUnits]) -> String {
    let missing = missing.iter().map(|MissingUnits { product_id, name, requested, on_hand }| {
        format!("product {product_id} ({name}): {requested} to be shipped, {on_hand} on hand")
    });
    missing.collect::<Vec<_>>().join("; ")
}

fn list_shortages(shortages: &[Shortage]) -> String {
    let shortages = shortages.iter().map(|short| {
        format!(
            "product {} ({}): {} requested, {} available",
            short.product_id, short.name, short.requested, short.available
        )
    });
    shortages.collect::<Vec<_>>().join("; ")
}
