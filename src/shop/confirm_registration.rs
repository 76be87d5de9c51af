//! Somebody proved that an e-mail address is theirs, and becomes a customer with an account.

use super::open_account::OpenAccount;
use super::register_customer::{CustomerRef, RegisterCustomer};
use crate::domain::account::Role;
use crate::domain::ids::CustomerId;
use crate::domain::text::{Email, Name};
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct ConfirmRegistration {
    /// SHA-256 of the mailed token, in hexadecimal.
    pub link_hash: String,
    /// The customer that has the address already, entered by staff.
    pub customer_id: Option<CustomerId>,
    pub first_name: Name,
    pub last_name: Name,
    pub email: Email,
    pub password_hash: String,
}

impl UseCase for ConfirmRegistration {
    type Answer = CustomerRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Stop> {
        let customer_id = match self.customer_id {
            Some(customer_id) => customer_id,
            None => {
                let (first_name, last_name) = (self.first_name.clone(), self.last_name.clone());
                RegisterCustomer { first_name, last_name, email: self.email.clone() }.decide(work)?.customer_id
            }
        };
        let open = OpenAccount {
            role: Role::Customer,
            customer_id: Some(customer_id),
            email: self.email.clone(),
            password_hash: Some(self.password_hash.clone()),
            link_hash: Some(self.link_hash.clone()),
        };
        open.decide(work)?;
        Ok(CustomerRef { customer_id })
    }
}
