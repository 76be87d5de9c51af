//! Another role for an account, or none for now.

use super::open_account::AccountRef;
use crate::domain::account::{Account, AccountCommand, Role};
use crate::domain::ids::AccountId;
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

/// What is `None` stays as it is.
pub struct ChangeAccount {
    pub account_id: AccountId,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}

impl UseCase for ChangeAccount {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Stop> {
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

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Account>(self.account_id))
    }
}
