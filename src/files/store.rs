//! The media store: files by path, in a folder or a bucket. It knows nothing of images and references.

use std::io::ErrorKind;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, ClientConfigKey, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};
use thiserror::Error;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::MediaLocation;
use crate::domain::picture::PictureName;

/// A media store. Cheap to clone.
#[derive(Clone)]
pub struct MediaStore(Arc<StoreParts>);

struct StoreParts {
    objects: Arc<dyn ObjectStore>,
    location: Option<MediaLocation>,
    /// Whether the store is this shop's; `None` until it was compared.
    is_own: StdMutex<Option<bool>>,
    /// When the store was last tried, and why it could not be written.
    probe: Mutex<Option<(Instant, Option<String>)>>,
}

/// The media store cannot be used.
#[derive(Debug, Error)]
#[error("media store: {0}")]
pub struct StoreError(#[from] object_store::Error);

/// How long the result of a probe counts.
const PROBE_KEPT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Marks a folder that the shop created.
const OWN_FOLDER: &str = ".cartwright-media";
/// Where probes are written.
const PROBES: &str = "probes";

impl MediaStore {
    /// Opens a store, which may be unavailable: nothing is read, written or sent yet.
    pub fn open(location: &MediaLocation) -> anyhow::Result<Self> {
        let objects: Arc<dyn ObjectStore> = match location {
            MediaLocation::Folder(folder) => {
                let root = Path::from_absolute_path(std::path::absolute(folder)?)?;
                Arc::new(PrefixStore::new(LocalFileSystem::new().with_fsync(true), root))
            }
            MediaLocation::Bucket(url) => {
                let retry =
                    RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: REQUEST_TIMEOUT };
                let bucket = AmazonS3Builder::from_env()
                    .with_url(format!("s3://{}", url.host_str().unwrap_or_default()))
                    // Added to what the variables set.
                    .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), "5s")
                    .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), "5s")
                    .with_retry(retry)
                    .build()?;
                Arc::new(PrefixStore::new(bucket, Path::from_url_path(url.path())?))
            }
        };
        Ok(Self::of(objects, Some(location.clone())))
    }

    /// A store in memory.
    pub fn in_memory() -> Self {
        Self::of(Arc::new(InMemory::new()), None)
    }

    /// A store over any objects.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self::of(objects, None)
    }

    fn of(objects: Arc<dyn ObjectStore>, location: Option<MediaLocation>) -> Self {
        Self(Arc::new(StoreParts { objects, location, is_own: StdMutex::default(), probe: Mutex::default() }))
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &*self.0.objects
    }

    /// Where the store is, for messages.
    pub(super) fn name(&self) -> String {
        self.0.location.as_ref().map_or_else(|| "in memory".to_owned(), MediaLocation::to_string)
    }

    /// Whether the store is this shop's; `None` until it was compared.
    pub(super) fn is_own(&self) -> Option<bool> {
        *self.0.is_own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_own(&self, is_own: bool) {
        *self.0.is_own.lock().unwrap_or_else(PoisonError::into_inner) = Some(is_own);
    }

    /// The folder, if the store is local.
    pub fn folder(&self) -> Option<&FilePath> {
        self.0.location.as_ref().and_then(MediaLocation::folder)
    }

    /// Creates the folder of a local store, and marks it as the shop's if it is new or empty.
    pub fn prepare_folder(&self) -> std::io::Result<()> {
        let Some(folder) = self.folder() else { return Ok(()) };
        std::fs::create_dir_all(folder)?;
        if std::fs::read_dir(folder)?.next().is_none() {
            std::fs::write(
                folder.join(OWN_FOLDER),
                "This folder belongs to cartwright, which deletes unused files in it.\n",
            )?;
        }
        Ok(())
    }

    /// Whether every file of the store is the shop's: a local folder that the shop created, or found empty.
    pub(super) fn is_own_folder(&self) -> bool {
        self.folder().is_some_and(|folder| folder.join(OWN_FOLDER).is_file())
    }

    /// Stores a file, whole or not at all. An existing file is replaced.
    pub async fn put(&self, path: &str, content: impl Into<PutPayload>) -> Result<(), StoreError> {
        self.0.objects.put(&Path::from(path), content.into()).await?;
        Ok(())
    }

    /// A file; `None` if it does not exist.
    pub async fn get(&self, path: &str) -> Result<Option<GetResult>, StoreError> {
        match self.0.objects.get(&Path::from(path)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// The first bytes of a file, at most `length`; `None` if it does not exist.
    pub async fn beginning(&self, path: &str, length: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(meta) = self.head(path).await? else { return Ok(None) };
        let length = length.min(meta.size);
        if length == 0 {
            return Ok(Some(Vec::new()));
        }
        Ok(Some(self.0.objects.get_range(&Path::from(path), 0..length).await?.to_vec()))
    }

    /// What is known of a file; `None` if it does not exist.
    pub async fn head(&self, path: &str) -> Result<Option<ObjectMeta>, StoreError> {
        match self.0.objects.head(&Path::from(path)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// Deletes a file; a file that does not exist is fine.
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        match self.0.objects.delete(&Path::from(path)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            deleted => Ok(deleted?),
        }
    }

    /// Every file. Of a folder, only those that the store wrote completely.
    pub fn list(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.objects.list(None)
    }

    /// Why the store cannot be written; `None` if it can. Tries it at most twice a minute.
    pub async fn problem(&self) -> Option<String> {
        if self.is_own() == Some(false) {
            return Some("it belongs to another shop".to_owned());
        }
        let mut probe = self.0.probe.lock().await;
        if let Some((tried, problem)) = &*probe
            && tried.elapsed() < PROBE_KEPT
        {
            return problem.clone();
        }
        let problem = match tokio::time::timeout(REQUEST_TIMEOUT, self.try_write()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(self.describe(&error)),
            Err(_) => Some("it does not answer".to_owned()),
        };
        *probe = Some((Instant::now(), problem.clone()));
        problem
    }

    async fn try_write(&self) -> Result<(), StoreError> {
        let path = format!("{PROBES}/{}", Uuid::now_v7());
        self.put(&path, b"probe".to_vec()).await?;
        self.delete(&path).await
    }

    /// The reason in short, without paths or addresses: `/health/ready` is public.
    fn describe(&self, error: &StoreError) -> String {
        let mut source: Option<&dyn std::error::Error> = Some(&error.0);
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                return match error.kind() {
                    ErrorKind::PermissionDenied => "permission denied".to_owned(),
                    ErrorKind::StorageFull => "no space left".to_owned(),
                    ErrorKind::ReadOnlyFilesystem => "read-only".to_owned(),
                    ErrorKind::NotFound => "the folder does not exist".to_owned(),
                    kind => kind.to_string(),
                };
            }
            source = error.source();
        }
        "the log has the reason".to_owned()
    }
}

/// Path of a picture in the store. Folders of the first two digits keep each of them small.
pub fn storage_path(name: &PictureName) -> String {
    format!("images/{}/{name}", &name.hash.as_str()[..2])
}

/// Path of a thumbnail in the store.
pub(super) fn thumbnail_path(name: &PictureName, width: u32) -> String {
    let hash = name.hash.as_str();
    format!("thumbnails/{}/{hash}-{width}.{}", &hash[..2], name.extension.as_str())
}

/// The picture that a path of the store belongs to, itself or as a thumbnail; `None` for other files.
pub(super) fn picture_of(path: &str) -> Option<PictureName> {
    let file = path.rsplit('/').next()?;
    let of_thumbnail = |file: &str| {
        let (hash, rest) = file.split_once('-')?;
        let (_, extension) = rest.split_once('.')?;
        format!("{hash}.{extension}").parse().ok()
    };
    match path.split('/').next()? {
        "images" => file.parse().ok().filter(|name| storage_path(name) == path),
        "thumbnails" => of_thumbnail(file),
        _ => None,
    }
}

impl MediaStore {
    /// The local path of a file of the store; `None` for a bucket.
    pub(super) fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join(path))
    }
}
