//! A customer has an address less.

use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::{AddressId, CustomerId};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct RemoveAddress {
    pub customer_id: CustomerId,
    pub address_id: AddressId,
}

impl UseCase for RemoveAddress {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        let address_id = self.address_id;
        work.execute::<Customer>(self.customer_id, CustomerCommand::RemoveAddress { address_id })?;
        work.write_profile(Profile::RemoveAddress { customer_id: self.customer_id.0, address_id: address_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Customer>(self.customer_id))
    }
}
