//! Pictures of products: public files that never change under their name.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::Routes;
use crate::domain::picture::{Extension, PictureName};
use crate::files::THUMBNAIL_WIDTHS;
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, Params};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MediaParams {
    /// Width of a thumbnail in pixels: 160, 320, 640 or 1280. A picture that is not wider is returned as it is.
    #[param(nullable = false)]
    width: Option<u32>,
}

const CACHED_FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Outside `/shop/api`, for browsers and caches.
pub(super) fn routes() -> Routes {
    super::in_time(Routes::new().routes(routes!(find_picture)))
}

/// Get a picture or its thumbnail
#[utoipa::path(get, path = "/media/{picture}", tag = "catalogue", security(()),
    params(("picture" = String, Path, description = "SHA-256 of the picture and its extension"), MediaParams),
    responses((status = 200, content((String = "image/jpeg"), (String = "image/png"), (String = "image/webp"))),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn find_picture(
    State(app): State<App>,
    Ids(name): Ids<String>,
    Params(MediaParams { width }): Params<MediaParams>,
) -> Result<Response, ApiError> {
    if width.is_some_and(|width| !THUMBNAIL_WIDTHS.contains(&width)) {
        return Err(ApiError::invalid_field("width", "must be 160, 320, 640 or 1280"));
    }
    let not_found = || ApiError::not_found("picture_not_found", "Picture not found");
    let name: PictureName = name.parse().map_err(|_| not_found())?;
    let found = app.media.find(&name, width).await?.ok_or_else(not_found)?;
    let tag = match width {
        Some(width) => format!("\"{}-{width}\"", name.hash.as_str()),
        None => format!("\"{}\"", name.hash.as_str()),
    };
    let mut response = HeaderMap::new();
    response.insert(CACHE_CONTROL, CACHED_FOR_EVER);
    response.insert(ETAG, HeaderValue::try_from(tag).map_err(ApiError::internal)?);
    let kind = match name.extension {
        Extension::Jpeg => "image/jpeg",
        Extension::Png => "image/png",
        Extension::WebP => "image/webp",
    };
    response.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.insert(CONTENT_LENGTH, found.meta.size.into());
    Ok((response, Body::from_stream(found.into_stream())).into_response())
}
