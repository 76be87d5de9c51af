//! Images of products: uploads, their order, and their removal.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::{ImageId, ProductId};
use crate::domain::picture::Picture;
use crate::domain::product::MAX_IMAGES;
use crate::domain::refusal::Refusal;
use crate::files::{MediaError, PreparedPicture};
use crate::http::App;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Ids;
use crate::http::wire::upload::{PictureForm, Upload};
use crate::journal::{CommandError, Context, UseCase};
use crate::shop::{AddImage, ImageAnswer, PictureFile, RemoveImage, ReorderImages, ReplaceImage, image_url};

/// An image of a product.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "image_id": 3, "url": "/media/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.jpg",
    "width": 1600, "height": 1200
}))]
pub struct ImageView {
    pub image_id: i64,
    /// With `?width=160`, `320`, `640` or `1280` it returns a thumbnail.
    pub url: String,
    pub width: i64,
    pub height: i64,
}

body! {
    /// Every image of the product, in the new order: the first is the main image.
    #[schema(examples(json!({ "image_ids": [5, 3] })))]
    pub struct ImageOrder {
        #[schema(max_items = 50)]
        pub image_ids: Vec<ImageId>,
    }
}

/// The images of a product, in order.
#[derive(Serialize, ToSchema)]
pub struct ProductImages {
    pub images: Vec<ImageView>,
}

/// How often a picture is stored anew because its file was deleted meanwhile.
const ATTEMPTS: usize = 3;

/// List the images of a product, in order: the first is the main image
#[utoipa::path(get, path = "/product/{product_id}/images", tag = "catalogue", security((), ("bearer" = [])),
    params(("product_id" = ProductId, Path)),
    responses((status = 200, body = Vec<ImageView>), (status = 404, body = Problem)))]
pub async fn list_images(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
) -> Result<Json<Vec<ImageView>>, ApiError> {
    let rows = sqlx::query_file!("projections/product_images/list.sql", product_id.0).fetch_all(&app.pool).await?;
    if rows.is_empty() {
        return Err(ApiError::not_found("product_not_found", "Product not found"));
    }
    let images = rows.into_iter().filter_map(|row| {
        let name = format!("{}.{}", row.hash?, row.extension?);
        let url = image_url(row.base_url.as_deref(), &name);
        Some(ImageView { image_id: row.image_id?, url, width: row.width?, height: row.height? })
    });
    Ok(Json(images.collect()))
}

/// Add an image to a product, after its other images
///
/// A product has at most 50 images. The picture is stored before the command, and deleted when no image refers to it.
#[utoipa::path(post, path = "/product/{product_id}/images", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body(content((PictureForm = "multipart/form-data",
        encoding(("image" = (content_type = "image/jpeg, image/png, image/webp")))))),
    params(("product_id" = ProductId, Path), CommandParams),
    responses((status = 201, body = ImageView), CommandProblems))]
pub async fn add_image(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    upload: Upload,
) -> Result<CommandResponse<ImageView>, ApiError> {
    let add = |picture, file| AddImage { product_id, image_id: None, picture, file, created_at: None };
    let added = store_and_run(&app, upload, add).await?;
    Ok(added.map(ImageView::from).created(|_| format!("/shop/api/product/{product_id}/images/")))
}

/// Replace the picture of an image, which keeps its number and place
#[utoipa::path(put, path = "/product/{product_id}/images/{image_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body(content((PictureForm = "multipart/form-data",
        encoding(("image" = (content_type = "image/jpeg, image/png, image/webp")))))),
    params(("product_id" = ProductId, Path), ("image_id" = ImageId, Path), CommandParams),
    responses((status = 200, body = ImageView), CommandProblems))]
pub async fn replace_image(
    State(app): State<App>,
    Ids((product_id, image_id)): Ids<(ProductId, ImageId)>,
    upload: Upload,
) -> Result<CommandResponse<ImageView>, ApiError> {
    let replace = |picture, file| ReplaceImage { product_id, image_id, picture, file };
    Ok(store_and_run(&app, upload, replace).await?.map(ImageView::from))
}

