//! Wishlists of customers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::customers::check_customer;
use crate::domain::ids::{CustomerId, ProductId};
use crate::domain::money::two_decimals;
use crate::domain::product::{Product, ProductError, Supply, UnavailableReason};
use crate::domain::wishlist::{Wishlist, WishlistCommand};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

/// Adds a product to a customer's wishlist. A discontinued product can be added, because it may be sold again.
pub struct AddWish {
    pub customer_id: CustomerId,
    pub product_id: ProductId,
}

/// Removes a product from a customer's wishlist.
pub struct RemoveWish {
    pub customer_id: CustomerId,
    pub product_id: ProductId,
}

/// A product of a wishlist, and what the shop knows about it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WishView {
    pub product_id: i64,
    /// Name of the product; the last name of a deleted product.
    pub name: String,
    /// Current price; the last price of a deleted product.
    pub price: String,
    /// Whether a unit can be ordered now.
    pub available: bool,
    /// Why it cannot be ordered; `null` if it can.
    pub reason: Option<UnavailableReason>,
    /// Units of the product that can still be sold.
    pub in_stock: i64,
}

impl WishView {
    pub fn new(product_id: i64, name: String, price: Decimal, supply: Supply) -> Self {
        let reason = supply.refuse(1);
        let price = two_decimals(price);
        Self { product_id, name, price, available: reason.is_none(), reason, in_stock: supply.units() }
    }
}

impl UseCase for AddWish {
    type Answer = WishView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WishView, Interrupt> {
        let (customer_id, product_id) = (self.customer_id, self.product_id);
        check_customer(work, customer_id)?;
        let product = work.get::<Product>(product_id)?;
        if !work.get::<Wishlist>(customer_id)?.holds(product_id) {
            product.listing()?;
            work.execute::<Wishlist>(customer_id, WishlistCommand::Add { product_id })?;
        }
        let listing = product.last_listing().ok_or(ProductError::NotFound)?;
        Ok(WishView::new(product_id.0, listing.name.clone(), listing.price.amount(), product.supply()))
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Wishlist>(self.customer_id))
    }
}

impl UseCase for RemoveWish {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        check_customer(work, self.customer_id)?;
        work.execute::<Wishlist>(self.customer_id, WishlistCommand::Remove { product_id: self.product_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Wishlist>(self.customer_id))
    }
}
