//! The images of a product, in order: the first is the main image, the others are its gallery.
//!
//! An image names a picture by the hash of its content. Several images, also of several products, may share a picture.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Product, ProductError, ProductEvent};
use crate::domain::Decider;
use crate::domain::event::events;
use crate::domain::ids::{ImageId, ProductId};
use crate::domain::picture::Picture;

#[cfg(test)]
mod tests;

/// Maximum number of images of a product.
pub const MAX_IMAGES: usize = 50;

/// An image of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub image_id: ImageId,
    #[serde(flatten)]
    pub picture: Picture,
}

/// Images in their order. Shared, because every command on the product's stock clones the product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Image>", into = "Vec<Image>")]
pub struct Images(Arc<[Image]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageCommand {
    /// Adds an image after the others. `created_at` is the time of an image that another shop had before.
    Add {
        image_id: ImageId,
        picture: Picture,
        created_at: Option<DateTime<Utc>>,
    },
    /// Gives an image another picture; it keeps its number and place.
    Replace {
        image_id: ImageId,
        picture: Picture,
    },
    Remove {
        image_id: ImageId,
    },
    /// Puts all images into this order.
    Reorder {
        image_ids: Vec<ImageId>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ImageError {
    #[error("the product has no image {0}")]
    NotFound(ImageId),
    #[error("the order names image {0}, which the product does not have")]
    Unknown(ImageId),
    #[error("the order lacks image {0} of the product")]
    Missing(ImageId),
    #[error("the order names image {0} more than once")]
    NamedTwice(ImageId),
    #[error("a product has at most {MAX_IMAGES} images")]
    TooMany,
}

impl Images {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Image> {
        self.0.iter()
    }

    pub fn find(&self, image_id: ImageId) -> Result<&Image, ImageError> {
        self.iter().find(|image| image.image_id == image_id).ok_or(ImageError::NotFound(image_id))
    }

    pub fn ids(&self) -> Vec<ImageId> {
        self.iter().map(|image| image.image_id).collect()
    }

    pub(super) fn decide(&self, command: ImageCommand) -> Result<Vec<ProductEvent>, ProductError> {
        Ok(match command {
            ImageCommand::Add { image_id, picture, created_at } => {
                if self.0.len() >= MAX_IMAGES {
                    return Err(ImageError::TooMany.into());
                }
                let image_ids = self.iter().map(|image| image.image_id).chain([image_id]).collect();
                vec![ProductEvent::ImageAdded { image_id, picture, image_ids, created_at }]
            }
            ImageCommand::Replace { image_id, picture } => {
                let previous = self.find(image_id)?;
                if previous.picture == picture {
                    return Ok(vec![]);
                }
                vec![ProductEvent::ImageReplaced { image_id, picture, previous: previous.picture.clone() }]
            }
            ImageCommand::Remove { image_id } => {
                let picture = self.find(image_id)?.picture.clone();
                let image_ids = self.ids().into_iter().filter(|other| *other != image_id).collect();
                vec![ProductEvent::ImageRemoved { image_id, picture, image_ids }]
            }
            ImageCommand::Reorder { image_ids } => self.reorder(image_ids)?,
        })
    }

    fn reorder(&self, image_ids: Vec<ImageId>) -> Result<Vec<ProductEvent>, ImageError> {
        let mut seen = std::collections::HashSet::new();
        for image_id in &image_ids {
            self.find(*image_id).map_err(|_| ImageError::Unknown(*image_id))?;
            if !seen.insert(*image_id) {
                return Err(ImageError::NamedTwice(*image_id));
            }
        }
        let previous_image_ids = self.ids();
        if let Some(missing) = previous_image_ids.iter().find(|image_id| !seen.contains(image_id)) {
            return Err(ImageError::Missing(*missing));
        }
        let same = image_ids == previous_image_ids;
        Ok(if same { vec![] } else { vec![ProductEvent::ImagesReordered { image_ids, previous_image_ids }] })
    }

    pub(super) fn add(&mut self, image_id: ImageId, picture: &Picture) {
        let added = Image { image_id, picture: picture.clone() };
        self.0 = self.iter().cloned().chain([added]).collect();
    }

    pub(super) fn replace(&mut self, image_id: ImageId, picture: &Picture) {
        let replace = |image: &Image| {
            let picture = if image.image_id == image_id { picture } else { &image.picture };
            Image { image_id: image.image_id, picture: picture.clone() }
        };
        self.0 = self.iter().map(replace).collect();
    }

    pub(super) fn remove(&mut self, image_id: ImageId) {
        self.0 = self.iter().filter(|image| image.image_id != image_id).cloned().collect();
    }

    pub(super) fn reorder_to(&mut self, image_ids: &[ImageId]) {
        self.0 = image_ids.iter().filter_map(|image_id| self.find(*image_id).ok().cloned()).collect();
    }
}

impl From<Vec<Image>> for Images {
    fn from(images: Vec<Image>) -> Self {
        Self(images.into())
    }
}

impl From<Images> for Vec<Image> {
    fn from(images: Images) -> Self {
        images.0.to_vec()
    }
}

/// The number of an image, unique in the shop and never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageNumber {
    /// The product whose image has or had the number.
    pub product_id: Option<ProductId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageNumberCommand {
    Take { product_id: ProductId },
}

events! {
    pub enum ImageNumberEvent {
        Taken { product_id: ProductId } = "ProductImageNumbered",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ImageNumberError {
    #[error("the number of the image was already used, by product {0}")]
    Taken(ProductId),
}

impl Decider for ImageNumber {
    fn decide(&self, command: ImageNumberCommand) -> Result<Vec<ImageNumberEvent>, ImageNumberError> {
        let ImageNumberCommand::Take { product_id } = command;
        match self.product_id {
            Some(holder) => Err(ImageNumberError::Taken(holder)),
            None => Ok(vec![ImageNumberEvent::Taken { product_id }]),
        }
    }

    fn evolve(&mut self, event: &ImageNumberEvent) {
        let ImageNumberEvent::Taken { product_id } = event;
        self.product_id = Some(*product_id);
    }
}

impl crate::domain::Numbered for ImageNumber {}
crate::domain::aggregate!(ImageNumber, "ProductImage", ImageNumberCommand, ImageNumberEvent, ImageNumberError);

impl Product {
    /// The images of a product that is not deleted.
    pub fn images(&self) -> Result<&Images, ProductError> {
        self.listing().map(|listing| &listing.images)
    }
}
