//! Images of deployed products: their files are found in the media store before the rows are applied.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sqlx::PgPool;

use super::Target;
use super::apply::RowOutcome;
use super::rows::ImageRow;
use crate::domain::ids::{ImageId, ProductId};
use crate::domain::picture::{Picture, PictureName};
use crate::domain::product::Product;
use crate::files::{Adoption, Hold, MediaFiles, PictureError, inspect, storage_path};
use crate::journal::{Interrupt, UnitOfWork, UseCase};
use crate::shop::{AddImage, PictureFile, ReorderImages, ReplaceImage};

/// An image of a file whose picture is in the media store.
#[derive(Clone, Debug)]
pub(super) struct WantedImage {
    pub image_id: ImageId,
    pub picture: Picture,
    pub created_at: Option<DateTime<Utc>>,
}

/// The pictures of the images of some rows, held in the media store until the rows are applied.
#[derive(Default)]
pub(super) struct FoundPictures {
    pictures: HashMap<i64, Result<Picture, String>>,
    holds: Vec<Hold>,
}

/// Files that are looked for at the same time.
const CONCURRENT_FILES: usize = 8;

impl FoundPictures {
    /// Finds the pictures of images. A new shop holds none of them yet.
    pub async fn find(target: Target<'_>, images: &[ImageRow]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        match target {
            _ if images.is_empty() => {}
            Target::Shop(shop) => found.adopt(shop.media, shop.pool, images).await?,
            Target::NewShop(store) => {
                let inspected = images
                    .iter()
                    .map(|image| async move { Ok::<_, anyhow::Error>((image, inspect(store, &image.path).await?)) });
                let mut inspected = stream::iter(inspected).buffered(CONCURRENT_FILES);
                while let Some((image, inspected)) = inspected.try_next().await? {
                    let picture = match inspected {
                        Some(picture) => picture.map_err(|error| unfit(image, &error)),
                        None => Err(missing(image)),
                    };
                    found.pictures.insert(image.image_id, picture);
                }
            }
        }
        Ok(found)
    }

    /// Holds the pictures of images. An image that the shop has with the same picture needs no look into the store.
    async fn adopt(&mut self, media: &MediaFiles, pool: &PgPool, images: &[ImageRow]) -> anyhow::Result<()> {
        let ids: Vec<i64> = images.iter().map(|image| image.image_id).collect();
        let known = sqlx::query_file!("src/catalogue/queries/known_pictures.sql", &ids).fetch_all(pool).await?;
        let mut known: HashMap<i64, Picture> = known
            .into_iter()
            .filter_map(|row| {
                let name: PictureName = format!("{}.{}", row.hash, row.extension).parse().ok()?;
                let picture = Picture {
                    hash: name.hash,
                    extension: name.extension,
                    width: row.width.try_into().ok()?,
                    height: row.height.try_into().ok()?,
                    bytes: row.bytes.try_into().ok()?,
                };
                Some((row.image_id, picture))
            })
            .collect();
        known.retain(|id, picture| {
            images.iter().any(|image| image.image_id == *id && storage_path(&picture.name()) == image.path)
        });
        let unknown: Vec<_> = images.iter().filter(|image| !known.contains_key(&image.image_id)).collect();
        let adopted = unknown
            .into_iter()
            .map(|image| async move { Ok::<_, anyhow::Error>((image, media.adopt(&image.path).await?)) });
        let mut adopted = stream::iter(adopted).buffered(CONCURRENT_FILES);
        while let Some((image, adoption)) = adopted.try_next().await? {
            let picture = match adoption {
                Adoption::Adopted(picture, hold) => {
                    self.holds.push(hold);
                    Ok(picture)
                }
                Adoption::Missing => Err(missing(image)),
                Adoption::Unfit(error) => Err(unfit(image, &error)),
            };
            self.pictures.insert(image.image_id, picture);
        }
        self.pictures.extend(known.into_iter().map(|(id, picture)| (id, Ok(picture))));
        Ok(())
    }

    /// The image with its picture, or why it has none.
    pub fn wanted(&self, image: &ImageRow) -> Result<WantedImage, String> {
        match self.pictures.get(&image.image_id) {
            Some(Ok(picture)) => Ok(WantedImage {
                image_id: ImageId(image.image_id),
                picture: picture.clone(),
                created_at: image.created_at,
            }),
            Some(Err(error)) => Err(error.clone()),
            None => Err(missing(image)),
        }
    }

    /// Ends the holds, once the rows are applied or given up. A hold that is not ended ends by itself.
    pub async fn release(self, target: Target<'_>) {
        let Target::Shop(shop) = target else { return };
        for hold in self.holds {
            if let Err(error) = shop.media.release(hold).await {
                tracing::debug!(%error, "a held picture is released later");
            }
        }
    }
}

fn missing(image: &ImageRow) -> String {
    format!("{} is not in the media store", image.path)
}

fn unfit(image: &ImageRow, error: &PictureError) -> String {
    format!("{}: {error}", image.path)
}

/// Gives a product the images of the file, in their order. Other images of the product stay, behind them.
pub(super) fn apply(
    product_id: ProductId,
    images: &[WantedImage],
    work: &mut UnitOfWork<'_>,
    outcome: &mut RowOutcome,
) -> Result<(), Interrupt> {
    if images.is_empty() {
        return Ok(());
    }
    let before = work.get::<Product>(product_id)?.images()?.clone();
    let file = PictureFile::Stored;
    let mut changed = Vec::new();
    for WantedImage { image_id, picture, created_at } in images {
        let (image_id, picture, created_at) = (*image_id, picture.clone(), *created_at);
        match before.find(image_id) {
            Ok(image) if image.picture == picture => {}
            Ok(_) => {
                changed.push(image_id);
                ReplaceImage { product_id, image_id, picture, file }.decide(work)?;
            }
            Err(_) => {
                AddImage { product_id, image_id: Some(image_id), picture, file, created_at }.decide(work)?;
            }
        }
    }
    let now = work.get::<Product>(product_id)?.images()?.ids();
    let mut image_ids: Vec<ImageId> = images.iter().map(|image| image.image_id).collect();
    let others: Vec<_> = now.iter().filter(|image_id| !image_ids.contains(image_id)).copied().collect();
    image_ids.extend(others);
    if image_ids != now {
        ReorderImages { product_id, image_ids: image_ids.clone() }.decide(work)?;
    }
    let place = |ids: &[ImageId], image_id: ImageId| ids.iter().position(|id| *id == image_id);
    let had = before.ids();
    for WantedImage { image_id, .. } in images {
        let moved = place(&had, *image_id) != place(&image_ids, *image_id);
        let differences = [("image", changed.contains(image_id)), ("ordre", moved)];
        let differences: Vec<_> =
            differences.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
        outcome.count("images", !had.contains(image_id), &differences);
    }
    Ok(())
}
