//! A new account: a number and a role in the log, an e-mail address beside it.

use serde::{Deserialize, Serialize};

use crate::domain::account::{Account, AccountCommand, Role};
use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::Email;
use crate::journal::{Profile, Stop, UnitOfWork, UseCase};

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
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Stop> {
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
