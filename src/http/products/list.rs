//! The list of products: filters for shoppers, and more for staff.

use std::future::ready;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::TryFutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;
use utoipa::{IntoParams, ToSchema};

use crate::domain::account::Role;
use crate::domain::money::Money;
use crate::domain::text::Sku;
use crate::http::App;
use crate::http::categories::{find_categories, with_subtrees};
use crate::http::products::search::{Found, ProductConditions, in_order};
use crate::http::ranks;
use crate::http::wire::amount::Amount;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Params};
use crate::http::wire::ranked_walk::{ListRequest, Rank, RankedList, RankedPage};
use crate::projector::text_key;

/// A product in the list of products.
#[derive(Serialize, ToSchema)]
pub struct ListedProduct {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    /// Units available: on hand and not reserved, never below 0.
    pub stock: i64,
    pub category: String,
    /// Units in the warehouse; with `view=stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    /// Units that open orders reserve; with `view=stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<i64>,
    /// With `view=stock`; `null` for a product without an SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sku: Option<Option<String>>,
    /// With `collapse=family`; `null` for a product without a family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ListedFamily>)]
    pub family: Option<Option<ListedFamily>>,
}

/// The family that a row of the list stands for.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ListedFamily {
    pub family_id: i64,
    pub name: String,
    /// Products of the family, without discontinued ones.
    pub products: i64,
    /// Lowest price of these products.
    #[schema(example = "199.00")]
    pub min_price: Option<String>,
    /// Highest price of these products.
    #[schema(example = "499.00")]
    pub max_price: Option<String>,
    /// Whether any of these products has stock.
    pub in_stock: bool,
}

/// A row of the list with everything that a view may show.
struct ProductListRow {
    product_id: i64,
    name: String,
    price: Amount,
    stock: i64,
    category: String,
    on_hand: i64,
    reserved: i64,
    sku: Option<String>,
    family: Option<SqlJson<ListedFamily>>,
}

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
    /// `stock` adds `on_hand`, `reserved` and `sku`. For staff.
    #[param(inline)]
    view: Option<ProductListView>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductListView {
    Stock,
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
/// `sku`, `discontinued` and `view` are for staff: 401 for guests, 403 for customers.
#[utoipa::path(get, path = "/products", tag = "catalogue", security((), ("bearer" = [])),
    params(ProductFilter, RankedPage),
    responses((status = 200, body = Vec<ListedProduct>), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn list_products(
    State(app): State<App>,
    caller: Caller,
    request: ListRequest,
    Params(filter): Params<ProductFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    if filter.sku.is_some() || filter.discontinued.is_some() || filter.view.is_some() {
        require_staff(&caller)?;
    }
    let (rank, view) = (filter.rank(), filter.view);
    let collapse = filter.collapse == Some(ProductCollapse::Family);
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let categories = with_subtrees(&app, categories, filter.subtree).await?;
    let members = match filter.family {
        Some(family_id) => Some(find_members(&app, family_id).await?),
        None => None,
    };
    let (min_price, max_price) = (filter.min_price.map(Money::amount), filter.max_price.map(Money::amount));
    let (in_stock, discontinued) = (filter.in_stock, filter.discontinued.unwrap_or(false));
    let unfiltered = categories.is_none()
        && min_price.is_none()
        && max_price.is_none()
        && filter.search.is_none()
        && in_stock.is_none()
        && members.is_none()
        && !collapse
        && !discontinued;
    let conditions = ProductConditions {
        discontinued,
        category_ids: categories.as_deref(),
        min_price,
        max_price,
        in_stock,
        among: members.as_deref(),
    };
    let Found { ranks, product_ids, words } =
        Found::of(&app, filter.search.as_deref(), filter.sort, conditions).await?;
    let show = move |row: ProductListRow| row.into_listed(view, collapse);
    macro_rules! rows {
        ($connection:expr, $file:literal, $($after:expr),*) => {
            sqlx::query_file_as!(
                ProductListRow, $file, categories.as_deref(), min_price, max_price, in_stock, words.as_deref(), $($after),*
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
    if let Some(sku) = filter.sku {
        let key = text_key(sku.as_str());
        return list!((String::new(), 0_i64), by_name, move |connection, (name, id), _| {
            let (sku, after) = (sku.clone(), (text_key(&name), id));
            // The text_key ignores accents, which make another SKU.
            let is_next = move |row: &ProductListRow| {
                let stored = row.sku.as_ref().map(|stored| Sku::stored(stored.as_str()).folded());
                ready(stored == Some(sku.folded()) && (text_key(&row.name), row.product_id) > after)
            };
            let found =
                rows!(connection, "projections/products/list_by_sku.sql", key, discontinued, product_ids.as_deref());
            found.try_filter(is_next).boxed()
        });
    }
    if let Some(ranks) = ranks {
        let by_relevance = {
            let ranks = Arc::clone(&ranks);
            move |row: &ProductListRow| (ranks.get(&row.product_id).copied().unwrap_or_default(), row.product_id)
        };
        return list!((i64::MAX, 0_i64), by_relevance, move |connection, after, limit| {
            let ranks = Arc::clone(&ranks);
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
                rows!(
                    connection,
                    "projections/products/list_by_name.sql",
                    text_key(&name),
                    id,
                    limit,
                    discontinued,
                    product_ids.as_deref(),
                    collapse
                )
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

fn require_staff(caller: &Caller) -> Result<(), ApiError> {
    match caller.identity()?.role {
        Role::Customer => Err(ApiError::forbidden("the parameters sku, discontinued and view are for staff")),
        _ => Ok(()),
    }
}

impl ProductListRow {
    fn into_listed(self, view: Option<ProductListView>, collapse: bool) -> ListedProduct {
        let Self { product_id, name, price, stock, category, on_hand, reserved, sku, family } = self;
        let mut product = ListedProduct {
            product_id,
            name,
            price,
            stock,
            category,
            on_hand: None,
            reserved: None,
            sku: None,
            family: None,
        };
        if collapse {
            product.family = Some(family.map(|family| family.0));
        }
        if let Some(ProductListView::Stock) = view {
            (product.on_hand, product.reserved, product.sku) = (Some(on_hand), Some(reserved), Some(sku));
        }
        product
    }
}
