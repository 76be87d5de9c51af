//! API keys of an account, for machines.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::secrets::expose;
use crate::domain::account::{Account, AccountCommand, ApiKeyHash, Role};
use crate::domain::ids::AccountId;
use crate::domain::text::Name;
use crate::journal::{Interrupt, SideWrite, UnitOfWork, UseCase};

/// Creates a key with a role of its own.
pub struct CreateKey {
    pub account_id: AccountId,
    /// A fresh random id.
    pub key_id: Uuid,
    pub name: Name,
    pub role: Role,
    pub secret_hash: ApiKeyHash,
}

/// Revokes a key: it is rejected from now on.
pub struct RevokeKey {
    pub account_id: AccountId,
    pub key_id: Uuid,
}

/// A key without its secret, because answers are stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct KeyRef {
    pub key_id: Uuid,
}

impl UseCase for CreateKey {
    type Answer = KeyRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<KeyRef, Interrupt> {
        let Self { account_id, key_id, name, role, secret_hash: hash } = self;
        let (account_id, key_id, role) = (*account_id, *key_id, *role);
        work.execute::<Account>(account_id, AccountCommand::CreateKey { key_id, role })?;
        work.add_side_write(&PutKey { key_id, account_id, name, role, hash })?;
        Ok(KeyRef { key_id })
    }
}

impl UseCase for RevokeKey {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Account>(self.account_id, AccountCommand::RevokeKey { key_id: self.key_id })?;
        work.add_side_write(&DeleteKey { key_id: self.key_id })
    }
}

#[derive(Serialize)]
struct PutKey<'a> {
    key_id: Uuid,
    account_id: AccountId,
    name: &'a Name,
    role: Role,
    #[serde(serialize_with = "expose")]
    hash: &'a ApiKeyHash,
}

impl SideWrite for PutKey<'_> {
    const FUNCTION: &'static str = "put_key";
}

#[derive(Serialize)]
struct DeleteKey {
    key_id: Uuid,
}

impl SideWrite for DeleteKey {
    const FUNCTION: &'static str = "revoke_key";
}
