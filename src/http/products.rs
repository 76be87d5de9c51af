//! Products and their stock.

use axum::extract::State;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ids::ProductId;
use crate::domain::money::Money;
use crate::domain::text::{Description, Name, OptionalSku, Reason, Sku};
use crate::http::App;
use crate::http::categories::{CategoryField, find_categories};
use crate::http::ranks;
use crate::http::wire::amount::Amount;
use crate::http::wire::body::{FromObject, NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Params, Versioned};
use crate::http::wire::ranked::{ListRequest, Rank, RankedList, RankedPage};
use crate::journal::EntityTag;
use crate::projector::text_key;
use crate::shop::{
    AdjustStock, ChangeProduct, CreateProduct, DeleteProduct, ProductRef, ProductView, StockChange, StockView,
    product_digest,
};

/// A product in a list.
#[derive(Serialize, ToSchema)]
pub struct ProductRow {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    /// Units available: on hand and not reserved, never below 0.
    pub stock: i64,
    pub category: String,
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

body! {
    /// A new product.
    #[schema(examples(json!({ "name": "Kettle", "price": "24.90", "category": "Kitchen", "description": "1.7 l", "stock": 12, "sku": "KET-17" })))]
    pub struct NewProduct {
        pub name: Name,
        pub price: Money,
        /// Number or name of a category.
        pub category: CategoryField,
        pub description: Option<Description>,
        /// Units on hand at first; 0 if absent.
        #[schema(minimum = 0, maximum = 1_000_000_000)]
        pub stock: Option<i64>,
        /// Stock-keeping unit; unique among products.
        pub sku: Option<Sku>,
    }
}

body! {
    /// The fields to change; absent fields keep their value.
    #[schema(examples(json!({ "price": "19.90", "sku": "KET-18" })))]
    pub struct ProductChange {
        pub name: Option<Name>,
        pub price: Option<Money>,
        pub category: Option<CategoryField>,
        pub description: Option<Description>,
        /// Stock-keeping unit; unique among products. `null` or the empty text removes it.
        pub sku: Option<OptionalSku>,
        /// `true` takes the product from sale, `false` puts it back.
        pub discontinued: Option<bool>,
    }
}

/// A [`ProductChange`] in which `null` removes the SKU.
pub struct ProductPatch(ProductChange);

impl FromObject for ProductPatch {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        if let Some(sku @ Value::Null) = object.get_mut("sku") {
            *sku = Value::String(String::new());
        }
        ProductChange::from_object(object).map(Self)
    }
}

body! {
    /// Either a `change` of the units on hand, or a `count` of them.
    #[schema(examples(json!({ "change": 12, "reason": "delivery 4711" })))]
    pub struct StockAdjustment {
        /// Units received (positive) or lost (negative).
        pub change: Option<i64>,
        /// Units counted in the warehouse; may be fewer than open orders reserve.
        #[schema(minimum = 0)]
        pub count: Option<i64>,
        pub reason: Option<Reason>,
    }
}

/// List products
#[utoipa::path(get, path = "/products", tag = "catalogue", security((), ("bearer" = [])),
    params(ProductFilter, RankedPage),
    responses((status = 200, body = Vec<ProductRow>), (status = 400, body = Problem)))]
pub async fn list_products(
    State(app): State<App>,
    request: ListRequest,
    Params(filter): Params<ProductFilter>,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let words: Option<Vec<String>> =
        filter.search.as_ref().map(|search| search.split_whitespace().map(text_key).collect());
    if words.iter().flatten().any(|word| word.contains('\0')) {
        return Err(ApiError::invalid_field("search", "must not contain control characters"));
    }
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let (min_price, max_price) = (filter.min_price.map(Money::amount), filter.max_price.map(Money::amount));
    let in_stock = filter.in_stock.unwrap_or(false);
    let rank = filter.rank();
    let unfiltered = categories.is_none() && min_price.is_none() && max_price.is_none() && words.is_none() && !in_stock;
    macro_rules! list {
        ($start:expr, $key:expr, $file:literal, $bound:pat => $($after:expr),*) => {
            request
                .answer(
                    &app,
                    page,
                    RankedList { rank, default_limit: DEFAULT_LIMIT, start: $start },
                    $key,
                    |row| row,
                    move |connection, $bound, limit| {
                        let (categories, words) = (categories.as_deref(), words.as_deref());
                        sqlx::query_file_as!(
                            ProductRow, $file, categories, min_price, max_price, in_stock, words, $($after,)* limit
                        )
                        .fetch(connection)
                    },
                )
                .await
        };
    }
    let by_name = |row: &ProductRow| (row.name.clone(), row.product_id);
    let by_price = |row: &ProductRow| (row.price.0, row.product_id);
    match filter.sort.unwrap_or_default() {
        ProductSort::Name if unfiltered => {
            let list = RankedList { rank, default_limit: DEFAULT_LIMIT, start: (String::new(), 0) };
            request
                .answer(
                    &app,
                    page,
                    list,
                    by_name,
                    |row| row,
                    |connection, (name, id), limit| {
                        sqlx::query_file_as!(ProductRow, "projections/products/list.sql", text_key(&name), id, limit)
                            .fetch(connection)
                    },
                )
                .await
        }
        ProductSort::Name => {
            let start = (String::new(), 0_i64);
            list!(start, by_name, "projections/products/list_by_name.sql", (name, id) => text_key(&name), id)
        }
        ProductSort::PriceAsc => {
            let start = (Decimal::NEGATIVE_ONE, 0_i64);
            list!(start, by_price, "projections/products/list_by_price_asc.sql", (price, id) => price, id)
        }
        ProductSort::PriceDesc => {
            let start = (Decimal::MAX, i64::MAX);
            list!(start, by_price, "projections/products/list_by_price_desc.sql", (price, id) => price, id)
        }
        ProductSort::Newest => {
            let by_number = |row: &ProductRow| row.product_id;
            list!(i64::MAX, by_number, "projections/products/list_newest.sql", id => id)
        }
    }
}

