//! A machine's key is refused from now on.

use uuid::Uuid;

use crate::domain::account::{Account, AccountCommand};
use crate::domain::ids::AccountId;
use crate::journal::{Profile, Stop, UnitOfWork, UseCase};

pub struct RevokeKey {
    pub account_id: AccountId,
    pub key_id: Uuid,
}

impl UseCase for RevokeKey {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        work.execute::<Account>(self.account_id, AccountCommand::RevokeKey { key_id: self.key_id })?;
        work.write_profile(Profile::RevokeKey { key_id: self.key_id });
        Ok(())
    }
}
