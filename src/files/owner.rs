//! The owner of a media store: a file of the store names the log of the shop that it belongs to.
//!
//! A file is deleted when no image of its shop refers to it. Two shops in one store would delete each other's pictures, so
//! the first shop marks the store, and every other shop neither writes nor deletes anything in it.

use object_store::path::Path;
use object_store::{PutMode, PutOptions};
use thiserror::Error;
use uuid::Uuid;

use super::holds::{MediaError, MediaFiles};
use super::store::{MediaStore, StoreError};

/// The store belongs to another shop.
#[derive(Debug, Error)]
#[error(
    "the media store {store} belongs to the shop with the log {owner}, and this shop has the log {own}; \
     give each shop a store of its own with --media; if the store is a copy for this shop, delete its file {OWNER}"
)]
pub struct OtherOwner {
    store: String,
    owner: String,
    own: Uuid,
}

/// The store belongs to a shop, and a new shop is to use it.
#[derive(Debug, Error)]
#[error(
    "the media store {store} belongs to the shop with the log {owner}; give a new shop a store of its own with --media; \
     if the store is a copy for the new shop, delete its file {OWNER}"
)]
pub struct OwnedStore {
    store: String,
    owner: String,
}

/// The file with the id of the log, hidden in a folder.
const OWNER: &str = ".cartwright-log-id";
/// More than the file of any shop.
const OWNER_BYTES: u64 = 100;

impl MediaFiles {
    /// Marks the store as this shop's, if no shop has marked it. Fails if another has.
    pub async fn claim_store(&self) -> Result<(), MediaError> {
        self.store.prepare_folder()?;
        let log_id = self.log_id().await?;
        if self.store.owner().await?.is_none() {
            self.store.mark(log_id).await?;
        }
        self.compare_owner(log_id).await
    }

    /// Fails if another shop has marked the store. Writes nothing.
    pub async fn check_store(&self) -> Result<(), MediaError> {
        self.compare_owner(self.log_id().await?).await
    }

    /// As [`Self::claim_store`], once for this store.
    pub(super) async fn require_own_store(&self) -> Result<(), MediaError> {
        if self.store.is_own() == Some(true) { Ok(()) } else { self.claim_store().await }
    }

    async fn compare_owner(&self, own: Uuid) -> Result<(), MediaError> {
        // A store without a mark is no shop's yet.
        let Some(owner) = self.store.owner().await? else { return Ok(()) };
        let is_own = owner == own.to_string();
        self.store.set_own(is_own);
        if is_own { Ok(()) } else { Err(OtherOwner { store: self.store.name(), owner, own }.into()) }
    }

    async fn log_id(&self) -> Result<Uuid, sqlx::Error> {
        sqlx::query_scalar("select log_id from log_identity").fetch_one(self.pool()).await
    }
}

impl MediaStore {
    /// Fails if a shop has marked the store, before a new shop is created.
    pub async fn check_unowned(&self) -> Result<(), MediaError> {
        match self.owner().await? {
            Some(owner) => Err(OwnedStore { store: self.name(), owner }.into()),
            None => Ok(()),
        }
    }

    /// The id of the log that the store is marked with.
    async fn owner(&self) -> Result<Option<String>, StoreError> {
        let found = self.beginning(OWNER, OWNER_BYTES).await?;
        Ok(found.map(|id| String::from_utf8_lossy(&id).trim().to_owned()))
    }

    /// Marks the store, unless another shop is faster.
    async fn mark(&self, log_id: Uuid) -> Result<(), StoreError> {
        let content = format!("{log_id}\n");
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.objects().put_opts(&Path::from(OWNER), content.clone().into(), options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            // Not every service and file system can create a file only if it does not exist.
            Err(_) => self.put(OWNER, content).await,
        }
    }
}
