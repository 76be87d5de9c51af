//! Products with low stock: below one threshold, or below the threshold of each product.

use axum::extract::State;
use axum::response::Response;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::App;
use crate::http::products::ProductRow;
use crate::http::ranks;
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Params};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LowStockFilter {
    /// Stock below this number is low; 10 if absent. `own`: below the `low_stock_threshold` of each product, or that of the
    /// shop where it has none.
    #[param(inline)]
    threshold: Option<ThresholdFilter>,
}

/// Which stock is low.
#[derive(Clone, Copy)]
enum ThresholdFilter {
    Units(i64),
    /// Below the threshold of each product.
    Own,
}

impl<'de> Deserialize<'de> for ThresholdFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "own" => Ok(Self::Own),
            units => units.parse().map(Self::Units).map_err(|_| D::Error::custom("must be a whole number, or own")),
        }
    }
}

impl PartialSchema for ThresholdFilter {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^(own|-?[0-9]{1,18})$"))
            .examples(["10"])
            .build()
            .into()
    }
}

impl ToSchema for ThresholdFilter {}

/// A product with low stock.
#[derive(Serialize, ToSchema)]
pub struct LowStock {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    /// Units available: on hand and not reserved, never below 0.
    pub stock: i64,
    pub category: String,
    /// The threshold that the stock is below; with `threshold=own`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_stock_threshold: Option<i64>,
}

const DEFAULT_THRESHOLD: i64 = 10;

/// List products with low stock
#[utoipa::path(get, path = "/low-stock", tag = "statistics", security(("bearer" = ["reader"])),
    params(LowStockFilter, RankedPage),
    responses((status = 200, body = Vec<LowStock>), (status = 400, body = Problem)))]
pub async fn low_stock(
    State(app): State<App>,
    request: ListRequest,
    Params(filter): Params<LowStockFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let start = (i64::MIN, 0);
    let threshold = match filter.threshold.unwrap_or(ThresholdFilter::Units(DEFAULT_THRESHOLD)) {
        ThresholdFilter::Units(threshold) => threshold,
        ThresholdFilter::Own => {
            let list = RankedList { rank: &ranks::LOW_STOCK_OWN, default_limit: DEFAULT_LIMIT, start };
            let key = |row: &LowStock| (row.stock, row.product_id);
            return request
                .answer_rows(&app, page, list, key, |connection, (stock, product_id), limit| {
                    sqlx::query_file_as!(LowStock, "projections/low_stock/list_own.sql", stock, product_id, limit)
                        .fetch(connection)
                })
                .await;
        }
    };
    let list = RankedList { rank: &ranks::LOW_STOCK, default_limit: DEFAULT_LIMIT, start };
    let key = |row: &ProductRow| (row.stock, row.product_id);
    request
        .answer_rows(&app, page, list, key, move |connection, (stock, product_id), limit| {
            sqlx::query_file_as!(ProductRow, "projections/low_stock/list.sql", threshold, stock, product_id, limit)
                .fetch(connection)
        })
        .await
}
