//! API keys of an account.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::account::{Account, AccountCommand, Role};
use crate::domain::ids::AccountId;
use crate::domain::text::Name;
use crate::journal::{Profile, Interrupt, UnitOfWork, UseCase};

pub struct CreateKey {
    pub account_id: AccountId,
    /// A fresh random id.
    pub key_id: Uuid,
    pub name: Name,
    pub role: Role,
    /// SHA-256 of the secret, in hexadecimal.
    pub secret_hash: String,
}

/// The key that a command made: without its secret, because answers are stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct KeyRef {
    pub key_id: Uuid,
}

impl UseCase for CreateKey {
    type Answer = KeyRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<KeyRef, Interrupt> {
        let (key_id, role) = (self.key_id, self.role);
        work.execute::<Account>(self.account_id, AccountCommand::CreateKey { key_id, role })?;
        work.write_profile(Profile::PutKey {
            key_id,
            account_id: self.account_id.0,
            name: self.name.to_string(),
            role,
            hash: self.secret_hash.clone(),
        });
        Ok(KeyRef { key_id })
    }
}

pub struct RevokeKey {
    pub account_id: AccountId,
    pub key_id: Uuid,
}

impl UseCase for RevokeKey {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Account>(self.account_id, AccountCommand::RevokeKey { key_id: self.key_id })?;
        work.write_profile(Profile::RevokeKey { key_id: self.key_id });
        Ok(())
    }
}
