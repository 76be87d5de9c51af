//! Uploaded pictures: recognised by content, decoded within limits, turned upright, and encoded without metadata.
//!
//! A picture is always encoded anew, so that nothing of the upload is stored but its pixels and colour profile: no place,
//! camera or serial number, no text, and nothing that is appended to the file. Pure, and slow: call it on a thread for
//! blocking work.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::picture::{Extension, Picture, PictureHash};

/// Largest upload, in bytes.
pub const MAX_PICTURE_BYTES: usize = 10 * 1024 * 1024;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Largest width and height of a picture, in pixels.
pub const MAX_SIDE: u32 = 12_000;
/// Memory that decoding one picture may take, in bytes.
const MAX_ALLOCATION: u64 = 256 * 1024 * 1024;
/// Widths of thumbnails, in pixels.
pub const THUMBNAIL_WIDTHS: [u32; 4] = [160, 320, 640, 1280];
const JPEG_QUALITY: u8 = 88;
const THUMBNAIL_QUALITY: u8 = 80;

/// A picture as it is stored.
pub struct PreparedPicture {
    pub picture: Picture,
    pub content: Vec<u8>,
    /// One for each of [`THUMBNAIL_WIDTHS`] below the width of the picture.
    pub thumbnails: Vec<Thumbnail>,
}

/// A smaller copy of a picture, in the same format.
pub struct Thumbnail {
    pub width: u32,
    pub content: Vec<u8>,
}

/// Why an upload is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PictureError {
    #[error("must be a JPEG, PNG or WebP picture")]
    UnknownFormat,
    #[error("must not be animated")]
    Animated,
    #[error("must have at most {MAX_PIXELS} pixels and {MAX_SIDE} pixels on each side, not {width} × {height}")]
    TooLarge { width: u32, height: u32 },
    #[error("must have at most 10 MiB")]
    TooManyBytes,
    #[error("must take at most 256 MiB when it is decoded")]
    TooMuchMemory,
    #[error("cannot be decoded as a picture")]
    Broken,
    #[error("ends before the picture does")]
    Truncated,
}

/// Recognises, decodes and encodes an upload.
pub fn prepare(upload: &[u8]) -> Result<PreparedPicture, PictureError> {
    let format = recognise(upload)?;
    let (image, profile) = decode(upload, format)?;
    let extension = extension(format)?;
    let content = encode(&image, extension, JPEG_QUALITY, profile.as_deref())?;
    let hash = hex::encode(Sha256::digest(&content));
    let thumbnails = thumbnails(&image, extension, profile.as_deref())?;
    let picture = Picture {
        hash: PictureHash::try_from(hash).map_err(|_| PictureError::Broken)?,
        extension,
        width: image.width(),
        height: image.height(),
        bytes: content.len() as u64,
    };
    Ok(PreparedPicture { picture, content, thumbnails })
}

/// Reads format and size of a stored picture from its beginning.
pub(super) fn measure(beginning: &[u8]) -> Result<(Extension, u32, u32), PictureError> {
    let format = recognise(beginning)?;
    let mut reader = ImageReader::with_format(Cursor::new(beginning), format);
    reader.limits(limits());
    let (width, height) = reader.into_dimensions().map_err(|error| explain(&error))?;
    Ok((extension(format)?, width, height))
}

/// The thumbnails of a stored picture.
pub(super) fn thumbnails_of(content: &[u8]) -> Result<Vec<Thumbnail>, PictureError> {
    let format = recognise(content)?;
    let (image, profile) = decode(content, format)?;
    thumbnails(&image, extension(format)?, profile.as_deref())
}

/// The format by the first bytes; a file name or a header may say anything.
fn recognise(upload: &[u8]) -> Result<ImageFormat, PictureError> {
    match image::guess_format(upload) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) => Ok(format),
        _ => Err(PictureError::UnknownFormat),
    }
}

fn extension(format: ImageFormat) -> Result<Extension, PictureError> {
    match format {
        ImageFormat::Jpeg => Ok(Extension::Jpeg),
        ImageFormat::Png => Ok(Extension::Png),
        ImageFormat::WebP => Ok(Extension::WebP),
        _ => Err(PictureError::UnknownFormat),
    }
}

