//! Uploads that are accepted and refused.

use image::metadata::Orientation;
use image::{Rgb, RgbImage};

use super::*;

/// A picture with a red top left corner.
fn corner(width: u32, height: u32) -> DynamicImage {
    let mut image = RgbImage::from_pixel(width, height, Rgb([250, 250, 250]));
    for x in 0..width / 2 {
        for y in 0..height / 2 {
            image.put_pixel(x, y, Rgb([250, 0, 0]));
        }
    }
    image.into()
}

fn bytes(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn refusal(upload: &[u8]) -> PictureError {
    prepare(upload).err().unwrap()
}

/// A JPEG with an orientation and a secret in its Exif data.
fn jpeg_with_exif(image: &DynamicImage, orientation: u8) -> Vec<u8> {
    let plain = bytes(image, ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"serial number 4711");
    let mut with_exif = plain[..2].to_vec();
    with_exif.extend([0xff, 0xe1]);
    with_exif.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    with_exif.extend(exif);
    with_exif.extend(&plain[2..]);
    with_exif
}

/// Appends a chunk before the pixels of a PNG.
fn png_with_chunk(image: &DynamicImage, kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let plain = bytes(image, ImageFormat::Png);
    let after_header = 8 + 25;
    let mut png = plain[..after_header].to_vec();
    png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    png.extend(kind);
    png.extend(data);
    let checksum = png_checksum(&[kind.as_slice(), data].concat());
    png.extend(checksum.to_be_bytes());
    png.extend(&plain[after_header..]);
    png
}

#[test]
fn each_format_is_recognised_by_content_and_stored_with_thumbnails() {
    for (format, extension) in
        [(ImageFormat::Jpeg, Extension::Jpeg), (ImageFormat::Png, Extension::Png), (ImageFormat::WebP, Extension::WebP)]
    {
        let upload = bytes(&corner(400, 200), format);
        let prepared = prepare(&upload).unwrap();
        assert_eq!(prepared.picture.extension, extension);
        assert_eq!((prepared.picture.width, prepared.picture.height), (400, 200));
        assert_eq!(prepared.picture.bytes, prepared.content.len() as u64);
        assert_eq!(measure(&prepared.content).unwrap(), (extension, 400, 200));
        let widths: Vec<_> = prepared.thumbnails.iter().map(|thumbnail| thumbnail.width).collect();
        assert_eq!(widths, [320, 160], "no thumbnail is wider than the picture");
        for thumbnail in &prepared.thumbnails {
            assert_eq!(measure(&thumbnail.content).unwrap(), (extension, thumbnail.width, thumbnail.width / 2));
        }
        assert_eq!(prepare(&upload).unwrap().picture, prepared.picture, "the same upload has the same name");
    }
}

#[test]
fn metadata_is_removed_and_the_orientation_applied() {
    let upright = prepare(&jpeg_with_exif(&corner(64, 32), 6)).unwrap();
    assert_eq!((upright.picture.width, upright.picture.height), (32, 64), "a quarter turn");
    let decoded = image::load_from_memory(&upright.content).unwrap().to_rgb8();
    let is_red = |x, y| decoded.get_pixel(x, y).0[1] < 100;
    assert_eq!((is_red(2, 2), is_red(29, 2)), (false, true), "the corner turns with the picture");
    let content = String::from_utf8_lossy(&upright.content);
    assert!(!content.contains("Exif") && !content.contains("4711"));
    let png = png_with_chunk(&corner(16, 16), b"tEXt", b"Comment\0taken at home");
    let stored = prepare(&png).unwrap();
    assert!(!String::from_utf8_lossy(&stored.content).contains("home"));
    let mut appended = bytes(&corner(16, 16), ImageFormat::Jpeg);
    appended.extend(b"<script>alert(1)</script>");
    assert!(!String::from_utf8_lossy(&prepare(&appended).unwrap().content).contains("script"));
    let mut decoder =
        ImageReader::with_format(Cursor::new(&upright.content), ImageFormat::Jpeg).into_decoder().unwrap();
    assert_eq!(decoder.orientation().unwrap(), Orientation::NoTransforms);
}

#[test]
fn what_is_no_picture_or_too_large_is_refused_before_it_is_decoded() {
    assert_eq!(refusal(b""), PictureError::UnknownFormat);
    assert_eq!(refusal(b"GIF89a......"), PictureError::UnknownFormat);
    assert_eq!(refusal(b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), PictureError::UnknownFormat);
    let jpeg = bytes(&corner(200, 100), ImageFormat::Jpeg);
    assert_eq!(refusal(&jpeg[..jpeg.len() / 2]), PictureError::Truncated);
    let png = bytes(&corner(200, 100), ImageFormat::Png);
    assert!(matches!(refusal(&png[..png.len() / 2]), PictureError::Truncated | PictureError::Broken));
    // A bomb: few bytes that say 60,000 × 60,000 pixels.
    let mut bomb = png.clone();
    bomb[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let checksum = png_checksum(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(
        matches!(refusal(&bomb), PictureError::TooLarge { width: 60_000, .. } | PictureError::TooMuchMemory),
        "{:?}",
        refusal(&bomb)
    );
    assert_eq!(refusal(&png_with_chunk(&corner(8, 8), b"acTL", &[0; 8])), PictureError::Animated);
}

fn png_checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        }
    }
    !crc
}
