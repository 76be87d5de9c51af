//! Files of pictures from upload to deletion, safe against concurrent commands and a kill between any two steps.
//!
//! - *Hold*: a committed row keeps the file from being deleted. It ends with the command, or by itself.
//! - *Store*: the file is written, or found, and marked as stored.
//! - *Refer*: the command's commit adds the reference, and refuses a file that is not stored.
//! - *Delete*: with the row of the file locked, a file without reference and hold is deleted, then its row. A new upload
//!   of the same content waits for the lock and stores the file again.
//!
//! A kill leaves a hold that ends, a file without a reference, or a row without a file; the clean-up deletes all three.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use object_store::GetResult;
use sqlx::PgPool;
use thiserror::Error;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::inspection::{BEGINNING_BYTES, inspect_named, name_of, read_other};
use super::owner::{OtherOwner, OwnedStore};
use super::pictures::{self, PictureError, PreparedPicture, THUMBNAIL_WIDTHS, Thumbnail};
use super::store::{MediaStore, StoreError, storage_path, thumbnail_path};
use crate::database::begin_transaction;
use crate::domain::picture::{Picture, PictureName};
use crate::failpoints::failpoint;

/// The files of pictures: the store, and the tables that say what refers to them. Cheap to clone.
#[derive(Clone)]
pub struct MediaFiles {
    pub store: MediaStore,
    pool: PgPool,
    decoders: Arc<Semaphore>,
}

/// A hold on a stored file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold(Uuid);

/// What became of a file of the store that a command is to refer to.
pub enum Adoption {
    /// Stored and held under the hash of its content.
    Adopted(Picture, Hold),
    Missing,
    Unfit(PictureError),
}

/// What became of a file that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Deleted,
    /// An image refers to it, or it was touched too recently.
    Kept,
    /// An upload holds it.
    Held,
}

