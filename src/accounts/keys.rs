//! Signing keys of access tokens.
//!
//! The private key is a file in this node's key folder. The public key is in the database, so that every node accepts
//! the tokens of every other. A newer key replaces an older one, whose tokens stay valid until they expire. A node whose
//! key was retired or revoked creates a new one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind::NotFound;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jsonwebtoken::EncodingKey;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use thiserror::Error;

use crate::clock::node_time;

#[derive(Debug, Error)]
pub enum KeysError {
    #[error("cannot use {}: {cause}", path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error("{} is not an Ed25519 key in PKCS#8 format", .0.display())]
    Unreadable(PathBuf),
    #[error("cannot generate a signing key")]
    Generation,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A private key of this node.
pub(super) struct SigningKey {
    /// Start of the SHA-256 of the public key; the `kid` of its tokens.
    pub id: String,
    pub encoding: EncodingKey,
    public: Vec<u8>,
    path: PathBuf,
}

/// Key folder of this node, with its newest key loaded.
pub struct TokenKeys {
    folder: PathBuf,
    newest: RwLock<Arc<SigningKey>>,
}

const EXTENSION: &str = "pk8";

impl TokenKeys {
    /// Loads the newest key of the folder; creates the folder and a first key if needed.
    pub async fn open(folder: &Path, pool: &PgPool) -> Result<Self, KeysError> {
        let newest = open_newest(folder, pool).await?;
        Ok(Self { folder: folder.to_owned(), newest: RwLock::new(Arc::new(newest)) })
    }

    pub(super) fn newest(&self) -> Arc<SigningKey> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads a newer key from the folder; creates one if the current key was retired or revoked.
    pub(super) async fn reload(&self, pool: &PgPool) -> Result<(), KeysError> {
        let present = self.newest();
        let is_newest = newest_file(&self.folder)?.is_none_or(|path| path == present.path);
        if is_newest && is_in_force(&present, pool).await? {
            return Ok(());
        }
        let newest = open_newest(&self.folder, pool).await?;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(newest);
        Ok(())
    }

    /// Creates a key file for the next node that uses the folder; returns the key's id.
    pub fn create_key_file(folder: &Path) -> Result<String, KeysError> {
        create_key(folder).map(|key| key.id)
    }

    /// Creates a new key, which a running node loads immediately; returns the key's id.
    ///
    /// With `refuse_others`, all other keys and their tokens become invalid at once; other nodes create new keys. Use it
    /// when a key has leaked.
    pub async fn rotate(folder: &Path, pool: &PgPool, refuse_others: bool) -> Result<String, KeysError> {
        let key = create_key(folder)?;
        if refuse_others {
            sqlx::query("update token_key set retired_at = '-infinity'").execute(pool).await?;
        }
        publish(&key, folder, pool).await?;
        Ok(key.id)
    }
}

/// Loads and publishes the newest key of the folder; creates one if there is none or it was retired or revoked.
async fn open_newest(folder: &Path, pool: &PgPool) -> Result<SigningKey, KeysError> {
    loop {
        let newest = match newest_file(folder)?.map(read_key) {
            None => create_key(folder)?,
            Some(Ok(key)) => key,
            // Another node with the same folder has retired it.
            Some(Err(KeysError::Folder { cause, .. })) if cause.kind() == NotFound => continue,
            Some(Err(error)) => return Err(error),
        };
        publish(&newest, folder, pool).await?;
        if is_in_force(&newest, pool).await? {
            return Ok(newest);
        }
        create_key(folder)?;
    }
}

/// Returns whether the key is published and neither retired nor revoked.
async fn is_in_force(key: &SigningKey, pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from token_key where key_id = $1 and retired_at is null)")
        .bind(&key.id)
        .fetch_one(pool)
        .await
}

/// Publishes the public key, and retires the older keys of the folder.
async fn publish(key: &SigningKey, folder: &Path, pool: &PgPool) -> Result<(), KeysError> {
    let older: Vec<PathBuf> = key_files(folder)?.into_iter().take_while(|path| *path != key.path).collect();
    let mut retired = Vec::new();
    for path in &older {
        // Another node with the same folder may have retired it first.
        match read_key(path.clone()) {
            Ok(older) => retired.push(older.id),
            Err(KeysError::Folder { cause, .. }) if cause.kind() == NotFound => {}
            Err(error) => return Err(error),
        }
    }
    sqlx::query(
        "insert into token_key (key_id, public_key, created_at) values ($1, $2, clock_timestamp())
         on conflict (key_id) do nothing",
    )
    .bind(&key.id)
    .bind(&key.public)
    .execute(pool)
    .await?;
    sqlx::query("update token_key set retired_at = clock_timestamp() where key_id = any($1) and retired_at is null")
        .bind(&retired)
        .execute(pool)
        .await?;
    for path in &older {
        match fs::remove_file(path) {
            Err(cause) if cause.kind() != NotFound => return Err(folder_error(path, cause)),
            _ => {}
        }
    }
    Ok(())
}

fn create_key(folder: &Path) -> Result<SigningKey, KeysError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|cause| folder_error(folder, cause))?;
    let pair = Ed25519KeyPair::generate().map_err(|_| KeysError::Generation)?;
    let document = pair.to_pkcs8().map_err(|_| KeysError::Generation)?;
    let id = key_id(pair.public_key().as_ref());
    // The name begins with the time, so that the newest file sorts last, even after a clock was set
    // back. It is compared with other names only.
    let created_at_ms =
        node_time().timestamp_millis().max(newest_file(folder)?.and_then(|path| created_at_ms(&path)).unwrap_or(0) + 1);
    let path = folder.join(format!("{created_at_ms:013}-{id}.{EXTENSION}"));
    let draft = path.with_extension("draft");
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(document.as_ref())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    });
    written.map_err(|cause| folder_error(&draft, cause))?;
    // Built from memory: another node with the same folder may already have removed the file.
    let encoding = EncodingKey::from_ed_der(document.as_ref());
    Ok(SigningKey { id, encoding, public: pair.public_key().as_ref().to_vec(), path })
}

/// Creation time in the name of a key file, in milliseconds.
fn created_at_ms(path: &Path) -> Option<i64> {
    let (created_at_ms, _) = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.split_once('-')?;
    created_at_ms.parse().ok()
}

fn read_key(path: PathBuf) -> Result<SigningKey, KeysError> {
    let document = fs::read(&path).map_err(|cause| folder_error(&path, cause))?;
    let Ok(pair) = Ed25519KeyPair::from_pkcs8(&document) else { return Err(KeysError::Unreadable(path)) };
    let public = pair.public_key().as_ref().to_vec();
    Ok(SigningKey { id: key_id(&public), encoding: EncodingKey::from_ed_der(&document), public, path })
}

fn newest_file(folder: &Path) -> Result<Option<PathBuf>, KeysError> {
    Ok(key_files(folder)?.pop())
}

/// Key files of the folder, oldest first. Files with other names are ignored.
fn key_files(folder: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == NotFound => return Ok(vec![]),
        Err(cause) => return Err(folder_error(folder, cause)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let dated = |path: PathBuf| Some((created_at_ms(&path)?, path));
    let mut dated: Vec<_> = paths.map_err(|cause| folder_error(folder, cause))?.into_iter().filter_map(dated).collect();
    dated.sort();
    Ok(dated.into_iter().map(|(_, path)| path).collect())
}

fn folder_error(path: &Path, cause: std::io::Error) -> KeysError {
    KeysError::Folder { path: path.to_owned(), cause }
}

fn key_id(public: &[u8]) -> String {
    hex::encode(&Sha256::digest(public)[..8])
}
