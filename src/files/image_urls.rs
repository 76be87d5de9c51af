//! Addresses of all images: the base that they begin with, and the files behind them.

use std::fmt;

use futures_util::{StreamExt, stream};

use super::holds::MediaFiles;
use super::store::storage_path;
use crate::domain::picture::PictureName;

/// What a recomputation of all addresses found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageUrlsReport {
    /// Products whose addresses are others now.
    pub changed: u64,
    pub unchanged: u64,
    /// Images whose file is not in the store, or cannot be looked up.
    pub missing: u64,
    /// The first of them.
    pub missing_files: Vec<MissingFile>,
}

/// An image without its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFile {
    pub product_id: i64,
    pub image_id: i64,
    /// Path in the store.
    pub path: String,
    pub reason: String,
}

struct ShownImage {
    image_id: i64,
    product_id: i64,
    hash: String,
    extension: String,
}

/// Images that a report names.
const MAX_MISSING: usize = 100;
/// Images that are read together.
const BATCH: i64 = 1_000;
/// Files that are looked up at the same time.
const LOOKUPS: usize = 16;

/// Counts the products whose addresses a change of the base changes, and looks for the file of every image.
pub async fn check_image_urls(files: &MediaFiles, base_changed: bool) -> Result<ImageUrlsReport, sqlx::Error> {
    let pool = files.pool();
    let products: i64 = sqlx::query_scalar("select count(*) from products").fetch_one(pool).await?;
    let with_images: i64 =
        sqlx::query_scalar("select count(distinct product_id) from product_images").fetch_one(pool).await?;
    let changed = if base_changed { with_images } else { 0 };
    let mut report = ImageUrlsReport {
        changed: changed.unsigned_abs(),
        unchanged: (products - changed).unsigned_abs(),
        ..ImageUrlsReport::default()
    };
    let mut after = 0;
    loop {
        let images = sqlx::query_file_as!(ShownImage, "projections/product_images/files.sql", after, BATCH)
            .fetch_all(pool)
            .await?;
        let Some(last) = images.last().map(|image| image.image_id) else { return Ok(report) };
        after = last;
        let looked_up = stream::iter(images).map(|image| look_up(files, image)).buffered(LOOKUPS);
        let missing: Vec<_> = looked_up.filter_map(|missing| async { missing }).collect().await;
        report.missing += missing.len() as u64;
        let space = MAX_MISSING.saturating_sub(report.missing_files.len());
        report.missing_files.extend(missing.into_iter().take(space));
    }
}

async fn look_up(files: &MediaFiles, image: ShownImage) -> Option<MissingFile> {
    let ShownImage { image_id, product_id, hash, extension } = image;
    let name: PictureName = format!("{hash}.{extension}").parse().ok()?;
    let path = storage_path(&name);
    let reason = match files.store.head(&path).await {
        Ok(Some(_)) => return None,
        Ok(None) => "not in the media store".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(MissingFile { product_id, image_id, path, reason })
}

impl fmt::Display for ImageUrlsReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, unchanged, missing, .. } = self;
        write!(formatter, "products changed {changed}, unchanged {unchanged}; missing files {missing}")
    }
}
