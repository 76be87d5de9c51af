//! Addresses of a customer: numbers in the log, the addresses themselves beside it.

use serde::{Deserialize, Serialize};

use crate::domain::customer::{
    Address, AddressChange, Country, Customer, CustomerCommand, DefaultAddresses, DefaultMarks,
};
use crate::domain::ids::{AddressId, CustomerId};
use crate::domain::refusal::Refusal;
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase};

/// Adds an address.
pub struct AddAddress {
    pub customer_id: CustomerId,
    pub address: Address,
    /// Whether it becomes a default address.
    pub marks: DefaultMarks,
}

/// Changes some fields of an address.
pub struct ChangeAddress {
    pub customer_id: CustomerId,
    pub address_id: AddressId,
    pub change: AddressChange,
    /// Whether it becomes or ceases to be a default address.
    pub marks: DefaultMarks,
}

/// Removes an address; orders keep their copies.
pub struct RemoveAddress {
    pub customer_id: CustomerId,
    pub address_id: AddressId,
}

/// The number of an address; no other data, because answers are stored and addresses can be erased.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AddressRef {
    pub address_id: AddressId,
}

impl UseCase for AddAddress {
    type Answer = AddressRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AddressRef, Interrupt> {
        let customer_id = self.customer_id;
        let before = work.get::<Customer>(customer_id)?;
        let address_id = before.next_address();
        work.execute::<Customer>(customer_id, CustomerCommand::AddAddress { marks: self.marks })?;
        work.add_side_write(&PutAddress { customer_id, address_id, address: &self.address })?;
        store_defaults(work, customer_id, before.default_addresses())?;
        Ok(AddressRef { address_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

impl UseCase for ChangeAddress {
    type Answer = AddressRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AddressRef, Interrupt> {
        let Self { customer_id, address_id, change, marks } = self;
        let (customer_id, address_id, marks, fields) = (*customer_id, *address_id, *marks, change.fields());
        let changes = !fields.is_empty();
        let before = work.get::<Customer>(customer_id)?.default_addresses();
        work.execute::<Customer>(customer_id, CustomerCommand::ChangeAddress { address_id, fields, marks })?;
        if changes {
            let without_postal_codes = Country::without_postal_codes();
            work.add_side_write(&PatchAddress { customer_id, address_id, change, without_postal_codes })?;
        }
        store_defaults(work, customer_id, before)?;
        Ok(AddressRef { address_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

impl UseCase for RemoveAddress {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let (customer_id, address_id) = (self.customer_id, self.address_id);
        work.execute::<Customer>(customer_id, CustomerCommand::RemoveAddress { address_id })?;
        work.add_side_write(&DeleteAddress { customer_id, address_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

/// Stores the default addresses beside the log too, if the command has changed them: reads show them there.
fn store_defaults(
    work: &mut UnitOfWork<'_>,
    customer_id: CustomerId,
    before: DefaultAddresses,
) -> Result<(), Interrupt> {
    let defaults = work.get::<Customer>(customer_id)?.default_addresses();
    if defaults == before {
        return Ok(());
    }
    let DefaultAddresses { shipping, billing } = defaults;
    work.add_side_write(&SetDefaultAddresses { customer_id, shipping, billing })
}

#[derive(Serialize)]
struct PutAddress<'a> {
    customer_id: CustomerId,
    address_id: AddressId,
    #[serde(flatten)]
    address: &'a Address,
}

impl SideWrite for PutAddress<'_> {
    const FUNCTION: &'static str = "put_address";
}

#[derive(Serialize)]
struct PatchAddress<'a> {
    customer_id: CustomerId,
    address_id: AddressId,
    #[serde(flatten)]
    change: &'a AddressChange,
    /// In any other country the changed address must have a postal code.
    without_postal_codes: &'static [&'static str],
}

impl SideWrite for PatchAddress<'_> {
    const FUNCTION: &'static str = "change_address";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "address_postal_code").then_some(Refusal::PostalCodeRequired)
    }
}

#[derive(Serialize)]
struct SetDefaultAddresses {
    customer_id: CustomerId,
    shipping: Option<AddressId>,
    billing: Option<AddressId>,
}

impl SideWrite for SetDefaultAddresses {
    const FUNCTION: &'static str = "set_default_addresses";
}

#[derive(Serialize)]
struct DeleteAddress {
    customer_id: CustomerId,
    address_id: AddressId,
}

impl SideWrite for DeleteAddress {
    const FUNCTION: &'static str = "remove_address";
}
