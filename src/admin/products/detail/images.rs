//! Images of a product: uploads, their order, and their removal.

use serde::Deserialize;
use serde_json::json;

use super::{Part, address, show_refused};
use crate::admin::api::Problem;
use crate::admin::form::{Form, Upload};
use crate::admin::staff::{Id, Ids, PageResult, Staff};

/// An image as the API returns it.
#[derive(Deserialize)]
pub struct Image {
    pub image_id: i64,
    pub url: String,
    pub width: i64,
    pub height: i64,
}

impl Image {
    /// The address of a small picture; only the shop itself has one.
    pub fn thumbnail(&self) -> String {
        if self.url.starts_with("/media/") { format!("{}?width=320", self.url) } else { self.url.clone() }
    }
}

pub async fn read(staff: &Staff, product_id: i64) -> Result<Vec<Image>, Problem> {
    Ok(staff.api.get(format!("product/{product_id}/images")).read().await?.data)
}

/// Adds each file; those before a refused one stay.
pub async fn upload(staff: Staff, Id(product_id): Id, upload: Upload) -> PageResult {
    if upload.files.is_empty() {
        let problem = Problem::invalid("image", "is missing: choose a file");
        return show_refused(&staff, product_id, Part::Images, Form::default(), problem).await;
    }
    let key = upload.field("key").unwrap_or_default();
    let mut added = 0;
    for (place, file) in upload.files.iter().enumerate() {
        // A file has the same key in a second attempt, so that it is not added twice.
        let key = if key.is_empty() { String::new() } else { format!("{key}-{place}") };
        let call = staff.api.post(format!("product/{product_id}/images")).picture(file).key(&key);
        match call.send_command().await {
            Ok(()) => added += 1,
            Err(mut problem) => {
                if added > 0 || upload.files.len() > 1 {
                    let text = format!(
                        "file {} was refused ({}), and {added} before it were added",
                        place + 1,
                        problem.sentence()
                    );
                    problem.errors = Box::default();
                    problem.detail = text;
                }
                return show_refused(&staff, product_id, Part::Images, Form::default(), problem).await;
            }
        }
    }
    let message = if added == 1 { "The image was added.".to_owned() } else { format!("{added} images were added.") };
    staff.done(&images_address(product_id), message)
}

/// Stores the order that the list has, after one step of an image if a button asks for it.
pub async fn reorder(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    let mut image_ids = form.numbers("image_ids")?;
    let place_of = |field: &str| {
        let image_id: i64 = form.value(field).parse().ok()?;
        image_ids.iter().position(|other| *other == image_id)
    };
    let (earlier, later) = (place_of("earlier"), place_of("later"));
    let swap = match (earlier, later) {
        (Some(place), _) => place.checked_sub(1).map(|before| (before, place)),
        (None, Some(place)) => Some((place, place + 1)).filter(|(_, after)| *after < image_ids.len()),
        (None, None) => None,
    };
    if let Some((first, second)) = swap {
        image_ids.swap(first, second);
    }
    let call = staff.api.put(format!("product/{product_id}/images/order")).json(&json!({ "image_ids": image_ids }));
    match call.if_match(&form.etag).send_command().await {
        Ok(()) => staff.done(&images_address(product_id), "The order of the images was saved."),
        Err(problem) => show_refused(&staff, product_id, Part::Images, form, problem).await,
    }
}

pub async fn delete(staff: Staff, Ids(product_id, image_id): Ids, form: Form) -> PageResult {
    match staff.api.delete(format!("product/{product_id}/images/{image_id}")).send_command().await {
        Ok(()) => staff.done(&images_address(product_id), "The image was deleted."),
        Err(problem) => show_refused(&staff, product_id, Part::Images, form, problem).await,
    }
}

fn images_address(product_id: i64) -> String {
    format!("{}#images", address(product_id))
}
