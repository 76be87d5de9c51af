//! Orders that cannot be served, because a count found fewer units than orders reserve.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::product::Stock;
use crate::http::App;
use crate::http::ranks;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Params};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};

/// A product of an order with more unshipped units than are on hand.
#[derive(Serialize, ToSchema)]
pub struct ShortOrder {
    pub order_id: i64,
    pub placed_at: DateTime<Utc>,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    pub product_id: i64,
    pub product_name: String,
    /// Units of the product that the order still has to ship.
    pub unshipped: i64,
    /// Units of them that are not on hand if all earlier orders are served first.
    pub missing: i64,
    /// Units of the product in the warehouse.
    pub on_hand: i64,
    /// Units of the product that all open orders reserve.
    pub reserved: i64,
    /// Unshipped units of this order and of all later ones.
    #[serde(skip)]
    upto: i64,
}

/// List orders that cannot be served
///
/// A count of the stock may find fewer units than open orders reserve. Earlier orders are served first, so these are the
/// latest orders of such a product: by product, latest order first. Staff wait for a delivery, or cancel the units.
#[utoipa::path(get, path = "/orders/short", tag = "orders", security(("bearer" = ["reader"])), params(RankedPage),
    responses((status = 200, body = Vec<ShortOrder>), (status = 400, body = Problem)))]
pub async fn list_short_orders(
    State(app): State<App>,
    request: ListRequest,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let list = RankedList { rank: &ranks::SHORT_ORDERS, default_limit: DEFAULT_LIMIT, start: ShortKey::default() };
    let key = |row: &ShortOrder| ShortKey(row.product_id, row.order_id, row.upto);
    request
        .answer_rows(&app, page, list, key, |connection, ShortKey(product_id, order_id, upto), limit| {
            sqlx::query_file_as!(ShortOrder, "projections/products/short_orders.sql", product_id, order_id, upto, limit)
                .fetch(connection)
        })
        .await
}

/// Product, order and units of the last row.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "(i64, i64, i64)")]
struct ShortKey(i64, i64, i64);

impl Default for ShortKey {
    fn default() -> Self {
        Self(0, i64::MAX, 0)
    }
}

impl TryFrom<(i64, i64, i64)> for ShortKey {
    type Error = &'static str;

    /// No product has more reserved units, so a larger number was not made by the shop, and could overflow.
    fn try_from((product_id, order_id, upto): (i64, i64, i64)) -> Result<Self, Self::Error> {
        let possible = (0..=Stock::MAX).contains(&upto);
        if possible { Ok(Self(product_id, order_id, upto)) } else { Err("is not a number of units") }
    }
}
