//! Products and their stock.

use axum::extract::{OriginalUri, State};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ids::ProductId;
use crate::domain::money::Money;
use crate::domain::text::{Description, Name, Reason, Sku};
use crate::http::App;
use crate::http::categories::{CategoryField, category_filter};
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::format::money;
use crate::http::wire::openapi::{number_or_name, number_or_name_or_null};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params, Versioned};
use crate::shop::{
    AdjustStock, ChangeProduct, CreateProduct, DeleteProduct, ProductRef, ProductView, StockChange, StockView,
};

/// A product in a list.
#[derive(Serialize, ToSchema)]
pub struct ProductRow {
    pub product_id: i64,
    pub name: String,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "235.99")]
    pub price: Decimal,
    /// What can still be sold.
    pub stock: i64,
    pub category: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductFilter {
    /// Number or name of a category.
    category: Option<String>,
    /// Lowest price, inclusive.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "9.99")]
    min_price: Option<Money>,
    /// Highest price, inclusive.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "99.99")]
    max_price: Option<Money>,
    /// Every word must be in the name or the description, in any case.
    search: Option<String>,
    /// Only products that can be sold now.
    in_stock: Option<bool>,
    #[param(inline)]
    sort: Option<Sort>,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    #[default]
    Name,
    PriceAsc,
    PriceDesc,
    Newest,
}

body! {
    /// A new product.
    pub struct NewProduct {
        #[schema(value_type = String, min_length = 1, max_length = 200, example = "Kettle")]
        pub name: Name,
        #[schema(value_type = String, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "24.90")]
        pub price: Money,
        /// Number or name of a category.
        #[schema(schema_with = number_or_name)]
        pub category: CategoryField,
        #[schema(value_type = Option<String>, max_length = 10_000)]
        pub description: Option<Description>,
        /// Units on hand from the start.
        #[schema(minimum = 0, maximum = 1_000_000_000)]
        pub stock: Option<i64>,
        /// A code that no other product has.
        #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
        pub sku: Option<Sku>,
    }
}

body! {
    /// What is to be changed; what is absent stays as it is.
    pub struct ProductChange {
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub name: Option<Name>,
        #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "19.90")]
        pub price: Option<Money>,
        #[schema(schema_with = number_or_name_or_null)]
        pub category: Option<CategoryField>,
        #[schema(value_type = Option<String>, max_length = 10_000)]
        pub description: Option<Description>,
        /// `true` takes the product out of the catalogue, for good.
        pub discontinued: Option<bool>,
    }
}

body! {
    /// Either a `change` of what is on hand, or a `count` of it.
    pub struct StockAdjustment {
        /// Units that came in (positive) or went missing (negative).
        #[schema(example = 12)]
        pub change: Option<i64>,
        /// Units that stand in the store.
        #[schema(minimum = 0)]
        pub count: Option<i64>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "delivery 4711")]
        pub reason: Option<Reason>,
    }
}

/// Products that are sold
#[utoipa::path(get, path = "/products", tag = "catalogue", security((), ("bearer" = [])), params(ProductFilter, Page),
    responses((status = 200, body = Vec<ProductRow>), (status = 400, body = Problem)))]
pub async fn list_products(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<ProductFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<ProductRow>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (category_id, category_name) = category_filter(filter.category);
    let words: Option<Vec<String>> = filter.search.map(|search| search.split_whitespace().map(str::to_owned).collect());
    if words.iter().flatten().any(|word| word.contains('\0')) {
        return Err(ApiError::invalid_field("search", "must not contain control characters"));
    }
    let (min_price, max_price) = (filter.min_price.map(Money::amount), filter.max_price.map(Money::amount));
    let in_stock = filter.in_stock.unwrap_or(false);
    macro_rules! list {
        ($file:literal, $($key:expr),*) => {
            sqlx::query_file_as!(
                ProductRow, $file, category_id, category_name, min_price, max_price, in_stock, words.as_deref(),
                $($key,)* limit + 1
            )
            .fetch_all(&app.pool)
            .await?
        };
    }
    let unfiltered = category_id.is_none()
        && category_name.is_none()
        && min_price.is_none()
        && max_price.is_none()
        && words.is_none()
        && !in_stock;
    Ok(match filter.sort.unwrap_or_default() {
        Sort::Name if unfiltered => {
            let (name, id): (String, i64) = page.after()?.unwrap_or_default();
            let list = sqlx::query_file_as!(ProductRow, "projections/products/list.sql", name, id, limit + 1);
            let rows = list.fetch_all(&app.pool).await?;
            PageOf::new(&uri, rows, limit, |row| (row.name.clone(), row.product_id))
        }
        Sort::Name => {
            let (name, id): (String, i64) = page.after()?.unwrap_or_default();
            let rows = list!("projections/products/list_by_name.sql", name, id);
            PageOf::new(&uri, rows, limit, |row| (row.name.clone(), row.product_id))
        }
        Sort::PriceAsc => {
            let (price, id): (Decimal, i64) = page.after()?.unwrap_or((Decimal::NEGATIVE_ONE, 0));
            let rows = list!("projections/products/list_by_price_asc.sql", price, id);
            PageOf::new(&uri, rows, limit, |row| (row.price, row.product_id))
        }
        Sort::PriceDesc => {
            let (price, id): (Decimal, i64) = page.after()?.unwrap_or((Decimal::MAX, i64::MAX));
            let rows = list!("projections/products/list_by_price_desc.sql", price, id);
            PageOf::new(&uri, rows, limit, |row| (row.price, row.product_id))
        }
        Sort::Newest => {
            let id: i64 = page.after()?.unwrap_or(i64::MAX);
            let rows = list!("projections/products/list_newest.sql", id);
            PageOf::new(&uri, rows, limit, |row| row.product_id)
        }
    })
}

