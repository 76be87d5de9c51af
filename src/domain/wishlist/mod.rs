//! A customer's wishlist: numbers of products, without personal data.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::ids::ProductId;

#[cfg(test)]
mod tests;

/// Maximum number of products in a wishlist.
pub const MAX_WISHES: usize = 500;

/// Life cycle of a wishlist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wishlist {
    /// No product was ever added.
    #[default]
    Unused,
    Kept(Wishes),
}

/// The products of a wishlist; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    pub products: BTreeSet<ProductId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishlistCommand {
    /// Changes nothing if the product is in the wishlist.
    Add {
        product_id: ProductId,
    },
    Remove {
        product_id: ProductId,
    },
    /// Removes every product, when the customer is erased.
    Empty,
}

events! {
    pub enum WishlistEvent {
        ItemAdded { product_id: ProductId } = "WishlistItemAdded",
        ItemRemoved { product_id: ProductId } = "WishlistItemRemoved",
        Emptied {} = "WishlistEmptied",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WishlistError {
    #[error("product {0} is not in the wishlist")]
    ItemNotFound(ProductId),
    #[error("a wishlist can have at most {MAX_WISHES} products")]
    TooManyItems,
}

impl Wishlist {
    pub fn holds(&self, product_id: ProductId) -> bool {
        matches!(self, Self::Kept(wishes) if wishes.products.contains(&product_id))
    }

    fn len(&self) -> usize {
        if let Self::Kept(wishes) = self { wishes.products.len() } else { 0 }
    }
}

impl Decider for Wishlist {
    fn decide(&self, command: WishlistCommand) -> Result<Vec<WishlistEvent>, WishlistError> {
        match command {
            WishlistCommand::Add { product_id } if self.holds(product_id) => Ok(vec![]),
            WishlistCommand::Add { .. } if self.len() >= MAX_WISHES => Err(WishlistError::TooManyItems),
            WishlistCommand::Add { product_id } => Ok(vec![WishlistEvent::ItemAdded { product_id }]),
            WishlistCommand::Remove { product_id } if !self.holds(product_id) => {
                Err(WishlistError::ItemNotFound(product_id))
            }
            WishlistCommand::Remove { product_id } => Ok(vec![WishlistEvent::ItemRemoved { product_id }]),
            WishlistCommand::Empty if self.len() == 0 => Ok(vec![]),
            WishlistCommand::Empty => Ok(vec![WishlistEvent::Emptied {}]),
        }
    }

    fn evolve(&mut self, event: &WishlistEvent) {
        let mut wishes = match std::mem::take(self) {
            Self::Unused => Wishes::default(),
            Self::Kept(wishes) => wishes,
        };
        match event {
            WishlistEvent::ItemAdded { product_id } => drop(wishes.products.insert(*product_id)),
            WishlistEvent::ItemRemoved { product_id } => drop(wishes.products.remove(product_id)),
            WishlistEvent::Emptied {} => wishes.products.clear(),
        }
        *self = Self::Kept(wishes);
    }

    fn weight(&self) -> usize {
        1 + self.len()
    }
}

super::aggregate!(Wishlist, "Wishlist", WishlistCommand, WishlistEvent, WishlistError);
