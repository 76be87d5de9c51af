//! Rules that can refuse a command of a product.

use thiserror::Error;

use super::{ImageError, Stock};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProductError {
    #[error("product not found")]
    NotFound,
    #[error("the product already exists")]
    AlreadyExists,
    #[error("the product is discontinued")]
    Discontinued,
    #[error("the product is not on sale")]
    NotOnSale,
    #[error("the product is part of an order; discontinue it instead")]
    Ordered,
    #[error("{requested} requested, {available} available")]
    OutOfStock { requested: i64, available: i64 },
    #[error("{requested} to be shipped, {on_hand} on hand")]
    NotOnHand { requested: i64, on_hand: i64 },
    #[error(
        "at least {reserved} units must stay on hand, because open orders reserve them; correct the stock by a count"
    )]
    BelowReserved { reserved: i64 },
    #[error("a product can have at most {} units on hand", Stock::MAX)]
    TooManyUnits,
    #[error("the change must not be zero")]
    NoChange,
    #[error("the count must not be negative")]
    NegativeCount,
    #[error(transparent)]
    Image(#[from] ImageError),
}
