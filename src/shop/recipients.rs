//! Recipients of an order: contact and addresses, which live beside the log, where they can be erased.

use serde::Serialize;

use crate::domain::customer::{Address, Country, Customer, CustomerError, DefaultAddresses};
use crate::domain::ids::{AddressId, CustomerId, OrderId};
use crate::domain::order::{AddressKind, OrderError};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, Name};
use crate::journal::{Interrupt, SideWrite, UnitOfWork};

/// Contact and addresses of a new order; an order may have none.
#[derive(Clone, Debug, Default)]
pub struct Recipients {
    /// Of an order without customer.
    pub contact: Option<GuestContact>,
    pub shipping: Option<Destination>,
    pub billing: Option<Destination>,
    /// What the caller knows about the customer's default addresses; `None` if none is to be used.
    pub defaults: Option<KnownDefaults>,
}

/// The customer's default addresses of the kinds that the request does not name, as the caller has read them.
///
/// They are beside the log, and few customers have any. So the first attempt assumes that there are none, and the caller
/// reads them only if it is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownDefaults {
    pub shipping: Option<AddressId>,
    pub billing: Option<AddressId>,
}

/// Name and e-mail address of a guest.
#[derive(Clone, Debug)]
pub struct GuestContact {
    pub name: Name,
    pub email: Email,
}

/// An address of a new order.
#[derive(Clone, Debug)]
pub enum Destination {
    /// An address of the customer who orders.
    Known(KnownAddress),
    Given(Box<Address>),
}

/// An address of a customer, and its country as the caller has read it.
#[derive(Clone, Debug)]
pub struct KnownAddress {
    pub address_id: AddressId,
    /// `None` if the caller did not find the address.
    pub country: Option<Country>,
}

impl Destination {
    pub fn given(address: Address) -> Self {
        Self::Given(Box::new(address))
    }

    /// The country, if it is known.
    pub fn country(&self) -> Option<&Country> {
        match self {
            Self::Known(address) => address.country.as_ref(),
            Self::Given(address) => Some(&address.country),
        }
    }
}

impl Recipients {
    /// Refuses defaults that are not those of the customer.
    pub(super) fn check_defaults(
        &self,
        work: &UnitOfWork<'_>,
        customer_id: Option<CustomerId>,
    ) -> Result<(), Interrupt> {
        let (Some(known), Some(customer_id)) = (self.defaults, customer_id) else { return Ok(()) };
        let DefaultAddresses { shipping, billing } = work.get::<Customer>(customer_id)?.default_addresses();
        if (known.shipping, known.billing) == (shipping, billing) {
            return Ok(());
        }
        Err(Refusal::DefaultAddressesUnread.into())
    }

    /// Stores them with the order, as they are at its commit.
    pub(super) fn write(
        &self,
        work: &mut UnitOfWork<'_>,
        order_id: OrderId,
        customer_id: Option<CustomerId>,
    ) -> Result<(), Interrupt> {
        if let (Some(GuestContact { name, email }), None) = (&self.contact, customer_id) {
            work.add_side_write(&PutOrderContact { order_id, name, email })?;
        }
        for (kind, destination) in [(AddressKind::Shipping, &self.shipping), (AddressKind::Billing, &self.billing)] {
            match (destination, customer_id) {
                (Some(Destination::Known(address)), Some(customer_id)) => {
                    let KnownAddress { address_id, country } = address;
                    let (address_id, country) = (*address_id, country.as_ref());
                    let customer = work.get::<Customer>(customer_id)?;
                    customer.require_address(address_id).map_err(|error| match error {
                        CustomerError::AddressNotFound(address_id) => Refusal::UnknownAddress(address_id),
                        error => error.into(),
                    })?;
                    // Added after the caller looked: the order would be priced without its country.
                    if kind == AddressKind::Shipping && country.is_none() {
                        return Err(Refusal::AddressChanged.into());
                    }
                    work.add_side_write(&CopyAddress { order_id, kind, customer_id, address_id, country })?;
                }
                (Some(Destination::Given(address)), _) => {
                    work.add_side_write(&PutOrderAddress { order_id, kind, customer_id, address })?;
                }
                (None, _) | (Some(Destination::Known(_)), None) => {}
            }
        }
        Ok(())
    }
}

/// Refuses the command unless the order has a shipping address at its commit.
///
/// The address is beside the log, so the database decides, also for old orders and after an erasure.
pub(super) fn require_shipping_address(work: &mut UnitOfWork<'_>, order_id: OrderId) -> Result<(), Interrupt> {
    work.add_side_write(&RequireShippingAddress { order_id })
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

/// Replaces the address of this kind, if the order has one.
#[derive(Serialize)]
pub(super) struct PutOrderAddress<'a> {
    pub order_id: OrderId,
    pub kind: AddressKind,
    /// The customer whose erasure deletes the address.
    pub customer_id: Option<CustomerId>,
    #[serde(flatten)]
    pub address: &'a Address,
}

impl SideWrite for PutOrderAddress<'_> {
    const FUNCTION: &'static str = "put_order_address";
}

/// Stores nothing.
#[derive(Serialize)]
struct RequireShippingAddress {
    order_id: OrderId,
}

impl SideWrite for RequireShippingAddress {
    const FUNCTION: &'static str = "require_shipping_address";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "order_has_shipping_address").then_some(Refusal::Order(OrderError::AddressMissing))
    }
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