/// A product
#[utoipa::path(get, path = "/product/{product_id}", tag = "catalogue", security((), ("bearer" = [])),
    params(("product_id" = i64, Path)),
    responses((status = 200, body = ProductView), (status = 404, body = Problem)))]
pub async fn find_product(
    State(app): State<App>,
    Ids(product_id): Ids<i64>,
) -> Result<Versioned<ProductView>, ApiError> {
    let found = sqlx::query_file!("projections/products/find.sql", product_id).fetch_optional(&app.pool).await?;
    let row = found.ok_or_else(|| ApiError::not_found("product_not_found", "Product not found"))?;
    let body = ProductView {
        product_id: row.product_id,
        name: row.name,
        price: crate::domain::money::two_decimals(row.price),
        stock: row.stock,
        category: row.category,
        description: row.description,
        sku: row.sku,
        on_hand: row.on_hand,
        reserved: row.reserved,
        discontinued: row.discontinued,
    };
    Ok(Versioned { version: row.version, body })
}

/// Creates a product
#[utoipa::path(post, path = "/products", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = NewProduct, params(CommandParams),
    responses((status = 201, body = ProductRef), CommandProblems))]
pub async fn create_product(
    State(app): State<App>,
    command: Command<NewProduct>,
) -> Result<Answer<ProductRef>, ApiError> {
    let NewProduct { name, price, category, description, stock, sku } = command.body;
    let (description, stock) = (description.unwrap_or_default(), stock.unwrap_or(0));
    let create = CreateProduct { name, description, price, category: category.0, sku, stock };
    let created = app.run(create, command.context).await?;
    Ok(created.created(|created| format!("/shop/api/product/{}/", created.product_id)))
}

/// Changes a product, or discontinues it
#[utoipa::path(patch, path = "/product/{product_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = ProductChange,
    params(("product_id" = i64, Path), CommandParams), responses((status = 200, body = ProductView), CommandProblems))]
pub async fn change_product(
    State(app): State<App>,
    Ids(product_id): Ids<i64>,
    command: Command<ProductChange>,
) -> Result<Answer<ProductView>, ApiError> {
    let ProductChange { name, price, category, description, discontinued } = command.body;
    if discontinued == Some(false) {
        return Err(ApiError::invalid_field("discontinued", "must be true: a discontinued product stays so"));
    }
    let change = ChangeProduct {
        product_id: ProductId(product_id),
        name,
        description,
        category: category.map(|category| category.0),
        price,
        discontinue: discontinued.is_some(),
    };
    app.run(change, command.context).await
}

/// Deletes a product that was never ordered
#[utoipa::path(delete, path = "/product/{product_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("product_id" = i64, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn delete_product(
    State(app): State<App>,
    Ids(product_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<()>, ApiError> {
    app.run(DeleteProduct { product_id: ProductId(product_id) }, command.context).await
}

/// Receives, corrects or counts stock
#[utoipa::path(post, path = "/product/{product_id}/stock", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = StockAdjustment,
    params(("product_id" = i64, Path), CommandParams), responses((status = 200, body = StockView), CommandProblems))]
pub async fn adjust_stock(
    State(app): State<App>,
    Ids(product_id): Ids<i64>,
    command: Command<StockAdjustment>,
) -> Result<Answer<StockView>, ApiError> {
    let StockAdjustment { change, count, reason } = command.body;
    let change = match (change, count) {
        (Some(change), None) => StockChange::By(change),
        (None, Some(count)) => StockChange::Counted(count),
        _ => return Err(ApiError::invalid_field("change", "is required, or count, but not both")),
    };
    app.run(AdjustStock { product_id: ProductId(product_id), change, reason }, command.context).await
}