impl ProductFilter {
    /// What moves the rows of this list.
    fn rank(&self) -> &'static Rank {
        let by_price = self.min_price.is_some() || self.max_price.is_some();
        match self.sort.unwrap_or_default() {
            _ if self.in_stock == Some(true) => &ranks::PRODUCTS_IN_STOCK,
            ProductSort::PriceAsc | ProductSort::PriceDesc => &ranks::PRODUCTS_BY_PRICE,
            _ if by_price => &ranks::PRODUCTS_BY_PRICE,
            ProductSort::Name => &ranks::PRODUCTS_BY_NAME,
            ProductSort::Newest => &ranks::PRODUCTS_NEWEST,
        }
    }
}

/// Get a product
#[utoipa::path(get, path = "/product/{product_id}", tag = "catalogue", security((), ("bearer" = [])),
    params(("product_id" = ProductId, Path)),
    responses((status = 200, body = ProductView), (status = 404, body = Problem)))]
pub async fn find_product(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
) -> Result<Versioned<ProductView>, ApiError> {
    let found = sqlx::query_file!("projections/products/find.sql", product_id.0).fetch_optional(&app.pool).await?;
    let row = found.ok_or_else(|| ApiError::not_found("product_not_found", "Product not found"))?;
    let tag = EntityTag { version: row.version, digest: Some(product_digest(&row.category)) };
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
    Ok(Versioned { tag, body })
}

/// Create a product
#[utoipa::path(post, path = "/products", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = NewProduct, params(CommandParams),
    responses((status = 201, body = ProductRef), CommandProblems))]
pub async fn create_product(
    State(app): State<App>,
    command: Command<NewProduct>,
) -> Result<CommandResponse<ProductRef>, ApiError> {
    let NewProduct { name, price, category, description, stock, sku } = command.body;
    let (description, stock) = (description.unwrap_or_default(), stock.unwrap_or(0));
    let create = CreateProduct { name, description, price, category: category.0, sku, stock };
    let created = app.run(create, command.context).await?;
    Ok(created.created(|created| format!("/shop/api/product/{}/", created.product_id)))
}

/// Change, discontinue or relist a product
#[utoipa::path(patch, path = "/product/{product_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = ProductChange,
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 200, body = ProductView), CommandProblems))]
pub async fn change_product(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<ProductPatch>,
) -> Result<CommandResponse<ProductView>, ApiError> {
    let ProductChange { name, price, category, description, sku, discontinued } = command.body.0;
    let change = ChangeProduct {
        product_id,
        name,
        description,
        category: category.map(|category| category.0),
        price,
        sku: sku.map(OptionalSku::text),
        discontinued,
    };
    app.run(change, command.context).await
}

/// Delete a product that was never ordered
#[utoipa::path(delete, path = "/product/{product_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn delete_product(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(DeleteProduct { product_id }, command.context).await
}

/// Adjust the stock of a product by a change or a count
///
/// A loss by `change` must leave the units that open orders reserve. A `count` may be lower: then no unit is for sale,
/// orders ship while units are on hand, and `orders/short/` lists the orders that cannot be served.
#[utoipa::path(post, path = "/product/{product_id}/stock", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = StockAdjustment,
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 200, body = StockView), CommandProblems))]
pub async fn adjust_stock(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<StockAdjustment>,
) -> Result<CommandResponse<StockView>, ApiError> {
    let StockAdjustment { change, count, reason } = command.body;
    let change = match (change, count) {
        (Some(change), None) => StockChange::By(change),
        (None, Some(count)) => StockChange::Counted(count),
        _ => return Err(ApiError::invalid_field("change", "is required unless count is given, and not both")),
    };
    app.run(AdjustStock { product_id, change, reason }, command.context).await
}
