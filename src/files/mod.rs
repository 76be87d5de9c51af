//! Files of the shop: pictures of products in the media store, their deletion, and the clean-up.
//!
//! A file is stored before the events that refer to it, and deleted after the last reference to it is gone. Which files
//! are referred to is in `media_file` and `media_reference`, written in the commit of the events, and not in a read
//! table, which is later. This room knows no HTTP.

mod cleanup;
mod holds;
mod image_urls;
mod inspection;
mod location;
mod owner;
mod pictures;
mod reactor;
mod store;
mod temporary;

pub use cleanup::{CleanupOptions, CleanupReport, FailedFile, clean_up};
pub use holds::{Adoption, Deletion, Hold, MediaError, MediaFiles};
pub use image_urls::{ImageUrlsReport, MissingFile, check_image_urls};
pub use inspection::inspect;
pub use location::MediaLocation;
pub use owner::OtherOwner;
pub use pictures::{
    MAX_PICTURE_BYTES, MAX_PIXELS, MAX_SIDE, PictureError, PreparedPicture, THUMBNAIL_WIDTHS, Thumbnail, prepare,
};
pub use reactor::FileDeletion;
pub use store::{MediaStore, StoreError, storage_path};
pub use temporary::is_temporary;
