//! The list of products: filters for shoppers, and more for staff.

use axum::extract::{OriginalUri, State};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::account::Role;
use crate::domain::money::Money;
use crate::domain::text::Sku;
use crate::http::App;
use crate::http::categories::find_categories;
use crate::http::wire::amount::Amount;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Page, PageOf, Params};
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
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductFilter {
    /// Category: looked up by number, then by exact name, then by name without accents.
    category: Option<String>,
    /// Number of a category.
    category_id: Option<i64>,
    /// Lowest price, inclusive.
    #[param(inline)]
    min_price: Option<Money>,
    /// Highest price, inclusive.
    #[param(inline)]
    max_price: Option<Money>,
    /// Words that the name or description must all contain; case and accents do not matter.
    search: Option<String>,
    /// `true` returns only products with stock.
    in_stock: Option<bool>,
    #[param(inline)]
    sort: Option<ProductSort>,
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

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductSort {
    #[default]
    Name,
    PriceAsc,
    PriceDesc,
    Newest,
}

/// List products
///
/// `sku`, `discontinued` and `view` are for staff: 401 for guests, 403 for customers.
#[utoipa::path(get, path = "/products", tag = "catalogue", security((), ("bearer" = [])), params(ProductFilter, Page),
    responses((status = 200, body = Vec<ListedProduct>), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn list_products(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    Params(filter): Params<ProductFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<ListedProduct>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    if filter.sku.is_some() || filter.discontinued.is_some() || filter.view.is_some() {
        require_staff(&caller)?;
    }
    let words: Option<Vec<String>> = filter.search.map(|search| search.split_whitespace().map(text_key).collect());
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let (min_price, max_price) = (filter.min_price.map(Money::amount), filter.max_price.map(Money::amount));
    let (in_stock, discontinued) = (filter.in_stock.unwrap_or(false), filter.discontinued.unwrap_or(false));
    macro_rules! list {
        ($file:literal, $($key:expr),*) => {
            sqlx::query_file_as!(
                ProductListRow, $file, categories.as_deref(), min_price, max_price, in_stock, words.as_deref(), $($key),*
            )
            .fetch_all(&app.pool)
            .await?
        };
    }
    if let Some(sku) = &filter.sku {
        let key = text_key(sku.as_str());
        let mut rows = list!("projections/products/list_by_sku.sql", key, discontinued);
        // The text_key ignores accents, which make another SKU.
        rows.retain(|row| row.sku.as_ref().is_some_and(|stored| Sku::stored(stored.as_str()).folded() == sku.folded()));
        return Ok(PageOf::with_next(&uri, rows, None::<i64>).map(|row| row.into_listed(filter.view)));
    }
    let unfiltered = categories.is_none()
        && min_price.is_none()
        && max_price.is_none()
        && words.is_none()
        && !in_stock
        && !discontinued;
    let page = match filter.sort.unwrap_or_default() {
        ProductSort::Name if unfiltered => {
            let (name, id): (String, i64) = page.after()?.unwrap_or_default();
            let list =
                sqlx::query_file_as!(ProductListRow, "projections/products/list.sql", text_key(&name), id, limit + 1);
            let rows = list.fetch_all(&app.pool).await?;
            PageOf::new(&uri, rows, limit, |row| (row.name.clone(), row.product_id))
        }
        ProductSort::Name => {
            let (name, id): (String, i64) = page.after()?.unwrap_or_default();
            let rows = list!("projections/products/list_by_name.sql", text_key(&name), id, limit + 1, discontinued);
            PageOf::new(&uri, rows, limit, |row| (row.name.clone(), row.product_id))
        }
        ProductSort::PriceAsc => {
            let (price, id): (Decimal, i64) = page.after()?.unwrap_or((Decimal::NEGATIVE_ONE, 0));
            let rows = list!("projections/products/list_by_price_asc.sql", price, id, limit + 1, discontinued);
            PageOf::new(&uri, rows, limit, |row| (row.price.0, row.product_id))
        }
        ProductSort::PriceDesc => {
            let (price, id): (Decimal, i64) = page.after()?.unwrap_or((Decimal::MAX, i64::MAX));
            let rows = list!("projections/products/list_by_price_desc.sql", price, id, limit + 1, discontinued);
            PageOf::new(&uri, rows, limit, |row| (row.price.0, row.product_id))
        }
        ProductSort::Newest => {
            let id: i64 = page.after()?.unwrap_or(i64::MAX);
            let rows = list!("projections/products/list_newest.sql", id, limit + 1, discontinued);
            PageOf::new(&uri, rows, limit, |row| row.product_id)
        }
    };
    Ok(page.map(|row| row.into_listed(filter.view)))
}

fn require_staff(caller: &Caller) -> Result<(), ApiError> {
    match caller.identity()?.role {
        Role::Customer => Err(ApiError::forbidden("the parameters sku, discontinued and view are for staff")),
        _ => Ok(()),
    }
}

impl ProductListRow {
    fn into_listed(self, view: Option<ProductListView>) -> ListedProduct {
        let Self { product_id, name, price, stock, category, on_hand, reserved, sku } = self;
        let mut product =
            ListedProduct { product_id, name, price, stock, category, on_hand: None, reserved: None, sku: None };
        if let Some(ProductListView::Stock) = view {
            (product.on_hand, product.reserved, product.sku) = (Some(on_hand), Some(reserved), Some(sku));
        }
        product
    }
}