/// Remove an image from a product
#[utoipa::path(delete, path = "/product/{product_id}/images/{image_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("product_id" = ProductId, Path), ("image_id" = ImageId, Path), CommandParams),
    responses((status = 204), CommandProblems))]
pub async fn remove_image(
    State(app): State<App>,
    Ids((product_id, image_id)): Ids<(ProductId, ImageId)>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(RemoveImage { product_id, image_id }, command.context).await
}

/// Put the images of a product into another order
#[utoipa::path(put, path = "/product/{product_id}/images/order", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = ImageOrder,
    params(("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = ProductImages), CommandProblems))]
pub async fn reorder_images(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<ImageOrder>,
) -> Result<CommandResponse<ProductImages>, ApiError> {
    let image_ids = command.body.image_ids;
    if image_ids.len() > MAX_IMAGES {
        return Err(ApiError::invalid_field("image_ids", format!("must have at most {MAX_IMAGES} numbers")));
    }
    let reordered = app.run(ReorderImages { product_id, image_ids }, command.context).await?;
    Ok(reordered.map(|images| ProductImages { images: images.into_iter().map(ImageView::from).collect() }))
}

impl From<ImageAnswer> for ImageView {
    fn from(answer: ImageAnswer) -> Self {
        let ImageAnswer { image_id, picture, url } = answer;
        Self { image_id: image_id.0, url, width: picture.width.into(), height: picture.height.into() }
    }
}

/// Stores an uploaded picture, and runs the command that refers to it. A dry run stores nothing.
async fn store_and_run<U: UseCase>(
    app: &App,
    upload: Upload,
    command: impl Fn(Picture, PictureFile) -> U,
) -> Result<CommandResponse<U::Answer>, ApiError> {
    let Upload { content, context } = upload;
    let prepared = match app.media.prepare(content).await? {
        Ok(prepared) => prepared,
        Err(error) => return Err(ApiError::invalid_field("image", error.to_string())),
    };
    if context.dry_run {
        return app.run(command(prepared.picture, PictureFile::Planned), context).await;
    }
    for _ in 1..ATTEMPTS {
        match try_once(app, &prepared, &command, context.clone()).await? {
            Err(CommandError::Refused(Refusal::PictureGone)) => {}
            ended => return Ok(ended?),
        }
    }
    Ok(try_once(app, &prepared, &command, context).await??)
}

async fn try_once<U: UseCase>(
    app: &App,
    prepared: &PreparedPicture,
    command: impl Fn(Picture, PictureFile) -> U,
    context: Context,
) -> Result<Result<CommandResponse<U::Answer>, CommandError>, ApiError> {
    let hold = app.media.keep(prepared).await?;
    let ended = app.try_run(command(prepared.picture.clone(), PictureFile::Stored), context).await;
    app.media.release(hold).await?;
    if !ended.as_ref().is_ok_and(|response| !response.replayed()) {
        // The command refers to no new file. What cannot be deleted now is left to the clean-up.
        let name = prepared.picture.name();
        if let Err(error) = app.media.delete_unreferenced(&name, std::time::Duration::ZERO).await {
            tracing::warn!(%error, "cannot delete the file of a refused upload");
        }
    }
    Ok(ended)
}

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Database(error) => error.into(),
            MediaError::Panicked | MediaError::File(_) => Self::internal(error),
            MediaError::Busy | MediaError::Contended => Self::unavailable("media_busy", error.to_string()),
            MediaError::Store(_) | MediaError::OtherOwner(_) | MediaError::Owned(_) => {
                tracing::error!(%error, "the media store cannot be used");
                Self::unavailable("media_unavailable", "the store of images cannot be used")
            }
        }
    }
}
