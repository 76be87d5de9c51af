//! Metadata of carts, customers and orders, which goes with the person: events say only that it changed.

use serde::Serialize;

use super::carts::{CartView, RequestedCart, cart_view_digest};
use super::customers::check_customer;
use super::orders::order_view_digest;
use crate::domain::cart::{Cart, CartCommand};
use crate::domain::customer::{Customer, CustomerCommand, CustomerError};
use crate::domain::ids::{CartId, CustomerId, OrderId};
use crate::domain::metadata::Metadata;
use crate::domain::order::{Order, OrderCommand, OrderError};
use crate::domain::refusal::Refusal;
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase, ViewDigest};

/// Replaces the metadata of a cart, which goes to its order at checkout.
pub struct ChangeCartMetadata {
    pub cart: RequestedCart,
    pub metadata: Metadata,
}

/// Replaces the metadata of an order.
pub struct ChangeOrderMetadata {
    pub order_id: OrderId,
    pub metadata: Metadata,
}

/// The number of an order; no metadata, because answers are stored and buyers can be erased.
#[derive(Clone, Copy, Debug, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct OrderRef {
    pub order_id: OrderId,
}

impl UseCase for ChangeCartMetadata {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Interrupt> {
        let cart_id = self.cart.cart_id;
        self.cart.check(work)?;
        // Without events a cart has no metadata to remove.
        let unused = *work.get::<Cart>(cart_id)? == Cart::Unknown;
        if !(unused && self.metadata.is_empty()) {
            if self.cart.is_unused(work)? {
                work.execute::<Cart>(cart_id, CartCommand::Open)?;
            }
            work.execute::<Cart>(cart_id, CartCommand::ChangeMetadata)?;
            put_metadata(work, Subject::Cart(cart_id), cart_id.customer(), &self.metadata)?;
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

impl UseCase for ChangeOrderMetadata {
    type Answer = OrderRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderRef, Interrupt> {
        let order_id = self.order_id;
        work.execute::<Order>(order_id, OrderCommand::ChangeMetadata)?;
        let customer_id = work.get::<Order>(order_id)?.placed()?.customer_id;
        if let Some(customer_id) = customer_id {
            check_customer(work, customer_id).map_err(|interrupt| match interrupt {
                Interrupt::Refused(Refusal::Customer(CustomerError::NotFound)) => OrderError::ContactErased.into(),
                other => other,
            })?;
        }
        put_metadata(work, Subject::Order(order_id), customer_id, &self.metadata)?;
        Ok(OrderRef { order_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

/// Stores the metadata of a new customer, if any.
pub(super) fn put_customer_metadata(
    work: &mut UnitOfWork<'_>,
    customer_id: CustomerId,
    metadata: &Metadata,
) -> Result<(), Interrupt> {
    if metadata.is_empty() {
        return Ok(());
    }
    put_metadata(work, Subject::Customer(customer_id), Some(customer_id), metadata)
}

/// Stores the metadata of a new order, if any.
pub(super) fn put_order_metadata(
    work: &mut UnitOfWork<'_>,
    order_id: OrderId,
    customer_id: Option<CustomerId>,
    metadata: &Metadata,
) -> Result<(), Interrupt> {
    if metadata.is_empty() {
        return Ok(());
    }
    put_metadata(work, Subject::Order(order_id), customer_id, metadata)
}

/// Replaces the metadata of a customer.
pub(super) fn change_customer_metadata(
    work: &mut UnitOfWork<'_>,
    customer_id: CustomerId,
    metadata: &Metadata,
) -> Result<(), Interrupt> {
    work.execute::<Customer>(customer_id, CustomerCommand::ChangeMetadata)?;
    put_metadata(work, Subject::Customer(customer_id), Some(customer_id), metadata)
}

/// Gives the metadata of a cart to its order.
pub(super) fn hand_to_order(
    work: &mut UnitOfWork<'_>,
    cart_id: CartId,
    order_id: OrderId,
    customer_id: Option<CustomerId>,
) -> Result<(), Interrupt> {
    move_metadata(work, cart_id, Subject::Order(order_id), customer_id, true)
}

/// Gives the metadata of a guest's cart to a customer's cart; `replace` says whether it replaces that of the customer.
pub(super) fn hand_to_customer(
    work: &mut UnitOfWork<'_>,
    guest_cart: CartId,
    customer_id: CustomerId,
    replace: bool,
) -> Result<(), Interrupt> {
    let cart_id = CartId::Customer(customer_id);
    if work.get::<Cart>(guest_cart)?.has_metadata() {
        work.execute::<Cart>(cart_id, CartCommand::ChangeMetadata)?;
        move_metadata(work, guest_cart, Subject::Cart(cart_id), Some(customer_id), replace)?;
    }
    Ok(())
}

/// Deletes the metadata of a cart that expires.
pub(super) fn drop_cart_metadata(work: &mut UnitOfWork<'_>, cart_id: CartId) -> Result<(), Interrupt> {
    put_metadata(work, Subject::Cart(cart_id), None, &Metadata::default())
}

/// The owner of metadata.
#[derive(Clone, Copy)]
enum Subject {
    Cart(CartId),
    Customer(CustomerId),
    Order(OrderId),
}

impl Subject {
    /// Kind and id, as they are stored.
    fn key(self) -> (&'static str, String) {
        match self {
            Self::Cart(cart_id) => ("cart", cart_id.to_string()),
            Self::Customer(customer_id) => ("customer", customer_id.to_string()),
            Self::Order(order_id) => ("order", order_id.to_string()),
        }
    }
}

fn put_metadata(
    work: &mut UnitOfWork<'_>,
    subject: Subject,
    customer_id: Option<CustomerId>,
    pairs: &Metadata,
) -> Result<(), Interrupt> {
    let (kind, id) = subject.key();
    work.add_side_write(&PutMetadata { kind, id, customer_id, pairs })
}

fn move_metadata(
    work: &mut UnitOfWork<'_>,
    cart_id: CartId,
    to: Subject,
    customer_id: Option<CustomerId>,
    replace: bool,
) -> Result<(), Interrupt> {
    let (kind, id) = to.key();
    work.add_side_write(&MoveMetadata { cart_id: cart_id.to_string(), kind, id, customer_id, replace })
}

#[derive(Serialize)]
struct PutMetadata<'a> {
    kind: &'static str,
    id: String,
    /// The customer whose erasure deletes the metadata.
    customer_id: Option<CustomerId>,
    pairs: &'a Metadata,
}

impl SideWrite for PutMetadata<'_> {
    const FUNCTION: &'static str = "put_metadata";
}

#[derive(Serialize)]
struct MoveMetadata {
    cart_id: String,
    kind: &'static str,
    id: String,
    customer_id: Option<CustomerId>,
    replace: bool,
}

impl SideWrite for MoveMetadata {
    const FUNCTION: &'static str = "move_metadata";
}
