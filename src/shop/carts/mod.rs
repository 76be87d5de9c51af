//! Carts of customers and guests.

use super::customers::check_customer;
use super::metadata::{drop_cart_metadata, hand_to_customer};
use crate::domain::cart::{Cart, CartChange, CartCommand, CartError, Items, MergeMode};
use crate::domain::ids::{CartId, CustomerId, ProductId};
use crate::domain::product::Product;
use crate::domain::refusal::Refusal;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

mod view;

pub use view::{CartItem, CartLineView, CartView};

/// A cart as a request names it.
#[derive(Clone, Copy, Debug)]
pub struct RequestedCart {
    pub cart_id: CartId,
    /// Whether the shop issued the guest's token and it has not expired: without events the cart is empty, not unknown.
    pub issued: bool,
}

/// Adds, changes or removes items of a cart.
pub struct ChangeCart {
    pub cart: RequestedCart,
    pub change: CartChange,
}

/// Moves the items of a guest's cart into the cart of a customer.
pub struct MergeCarts {
    pub customer_id: CustomerId,
    pub guest_cart: RequestedCart,
    pub mode: MergeMode,
}

/// Empties a cart that has been unused for long; a guest's cart is closed.
pub struct ExpireCart {
    pub cart_id: CartId,
}

impl From<CartId> for RequestedCart {
    fn from(cart_id: CartId) -> Self {
        Self { cart_id, issued: false }
    }
}

impl RequestedCart {
    /// Refuses the cart of an unknown customer, and a guest's cart that the shop does not know.
    pub(super) fn check(self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        match self.cart_id {
            CartId::Customer(customer_id) => check_customer(work, customer_id),
            CartId::Guest(_) if self.is_unused(work)? => Ok(()),
            CartId::Guest(_) => Ok(work.get::<Cart>(self.cart_id)?.require_opened()?),
        }
    }

    /// Whether the guest's token was issued, and its cart has no events yet.
    pub(super) fn is_unused(self, work: &UnitOfWork<'_>) -> Result<bool, Interrupt> {
        Ok(self.issued && *work.get::<Cart>(self.cart_id)? == Cart::Unknown)
    }
}

impl UseCase for ChangeCart {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Interrupt> {
        let cart_id = self.cart.cart_id;
        self.cart.check(work)?;
        check_product(work, cart_id, self.change)?;
        match self.change {
            CartChange::Empty if self.cart.is_unused(work)? => {}
            change => {
                if self.cart.is_unused(work)? {
                    // The cart enters the log with its first item.
                    work.execute::<Cart>(cart_id, CartCommand::Open)?;
                }
                work.execute::<Cart>(cart_id, CartCommand::Change(change))?;
            }
        }
        CartView::of(work, cart_id)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.cart.cart_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        cart_view_digest(work, self.cart.cart_id)
    }
}

/// Refuses more units of a product that is not for sale. Fewer units, and none, are always accepted.
fn check_product(work: &UnitOfWork<'_>, cart_id: CartId, change: CartChange) -> Result<(), Interrupt> {
    let for_sale = |product_id: ProductId| Ok::<_, Interrupt>(work.get::<Product>(product_id)?.for_sale().map(drop));
    match change {
        CartChange::Add { product_id, .. } => {
            Ok(for_sale(product_id)?.map_err(|error| Refusal::Unavailable { product_id, error })?)
        }
        CartChange::Set { product_id, quantity: Some(quantity) } => {
            match work.get::<Cart>(cart_id)?.items().get(&product_id) {
                Some(present) if quantity <= *present => Ok(()),
                Some(_) => Ok(for_sale(product_id)?.map_err(|error| Refusal::Unavailable { product_id, error })?),
                None => Ok(for_sale(product_id)??),
            }
        }
        CartChange::Set { quantity: None, .. } | CartChange::Empty => Ok(()),
    }
}

impl UseCase for MergeCarts {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Interrupt> {
        check_customer(work, self.customer_id)?;
        let mut items = Items::new();
        if !self.guest_cart.is_unused(work)? {
            let guest_cart = self.guest_cart.cart_id;
            items = work.get::<Cart>(guest_cart)?.items();
            let replace = self.mode == MergeMode::KeepGuest;
            hand_to_customer(work, guest_cart, self.customer_id, replace)?;
            let close = CartCommand::CloseAfterMerge { customer_id: self.customer_id };
            work.execute::<Cart>(guest_cart, close).map_err(|interrupt| match interrupt {
                // The path exists; its body names a cart that does not.
                Interrupt::Refused(Refusal::Cart(CartError::NotFound)) => Refusal::UnknownGuestCart.into(),
                other => other,
            })?;
        }
        work.execute::<Cart>(self.customer_id, CartCommand::MergeItems { items, mode: self.mode })?;
        CartView::of(work, CartId::Customer(self.customer_id))
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.customer_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        cart_view_digest(work, CartId::Customer(self.customer_id))
    }
}

impl UseCase for ExpireCart {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        if work.get::<Cart>(self.cart_id)?.has_metadata() {
            drop_cart_metadata(work, self.cart_id)?;
        }
        work.execute::<Cart>(self.cart_id, CartCommand::Expire)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.cart_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        cart_view_digest(work, self.cart_id)
    }
}

/// The digest of a cart as reads compute it.
pub(super) fn cart_view_digest(work: &UnitOfWork<'_>, cart_id: CartId) -> Result<Option<ViewDigest>, Interrupt> {
    Ok(Some(CartView::of(work, cart_id)?.digest()))
}
