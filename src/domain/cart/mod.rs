//! A cart of a customer or a guest: the items to buy, until checkout.
//!
//! Adding an item reopens a checked-out cart, and an expired cart of a customer, as an empty one.
//! Item events carry the resulting quantity, so that a reader needs only the last event of each product.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::ids::{CustomerId, OrderId, ProductId};
use super::quantity::Quantity;

#[cfg(test)]
mod tests;

/// Quantity of each product in a cart.
pub type Items = BTreeMap<ProductId, Quantity>;

/// Life cycle of a cart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cart {
    #[default]
    Unknown,
    Open {
        items: Items,
        /// Whether metadata was ever given since the cart was opened.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        metadata: bool,
    },
    CheckedOut {
        order_id: OrderId,
    },
    /// Guest cart whose items moved to a customer's cart.
    Merged,
    /// Unused for too long. A customer's cart reopens with the next item, a guest's cart is gone.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CartCommand {
    /// Opens a guest cart. A customer's cart opens with its first item.
    Open,
    Change(CartChange),
    /// Records that the metadata changes; opens the cart if necessary.
    ChangeMetadata,
    /// Merges the items of a guest cart into this cart.
    MergeItems {
        items: Items,
        mode: MergeMode,
    },
    /// Closes a guest cart after its items were merged into a customer's cart.
    CloseAfterMerge {
        customer_id: CustomerId,
    },
    CheckOut {
        order_id: OrderId,
    },
    /// Closes a cart that has been unused for too long.
    Expire,
}

/// What a buyer changes in a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CartChange {
    Add {
        product_id: ProductId,
        quantity: Quantity,
    },
    /// Sets the quantity of a product; `None` removes the product.
    Set {
        product_id: ProductId,
        quantity: Option<Quantity>,
    },
    Empty,
}

/// Rule for merging the items of a guest cart and a customer's cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMode {
    /// Add the quantities of each product.
    Sum,
    /// Keep the larger quantity of each product.
    KeepLarger,
    /// Replace the customer's items with the guest's.
    KeepGuest,
    /// Keep the customer's items and drop the guest's.
    KeepCustomer,
}

