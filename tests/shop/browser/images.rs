//! Images of products: uploaded, and dragged into their order.

use std::io::Write;

use cartwright::domain::account::Role;
use image::ImageFormat;
use serde_json::json;

use crate::support::browser::browse_as;
use crate::support::pictures::picture;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_uploads_images_and_drags_them_into_order() {
    let mut file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    file.write_all(&picture(64, 48, [200, 40, 40], ImageFormat::Png)).unwrap();
    let mut text = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    text.write_all(b"This is no picture.").unwrap();
    browse_as(Role::Editor, async |page| {
        let product = page.api().product("Cake stand", "20.00", 10).await;
        for blue in [120, 240] {
            page.api().upload(product, &picture(48, 64, [40, 40, blue], ImageFormat::Png)).await;
        }
        page.visit(&format!("/admin/products/{product}")).await;
        page.fill("Add images", text.path().to_str().unwrap()).await;
        page.press("Upload").await;
        page.until("show why", "return document.querySelector('#images ~ [role=alert]')?.textContent").await;
        page.assert_accessible().await;
        page.fill("Add images", file.path().to_str().unwrap()).await;
        page.press("Upload").await;
        page.see("The image was added.").await;
        let ids = "return [...document.querySelectorAll('.images [name=image_ids]')].map((input) => input.value)";
        let before = page.ask(ids).await;
        let [first, second, third] = &before.as_array().unwrap()[..] else { panic!("not three images") };
        page.drag(".images li:nth-child(3)", ".images li:nth-child(1)").await;
        page.see("The order of the images was saved.").await;
        assert_eq!(page.ask(ids).await, json!([third, first, second]));
        page.press("Move image 1 one place back").await;
        let moved = format!(
            "return document.querySelector('.images [name=image_ids]').value === '{}'",
            first.as_str().unwrap()
        );
        page.until("move the image", &moved).await;
        page.press("Delete image 3").await;
        page.see("Delete this image?").await;
        page.press("Delete").await;
        page.see("The image was deleted.").await;
        assert_eq!(page.ask(ids).await, json!([first, third]));
    })
    .await;
}
