//! An address of a customer becomes another.

use super::add_address::AddressRef;
use crate::domain::customer::{AddressChange, Customer, CustomerCommand};
use crate::domain::ids::{AddressId, CustomerId};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct ChangeAddress {
    pub customer_id: CustomerId,
    pub address_id: AddressId,
    pub change: AddressChange,
}

impl UseCase for ChangeAddress {
    type Answer = AddressRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AddressRef, Stop> {
        let (address_id, fields) = (self.address_id, self.change.fields());
        let changes = !fields.is_empty();
        work.execute::<Customer>(self.customer_id, CustomerCommand::ChangeAddress { address_id, fields })?;
        if changes {
            let AddressChange { name, line1, line2, postal_code, city, region, country } = &self.change;
            work.write_profile(Profile::ChangeAddress {
                customer_id: self.customer_id.0,
                address_id: address_id.0,
                name: name.as_ref().map(ToString::to_string),
                line1: line1.as_ref().map(ToString::to_string),
                line2: line2.as_ref().map(ToString::to_string),
                postal_code: postal_code.as_ref().map(ToString::to_string),
                city: city.as_ref().map(ToString::to_string),
                region: region.as_ref().map(ToString::to_string),
                country: country.as_ref().map(ToString::to_string),
            });
        }
        Ok(AddressRef { address_id })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Customer>(self.customer_id))
    }
}
