//! A new customer: a number in the log, a person in the profiles.

use serde::{Deserialize, Serialize};

use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::CustomerId;
use crate::domain::text::{Email, Name};
use crate::journal::{Profile, Stop, UnitOfWork, UseCase};

pub struct RegisterCustomer {
    pub first_name: Name,
    pub last_name: Name,
    pub email: Email,
}

/// Which customer a command made or changed: the number alone, because answers are stored and people can be forgotten.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CustomerRef {
    #[schema(value_type = i64)]
    pub customer_id: CustomerId,
}

impl UseCase for RegisterCustomer {
    type Answer = CustomerRef;

    /// That no other customer has the e-mail address is for the database to say: the log does not know addresses.
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Stop> {
        let customer_id = CustomerId(work.next_number::<Customer>()?);
        work.execute::<Customer>(customer_id, CustomerCommand::Register)?;
        work.write_profile(Profile::Put {
            customer_id: customer_id.0,
            first_name: self.first_name.to_string(),
            last_name: self.last_name.to_string(),
            email: self.email.to_string(),
        });
        Ok(CustomerRef { customer_id })
    }
}
