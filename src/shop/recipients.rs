//! Who an order is for, and where it goes: personal, so it stands beside the log, where it can be forgotten.

use crate::domain::customer::{Address, Country, Customer};
use crate::domain::ids::{AddressId, CustomerId, OrderId};
use crate::domain::text::{Email, Name};
use crate::journal::{AddressKind, Profile, Stop, UnitOfWork};

#[derive(Clone, Debug)]
pub enum Recipients {
    /// Addresses that the customer has; the person is known.
    Customer {
        shipping: Option<KnownAddress>,
        billing: Option<KnownAddress>,
    },
    Guest(Box<Guest>),
}

/// What a guest tells.
#[derive(Clone, Debug)]
pub struct Guest {
    pub name: Name,
    pub email: Email,
    pub shipping: Address,
    pub billing: Option<Address>,
}

/// An address of a customer, and the country that it was seen to be in, if it was seen.
#[derive(Clone, Debug)]
pub struct KnownAddress {
    pub address_id: AddressId,
    pub country: Option<Country>,
}

impl Recipients {
    /// Of a customer who names no address.
    pub fn unnamed() -> Self {
        Self::Customer { shipping: None, billing: None }
    }

    /// Keeps them with the order, as they are at its commit.
    pub(super) fn write(
        &self,
        work: &mut UnitOfWork<'_>,
        order_id: OrderId,
        customer_id: Option<CustomerId>,
    ) -> Result<(), Stop> {
        match self {
            Self::Customer { shipping, billing } => {
                for (kind, address) in [(AddressKind::Shipping, shipping), (AddressKind::Billing, billing)] {
                    if let (Some(address), Some(customer_id)) = (address, customer_id) {
                        snapshot(work, order_id, kind, customer_id, address)?;
                    }
                }
            }
            Self::Guest(guest) => {
                let Guest { name, email, shipping, billing } = &**guest;
                let (name, email) = (name.to_string(), email.to_string());
                work.write_profile(Profile::PutOrderContact { order_id: order_id.0, name, email });
                work.write_profile(put(order_id, AddressKind::Shipping, shipping));
                if let Some(billing) = billing {
                    work.write_profile(put(order_id, AddressKind::Billing, billing));
                }
            }
        }
        Ok(())
    }
}

fn snapshot(
    work: &mut UnitOfWork<'_>,
    order_id: OrderId,
    kind: AddressKind,
    customer_id: CustomerId,
    address: &KnownAddress,
) -> Result<(), Stop> {
    work.get::<Customer>(customer_id)?.require_address(address.address_id)?;
    work.write_profile(Profile::SnapshotAddress {
        order_id: order_id.0,
        kind,
        customer_id: customer_id.0,
        address_id: address.address_id.0,
        country: address.country.as_ref().map(ToString::to_string),
    });
    Ok(())
}

fn put(order_id: OrderId, kind: AddressKind, address: &Address) -> Profile {
    let Address { name, line1, line2, postal_code, city, region, country } = address;
    Profile::PutOrderAddress {
        order_id: order_id.0,
        kind,
        name: name.to_string(),
        line1: line1.to_string(),
        line2: line2.as_ref().map(ToString::to_string),
        postal_code: postal_code.to_string(),
        city: city.to_string(),
        region: region.as_ref().map(ToString::to_string),
        country: country.to_string(),
    }
}
