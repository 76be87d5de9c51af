//! Addresses of a customer.

use serde::{Deserialize, Serialize};

use crate::domain::customer::{Address, AddressChange, Customer, CustomerCommand};
use crate::domain::ids::{AddressId, CustomerId};
use crate::journal::{AggregateRef, Profile, Interrupt, UnitOfWork, UseCase};

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

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AddressRef, Interrupt> {
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

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

pub struct ChangeAddress {
    pub customer_id: CustomerId,
    pub address_id: AddressId,
    pub change: AddressChange,
}

impl UseCase for ChangeAddress {
    type Answer = AddressRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AddressRef, Interrupt> {
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

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

pub struct RemoveAddress {
    pub customer_id: CustomerId,
    pub address_id: AddressId,
}

impl UseCase for RemoveAddress {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let address_id = self.address_id;
        work.execute::<Customer>(self.customer_id, CustomerCommand::RemoveAddress { address_id })?;
        work.write_profile(Profile::RemoveAddress { customer_id: self.customer_id.0, address_id: address_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}
