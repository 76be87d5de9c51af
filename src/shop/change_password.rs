//! Another password; every session of the account ends.

use super::open_account::AccountRef;
use crate::domain::account::{Account, AccountCommand};
use crate::domain::ids::AccountId;
use crate::journal::{Profile, Stop, UnitOfWork, UseCase};

pub struct ChangePassword {
    pub account_id: AccountId,
    pub password_hash: String,
    /// SHA-256 of the mailed token that allows it, in hexadecimal; `None` for who proved the right otherwise.
    pub link_hash: Option<String>,
}

impl UseCase for ChangePassword {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Stop> {
        if let Some(hash) = &self.link_hash {
            work.write_profile(Profile::UseLink { hash: hash.clone() });
        }
        work.execute::<Account>(self.account_id, AccountCommand::ChangePassword)?;
        let password_hash = self.password_hash.clone();
        work.write_profile(Profile::SetPassword { account_id: self.account_id.0, password_hash });
        Ok(AccountRef { account_id: self.account_id })
    }
}
