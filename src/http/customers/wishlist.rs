//! Wishlists of customers.

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::{CustomerId, ProductId};
use crate::domain::product::{Supply, UnavailableReason};
use crate::http::App;
use crate::http::customers;
use crate::http::wire::body::NoBody;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{AddWish, RemoveWish, WishView};

/// A product of a wishlist.
#[derive(Serialize, ToSchema)]
pub struct WishlistItem {
    pub product_id: i64,
    /// Name of the product; the last name of a deleted product.
    pub name: String,
    /// Current price; the last price of a deleted product.
    pub price: String,
    /// Whether a unit can be ordered now.
    pub available: bool,
    /// Why it cannot be ordered; `null` if it can.
    pub reason: Option<UnavailableReason>,
    /// Units of the product that can still be sold.
    pub in_stock: i64,
    pub added_at: DateTime<Utc>,
}

/// List the products of a customer's wishlist, newest first
///
/// Products that are deleted, discontinued or out of stock stay in it, with `available: false` and the reason.
#[utoipa::path(get, path = "/customer/{customer_id}/wishlist", tag = "customers",
    security(("bearer" = ["owner", "reader"])), params(("customer_id" = CustomerId, Path), Page),
    responses((status = 200, body = Vec<WishlistItem>), (status = 404, body = Problem)))]
pub async fn list_wishes(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<CustomerId>,
    Params(page): Params<Page>,
) -> Result<PageOf<WishlistItem>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let before: i64 = page.after()?.unwrap_or(i64::MAX);
    let rows = sqlx::query_file!("projections/wishlist_items/by_customer.sql", customer_id.0, before, limit + 1)
        .fetch_all(&app.pool)
        .await?;
    if rows.is_empty() {
        customers::require_customer(&app, customer_id).await?;
    }
    let page = PageOf::new(&uri, rows, limit, |row| row.position);
    Ok(page.map(|row| {
        let withdrawn = UnavailableReason::of_withdrawn(row.deleted, row.discontinued, row.on_sale);
        let wish = WishView::new(row.product_id, row.name, row.price, Supply::new(withdrawn, row.stock));
        let WishView { product_id, name, price, available, reason, in_stock } = wish;
        WishlistItem { product_id, name, price, available, reason, in_stock, added_at: row.added_at }
    }))
}

/// Add a product to a customer's wishlist
///
/// Adding it again changes nothing. A wishlist has at most 500 products.
#[utoipa::path(put, path = "/customer/{customer_id}/wishlist/{product_id}", tag = "customers",
    security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = CustomerId, Path), ("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = WishView), CommandProblems))]
pub async fn add_wish(
    State(app): State<App>,
    Ids((customer_id, product_id)): Ids<(CustomerId, ProductId)>,
    command: Command<NoBody>,
) -> Result<CommandResponse<WishView>, ApiError> {
    app.run(AddWish { customer_id, product_id }, command.context).await
}

/// Remove a product from a customer's wishlist
#[utoipa::path(delete, path = "/customer/{customer_id}/wishlist/{product_id}", tag = "customers",
    security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = CustomerId, Path), ("product_id" = ProductId, Path), CommandParams),
    responses((status = 204), CommandProblems))]
pub async fn remove_wish(
    State(app): State<App>,
    Ids((customer_id, product_id)): Ids<(CustomerId, ProductId)>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(RemoveWish { customer_id, product_id }, command.context).await
}
