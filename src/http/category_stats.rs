//! Figures of the categories: each on its own, or with all categories below it.

use axum::extract::State;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::App;
use crate::http::ranks;
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Params};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};
use crate::projector::text_key;

#[derive(Serialize, ToSchema)]
pub struct CategoryStats {
    pub category_name: String,
    pub product_count: i64,
    pub total_stock: i64,
    pub avg_price: Amount,
    /// With `subtree=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category_id: Option<i64>,
    /// Number of the category above, `null` at the top; with `subtree=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub parent_id: Option<Option<i64>>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CategoryStatsFilter {
    /// `true` counts the products of all categories below a category too, and adds `category_id` and `parent_id`.
    subtree: Option<bool>,
}

/// A row of either question; `parent_id` is of subtrees only.
struct CategoryStatsRow {
    category_id: i64,
    category_name: String,
    product_count: i64,
    total_stock: i64,
    avg_price: Decimal,
    parent_id: Option<i64>,
}

/// List categories by number of products
#[utoipa::path(get, path = "/category-stats", tag = "statistics", security(("bearer" = ["reader"])),
    params(CategoryStatsFilter, RankedPage),
    responses((status = 200, body = Vec<CategoryStats>), (status = 400, body = Problem)))]
pub async fn category_stats(
    State(app): State<App>,
    request: ListRequest,
    Params(filter): Params<CategoryStatsFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let subtree = filter.subtree.unwrap_or(false);
    let start = (i64::MAX, String::new(), 0);
    let rank = if subtree { &ranks::CATEGORY_TREE_STATS } else { &ranks::CATEGORY_STATS };
    let list = RankedList { rank, default_limit: DEFAULT_LIMIT, start };
    let key = |row: &CategoryStatsRow| (row.product_count, row.category_name.clone(), row.category_id);
    let show = move |row: CategoryStatsRow| CategoryStats {
        category_name: row.category_name,
        product_count: row.product_count,
        total_stock: row.total_stock,
        avg_price: row.avg_price.into(),
        category_id: subtree.then_some(row.category_id),
        parent_id: subtree.then_some(row.parent_id),
    };
    if subtree {
        return request
            .answer(&app, page, list, key, show, |connection, (count, name, category_id), limit| {
                sqlx::query_file_as!(
                    CategoryStatsRow,
                    "projections/category_stats/list_subtrees.sql",
                    count,
                    text_key(&name),
                    category_id,
                    limit
                )
                .fetch(connection)
            })
            .await;
    }
    request
        .answer(&app, page, list, key, show, |connection, (count, name, category_id), limit| {
            sqlx::query_file_as!(
                CategoryStatsRow,
                "projections/category_stats/list.sql",
                count,
                text_key(&name),
                category_id,
                limit
            )
            .fetch(connection)
        })
        .await
}
