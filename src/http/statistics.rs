//! Statistics, all at the same position of the log, so that they agree with each other.

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::App;
use crate::http::categories::find_categories;
use crate::http::products::ProductRow;
use crate::http::sales::{Period, range};
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, LAST_MOMENT, Page, PageOf, Params};
use crate::projector::text_key;

#[derive(Serialize, ToSchema)]
pub struct Bestseller {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    pub total_sold: i64,
    pub total_revenue: Amount,
}

#[derive(Serialize, ToSchema)]
pub struct CustomerStats {
    pub customer_id: i64,
    pub name: String,
    pub email: String,
    pub total_orders: i64,
    pub total_spent: Amount,
}

#[derive(Serialize, ToSchema)]
pub struct CategoryStats {
    pub category_name: String,
    pub product_count: i64,
    pub total_stock: i64,
    pub avg_price: Amount,
}

/// A cart with items that was not checked out.
#[derive(Serialize, ToSchema)]
pub struct AbandonedCart {
    pub cart_id: String,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    /// Number of different products.
    pub items: i64,
    pub units: i64,
    /// Value at current prices of the items that can be ordered, as in the total of the cart.
    pub value: Amount,
    pub changed_at: DateTime<Utc>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AbandonedFilter {
    /// Days since the cart was last changed, 0 to 3650; 1 if absent.
    #[param(minimum = 0, maximum = 3650)]
    days: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BestsellerFilter {
    /// First day, UTC, inclusive.
    #[param(inline)]
    from: Option<Day>,
    /// Last day, UTC, inclusive.
    #[param(inline)]
    to: Option<Day>,
    /// Category: looked up by number, then by exact name, then by name without accents.
    category: Option<String>,
    /// Number of a category.
    category_id: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LowStockFilter {
    /// Stock below this number is low; 10 if absent.
    threshold: Option<i64>,
}

const DEFAULT_BESTSELLERS: i64 = 10;
const DEFAULT_THRESHOLD: i64 = 10;
const MAX_DAYS: i64 = 3_650;

/// List products by units sold, without cancelled and returned units
#[utoipa::path(get, path = "/bestsellers", tag = "statistics", security(("bearer" = ["reader"])),
    params(BestsellerFilter, Page),
    responses((status = 200, body = Vec<Bestseller>), (status = 400, body = Problem)))]
pub async fn bestsellers(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<BestsellerFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<Bestseller>, ApiError> {
    let limit = page.limit(DEFAULT_BESTSELLERS)?;
    let (units, product_id): (i64, i64) = page.after()?.unwrap_or((i64::MAX, 0));
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let (from, to) = range(filter.from, filter.to)?;
    let rows = if filter.from.is_none() && filter.to.is_none() {
        sqlx::query_file_as!(
            Bestseller,
            "projections/bestsellers/top.sql",
            categories.as_deref(),
            units,
            product_id,
            limit + 1
        )
        .fetch_all(&app.pool)
        .await?
    } else {
        sqlx::query_file_as!(
            Bestseller,
            "projections/bestsellers/top_between.sql",
            categories.as_deref(),
            units,
            product_id,
            limit + 1,
            from,
            to,
            Period::Month.next_begin(from - TimeDelta::days(1)),
            Period::Month.begin(to + TimeDelta::days(1))
        )
        .fetch_all(&app.pool)
        .await?
    };
    Ok(PageOf::new(&uri, rows, limit, |row| (row.total_sold, row.product_id)))
}

/// List products with low stock
#[utoipa::path(get, path = "/low-stock", tag = "statistics", security(("bearer" = ["reader"])),
    params(LowStockFilter, Page),
    responses((status = 200, body = Vec<ProductRow>), (status = 400, body = Problem)))]
pub async fn low_stock(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<LowStockFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<ProductRow>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let threshold = filter.threshold.unwrap_or(DEFAULT_THRESHOLD);
    let (stock, product_id): (i64, i64) = page.after()?.unwrap_or((i64::MIN, 0));
    let rows =
        sqlx::query_file_as!(ProductRow, "projections/low_stock/list.sql", threshold, stock, product_id, limit + 1)
            .fetch_all(&app.pool)
            .await?;
    Ok(PageOf::new(&uri, rows, limit, |row| (row.stock, row.product_id)))
}

/// List customers by amount spent; cancelled orders do not count
#[utoipa::path(get, path = "/customer-stats", tag = "statistics", security(("bearer" = ["reader"])), params(Page),
    responses((status = 200, body = Vec<CustomerStats>)))]
pub async fn customer_stats(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<CustomerStats>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (spent, customer_id): (Decimal, i64) = page.after()?.unwrap_or((Decimal::MAX, 0));
    let rows =
        sqlx::query_file_as!(CustomerStats, "projections/customer_stats/list.sql", spent, customer_id, limit + 1)
            .fetch_all(&app.pool)
            .await?;
    Ok(PageOf::new(&uri, rows, limit, |row| (row.total_spent.0, row.customer_id)))
}

/// List categories by number of products
#[utoipa::path(get, path = "/category-stats", tag = "statistics", security(("bearer" = ["reader"])), params(Page),
    responses((status = 200, body = Vec<CategoryStats>)))]
pub async fn category_stats(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<CategoryStats>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (count, name, category_id): (i64, String, i64) = page.after()?.unwrap_or((i64::MAX, String::new(), 0));
    let rows = sqlx::query_file!("projections/category_stats/list.sql", count, text_key(&name), category_id, limit + 1)
        .fetch_all(&app.pool)
        .await?;
    let page = PageOf::new(&uri, rows, limit, |row| (row.product_count, row.category_name.clone(), row.category_id));
    Ok(page.map(|row| CategoryStats {
        category_name: row.category_name,
        product_count: row.product_count,
        total_stock: row.total_stock,
        avg_price: row.avg_price.into(),
    }))
}

/// List products that were never ordered
#[utoipa::path(get, path = "/never-ordered", tag = "statistics", security(("bearer" = ["reader"])), params(Page),
    responses((status = 200, body = Vec<ProductRow>)))]
pub async fn never_ordered(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<ProductRow>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let after: i64 = page.after()?.unwrap_or(0);
    let rows = sqlx::query_file_as!(ProductRow, "projections/products/never_ordered.sql", after, limit + 1)
        .fetch_all(&app.pool)
        .await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.product_id))
}

/// List abandoned carts: with items and unchanged for some days, newest first
#[utoipa::path(get, path = "/abandoned-carts", tag = "statistics", security(("bearer" = ["reader"])),
    params(AbandonedFilter, Page),
    responses((status = 200, body = Vec<AbandonedCart>), (status = 400, body = Problem)))]
pub async fn abandoned_carts(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<AbandonedFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<AbandonedCart>, ApiError> {
    let days = filter.days.unwrap_or(1);
    if !(0..=MAX_DAYS).contains(&days) {
        return Err(ApiError::invalid_field("days", format!("must be from 0 to {MAX_DAYS}")));
    }
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (changed_at, cart_id): (DateTime<Utc>, String) = page.after()?.unwrap_or((LAST_MOMENT, String::new()));
    let rows = sqlx::query_file_as!(
        AbandonedCart,
        "projections/carts/abandoned.sql",
        app.journal.clock().now() - TimeDelta::days(days),
        changed_at,
        cart_id,
        limit + 1
    )
    .fetch_all(&app.pool)
    .await?;
    Ok(PageOf::new(&uri, rows, limit, |cart| (cart.changed_at, cart.cart_id.clone())))
}
