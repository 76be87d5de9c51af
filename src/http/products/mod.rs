//! Products and their stock.

mod bodies;
pub mod bulk;
mod detail_filter;
pub mod facets;
pub mod groups;
pub mod images;
pub mod imei;
pub mod list;
mod listed;
pub mod search;

use axum::extract::State;
use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::domain::ids::ProductId;
use crate::domain::product::ProductDetails;
use crate::domain::text::Reason;
use crate::http::App;
use crate::http::wire::amount::Amount;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::page::{Ids, Versioned};
use crate::journal::EntityTag;
use crate::shop::{
    AdjustStock, DeleteProduct, FamilyPlace, ImageUrls, ProductRef, ProductView, StockChange, StockView, product_digest,
};

pub use bodies::{NewProduct, ProductChange, ProductPatch};

/// A product in a list.
#[derive(Serialize, ToSchema)]
pub struct ProductRow {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    /// Units available: on hand and not reserved, never below 0.
    pub stock: i64,
    pub category: String,
}

body! {
    /// Either a `change` of the units on hand, or a `count` of them.
    #[schema(examples(json!({ "change": 12, "reason": "delivery 4711" })))]
    pub struct StockAdjustment {
        /// Units received (positive) or lost (negative).
        pub change: Option<i64>,
        /// Units counted in the warehouse; may be fewer than open orders reserve.
        #[schema(minimum = 0)]
        pub count: Option<i64>,
        pub reason: Option<Reason>,
    }
}

/// Get a product
///
/// Units on hand and reserved, supplier, metadata and the threshold for low stock are for staff; others do not see these fields.
#[utoipa::path(get, path = "/product/{product_id}", tag = "catalogue", security((), ("bearer" = [])),
    params(("product_id" = ProductId, Path)),
    responses((status = 200, body = ProductView), (status = 404, body = Problem)))]
pub async fn find_product(
    State(app): State<App>,
    caller: Caller,
    Ids(product_id): Ids<ProductId>,
) -> Result<Versioned<ProductView>, ApiError> {
    let found = sqlx::query_file!("projections/products/find.sql", product_id.0).fetch_optional(&app.pool).await?;
    let row = found.ok_or_else(|| ApiError::not_found("product_not_found", "Product not found"))?;
    let tag =
        EntityTag { version: row.version, digest: Some(product_digest(&row.category, row.media_base.as_deref())) };
    let Json(details) = row.details;
    let body = ProductView {
        product_id: row.product_id,
        name: row.name,
        price: crate::domain::money::two_decimals(row.price),
        stock: row.stock,
        category: row.category,
        description: row.description,
        sku: row.sku,
        on_hand: Some(row.on_hand),
        reserved: Some(row.reserved),
        discontinued: row.discontinued,
        low_stock_threshold: Some(row.low_stock_threshold),
        family: Some(row.family.map(|family| family.0)),
        created_at: Some(row.created_at),
        updated_at: Some(row.updated_at),
        image_urls: ImageUrls::of(row.media_base.as_deref(), row.images.iter().flatten()),
        ..ProductView::default()
    };
    let body = body.with_details(details);
    let for_staff = caller.is_staff();
    // No command on the product can be stale about its family, or about what the caller may see.
    let family = body.family.iter().flatten().flat_map(|family| {
        let options = family.options.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
        [family.family_id.to_string(), family.name.clone()].into_iter().chain(options)
    });
    let remark: Vec<_> = family.chain((!for_staff).then(String::new)).collect();
    let shown = Versioned::new(tag, if for_staff { body } else { body.for_shoppers() });
    Ok(if remark.is_empty() { shown } else { shown.with_remark(remark) })
}

/// Create a product
#[utoipa::path(post, path = "/products", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = NewProduct, params(CommandParams),
    responses((status = 201, body = ProductRef), CommandProblems))]
pub async fn create_product(
    State(app): State<App>,
    command: Command<NewProduct>,
) -> Result<CommandResponse<ProductRef>, ApiError> {
    let created = app.run(command.body.into_use_case(), command.context).await?;
    Ok(created.created(|created| format!("/shop/api/product/{}/", created.product_id)))
}

/// Change, discontinue or relist a product
#[utoipa::path(patch, path = "/product/{product_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = ProductChange,
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 200, body = ProductView), CommandProblems))]
pub async fn change_product(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<ProductPatch>,
) -> Result<CommandResponse<ProductView>, ApiError> {
    app.run(command.body.into_use_case(product_id), command.context).await
}

/// Delete a product that was never ordered
#[utoipa::path(delete, path = "/product/{product_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn delete_product(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(DeleteProduct { product_id }, command.context).await
}

/// Adjust the stock of a product by a change or a count
///
/// A loss by `change` must leave the units that open orders reserve. A `count` may be lower: then no unit is for sale,
/// orders ship while units are on hand, and `orders/short/` lists the orders that cannot be served.
#[utoipa::path(post, path = "/product/{product_id}/stock", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = StockAdjustment,
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 200, body = StockView), CommandProblems))]
pub async fn adjust_stock(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<StockAdjustment>,
) -> Result<CommandResponse<StockView>, ApiError> {
    let change = stock_change(&command.body).map_err(|error| ApiError::invalid(vec![error]))?;
    app.run(AdjustStock { product_id, change, reason: command.body.reason }, command.context).await
}

/// The change of an adjustment, which has either a change or a count.
fn stock_change(adjustment: &StockAdjustment) -> Result<StockChange, FieldError> {
    match (adjustment.change, adjustment.count) {
        (Some(change), None) => Ok(StockChange::By(change)),
        (None, Some(count)) => Ok(StockChange::Counted(count)),
        _ => {
            let message = "is required unless count is given, and not both".to_owned();
            Err(FieldError { field: "change".to_owned(), message })
        }
    }
}
