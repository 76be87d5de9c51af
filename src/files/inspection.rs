//! What a file of the media store is, without a word in the database.

use super::holds::MediaError;
use super::pictures::{self, MAX_PICTURE_BYTES, PictureError};
use super::store::{MediaStore, StoreError, storage_path};
use crate::domain::picture::{Picture, PictureName};

/// Where the format and the size of a picture end, at the latest.
pub(super) const BEGINNING_BYTES: u64 = 256 * 1024;

/// The name of a picture, if a path of the store is the one of its content.
pub(super) fn name_of(path: &str) -> Option<PictureName> {
    let name: PictureName = path.rsplit('/').next()?.parse().ok()?;
    (storage_path(&name) == path).then_some(name)
}

/// The picture that a file of the store would be, or why it is none; `None` if there is no such file.
pub async fn inspect(store: &MediaStore, path: &str) -> Result<Option<Result<Picture, PictureError>>, MediaError> {
    match name_of(path) {
        Some(name) => inspect_named(store, path, name).await,
        None => {
            let Some(content) = read_other(store, path).await? else { return Ok(None) };
            let prepared = content.map(|content| tokio::task::spawn_blocking(move || pictures::prepare(&content)));
            Ok(Some(match prepared {
                Ok(prepared) => prepared.await.map_err(|_| MediaError::Panicked)?.map(|prepared| prepared.picture),
                Err(error) => Err(error),
            }))
        }
    }
}

/// A file that has the name of its content: only its beginning is read.
pub(super) async fn inspect_named(
    store: &MediaStore,
    path: &str,
    name: PictureName,
) -> Result<Option<Result<Picture, PictureError>>, MediaError> {
    let Some(head) = store.head(path).await? else { return Ok(None) };
    let beginning = store.beginning(path, BEGINNING_BYTES).await?.unwrap_or_default();
    Ok(Some(match pictures::measure(&beginning) {
        Ok((extension, width, height)) if extension == name.extension => {
            Ok(Picture { hash: name.hash, extension, width, height, bytes: head.size })
        }
        Ok(_) => Err(PictureError::UnknownFormat),
        Err(error) => Err(error),
    }))
}

/// The content of a file under another name; `None` if there is no such file.
pub(super) async fn read_other(
    store: &MediaStore,
    path: &str,
) -> Result<Option<Result<Vec<u8>, PictureError>>, MediaError> {
    let Some(found) = store.get(path).await? else { return Ok(None) };
    if found.meta.size > MAX_PICTURE_BYTES as u64 {
        return Ok(Some(Err(PictureError::TooManyBytes)));
    }
    Ok(Some(Ok(found.bytes().await.map_err(StoreError::from)?.to_vec())))
}
