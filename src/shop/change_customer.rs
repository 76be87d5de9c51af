//! Another name or e-mail address of a customer.

use super::register_customer::CustomerRef;
use crate::domain::customer::{Customer, CustomerCommand, ProfileField};
use crate::domain::ids::CustomerId;
use crate::domain::text::{Email, Name};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

/// What is `None` stays as it is.
pub struct ChangeCustomer {
    pub customer_id: CustomerId,
    pub first_name: Option<Name>,
    pub last_name: Option<Name>,
    pub email: Option<Email>,
}

impl UseCase for ChangeCustomer {
    type Answer = CustomerRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Stop> {
        let given = [
            (ProfileField::FirstName, self.first_name.is_some()),
            (ProfileField::LastName, self.last_name.is_some()),
            (ProfileField::Email, self.email.is_some()),
        ];
        let fields: Vec<_> = given.into_iter().filter_map(|(field, given)| given.then_some(field)).collect();
        let changes = !fields.is_empty();
        work.execute::<Customer>(self.customer_id, CustomerCommand::Change { fields })?;
        if changes {
            work.write_profile(Profile::Change {
                customer_id: self.customer_id.0,
                first_name: self.first_name.as_ref().map(Name::to_string),
                last_name: self.last_name.as_ref().map(Name::to_string),
                email: self.email.as_ref().map(Email::to_string),
            });
        }
        Ok(CustomerRef { customer_id: self.customer_id })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Customer>(self.customer_id))
    }
}
