//! Images of products: uploads, order, thumbnails, and their public addresses.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use cartwright::journal::check_log;
use image::ImageFormat;
use serde_json::{Value, json};
use sqlx::Executor;
use tower::ServiceExt;

use crate::support::TestShop;
use crate::support::pictures::{picture, upload, upload_form};

/// Status, headers and bytes of a picture.
async fn fetch(shop: &TestShop, path: &str, known: Option<&str>) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().uri(path);
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    let response = shop.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, headers, bytes.to_vec())
}

fn url(image: &Value) -> &str {
    image["url"].as_str().unwrap()
}

#[tokio::test]
async fn images_are_added_ordered_replaced_and_removed() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let images = format!("product/{product}/images/");
    assert_eq!(shop.read(&images).await, json!([]));
    let none = json!({ "main": null, "gallery": [] });
    let path = format!("product/{product}/");
    assert_eq!(shop.read(&path).await["image_urls"], none);

    let red = picture(800, 600, [200, 10, 10], ImageFormat::Jpeg);
    let planned = upload(&shop, "POST", &format!("{images}?dry_run=true"), &red).await;
    assert_eq!((planned.status, &planned.body["width"]), (StatusCode::OK, &json!(800)), "{}", planned.body);
    assert_eq!(planned.body["events"].as_array().unwrap().len(), 2);
    assert!(!shop.media_dir.join("images").exists(), "a dry run stores nothing");
    let before = shop.get(&path).await.header("etag").to_owned();
    let first = upload_form(&shop, "POST", &images, &[("image", &red)], &[("idempotency-key", "first")]).await;
    assert_eq!((first.status, first.header("location")), (StatusCode::CREATED, &*format!("/shop/api/{images}")));
    assert_eq!(first.body["image_id"], 1);
    let again = upload_form(&shop, "POST", &images, &[("image", &red)], &[("idempotency-key", "first")]).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    let stale = [("if-match", before.as_str())];
    assert_eq!(upload_form(&shop, "POST", &images, &[("image", &red)], &stale).await.status, 412);
    let second = upload(&shop, "POST", &images, &picture(90, 60, [10, 200, 10], ImageFormat::Png)).await.body;
    let third = upload(&shop, "POST", &images, &picture(90, 60, [10, 10, 200], ImageFormat::WebP)).await.body;
    assert_eq!(shop.read(&images).await, json!([first.body, second, third]));
    let urls = json!({ "main": url(&first.body), "gallery": [url(&second), url(&third)] });
    let shown = shop.get(&path).await;
    assert_eq!(shown.body["image_urls"], urls);
    assert_ne!(shown.header("etag"), before);
    assert_eq!(shop.read("products/?view=full").await[0]["image_urls"], urls);

    let order = format!("{images}order/");
    let reorder = async |image_ids: Value| shop.send("PUT", &order, json!({ "image_ids": image_ids }), &[]).await;
    assert_eq!(reorder(json!([3, 1, 2])).await.body, json!({ "images": [third, first.body, second] }));
    assert_eq!(shop.read(&path).await["image_urls"]["main"], url(&third));
    assert_eq!(reorder(json!([3, 1])).await.problem(), "image_missing");
    assert_eq!(reorder(json!([3, 1, 2, 2])).await.problem(), "image_named_twice");
    let unknown = reorder(json!([3, 1, 2, 9])).await;
    assert_eq!((unknown.status, unknown.problem()), (StatusCode::CONFLICT, "image_not_found"));
    assert_eq!(reorder(json!("3")).await.problem(), "invalid_request");

    let replacement = picture(70, 50, [9, 9, 9], ImageFormat::Png);
    let replaced = upload(&shop, "PUT", &format!("{images}1/"), &replacement).await;
    assert_eq!((replaced.status, &replaced.body["image_id"]), (StatusCode::OK, &json!(1)));
    assert_eq!(upload(&shop, "PUT", &format!("{images}9/"), &replacement).await.problem(), "image_not_found");
    assert_eq!(shop.send("DELETE", &format!("{images}3/"), Value::Null, &[]).await.status, 204);
    assert_eq!(shop.send("DELETE", &format!("{images}3/"), Value::Null, &[]).await.problem(), "image_not_found");
    assert_eq!(shop.read(&images).await, json!([replaced.body, second]));
    for unknown in ["product/99/images/", "product/99/images/1/"] {
        let method = if unknown.ends_with("1/") { "PUT" } else { "POST" };
        assert_eq!(upload(&shop, method, unknown, &red).await.problem(), "product_not_found");
    }
    assert_eq!(shop.get("product/99/images/").await.problem(), "product_not_found");
    let history = shop.read(&format!("product/{product}/history/?limit=50")).await;
    let types: Vec<_> = history.as_array().unwrap().iter().filter_map(|entry| entry["event_type"].as_str()).collect();
    for event_type in ["ProductImageAdded", "ProductImagesReordered", "ProductImageReplaced", "ProductImageRemoved"] {
        assert!(types.contains(&event_type), "{event_type}");
    }
    shop.verify().await;
    shop.check_log().await;
    let damage = "alter table events disable trigger user;
         update events set payload = jsonb_set(payload, '{image_ids}', '[9]') where event_type = 'ProductImagesReordered';
         delete from events where event_type = 'ProductImageNumbered' and aggregate_id = '2'";
    shop.pool.execute(damage).await.unwrap();
    let checked = check_log(&shop.pool).await.unwrap();
    let images = checked.iter().find(|rule| rule.name == "images").unwrap();
    let subjects: Vec<_> = images.findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert!(subjects.contains(&"Product/1") && subjects.contains(&"ProductImage/2"), "{:?}", images.findings);
}

