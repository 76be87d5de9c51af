//! Statistics, all at the same position of the log, so that they agree with each other.

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::App;
use crate::http::categories::{find_categories, with_subtrees};
use crate::http::products::ProductRow;
use crate::http::ranks;
use crate::http::sales::{Period, range};
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, LAST_MOMENT, Page, PageOf, Params};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};

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
    /// `true` includes the categories below the category.
    subtree: Option<bool>,
}

const DEFAULT_BESTSELLERS: i64 = 10;
const MAX_DAYS: i64 = 3_650;

/// List products by units sold, without cancelled and returned units
#[utoipa::path(get, path = "/bestsellers", tag = "statistics", security(("bearer" = ["reader"])),
    params(BestsellerFilter, RankedPage),
    responses((status = 200, body = Vec<Bestseller>), (status = 400, body = Problem)))]
pub async fn bestsellers(
    State(app): State<App>,
    request: ListRequest,
    Params(filter): Params<BestsellerFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let categories = with_subtrees(&app, categories, filter.subtree).await?;
    let (from, to) = range(filter.from, filter.to)?;
    let is_bounded = filter.from.is_some() || filter.to.is_some();
    let list = RankedList { rank: &ranks::BESTSELLERS, default_limit: DEFAULT_BESTSELLERS, start: (i64::MAX, 0) };
    let key = |row: &Bestseller| (row.total_sold, row.product_id);
    request
        .answer_rows(&app, page, list, key, move |connection, (units, product_id), limit| {
            let categories = categories.as_deref();
            if !is_bounded {
                sqlx::query_file_as!(
                    Bestseller,
                    "projections/bestsellers/top.sql",
                    categories,
                    units,
                    product_id,
                    limit
                )
                .fetch(connection)
            } else {
                sqlx::query_file_as!(
                    Bestseller,
                    "projections/bestsellers/top_between.sql",
                    categories,
                    units,
                    product_id,
                    limit,
                    from,
                    to,
                    Period::Month.next_begin(from - TimeDelta::days(1)),
                    Period::Month.begin(to + TimeDelta::days(1))
                )
                .fetch(connection)
            }
        })
        .await
}

/// List customers by amount spent; cancelled orders do not count
#[utoipa::path(get, path = "/customer-stats", tag = "statistics", security(("bearer" = ["reader"])), params(RankedPage),
    responses((status = 200, body = Vec<CustomerStats>)))]
pub async fn customer_stats(
    State(app): State<App>,
    request: ListRequest,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let list = RankedList { rank: &ranks::CUSTOMER_STATS, default_limit: DEFAULT_LIMIT, start: (Decimal::MAX, 0) };
    let key = |row: &CustomerStats| (row.total_spent.0, row.customer_id);
    request
        .answer_rows(&app, page, list, key, |connection, (spent, customer_id), limit| {
            sqlx::query_file_as!(CustomerStats, "projections/customer_stats/list.sql", spent, customer_id, limit)
                .fetch(connection)
        })
        .await
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
    params(AbandonedFilter, RankedPage),
    responses((status = 200, body = Vec<AbandonedCart>), (status = 400, body = Problem)))]
pub async fn abandoned_carts(
    State(app): State<App>,
    request: ListRequest,
    Params(filter): Params<AbandonedFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let days = filter.days.unwrap_or(1);
    if !(0..=MAX_DAYS).contains(&days) {
        return Err(ApiError::invalid_field("days", format!("must be from 0 to {MAX_DAYS}")));
    }
    let untouched_since = app.journal.clock().now() - TimeDelta::days(days);
    let start = (LAST_MOMENT, String::new());
    let list = RankedList { rank: &ranks::ABANDONED_CARTS, default_limit: DEFAULT_LIMIT, start };
    let key = |cart: &AbandonedCart| (cart.changed_at, cart.cart_id.clone());
    request
        .answer_rows(&app, page, list, key, move |connection, (changed_at, cart_id), limit| {
            sqlx::query_file_as!(
                AbandonedCart,
                "projections/carts/abandoned.sql",
                untouched_since,
                changed_at,
                cart_id,
                limit
            )
            .fetch(connection)
        })
        .await
}
