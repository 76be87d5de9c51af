//! Carts of customers and guests.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::customers::check_customer;
use crate::domain::cart::{Cart, CartChange, CartCommand, MergeMode};
use crate::domain::ids::{CartId, CustomerId};
use crate::domain::money::two_decimals;
use crate::domain::product::{Product, ProductError};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

/// Adds, changes or removes items of a cart.
pub struct ChangeCart {
    pub cart_id: CartId,
    pub change: CartChange,
}

impl UseCase for ChangeCart {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Interrupt> {
        check_owner(work, self.cart_id)?;
        if let CartChange::Add { product_id, .. } | CartChange::Set { product_id, quantity: Some(_) } = self.change {
            work.get::<Product>(product_id)?.for_sale()?;
        }
        work.execute::<Cart>(self.cart_id, CartCommand::Change(self.change))?;
        CartView::of(work, self.cart_id)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.cart_id))
    }
}

/// Refuses the cart of an unknown customer, and a guest's cart that was never opened.
pub(super) fn check_owner(work: &mut UnitOfWork<'_>, cart_id: CartId) -> Result<(), Interrupt> {
    match cart_id {
        CartId::Customer(customer_id) => check_customer(work, customer_id),
        CartId::Guest(_) => Ok(work.get::<Cart>(cart_id)?.require_opened()?),
    }
}

/// Opens a cart that is found by a token, which only the guest knows.
pub struct OpenGuestCart {
    /// A fresh random token.
    pub token: Uuid,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestCartRef {
    pub cart_token: Uuid,
}

impl UseCase for OpenGuestCart {
    type Answer = GuestCartRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<GuestCartRef, Interrupt> {
        work.execute::<Cart>(CartId::of_token(self.token), CartCommand::Open)?;
        Ok(GuestCartRef { cart_token: self.token })
    }
}

/// Moves the items of a guest's cart into the cart of a customer.
pub struct MergeCarts {
    pub customer_id: CustomerId,
    pub cart_token: Uuid,
    pub mode: MergeMode,
}

impl UseCase for MergeCarts {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Interrupt> {
        check_customer(work, self.customer_id)?;
        let guest_cart = CartId::of_token(self.cart_token);
        let items = work.get::<Cart>(guest_cart)?.items();
        work.execute::<Cart>(guest_cart, CartCommand::CloseAfterMerge { customer_id: self.customer_id })?;
        work.execute::<Cart>(self.customer_id, CartCommand::MergeItems { items, mode: self.mode })?;
        CartView::of(work, CartId::Customer(self.customer_id))
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.customer_id))
    }
}

/// Empties a cart that has been unused for long; a guest's cart is closed.
pub struct ExpireCart {
    pub cart_id: CartId,
}

impl UseCase for ExpireCart {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Cart>(self.cart_id, CartCommand::Expire)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.cart_id))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<i64>,
    pub items: Vec<CartLineView>,
    pub total: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartLineView {
    pub product_name: String,
    /// Current price of the product.
    pub price: String,
    pub quantity: i64,
    pub subtotal: String,
    pub product_id: i64,
}

impl CartView {
    /// The cart at current prices, without products that have been deleted.
    pub(super) fn of(work: &UnitOfWork<'_>, cart_id: CartId) -> Result<Self, Interrupt> {
        let items = work.get::<Cart>(cart_id)?.items();
        let products = work.get_all::<Product, _>(items.keys())?;
        let mut total = Decimal::ZERO;
        let mut lines = Vec::with_capacity(items.len());
        for ((product_id, quantity), product) in items.into_iter().zip(products) {
            let listing = match product.listing() {
                Ok(listing) => listing,
                Err(ProductError::NotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            let subtotal = listing.price.amount() * Decimal::from(quantity.get());
            total += subtotal;
            lines.push(CartLineView {
                product_name: listing.name.clone(),
                price: listing.price.to_string(),
                quantity: quantity.get(),
                subtotal: two_decimals(subtotal),
                product_id: product_id.0,
            });
        }
        let customer_id = cart_id.customer().map(|customer_id| customer_id.0);
        Ok(Self { customer_id, items: lines, total: two_decimals(total) })
    }
}
