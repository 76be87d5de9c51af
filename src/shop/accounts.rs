//! Accounts: opening, roles, passwords and confirmed registrations.

use serde::{Deserialize, Serialize};

use super::customers::{CustomerRef, RegisterCustomer};
use crate::domain::account::{Account, AccountCommand, Role};
use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::{Email, Name};
use crate::journal::{AggregateRef, Profile, Interrupt, UnitOfWork, UseCase};

pub struct OpenAccount {
    pub role: Role,
    /// Whose account it is, if it is a customer's.
    pub customer_id: Option<CustomerId>,
    pub email: Email,
    /// Without one, the owner chooses a password by a mailed link.
    pub password_hash: Option<String>,
    /// SHA-256 of the mailed token that allows it, in hexadecimal; `None` for who proved the right otherwise.
    pub link_hash: Option<String>,
}

/// Which account a command opened or changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccountRef {
    #[schema(value_type = i64)]
    pub account_id: AccountId,
}

impl UseCase for OpenAccount {
    type Answer = AccountRef;

    /// That no other account has the e-mail address is for the database to say: the log does not know addresses.
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        if let Some(hash) = &self.link_hash {
            work.write_profile(Profile::UseLink { hash: hash.clone() });
        }
        if let Some(customer_id) = self.customer_id {
            work.execute::<Customer>(customer_id, CustomerCommand::CheckRegistered)?;
        }
        let account_id = AccountId(work.next_number::<Account>()?);
        let open = AccountCommand::Open { role: self.role, customer_id: self.customer_id };
        work.execute::<Account>(account_id, open)?;
        work.write_profile(Profile::OpenAccount {
            account_id: account_id.0,
            role: self.role,
            customer_id: self.customer_id.map(|customer_id| customer_id.0),
            email: self.email.to_string(),
            password_hash: self.password_hash.clone(),
        });
        Ok(AccountRef { account_id })
    }
}

/// What is `None` stays as it is.
pub struct ChangeAccount {
    pub account_id: AccountId,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}

impl UseCase for ChangeAccount {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        let account_id = self.account_id.0;
        if let Some(role) = self.role {
            work.execute::<Account>(self.account_id, AccountCommand::ChangeRole { role })?;
            work.write_profile(Profile::SetRole { account_id, role });
        }
        match self.disabled {
            Some(true) => {
                work.execute::<Account>(self.account_id, AccountCommand::Disable)?;
                work.write_profile(Profile::Disable { account_id });
            }
            Some(false) => {
                work.execute::<Account>(self.account_id, AccountCommand::Enable)?;
                work.write_profile(Profile::Enable { account_id });
            }
            None => {}
        }
        Ok(AccountRef { account_id: self.account_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Account>(self.account_id))
    }
}

pub struct ChangePassword {
    pub account_id: AccountId,
    pub password_hash: String,
    /// SHA-256 of the mailed token that allows it, in hexadecimal; `None` for who proved the right otherwise.
    pub link_hash: Option<String>,
}

impl UseCase for ChangePassword {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        if let Some(hash) = &self.link_hash {
            work.write_profile(Profile::UseLink { hash: hash.clone() });
        }
        work.execute::<Account>(self.account_id, AccountCommand::ChangePassword)?;
        let password_hash = self.password_hash.clone();
        work.write_profile(Profile::SetPassword { account_id: self.account_id.0, password_hash });
        Ok(AccountRef { account_id: self.account_id })
    }
}

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

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Interrupt> {
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