/// The upright picture and its colour profile. The size is checked before any pixel is decoded.
fn decode(upload: &[u8], format: ImageFormat) -> Result<(DynamicImage, Option<Vec<u8>>), PictureError> {
    if is_animated(upload, format) {
        return Err(PictureError::Animated);
    }
    if format == ImageFormat::Jpeg && !is_complete_jpeg(upload) {
        return Err(PictureError::Truncated);
    }
    let mut reader = ImageReader::with_format(Cursor::new(upload), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(|error| explain(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || width.max(height) > MAX_SIDE {
        return Err(PictureError::TooLarge { width, height });
    }
    if decoder.total_bytes() > MAX_ALLOCATION {
        return Err(PictureError::TooMuchMemory);
    }
    let orientation = decoder.orientation().map_err(|error| explain(&error))?;
    let profile = decoder.icc_profile().ok().flatten();
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| explain(&error))?;
    image.apply_orientation(orientation);
    let profile = profile.filter(|profile| fits(profile, &image));
    Ok((image, profile))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(u32::MAX);
    limits.max_alloc = Some(MAX_ALLOCATION);
    limits
}

fn encode(
    image: &DynamicImage,
    extension: Extension,
    quality: u8,
    profile: Option<&[u8]>,
) -> Result<Vec<u8>, PictureError> {
    let mut content = Vec::new();
    let written = match extension {
        Extension::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut content, quality);
            set_profile(&mut encoder, profile);
            // JPEG has 8 bits for each colour and no transparency.
            match image.color().has_color() {
                true => image.to_rgb8().write_with_encoder(encoder),
                false => image.to_luma8().write_with_encoder(encoder),
            }
        }
        Extension::Png => {
            let mut encoder = PngEncoder::new(&mut content);
            set_profile(&mut encoder, profile);
            image.write_with_encoder(encoder)
        }
        Extension::WebP => {
            let mut encoder = WebPEncoder::new_lossless(&mut content);
            set_profile(&mut encoder, profile);
            match image.color().has_alpha() {
                true => image.to_rgba8().write_with_encoder(encoder),
                false => image.to_rgb8().write_with_encoder(encoder),
            }
        }
    };
    written.map_err(|error| explain(&error))?;
    Ok(content)
}

/// A format without colour profiles stores none.
fn set_profile(encoder: &mut impl ImageEncoder, profile: Option<&[u8]>) {
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
}

fn thumbnails(
    image: &DynamicImage,
    extension: Extension,
    profile: Option<&[u8]>,
) -> Result<Vec<Thumbnail>, PictureError> {
    let mut made = Vec::new();
    // Each from the one above it, which costs a quarter of scaling the whole picture.
    let mut larger = None;
    for width in THUMBNAIL_WIDTHS.into_iter().rev().filter(|width| *width < image.width()) {
        let source = larger.as_ref().unwrap_or(image);
        let height = u64::from(image.height()) * u64::from(width) / u64::from(image.width());
        let height = u32::try_from(height.max(1)).unwrap_or(u32::MAX);
        let small = source.resize_exact(width, height, FilterType::Triangle);
        made.push(Thumbnail { width, content: encode(&small, extension, THUMBNAIL_QUALITY, profile)? });
        larger = Some(small);
    }
    Ok(made)
}

/// Whether a colour profile is for the colours of the decoded picture: a CMYK picture is decoded to RGB.
fn fits(profile: &[u8], image: &DynamicImage) -> bool {
    let space: &[u8] = if image.color().has_color() { b"RGB " } else { b"GRAY" };
    profile.get(16..20) == Some(space)
}

/// Whether the end marker follows the last scan; without it the decoder would fill the rest with grey.
fn is_complete_jpeg(upload: &[u8]) -> bool {
    let last = |marker: [u8; 2]| upload.windows(2).rposition(|bytes| bytes == marker);
    match (last([0xff, 0xda]), last([0xff, 0xd9])) {
        (Some(scan), Some(end)) => end > scan,
        _ => false,
    }
}

/// Whether the picture has several frames: only the first would be kept.
fn is_animated(upload: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Png => {
            // The chunk stands before the first pixels.
            let pixels = upload.windows(4).position(|chunk| chunk == b"IDAT").unwrap_or(upload.len());
            upload[..pixels].windows(4).any(|chunk| chunk == b"acTL")
        }
        ImageFormat::WebP => upload.get(12..16) == Some(b"VP8X") && upload.get(20).is_some_and(|flags| flags & 2 != 0),
        _ => false,
    }
}

fn explain(error: &image::ImageError) -> PictureError {
    match error {
        image::ImageError::Limits(_) => PictureError::TooMuchMemory,
        image::ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        _ => PictureError::Broken,
    }
}

#[cfg(test)]
mod tests;
