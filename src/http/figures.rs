//! Figures of some days: the states of orders, who bought, and what each category sold.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::order::{Payment, Status};
use crate::http::App;
use crate::http::sales::{Period, range};
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, Page, Params};

/// Orders that one request counts.
const COUNTED_ORDERS: i64 = 100_000;

/// Orders that have the same states.
#[derive(Serialize, ToSchema)]
pub struct OrderStates {
    #[schema(value_type = Status)]
    pub status: String,
    #[schema(value_type = Payment)]
    pub payment: String,
    pub orders: i64,
    /// Sum of the orders' totals.
    pub total_amount: Amount,
    /// `false` if there are more than 100,000 orders, so that only the newest of them count.
    pub complete: bool,
}

/// Buyers of one kind, with their orders that were not cancelled.
#[derive(Serialize, ToSchema)]
pub struct Buyers {
    #[schema(value_type = BuyerKind)]
    pub kind: String,
    /// 0 for guests, who are not counted: only their orders are.
    pub customers: i64,
    pub orders: i64,
    /// Sum of the orders' totals minus credits.
    pub total_amount: Amount,
    /// `false` if there are more than 100,000 orders, so that only the newest of them count.
    pub complete: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes the answer")]
pub enum BuyerKind {
    Guest,
    /// Placed the first order in these days.
    New,
    /// Placed an order before these days too.
    Returning,
}

/// What the products of a category sold, without the categories below it.
#[derive(Serialize, ToSchema)]
pub struct CategorySales {
    pub category_id: i64,
    pub category_name: String,
    pub units: i64,
    pub revenue: Amount,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DaysFilter {
    /// First day, UTC, inclusive.
    #[param(inline)]
    from: Option<Day>,
    /// Last day, UTC, inclusive.
    #[param(inline)]
    to: Option<Day>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderStatesFilter {
    /// First day, UTC, inclusive.
    #[param(inline)]
    from: Option<Day>,
    /// Last day, UTC, inclusive.
    #[param(inline)]
    to: Option<Day>,
    /// `true` counts the orders of all days that wait for staff: pending or processing. Without `from` and `to`.
    open: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CategorySalesFilter {
    /// First day, UTC, inclusive.
    #[param(inline)]
    from: Option<Day>,
    /// Last day, UTC, inclusive.
    #[param(inline)]
    to: Option<Day>,
    /// Maximum number of categories, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Count orders by status and payment
///
/// At most 100,000 orders count, the newest ones; then `complete` is `false`.
#[utoipa::path(get, path = "/order-states", tag = "statistics", security(("bearer" = ["reader"])),
    params(OrderStatesFilter), responses((status = 200, body = Vec<OrderStates>), (status = 400, body = Problem)))]
pub async fn count_order_states(
    State(app): State<App>,
    Params(filter): Params<OrderStatesFilter>,
) -> Result<Json<Vec<OrderStates>>, ApiError> {
    let (from, to) = moments(filter.from, filter.to)?;
    let is_bounded = filter.from.is_some() || filter.to.is_some();
    let open = filter.open.unwrap_or(false);
    if open && is_bounded {
        return Err(ApiError::invalid_field("open", "counts orders of all days; omit from and to"));
    }
    let rows = if open {
        sqlx::query_file_as!(OrderStates, "projections/orders/count_open_states.sql", COUNTED_ORDERS)
            .fetch_all(&app.pool)
            .await?
    } else {
        sqlx::query_file_as!(OrderStates, "projections/orders/count_states.sql", from, to, COUNTED_ORDERS)
            .fetch_all(&app.pool)
            .await?
    };
    Ok(Json(rows))
}

/// Count new and returning customers, and the orders of guests; cancelled orders do not count
///
/// At most 100,000 orders count, the newest ones; then `complete` is `false`.
#[utoipa::path(get, path = "/buyers", tag = "statistics", security(("bearer" = ["reader"])), params(DaysFilter),
    responses((status = 200, body = Vec<Buyers>), (status = 400, body = Problem)))]
pub async fn count_buyers(
    State(app): State<App>,
    Params(filter): Params<DaysFilter>,
) -> Result<Json<Vec<Buyers>>, ApiError> {
    let (from, to) = moments(filter.from, filter.to)?;
    let rows = sqlx::query_file_as!(Buyers, "projections/orders/count_buyers.sql", from, to, COUNTED_ORDERS);
    Ok(Json(rows.fetch_all(&app.pool).await?))
}

/// List what categories sold, the highest revenue first, without cancelled and returned units
///
/// A product counts in the category that it has now.
#[utoipa::path(get, path = "/category-sales", tag = "statistics", security(("bearer" = ["reader"])),
    params(CategorySalesFilter), responses((status = 200, body = Vec<CategorySales>), (status = 400, body = Problem)))]
pub async fn list_category_sales(
    State(app): State<App>,
    Params(filter): Params<CategorySalesFilter>,
) -> Result<Json<Vec<CategorySales>>, ApiError> {
    let limit = Page { limit: filter.limit, cursor: None }.limit(DEFAULT_LIMIT)?;
    let (from, to) = range(filter.from, filter.to)?;
    let rows = sqlx::query_file_as!(
        CategorySales,
        "projections/bestsellers/by_category.sql",
        from,
        to,
        Period::Month.next_begin(from - TimeDelta::days(1)),
        Period::Month.begin(to + TimeDelta::days(1)),
        limit
    );
    Ok(Json(rows.fetch_all(&app.pool).await?))
}

/// The first moment of the days, and the first after them.
fn moments(from: Option<Day>, to: Option<Day>) -> Result<(DateTime<Utc>, DateTime<Utc>), ApiError> {
    let (first, last) = range(from, to)?;
    let begin = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Ok((begin(first), begin(last + TimeDelta::days(1))))
}
