//! The IMEI of a product, for staff who edit the catalogue: no other answer holds it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::ProductId;
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Ids;

#[derive(Serialize, ToSchema)]
pub struct ProductImei {
    pub product_id: i64,
    /// `null` for a product without one.
    pub imei: Option<String>,
}

/// Get the IMEI of a product
#[utoipa::path(get, path = "/product/{product_id}/imei", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("product_id" = ProductId, Path)),
    responses((status = 200, body = ProductImei), (status = 404, body = Problem)))]
pub async fn find_imei(State(app): State<App>, Ids(product_id): Ids<ProductId>) -> Result<Json<ProductImei>, ApiError> {
    let found = sqlx::query_file_as!(ProductImei, "src/http/queries/product_imei.sql", product_id.0);
    let found = found.fetch_optional(&app.pool).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found("product_not_found", "Product not found"))
}
