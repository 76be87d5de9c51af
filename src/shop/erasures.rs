//! Erasure of a buyer's personal data: at once, or when the last open order is closed. Orders and sums stay.
//!
//! The orders of a customer are many streams, so the caller reads the open ones from the read tables, and the commit
//! checks that no order of the customer has changed since.

use serde::{Deserialize, Serialize};

use super::customers::check_customer;
use super::orders::order_view_digest;
use crate::domain::account::{Account, AccountCommand};
use crate::domain::cart::{Cart, CartChange, CartCommand};
use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::{AccountId, CustomerId, OrderId};
use crate::domain::order::{Order, OrderCommand, OrderError};
use crate::domain::refusal::Refusal;
use crate::domain::wishlist::{Wishlist, WishlistCommand};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase, ViewDigest};

/// Erases a customer's personal data.
pub struct EraseCustomer {
    pub customer_id: CustomerId,
    /// The customer's account, if there is one.
    pub account_id: Option<AccountId>,
    pub orders: KnownOrders,
    /// Whether to wait until no order is open; otherwise an open order is refused.
    pub when_closed: bool,
}

/// Open orders of a customer, as the read tables showed them at a position of the log.
#[derive(Clone, Debug, Default)]
pub struct KnownOrders {
    /// The first of them.
    pub open: Vec<OrderId>,
    pub position: i64,
}

/// Withdraws the waiting erasure of a customer.
pub struct KeepCustomer {
    pub customer_id: CustomerId,
}

impl UseCase for EraseCustomer {
    type Answer = ErasureView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ErasureView, Interrupt> {
        let customer_id = self.customer_id;
        let open = &self.orders.open;
        if !open.is_empty() {
            check_customer(work, customer_id)?;
            if !self.when_closed {
                return Err(Refusal::OpenOrders(open.clone()).into());
            }
            work.execute::<Customer>(customer_id, CustomerCommand::RequestErasure)?;
            return Ok(ErasureView { waiting: true, open_orders: open.clone() });
        }
        work.execute::<Customer>(customer_id, CustomerCommand::Erase)?;
        if !work.get::<Cart>(customer_id)?.items().is_empty() {
            work.execute::<Cart>(customer_id, CartCommand::Change(CartChange::Empty))?;
        }
        work.execute::<Wishlist>(customer_id, WishlistCommand::Empty)?;
        if let Some(account_id) = self.account_id {
            work.execute::<Account>(account_id, AccountCommand::Erase)?;
        }
        work.add_side_write(&RequireOrdersUnchanged { customer_id, after: self.orders.position })?;
        work.add_side_write(&DeletePerson { customer_id })?;
        Ok(ErasureView::default())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

impl UseCase for KeepCustomer {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Customer>(self.customer_id, CustomerCommand::WithdrawErasure)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

/// Refuses the commit if the log has an event of an order of this customer after a position. Stores nothing.
#[derive(Serialize)]
struct RequireOrdersUnchanged {
    customer_id: CustomerId,
    after: i64,
}

impl SideWrite for RequireOrdersUnchanged {
    const FUNCTION: &'static str = "require_orders_unchanged";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "customer_orders_as_known").then_some(Refusal::OrdersChanged)
    }
}

/// Deletes everything that refers to the person: profile, addresses, account, sessions, requested mails.
#[derive(Serialize)]
struct DeletePerson {
    customer_id: CustomerId,
}

impl SideWrite for DeletePerson {
    const FUNCTION: &'static str = "forget_customer";
}

/// Erases a guest's contact and addresses; the order and its sums stay.
pub struct EraseContact {
    pub order_id: OrderId,
    /// Whether to wait until the order is closed; otherwise an open order is refused.
    pub when_closed: bool,
}

/// Withdraws the waiting erasure of a guest's personal data.
pub struct KeepContact {
    pub order_id: OrderId,
}

/// Whether the personal data of a buyer is erased, or waits for open orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErasureView {
    /// Whether the personal data is still there, until these orders are closed.
    #[serde(default)]
    pub waiting: bool,
    /// Numbers of open orders, at most 50.
    #[serde(default)]
    pub open_orders: Vec<OrderId>,
}

impl UseCase for EraseContact {
    type Answer = ErasureView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ErasureView, Interrupt> {
        let order_id = self.order_id;
        match work.execute::<Order>(order_id, OrderCommand::EraseContact) {
            Err(Interrupt::Refused(Refusal::Order(OrderError::StillOpen))) if self.when_closed => {
                work.execute::<Order>(order_id, OrderCommand::RequestContactErasure)?;
                Ok(ErasureView { waiting: true, open_orders: vec![order_id] })
            }
            Err(Interrupt::Refused(Refusal::Order(OrderError::StillOpen))) => {
                Err(Refusal::OpenOrders(vec![order_id]).into())
            }
            Err(interrupt) => Err(interrupt),
            Ok(()) => {
                work.add_side_write(&DeleteOrderContact { order_id })?;
                Ok(ErasureView::default())
            }
        }
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

impl UseCase for KeepContact {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Order>(self.order_id, OrderCommand::WithdrawContactErasure)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

/// Deletes the guest's addresses too.
#[derive(Serialize)]
struct DeleteOrderContact {
    order_id: OrderId,
}

impl SideWrite for DeleteOrderContact {
    const FUNCTION: &'static str = "forget_order_contact";
}
