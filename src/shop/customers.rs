//! Customers: a number in the log, a person in the profiles.

use serde::{Deserialize, Serialize};

use crate::domain::account::{Account, AccountCommand};
use crate::domain::cart::{Cart, CartCommand};
use crate::domain::customer::{Customer, CustomerCommand, ProfileField};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::{Email, Name};
use crate::journal::{AggregateRef, Profile, Interrupt, UnitOfWork, UseCase};

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
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Interrupt> {
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

/// What is `None` stays as it is.
pub struct ChangeCustomer {
    pub customer_id: CustomerId,
    pub first_name: Option<Name>,
    pub last_name: Option<Name>,
    pub email: Option<Email>,
}

impl UseCase for ChangeCustomer {
    type Answer = CustomerRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Interrupt> {
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

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

pub struct EraseCustomer {
    pub customer_id: CustomerId,
    /// The customer's account, if there is one.
    pub account_id: Option<AccountId>,
}

impl UseCase for EraseCustomer {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Customer>(self.customer_id, CustomerCommand::Erase)?;
        if !work.get::<Cart>(self.customer_id)?.items().is_empty() {
            work.execute::<Cart>(self.customer_id, CartCommand::Empty)?;
        }
        if let Some(account_id) = self.account_id {
            work.execute::<Account>(account_id, AccountCommand::Erase)?;
        }
        work.write_profile(Profile::Forget { customer_id: self.customer_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

pub(super) fn check_customer(work: &mut UnitOfWork<'_>, customer_id: CustomerId) -> Result<(), Interrupt> {
    work.execute::<Customer>(customer_id, CustomerCommand::CheckRegistered)
}