/// Why a file cannot be stored, found or deleted.
#[derive(Debug, Error)]
pub enum MediaError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    OtherOwner(#[from] OtherOwner),
    #[error(transparent)]
    Owned(#[from] OwnedStore),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error("too many pictures are being processed")]
    Busy,
    #[error("the file of a picture was deleted again and again")]
    Contended,
    #[error("the processing of a picture ended early")]
    Panicked,
}

/// Pictures that are decoded at the same time; each may take 256 MiB.
const CONCURRENT_DECODERS: usize = 2;
/// How long an upload waits for its turn.
const DECODER_WAIT: Duration = Duration::from_secs(4);
/// How long a hold lasts that its command does not release: longer than any request.
const HOLD: Duration = Duration::from_secs(600);
/// How often storing starts anew because the file was deleted meanwhile.
const ATTEMPTS: usize = 5;

impl MediaFiles {
    pub fn new(store: MediaStore, pool: PgPool) -> Self {
        Self { store, pool, decoders: Arc::new(Semaphore::new(CONCURRENT_DECODERS)) }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Checks and encodes an upload, on a thread of its own.
    pub async fn prepare(&self, upload: Vec<u8>) -> Result<Result<PreparedPicture, PictureError>, MediaError> {
        self.decode(move || pictures::prepare(&upload)).await
    }

    /// Stores a picture with its thumbnails, and holds it.
    pub async fn keep(&self, prepared: &PreparedPicture) -> Result<Hold, MediaError> {
        self.require_own_store().await?;
        let name = prepared.picture.name();
        for _ in 0..ATTEMPTS {
            let (hold, incarnation) = self.hold(&name).await?;
            failpoint!("media-held");
            match self.write(prepared, incarnation).await {
                Ok(true) => return Ok(hold),
                Ok(false) => {}
                Err(error) => {
                    // If the database is unavailable too, the hold ends by itself.
                    let _ = self.release(hold).await;
                    return Err(error);
                }
            }
        }
        Err(MediaError::Contended)
    }

    /// Writes a held file and marks it as stored; false if it was deleted meanwhile. It is always written, because an
    /// earlier process may have died between the deletion of the file and that of its row.
    async fn write(&self, prepared: &PreparedPicture, incarnation: Uuid) -> Result<bool, MediaError> {
        let name = prepared.picture.name();
        self.store.put(&storage_path(&name), prepared.content.clone()).await?;
        self.put_thumbnails(&name, &prepared.thumbnails).await?;
        failpoint!("media-stored");
        self.mark_stored(&name, incarnation).await
    }

    /// Finds a file of the store by its path and holds it. A file under another name than its hash is stored anew, as an
    /// upload is.
    pub async fn adopt(&self, path: &str) -> Result<Adoption, MediaError> {
        self.require_own_store().await?;
        let Some(name) = name_of(path) else { return self.adopt_other(path).await };
        for _ in 0..ATTEMPTS {
            let (hold, incarnation) = self.hold(&name).await?;
            let unfit = match inspect_named(&self.store, path, name.clone()).await? {
                Some(Ok(picture)) => {
                    if self.mark_stored(&name, incarnation).await? {
                        return Ok(Adoption::Adopted(picture, hold));
                    }
                    continue;
                }
                Some(Err(error)) => Adoption::Unfit(error),
                None => Adoption::Missing,
            };
            self.release(hold).await?;
            return Ok(unfit);
        }
        Err(MediaError::Contended)
    }

    async fn adopt_other(&self, path: &str) -> Result<Adoption, MediaError> {
        let content = match read_other(&self.store, path).await? {
            Some(Ok(content)) => content,
            Some(Err(error)) => return Ok(Adoption::Unfit(error)),
            None => return Ok(Adoption::Missing),
        };
        match self.prepare(content).await? {
            Ok(prepared) => {
                let hold = self.keep(&prepared).await?;
                Ok(Adoption::Adopted(prepared.picture, hold))
            }
            Err(error) => Ok(Adoption::Unfit(error)),
        }
    }

    /// Ends a hold after its command, whatever became of it. A hold that is not ended ends by itself.
    pub async fn release(&self, Hold(hold_id): Hold) -> Result<(), MediaError> {
        sqlx::query("delete from media_hold where hold_id = $1").bind(hold_id).execute(&self.pool).await?;
        Ok(())
    }

    /// A stored picture, or its thumbnail of a width; `None` if the picture does not exist. A picture that is not wider is
    /// its own thumbnail.
    pub async fn find(&self, name: &PictureName, width: Option<u32>) -> Result<Option<GetResult>, MediaError> {
        let path = storage_path(name);
        let Some(width) = width.filter(|width| THUMBNAIL_WIDTHS.contains(width)) else {
            return Ok(self.store.get(&path).await?);
        };
        let thumbnail = thumbnail_path(name, width);
        if let Some(found) = self.store.get(&thumbnail).await? {
            return Ok(Some(found));
        }
        let Some(beginning) = self.store.beginning(&path, BEGINNING_BYTES).await? else { return Ok(None) };
        if pictures::measure(&beginning).is_ok_and(|(_, actual, _)| actual > width) {
            // A file that was not uploaded, but put into the store: its thumbnails are made once.
            self.make_thumbnails(name).await?;
            if let Some(found) = self.store.get(&thumbnail).await? {
                return Ok(Some(found));
            }
        }
        Ok(self.store.get(&path).await?)
    }

    /// Deletes a file and its thumbnails, unless an image refers to it, an upload holds it, or it was touched within
    /// `min_age`.
    pub async fn delete_unreferenced(&self, name: &PictureName, min_age: Duration) -> Result<Deletion, MediaError> {
        self.require_own_store().await?;
        let mut transaction = begin_transaction(&self.pool, "begin").await?;
        // A file that only the store knows gets a row, so that an upload of the same content waits.
        sqlx::query("insert into media_file (name, touched_at) values ($1, '-infinity') on conflict do nothing")
            .bind(name.to_string())
            .execute(&mut *transaction)
            .await?;
        // A row that need not be locked is not: a command would take the file for one that is being deleted.
        let lock = "select name from media_file as file
             where name = $1 and touched_at <= clock_timestamp() - $2
                 and not exists (select from media_reference as reference where reference.name = file.name)
                 and not exists (select from media_hold as hold where hold.name = file.name
                     and held_until > clock_timestamp())
             for update";
        let locked: Option<String> =
            sqlx::query_scalar(lock).bind(name.to_string()).bind(min_age).fetch_optional(&mut *transaction).await?;
        // Again, because the first look may be older than the lock.
        let used = "select case
                 when exists (select from media_reference where name = $1) then 'referenced'
                 when exists (select from media_hold where name = $1 and held_until > clock_timestamp()) then 'held'
             end";
        let used: Option<String> = sqlx::query_scalar(used).bind(name.to_string()).fetch_one(&mut *transaction).await?;
        if used.is_some() || locked.is_none() {
            transaction.rollback().await?;
            return Ok(if used.as_deref() == Some("held") { Deletion::Held } else { Deletion::Kept });
        }
        for width in THUMBNAIL_WIDTHS {
            self.store.delete(&thumbnail_path(name, width)).await?;
        }
        failpoint!("media-thumbnails-deleted");
        self.store.delete(&storage_path(name)).await?;
        failpoint!("media-deleted");
        sqlx::query("delete from media_file where name = $1").bind(name.to_string()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Deletion::Deleted)
    }

    /// Holds a file that may not exist yet, and returns the incarnation that is to be marked as stored. Waits while the
    /// file is being deleted.
    async fn hold(&self, name: &PictureName) -> Result<(Hold, Uuid), MediaError> {
        let hold_id = Uuid::now_v7();
        let incarnation = sqlx::query_scalar(
            "with file as (
                insert into media_file as known (name) values ($1)
                on conflict (name) do update set touched_at = clock_timestamp()
                returning incarnation
            ),
            hold as (
                insert into media_hold (hold_id, name, held_until) values ($2, $1, clock_timestamp() + $3)
            )
            select incarnation from file",
        )
        .bind(name.to_string())
        .bind(hold_id)
        .bind(HOLD)
        .fetch_one(&self.pool)
        .await?;
        Ok((Hold(hold_id), incarnation))
    }

    /// False if the file was deleted since it was held.
    async fn mark_stored(&self, name: &PictureName, incarnation: Uuid) -> Result<bool, MediaError> {
        let mark = "update media_file set stored = true where name = $1 and incarnation = $2";
        let marked = sqlx::query(mark).bind(name.to_string()).bind(incarnation).execute(&self.pool).await?;
        Ok(marked.rows_affected() > 0)
    }

    async fn make_thumbnails(&self, name: &PictureName) -> Result<(), MediaError> {
        let Some(found) = self.store.get(&storage_path(name)).await? else { return Ok(()) };
        let content = found.bytes().await.map_err(StoreError::from)?;
        match self.decode(move || pictures::thumbnails_of(&content)).await? {
            Ok(thumbnails) => self.put_thumbnails(name, &thumbnails).await,
            Err(error) => {
                tracing::warn!(%name, %error, "cannot make thumbnails");
                Ok(())
            }
        }
    }

    async fn put_thumbnails(&self, name: &PictureName, thumbnails: &[Thumbnail]) -> Result<(), MediaError> {
        let put = |thumbnail: &Thumbnail| {
            let (path, content) = (thumbnail_path(name, thumbnail.width), thumbnail.content.clone());
            async move { self.store.put(&path, content).await }
        };
        try_join_all(thumbnails.iter().map(put)).await?;
        Ok(())
    }

    /// Runs slow work on a thread for blocking work, a few at the same time.
    async fn decode<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, MediaError> {
        let waited = tokio::time::timeout(DECODER_WAIT, Arc::clone(&self.decoders).acquire_owned()).await;
        let Ok(Ok(permit)) = waited else { return Err(MediaError::Busy) };
        // The permit goes with the work: a request that ends early does not end its thread.
        let run = move || {
            let done = work();
            drop(permit);
            done
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| MediaError::Panicked)
    }
}
