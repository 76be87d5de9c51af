//! Another address of a customer.

use serde::{Deserialize, Serialize};

use crate::domain::customer::{Address, Customer, CustomerCommand};
use crate::domain::ids::{AddressId, CustomerId};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct AddAddress {
    pub customer_id: CustomerId,
    pub address: Address,
}

/// Which address a command made or changed: the number alone, because answers are stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AddressRef {
    #[schema(value_type = i64)]
    pub address_id: AddressId,
}

impl UseCase for AddAddress {
    type Answer = AddressRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AddressRef, Stop> {
        let address_id = work.get::<Customer>(self.customer_id)?.next_address();
        work.execute::<Customer>(self.customer_id, CustomerCommand::AddAddress)?;
        let Address { name, line1, line2, postal_code, city, region, country } = &self.address;
        work.write_profile(Profile::PutAddress {
            customer_id: self.customer_id.0,
            address_id: address_id.0,
            name: name.to_string(),
            line1: line1.to_string(),
            line2: line2.as_ref().map(ToString::to_string),
            postal_code: postal_code.to_string(),
            city: city.to_string(),
            region: region.as_ref().map(ToString::to_string),
            country: country.to_string(),
        });
        Ok(AddressRef { address_id })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Customer>(self.customer_id))
    }
}
