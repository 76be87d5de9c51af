//! Images of products. Their files are stored before the command, and deleted after the last reference ends.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::{ImageId, ProductId};
use crate::domain::picture::{MediaBase, Picture, PictureName};
use crate::domain::product::{ImageCommand, ImageNumber, ImageNumberCommand, Product, ProductCommand};
use crate::domain::refusal::Refusal;
use crate::domain::settings::{SHOP, ShopSettings, ShopSettingsCommand};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase, ViewDigest};
use crate::shop::products::product_view_digest;

/// Adds an image after the others of the product.
pub struct AddImage {
    pub product_id: ProductId,
    /// A wanted number that must be free; `None` for the next number.
    pub image_id: Option<ImageId>,
    pub picture: Picture,
    pub file: PictureFile,
    /// Time of an image that is older than this command.
    pub created_at: Option<DateTime<Utc>>,
}

/// Whether the file of a picture is in the media store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFile {
    /// Stored and held, so that no clean-up deletes it before the command.
    Stored,
    /// Not stored, because the command is a dry run.
    Planned,
}

/// Gives an image another picture.
pub struct ReplaceImage {
    pub product_id: ProductId,
    pub image_id: ImageId,
    pub picture: Picture,
    pub file: PictureFile,
}

/// Removes an image from its product.
pub struct RemoveImage {
    pub product_id: ProductId,
    pub image_id: ImageId,
}

/// Puts the images of a product into another order.
pub struct ReorderImages {
    pub product_id: ProductId,
    pub image_ids: Vec<ImageId>,
}

/// An image after a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageAnswer {
    pub image_id: ImageId,
    pub picture: Picture,
    pub url: String,
}

/// Addresses of a product's images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageUrls {
    /// The first image; null if there is none.
    pub main: Option<String>,
    /// The other images, in order.
    pub gallery: Vec<String>,
}

impl ImageUrls {
    /// From the names of the files, in order.
    pub fn of(base_url: Option<&str>, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut urls = names.into_iter().map(|name| image_url(base_url, name.as_ref()));
        Self { main: urls.next(), gallery: urls.collect() }
    }
}

/// Address of a picture: below the shop's own `/media/`, or below another address that serves the same files.
pub fn image_url(base_url: Option<&str>, name: &str) -> String {
    format!("{}/{name}", base_url.unwrap_or("/media").trim_end_matches('/'))
}

#[derive(Serialize)]
struct ReferPicture {
    image_id: ImageId,
    name: String,
}

impl SideWrite for ReferPicture {
    const FUNCTION: &'static str = "refer_picture";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "media_file_stored").then_some(Refusal::PictureGone)
    }
}

#[derive(Serialize)]
struct ReleasePicture {
    image_id: ImageId,
}

impl SideWrite for ReleasePicture {
    const FUNCTION: &'static str = "release_picture";
}

impl UseCase for AddImage {
    type Answer = ImageAnswer;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ImageAnswer, Interrupt> {
        let Self { product_id, picture, created_at, .. } = self;
        let image_id = match self.image_id {
            // A number that was used is refused below.
            Some(image_id) => work.take_number::<ImageNumber>(image_id.0).map(|_| image_id)?,
            None => ImageId(work.next_number::<ImageNumber>()?),
        };
        work.execute::<ImageNumber>(image_id, ImageNumberCommand::Take { product_id: *product_id })?;
        let add = ImageCommand::Add { image_id, picture: picture.clone(), created_at: *created_at };
        work.execute::<Product>(*product_id, ProductCommand::Image(add))?;
        refer(work, image_id, &picture.name(), self.file)?;
        answer(work, image_id, picture)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

impl UseCase for ReplaceImage {
    type Answer = ImageAnswer;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ImageAnswer, Interrupt> {
        let Self { product_id, image_id, picture, file } = self;
        let replace = ImageCommand::Replace { image_id: *image_id, picture: picture.clone() };
        work.execute::<Product>(*product_id, ProductCommand::Image(replace))?;
        refer(work, *image_id, &picture.name(), *file)?;
        answer(work, *image_id, picture)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

impl UseCase for RemoveImage {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        remove_image(work, self.product_id, self.image_id)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

impl UseCase for ReorderImages {
    type Answer = Vec<ImageAnswer>;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Vec<ImageAnswer>, Interrupt> {
        let reorder = ImageCommand::Reorder { image_ids: self.image_ids.clone() };
        work.execute::<Product>(self.product_id, ProductCommand::Image(reorder))?;
        let product = work.get::<Product>(self.product_id)?;
        product.images()?.iter().map(|image| answer(work, image.image_id, &image.picture)).collect()
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

fn answer(work: &UnitOfWork<'_>, image_id: ImageId, picture: &Picture) -> Result<ImageAnswer, Interrupt> {
    let settings = work.get::<ShopSettings>(SHOP)?;
    let url = image_url(settings.media_base.as_ref().map(MediaBase::as_str), &picture.name().to_string());
    Ok(ImageAnswer { image_id, picture: picture.clone(), url })
}

/// Changes what the addresses of all images begin with; `None` for the shop's own.
pub struct ChangeMediaBase {
    pub base: Option<MediaBase>,
}

impl UseCase for ChangeMediaBase {
    /// Whether it was another before.
    type Answer = bool;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<bool, Interrupt> {
        let changed = work.get::<ShopSettings>(SHOP)?.media_base != self.base;
        work.execute::<ShopSettings>(SHOP, ShopSettingsCommand::ChangeMediaBase { base: self.base.clone() })?;
        Ok(changed)
    }
}

/// Removes every image of a product that is about to be deleted.
pub(super) fn remove_images(work: &mut UnitOfWork<'_>, product_id: ProductId) -> Result<(), Interrupt> {
    for image_id in work.get::<Product>(product_id)?.images()?.ids() {
        remove_image(work, product_id, image_id)?;
    }
    Ok(())
}

fn remove_image(work: &mut UnitOfWork<'_>, product_id: ProductId, image_id: ImageId) -> Result<(), Interrupt> {
    work.execute::<Product>(product_id, ProductCommand::Image(ImageCommand::Remove { image_id }))?;
    work.add_side_write(&ReleasePicture { image_id })
}

fn refer(work: &mut UnitOfWork<'_>, image_id: ImageId, name: &PictureName, file: PictureFile) -> Result<(), Interrupt> {
    match file {
        PictureFile::Stored => work.add_side_write(&ReferPicture { image_id, name: name.to_string() }),
        PictureFile::Planned => Ok(()),
    }
}
