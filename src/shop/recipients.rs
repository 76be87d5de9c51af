//! Recipients of an order: contact and addresses, which live beside the log, where they can be erased.

use serde::Serialize;

use super::orders::order_view_digest;
use crate::domain::customer::{Address, Country, Customer, CustomerError};
use crate::domain::ids::{AddressId, CustomerId, OrderId};
use crate::domain::order::{Order, OrderCommand};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, Name};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase, ViewDigest};

#[derive(Clone, Debug)]
pub enum Recipients {
    /// Addresses of the customer who orders.
    Customer {
        shipping: Option<KnownAddress>,
        billing: Option<KnownAddress>,
    },
    Guest(Box<Guest>),
}

/// Contact and addresses of a guest, as the checkout gives them.
#[derive(Clone, Debug)]
pub struct Guest {
    pub name: Name,
    pub email: Email,
    pub shipping: Address,
    pub billing: Option<Address>,
}

/// An address of a customer, and its country if the caller has read it.
#[derive(Clone, Debug)]
pub struct KnownAddress {
    pub address_id: AddressId,
    pub country: Option<Country>,
}

/// Erases a guest's contact and addresses; the order and its sums stay.
pub struct EraseContact {
    pub order_id: OrderId,
}

impl UseCase for EraseContact {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Order>(self.order_id, OrderCommand::EraseContact)?;
        work.add_side_write(&DeleteOrderContact { order_id: self.order_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

impl Recipients {
    /// A customer who names no address.
    pub fn unnamed() -> Self {
        Self::Customer { shipping: None, billing: None }
    }

    /// Stores them with the order, as they are at its commit.
    pub(super) fn write(
        &self,
        work: &mut UnitOfWork<'_>,
        order_id: OrderId,
        customer_id: Option<CustomerId>,
    ) -> Result<(), Interrupt> {
        match self {
            Self::Customer { shipping, billing } => {
                for (kind, address) in [(AddressKind::Shipping, shipping), (AddressKind::Billing, billing)] {
                    if let (Some(address), Some(customer_id)) = (address, customer_id) {
                        let KnownAddress { address_id, country } = address;
                        let (address_id, country) = (*address_id, country.as_ref());
                        let customer = work.get::<Customer>(customer_id)?;
                        customer.require_address(address_id).map_err(|error| match error {
                            CustomerError::AddressNotFound(address_id) => Refusal::UnknownAddress(address_id),
                            error => error.into(),
                        })?;
                        work.add_side_write(&CopyAddress { order_id, kind, customer_id, address_id, country })?;
                    }
                }
            }
            Self::Guest(guest) => {
                let Guest { name, email, shipping, billing } = &**guest;
                work.add_side_write(&PutOrderContact { order_id, name, email })?;
                work.add_side_write(&PutOrderAddress { order_id, kind: AddressKind::Shipping, address: shipping })?;
                if let Some(address) = billing {
                    work.add_side_write(&PutOrderAddress { order_id, kind: AddressKind::Billing, address })?;
                }
            }
        }
        Ok(())
    }
}

/// Purpose of an order's address.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum AddressKind {
    Shipping,
    Billing,
}

/// Copies a customer's address to an order; refuses the command if the address is gone or has another country.
#[derive(Serialize)]
struct CopyAddress<'a> {
    order_id: OrderId,
    kind: AddressKind,
    customer_id: CustomerId,
    address_id: AddressId,
    /// `None` accepts any country.
    country: Option<&'a Country>,
}

impl SideWrite for CopyAddress<'_> {
    const FUNCTION: &'static str = "snapshot_address";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "order_address_as_known").then_some(Refusal::AddressChanged)
    }
}

#[derive(Serialize)]
struct PutOrderAddress<'a> {
    order_id: OrderId,
    kind: AddressKind,
    #[serde(flatten)]
    address: &'a Address,
}

impl SideWrite for PutOrderAddress<'_> {
    const FUNCTION: &'static str = "put_order_address";
}

#[derive(Serialize)]
struct PutOrderContact<'a> {
    order_id: OrderId,
    name: &'a Name,
    email: &'a Email,
}

impl SideWrite for PutOrderContact<'_> {
    const FUNCTION: &'static str = "put_order_contact";
}

/// Deletes the guest's addresses too.
#[derive(Serialize)]
struct DeleteOrderContact {
    order_id: OrderId,
}

impl SideWrite for DeleteOrderContact {
    const FUNCTION: &'static str = "forget_order_contact";
}