events! {
    pub enum CartEvent {
        Opened {} = "CartOpened",
        ItemAdded { product_id: ProductId, quantity: Quantity, new_quantity: Quantity } = "CartItemAdded",
        ItemQuantityChanged { product_id: ProductId, new_quantity: Quantity } = "CartItemQuantityChanged",
        ItemRemoved { product_id: ProductId } = "CartItemRemoved",
        Emptied {} = "CartEmptied",
        /// The metadata itself is beside the log.
        MetadataChanged {} = "CartMetadataChanged",
        Merged { customer_id: CustomerId } = "CartMerged",
        Expired {} = "CartExpired",
        CheckedOut { order_id: OrderId } = "CartCheckedOut",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CartError {
    #[error("cart not found")]
    NotFound,
    #[error("the cart already exists")]
    AlreadyExists,
    #[error("the product is not in the cart")]
    ItemNotFound,
    #[error("the cart is empty")]
    Empty,
    #[error("the cart was already checked out as order {order_id}")]
    AlreadyCheckedOut { order_id: OrderId },
    #[error("a cart can hold at most {} products", Cart::MAX_ITEMS)]
    TooManyItems,
    #[error("a cart can hold at most {} units of a product", Quantity::MAX)]
    TooManyUnits,
}

impl Cart {
    /// Maximum number of products in a cart.
    pub const MAX_ITEMS: usize = 500;

    /// Items of the open cart; none in any other state.
    pub fn items(&self) -> Items {
        match self {
            Self::Open { items, .. } => items.clone(),
            Self::Unknown | Self::CheckedOut { .. } | Self::Merged | Self::Expired => Items::new(),
        }
    }

    /// Whether the cart holds nothing: it was checked out, merged or emptied, or has expired. A customer's cart can reopen.
    pub fn may_be_archived(&self) -> bool {
        *self != Self::Unknown && self.items().is_empty()
    }

    /// Items to order at checkout: at least one.
    pub fn checkout_items(&self) -> Result<&Items, CartError> {
        match self {
            Self::Open { items, .. } if items.is_empty() => Err(CartError::Empty),
            Self::Expired => Err(CartError::Empty),
            Self::Open { items, .. } => Ok(items),
            Self::CheckedOut { order_id } => Err(CartError::AlreadyCheckedOut { order_id: *order_id }),
            Self::Unknown | Self::Merged => Err(CartError::NotFound),
        }
    }

    /// Whether the open cart may have metadata.
    pub fn has_metadata(&self) -> bool {
        matches!(self, Self::Open { metadata: true, .. })
    }

    /// Refuses a guest cart that was never opened, so that clients cannot invent tokens.
    pub fn require_opened(&self) -> Result<(), CartError> {
        match self {
            Self::Open { .. } | Self::CheckedOut { .. } => Ok(()),
            Self::Unknown | Self::Merged | Self::Expired => Err(CartError::NotFound),
        }
    }
}

impl Decider for Cart {
    fn decide(&self, command: CartCommand) -> Result<Vec<CartEvent>, CartError> {
        let items = self.items();
        match command {
            _ if *self == Self::Merged => Err(CartError::NotFound),
            CartCommand::Open => match self {
                Self::Unknown => Ok(vec![CartEvent::Opened {}]),
                _ => Err(CartError::AlreadyExists),
            },
            CartCommand::Change(CartChange::Add { product_id, quantity }) => {
                let present = items.get(&product_id).map_or(0, |present| present.get());
                let new_quantity = Quantity::new(present + quantity.get()).map_err(|_| CartError::TooManyUnits)?;
                check_room(&items, product_id)?;
                Ok(vec![CartEvent::ItemAdded { product_id, quantity, new_quantity }])
            }
            CartCommand::Change(CartChange::Set { product_id, quantity: None }) if items.contains_key(&product_id) => {
                Ok(vec![CartEvent::ItemRemoved { product_id }])
            }
            CartCommand::Change(CartChange::Set { quantity: None, .. }) => Err(CartError::ItemNotFound),
            CartCommand::Change(CartChange::Set { product_id, quantity: Some(quantity) }) => {
                check_room(&items, product_id)?;
                Ok(set_item(&items, product_id, quantity))
            }
            CartCommand::Change(CartChange::Empty) => match self {
                Self::Unknown => Err(CartError::NotFound),
                _ if items.is_empty() => Ok(vec![]),
                _ => Ok(vec![CartEvent::Emptied {}]),
            },
            CartCommand::ChangeMetadata => Ok(vec![CartEvent::MetadataChanged {}]),
            CartCommand::MergeItems { items: guest_items, mode } => take_over(&items, &guest_items, mode),
            CartCommand::CloseAfterMerge { customer_id } => {
                self.require_opened()?;
                Ok(vec![CartEvent::Merged { customer_id }])
            }
            CartCommand::CheckOut { order_id } => {
                self.checkout_items()?;
                Ok(vec![CartEvent::CheckedOut { order_id }])
            }
            CartCommand::Expire => match self {
                Self::Open { .. } => Ok(vec![CartEvent::Expired {}]),
                _ => Ok(vec![]),
            },
        }
    }

    fn evolve(&mut self, event: &CartEvent) {
        match event {
            CartEvent::Opened {} => *self = Self::Open { items: Items::new(), metadata: false },
            CartEvent::Emptied {} => self.open_items().clear(),
            CartEvent::MetadataChanged {} => {
                self.open_items();
                if let Self::Open { metadata, .. } = self {
                    *metadata = true;
                }
            }
            CartEvent::ItemAdded { product_id, new_quantity, .. }
            | CartEvent::ItemQuantityChanged { product_id, new_quantity } => {
                self.open_items().insert(*product_id, *new_quantity);
            }
            CartEvent::ItemRemoved { product_id } => {
                self.open_items().remove(product_id);
            }
            CartEvent::Merged { .. } => *self = Self::Merged,
            CartEvent::Expired {} => *self = Self::Expired,
            CartEvent::CheckedOut { order_id } => *self = Self::CheckedOut { order_id: *order_id },
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Open { items, .. } => 1 + items.len(),
            Self::Unknown | Self::CheckedOut { .. } | Self::Merged | Self::Expired => 1,
        }
    }
}

impl Cart {
    /// Items of the open cart; opens the cart if necessary.
    fn open_items(&mut self) -> &mut Items {
        if !matches!(self, Self::Open { .. }) {
            *self = Self::Open { items: Items::new(), metadata: false };
        }
        match self {
            Self::Open { items, .. } => items,
            Self::Unknown | Self::CheckedOut { .. } | Self::Merged | Self::Expired => {
                unreachable!("the cart was opened above")
            }
        }
    }
}

fn check_room(items: &Items, product_id: ProductId) -> Result<(), CartError> {
    if items.len() >= Cart::MAX_ITEMS && !items.contains_key(&product_id) {
        return Err(CartError::TooManyItems);
    }
    Ok(())
}

fn set_item(items: &Items, product_id: ProductId, new_quantity: Quantity) -> Vec<CartEvent> {
    if items.get(&product_id) == Some(&new_quantity) {
        return vec![];
    }
    vec![CartEvent::ItemQuantityChanged { product_id, new_quantity }]
}

fn take_over(items: &Items, guest_items: &Items, mode: MergeMode) -> Result<Vec<CartEvent>, CartError> {
    let merged = match mode {
        MergeMode::KeepCustomer => items.clone(),
        MergeMode::KeepGuest => guest_items.clone(),
        MergeMode::Sum | MergeMode::KeepLarger => {
            let mut merged = items.clone();
            for (product_id, guest_quantity) in guest_items {
                let present = merged.get(product_id).map_or(0, |present| present.get());
                let units = match mode {
                    MergeMode::Sum => present + guest_quantity.get(),
                    _ => present.max(guest_quantity.get()),
                };
                merged.insert(*product_id, Quantity::new(units).map_err(|_| CartError::TooManyUnits)?);
            }
            merged
        }
    };
    if merged.len() > Cart::MAX_ITEMS {
        return Err(CartError::TooManyItems);
    }
    let removed = items.keys().filter(|product_id| !merged.contains_key(product_id));
    let removed = removed.map(|product_id| CartEvent::ItemRemoved { product_id: *product_id });
    let set = merged.iter().flat_map(|(product_id, quantity)| set_item(items, *product_id, *quantity));
    Ok(removed.chain(set).collect())
}

super::aggregate!(Cart, "Cart", CartCommand, CartEvent, CartError);