#[tokio::test]
async fn a_picture_is_public_and_cached_for_ever_with_thumbnails_of_fixed_widths() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let upload_path = format!("product/{product}/images/");
    let image = upload(&shop, "POST", &upload_path, &picture(400, 200, [9, 9, 9], ImageFormat::Png)).await.body;
    let (status, headers, bytes) = fetch(&shop, url(&image), None).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "image/png"));
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
    assert_eq!(headers["content-length"].to_str().unwrap(), bytes.len().to_string());
    assert!(image::load_from_memory(&bytes).is_ok());
    let tag = headers["etag"].to_str().unwrap();
    let (status, headers, bytes) = fetch(&shop, url(&image), Some(tag)).await;
    assert_eq!(
        (status, bytes.len(), &headers["cache-control"] == "public, max-age=31536000, immutable"),
        (StatusCode::NOT_MODIFIED, 0, true)
    );
    for (width, shown) in [(160, 160), (320, 320), (640, 400)] {
        let (status, headers, bytes) = fetch(&shop, &format!("{}?width={width}", url(&image)), Some(tag)).await;
        assert_eq!((status, image::load_from_memory(&bytes).unwrap().width()), (StatusCode::OK, shown));
        assert_ne!(headers["etag"].to_str().unwrap(), tag);
    }
    // A thumbnail that is lost is made again.
    std::fs::remove_dir_all(shop.media_dir.join("thumbnails")).unwrap();
    let (status, _, bytes) = fetch(&shop, &format!("{}?width=160", url(&image)), None).await;
    assert_eq!((status, image::load_from_memory(&bytes).unwrap().width()), (StatusCode::OK, 160));
    assert!(shop.media_dir.join("thumbnails").exists());
    for (path, status) in [
        (format!("{}?width=161", url(&image)), 400),
        (format!("{}?widht=160", url(&image)), 400),
        (format!("{}x", url(&image)), 404),
        ("/media/..%2f..%2fetc%2fpasswd".to_owned(), 404),
        (format!("/media/{}.jpg", "0".repeat(64)), 404),
    ] {
        let (found, headers, _) = fetch(&shop, &path, None).await;
        assert_eq!((found.as_u16(), &headers["content-type"] == "application/problem+json"), (status, true), "{path}");
    }
}

#[tokio::test]
async fn an_upload_that_is_no_picture_of_the_form_is_refused_and_leaves_no_file() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let path = format!("product/{product}/images/");
    let (jpeg, picture) = (picture(99, 99, [9, 9, 9], ImageFormat::Jpeg), picture(9, 9, [9, 9, 9], ImageFormat::Png));
    let head = shop.engine.journal.position();
    for (files, field, message) in [
        (vec![("image", &b"<svg/>"[..])], "image", "must be a JPEG, PNG or WebP picture"),
        (vec![("image", b"")], "image", "must be a JPEG, PNG or WebP picture"),
        (vec![("image", &jpeg[..jpeg.len() / 2])], "image", "ends before the picture does"),
        (vec![], "image", "is required"),
        (vec![("image", &picture), ("image", &picture)], "image", "must be given once"),
        (vec![("image", &picture), ("caption", b"tea")], "caption", "is not a field of this request"),
    ] {
        let refused = upload_form(&shop, "POST", &path, &files, &[]).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::BAD_REQUEST, "invalid_request"), "{files:?}");
        assert_eq!(refused.body["errors"], json!([{ "field": field, "message": message }]));
    }
    let large = vec![0; 10 * 1024 * 1024 + 1];
    for size in [large.len(), large.len() - 1] {
        let refused = upload(&shop, "POST", &path, &large[..size]).await;
        let expected = if size == large.len() { 413 } else { 400 };
        assert_eq!(refused.status, expected, "{}", refused.body);
    }
    // Other routes keep their limit.
    let request =
        Request::builder().method("POST").uri("/shop/api/products/").header("content-type", "application/json");
    let refused = shop.call(request.body(Body::from(vec![b' '; 1024 * 1024 + 1])).unwrap()).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = shop.post(&path, json!({ "image": "x" })).await;
    assert_eq!((json.status, json.problem()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    let refused = upload_form(&shop, "POST", &path, &[("image", &picture)], &[("authorization", "Bearer x")]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    shop.send("DELETE", &format!("product/{product}/"), Value::Null, &[]).await;
    assert_eq!(upload(&shop, "POST", &path, &picture).await.problem(), "product_not_found");
    let files: i64 = sqlx::query_scalar("select count(*) from media_file").fetch_one(&shop.pool).await.unwrap();
    assert_eq!((files, shop.engine.journal.position() > head), (0, true), "a refused upload leaves no file");
}
