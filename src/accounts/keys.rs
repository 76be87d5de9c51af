//! The keys that access tokens are signed with.
//!
//! The private half is a file in this node's data folder. The public half is in the database, so that every node honours
//! the tokens of every other. A newer key takes over; tokens of the one before are honoured until they end. A node whose
//! key was retired by another, or is refused, makes a new one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind::NotFound;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use chrono::Utc;
use jsonwebtoken::EncodingKey;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum KeysError {
    #[error("{} cannot be used: {cause}", path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error("{} is no Ed25519 key in PKCS#8 form", .0.display())]
    Unreadable(PathBuf),
    #[error("a key cannot be made")]
    Generation,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A private key of this node.
pub(super) struct SigningKey {
    /// The beginning of the SHA-256 of the public half: the `kid` of its tokens.
    pub id: String,
    pub encoding: EncodingKey,
    public: Vec<u8>,
    path: PathBuf,
}

/// The folder of this node's keys, and the newest of them.
pub struct TokenKeys {
    folder: PathBuf,
    newest: RwLock<Arc<SigningKey>>,
}

const EXTENSION: &str = "pk8";

impl TokenKeys {
    /// Takes the newest key of the folder; makes the folder and a first key where there is none.
    pub async fn open(folder: &Path, pool: &PgPool) -> Result<Self, KeysError> {
        let newest = open_newest(folder, pool).await?;
        Ok(Self { folder: folder.to_owned(), newest: RwLock::new(Arc::new(newest)) })
    }

    pub(super) fn newest(&self) -> Arc<SigningKey> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a key over that was put into the folder since, or makes one if the present one is no longer in force.
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

    /// Makes a key for the next node that takes its keys from the folder.
    pub fn create_key_file(folder: &Path) -> Result<String, KeysError> {
        create_key(folder).map(|key| key.id)
    }

    /// Makes a new key; a running node takes it over at once. With `refuse_others`, no token of any other key is honoured
    /// from now on, and none of those keys is taken again: for a key that got into wrong hands. Other nodes make new ones.
    pub async fn rotate(folder: &Path, pool: &PgPool, refuse_others: bool) -> Result<String, KeysError> {
        let key = create_key(folder)?;
        if refuse_others {
            sqlx::query("update token_key set retired_at = '-infinity'").execute(pool).await?;
        }
        publish(&key, folder, pool).await?;
        Ok(key.id)
    }
}

/// The newest key of the folder, made known; a new one, if there is none or it is no longer in force.
async fn open_newest(folder: &Path, pool: &PgPool) -> Result<SigningKey, KeysError> {
    loop {
        let newest = match newest_file(folder)?.map(read_key) {
            None => create_key(folder)?,
            Some(Ok(key)) => key,
            // Another node with the same folder has a newer one.
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

/// Whether the key was made known, and neither retired nor refused since.
async fn is_in_force(key: &SigningKey, pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from token_key where key_id = $1 and retired_at is null)")
        .bind(&key.id)
        .fetch_one(pool)
        .await
}

/// Makes the public half known, and retires the older keys of the folder: nothing is signed with them any more.
async fn publish(key: &SigningKey, folder: &Path, pool: &PgPool) -> Result<(), KeysError> {
    let older: Vec<PathBuf> = key_files(folder)?.into_iter().take_while(|path| *path != key.path).collect();
    let mut retired = Vec::new();
    for path in &older {
        // Of several nodes with one folder, another may have retired it first.
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
    // The time goes first, so that the newest is the last by name, even after a clock was set back.
    let made_at =
        Utc::now().timestamp_millis().max(newest_file(folder)?.and_then(|path| made_at(&path)).unwrap_or(0) + 1);
    let path = folder.join(format!("{made_at:013}-{id}.{EXTENSION}"));
    let draft = path.with_extension("draft");
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(document.as_ref())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    });
    written.map_err(|cause| folder_error(&draft, cause))?;
    // Not read from the file: another node with the same folder may have retired it by now.
    let encoding = EncodingKey::from_ed_der(document.as_ref());
    Ok(SigningKey { id, encoding, public: pair.public_key().as_ref().to_vec(), path })
}

/// The time in the name of a key's file, in milliseconds.
fn made_at(path: &Path) -> Option<i64> {
    let (made_at, _) = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.split_once('-')?;
    made_at.parse().ok()
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

/// The files of keys, oldest first; what is named otherwise is none.
fn key_files(folder: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == NotFound => return Ok(vec![]),
        Err(cause) => return Err(folder_error(folder, cause)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let dated = |path: PathBuf| Some((made_at(&path)?, path));
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
