//! The list of products: filters for shoppers, and more for staff.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::TryFutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rust_decimal::Decimal;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::detail_filter::DetailFilter;
use super::listed::{ListedColumns, ListedProduct, ProductListRow, ProductListView};
use crate::domain::account::Role;
use crate::domain::money::Money;
use crate::domain::text::Sku;
use crate::http::App;
use crate::http::categories::{find_categories, with_subtrees};
use crate::http::products::search::{Found, ProductConditions, SPARE, both, in_order, page_of};
use crate::http::ranks;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Params};
use crate::http::wire::ranked_walk::{ListRequest, Rank, RankedList, RankedPage};
use crate::projector::text_key;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductFilter {
    /// Category: looked up by number, then by exact name, then by name without accents.
    category: Option<String>,
    /// Number of a category.
    category_id: Option<i64>,
    /// `true` includes the categories below the category.
    subtree: Option<bool>,
    /// Lowest price, inclusive.
    #[param(inline)]
    min_price: Option<Money>,
    /// Highest price, inclusive.
    #[param(inline)]
    max_price: Option<Money>,
    /// Words that the name or description must all contain; case and accents do not matter. With `sort=relevance` words
    /// of any text of the product, in any inflection and in spite of typing errors.
    search: Option<String>,
    /// `true` returns only products with stock, `false` only those without.
    in_stock: Option<bool>,
    #[param(inline)]
    sort: Option<ProductSort>,
    /// Number of a family.
    family: Option<i64>,
    /// `family` returns one product of each family: the first in the order of the list, with `family` about the others.
    #[param(inline)]
    collapse: Option<ProductCollapse>,
    /// The whole SKU; case does not matter. For staff.
    #[param(inline)]
    sku: Option<Sku>,
    /// `true` returns only discontinued products; otherwise they are left out. For staff.
    discontinued: Option<bool>,
    /// `full` adds everything that `GET product/{product_id}/` shows. `stock` adds `on_hand`, `reserved` and `sku`, for staff.
    #[param(inline)]
    view: Option<ProductListView>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductCollapse {
    Family,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductSort {
    #[default]
    Name,
    PriceAsc,
    PriceDesc,
    Newest,
    /// Best matches for `search` first: with stems, without accents, in spite of typing errors.
    Relevance,
}

/// List products
///
/// `sku`, `discontinued`, `supplier_id` and `view=stock` are for staff: 401 for guests, 403 for customers.
#[utoipa::path(get, path = "/products", tag = "catalogue", security((), ("bearer" = [])),
    params(ProductFilter, DetailFilter, RankedPage),
    responses((status = 200, body = Vec<ListedProduct>), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn list_products(
    State(app): State<App>,
    caller: Caller,
    request: ListRequest,
    Params(filter): Params<ProductFilter>,
    Params(detail_filter): Params<DetailFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let is_for_staff = filter.sku.is_some()
        || filter.discontinued.is_some()
        || filter.view == Some(ProductListView::Stock)
        || detail_filter.supplier_id.is_some();
    if is_for_staff {
        require_staff(&caller)?;
    }
    let (view, on_sale) = (filter.view, detail_filter.on_sale);
    let full = view == Some(ProductListView::Full);
    let detail_keys = detail_filter.keys(&app).await?;
    let by_details = full || on_sale.is_some() || detail_keys.is_some();
    let by_relevance = filter.sort == Some(ProductSort::Relevance);
    let rank = if by_details && !by_relevance { &ranks::PRODUCTS_BY_DETAILS } else { filter.rank() };
    let collapse = filter.collapse == Some(ProductCollapse::Family);
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let categories = with_subtrees(&app, categories, filter.subtree).await?;
    let named = find_named(&app, filter.family, filter.sku.as_ref()).await?;
    let (min_price, max_price) = (filter.min_price.map(Money::amount), filter.max_price.map(Money::amount));
    let (in_stock, discontinued) = (filter.in_stock, filter.discontinued.unwrap_or(false));
    let unfiltered = categories.is_none()
        && min_price.is_none()
        && max_price.is_none()
        && filter.search.is_none()
        && in_stock.is_none()
        && named.is_none()
        && !collapse
        && !by_details
        && !discontinued;
    let conditions = ProductConditions {
        discontinued,
        category_ids: categories.as_deref(),
        min_price,
        max_price,
        in_stock,
        among: named.as_deref(),
        detail_keys: detail_keys.as_ref(),
        on_sale,
    };
    let Found { ranks, product_ids, words, .. } =
        Found::of(&app, filter.search.as_deref(), filter.sort, conditions).await?;
    let columns = ListedColumns { view, collapse, for_staff: caller.is_staff() };
    let show = move |row: ProductListRow| row.into_listed(columns);
    macro_rules! rows {
        ($connection:expr, $file:literal, $($after:expr),*) => {
            rows!($connection, [categories, words, detail_keys], $file, $($after),*)
        };
        ($connection:expr, [$categories:ident, $words:ident, $detail_keys:ident], $file:literal, $($after:expr),*) => {
            sqlx::query_file_as!(
                ProductListRow, $file, $categories.as_deref(), min_price, max_price, in_stock, $words.as_deref(),
                $($after,)* $detail_keys.clone(), on_sale, full
            )
            .fetch($connection)
        };
    }
    macro_rules! list {
        ($start:expr, $key:expr, $query:expr) => {{
            let list = RankedList { rank, default_limit: DEFAULT_LIMIT, start: $start };
            request.answer(&app, page, list, $key, show, $query).await
        }};
    }
    let by_name = |row: &ProductListRow| (row.name.clone(), row.product_id);
    let by_price = |row: &ProductListRow| (row.price.0, row.product_id);
    if let Some(ranks) = ranks {
        let by_relevance = {
            let ranks = Arc::clone(&ranks);
            move |row: &ProductListRow| (ranks.get(&row.product_id).copied().unwrap_or_default(), row.product_id)
        };
        return list!((i64::MAX, 0_i64), by_relevance, move |connection, after, limit| {
            let ranks = Arc::clone(&ranks);
            // Which product of a family comes first depends on all that match.
            let product_ids = if collapse { product_ids.clone() } else { Some(page_of(&ranks, after, limit)) };
            let found = rows!(
                connection,
                "projections/products/list_by_name.sql",
                "",
                0_i64,
                None::<i64>,
                discontinued,
                product_ids.as_deref(),
                collapse
            );
            let page = found.try_collect::<Vec<_>>().map_ok(move |rows: Vec<ProductListRow>| {
                let page = in_order(rows, |row| row.product_id, &ranks, after, limit);
                stream::iter(page.into_iter().map(Ok::<_, sqlx::Error>))
            });
            page.try_flatten_stream().boxed()
        });
    }
    match filter.sort.unwrap_or_default() {
        ProductSort::Name if unfiltered => list!((String::new(), 0_i64), by_name, |connection, (name, id), limit| {
            sqlx::query_file_as!(ProductListRow, "projections/products/list.sql", text_key(&name), id, limit)
                .fetch(connection)
        }),
        // A search without a word has nothing to rank by.
        ProductSort::Name | ProductSort::Relevance => {
            list!((String::new(), 0_i64), by_name, move |connection, (name, id), limit| {
                let key = text_key(&name);
                let (categories, words, detail_keys) = (categories.clone(), words.clone(), detail_keys.clone());
                let product_ids = product_ids.clone();
                let page = async move {
                    let product_ids = match (limit, &words) {
                        (Some(limit), Some(words)) if product_ids.is_none() && !collapse => {
                            let next = sqlx::query_file_scalar!(
                                "projections/product_search/next_by_name.sql",
                                words.as_slice(),
                                key,
                                id,
                                limit + SPARE,
                                discontinued,
                                categories.as_deref(),
                                min_price,
                                max_price,
                                in_stock,
                                detail_keys.clone(),
                                on_sale
                            );
                            Some(next.fetch_all(&mut *connection).await?)
                        }
                        _ => product_ids,
                    };
                    let found = rows!(
                        connection,
                        [categories, words, detail_keys],
                        "projections/products/list_by_name.sql",
                        key,
                        id,
                        limit,
                        discontinued,
                        product_ids.as_deref(),
                        collapse
                    );
                    Ok::<_, sqlx::Error>(found)
                };
                page.try_flatten_stream().boxed()
            })
        }
        ProductSort::PriceAsc => {
            list!((Decimal::NEGATIVE_ONE, 0_i64), by_price, move |connection, (price, id), limit| {
                rows!(
                    connection,
                    "projections/products/list_by_price_asc.sql",
                    price,
                    id,
                    limit,
                    discontinued,
                    product_ids.as_deref(),
                    collapse
                )
            })
        }
        ProductSort::PriceDesc => {
            list!((Decimal::MAX, i64::MAX), by_price, move |connection, (price, id), limit| {
                rows!(
                    connection,
                    "projections/products/list_by_price_desc.sql",
                    price,
                    id,
                    limit,
                    discontinued,
                    product_ids.as_deref(),
                    collapse
                )
            })
        }
        ProductSort::Newest => {
            list!(i64::MAX, |row: &ProductListRow| row.product_id, move |connection, id, limit| {
                rows!(
                    connection,
                    "projections/products/list_newest.sql",
                    id,
                    limit,
                    discontinued,
                    product_ids.as_deref(),
                    collapse
                )
            })
        }
    }
}

/// The products that the parameters `family` and `sku` name; `None` without these.
async fn find_named(app: &App, family: Option<i64>, sku: Option<&Sku>) -> Result<Option<Vec<i64>>, sqlx::Error> {
    let members = match family {
        Some(family_id) => Some(find_members(app, family_id).await?),
        None => None,
    };
    let Some(sku) = sku else { return Ok(members) };
    let key = text_key(sku.as_str());
    let rows = sqlx::query_file!("projections/products/find_by_sku.sql", key).fetch_all(&app.pool).await?;
    // The text_key ignores accents, which make another SKU.
    let found = rows.into_iter().filter(|row| Sku::stored(row.sku.as_str()).folded() == sku.folded());
    let found: Vec<i64> = found.map(|row| row.product_id).collect();
    Ok(Some(match members {
        Some(members) => both(members, &found),
        None => found,
    }))
}

/// The products of a family, as the parameter of a query.
pub async fn find_members(app: &App, family_id: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_file_scalar!("projections/families/member_ids.sql", family_id).fetch_all(&app.pool).await
}

impl ProductFilter {
    /// What moves the rows of this list.
    fn rank(&self) -> &'static Rank {
        let by_price = self.min_price.is_some() || self.max_price.is_some();
        match self.sort.unwrap_or_default() {
            ProductSort::Relevance => &ranks::PRODUCTS_BY_RELEVANCE,
            _ if self.family.is_some() || self.collapse.is_some() => &ranks::PRODUCTS_BY_FAMILY,
            _ if self.in_stock.is_some() => &ranks::PRODUCTS_IN_STOCK,
            ProductSort::PriceAsc | ProductSort::PriceDesc => &ranks::PRODUCTS_BY_PRICE,
            _ if by_price => &ranks::PRODUCTS_BY_PRICE,
            ProductSort::Name => &ranks::PRODUCTS_BY_NAME,
            ProductSort::Newest => &ranks::PRODUCTS_NEWEST,
        }
    }
}

pub fn require_staff(caller: &Caller) -> Result<(), ApiError> {
    match caller.identity()?.role {
        Role::Customer => {
            Err(ApiError::forbidden("the parameters sku, discontinued, supplier_id and view=stock are for staff"))
        }
        _ => Ok(()),
    }
}
