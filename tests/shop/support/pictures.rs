//! Pictures for uploads, and the uploads.

use std::io::Cursor;

use axum::body::Body;
use axum::http::Request;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::{Answer, TestShop};

const BOUNDARY: &str = "----picture";

/// A picture of one colour.
pub fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image: DynamicImage = RgbImage::from_pixel(width, height, Rgb(colour)).into();
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A form with files of the given fields, and its content type.
pub fn form(files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (field, content) in files {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"note.txt\"\r\n\
             Content-Type: text/plain\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// Uploads a picture as an admin.
pub async fn upload(shop: &TestShop, method: &str, path: &str, content: &[u8]) -> Answer {
    upload_form(shop, method, path, &[("image", content)], &[]).await
}

/// Uploads a form as an admin.
pub async fn upload_form(
    shop: &TestShop,
    method: &str,
    path: &str,
    files: &[(&str, &[u8])],
    headers: &[(&str, &str)],
) -> Answer {
    let (content_type, body) = form(files);
    let mut request = Request::builder().method(method).uri(format!("/shop/api/{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    shop.call(request.header("content-type", content_type).body(Body::from(body)).unwrap()).await
}
