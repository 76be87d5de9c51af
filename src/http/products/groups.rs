//! Commands on every product of a group: new prices, and units received.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::ids::{CategoryId, FamilyId, ProductId};
use crate::domain::price_change::PriceChange;
use crate::domain::product::Brand;
use crate::domain::quantity::Quantity;
use crate::domain::text::Reason;
use crate::http::App;
use crate::http::categories::{CategoryField, with_subtrees};
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandProblems};
use crate::http::wire::consistency::wait_for_position;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::json_lines::{ManyParams, refuse_if_match};
use crate::http::wire::row_results::{RowAnswer, RowSource, RowsRun, SLICE_ROWS};
use crate::journal::{Context, UseCase};
use crate::projector::text_key;
use crate::shop::{
    AdjustStock, BulkRow, CategoryKey, FindCategory, FindFamily, OfGroup, ProductGroup, RepriceProduct,
    RepricedProduct, StockChange,
};

body! {
    /// A percentage, and the products whose prices it changes: exactly one of the other fields.
    #[schema(examples(json!({ "percent": "-10", "category": "Kitchen" }), json!({ "percent": "3.5", "all": true })))]
    pub struct Reprice {
        /// Percentage that prices rise by, or fall by with a minus sign.
        pub percent: PriceChange,
        /// Products of this category.
        pub category: Option<CategoryField>,
        /// `true` includes the categories below the category.
        pub subtree: Option<bool>,
        /// Products of this family.
        pub family_id: Option<FamilyId>,
        /// Products of this brand; case and accents do not matter.
        pub brand: Option<Brand>,
        /// These products.
        #[schema(min_items = 1, max_items = 1_000, nullable = false)]
        pub product_ids: Option<Vec<ProductId>>,
        /// `true`: all products.
        pub all: Option<bool>,
    }
}

body! {
    /// Units that each product of a category or a list receives: exactly one of `category` and `product_ids`.
    #[schema(examples(json!({ "category": "Kitchen", "units": 10, "reason": "delivery 4711" })))]
    pub struct ReceivedUnits {
        /// Products of this category.
        pub category: Option<CategoryField>,
        /// `true` includes the categories below the category.
        pub subtree: Option<bool>,
        /// These products.
        #[schema(min_items = 1, max_items = 1_000, nullable = false)]
        pub product_ids: Option<Vec<ProductId>>,
        /// Units that are added to each product.
        pub units: Quantity,
        pub reason: Option<Reason>,
    }
}

/// The result of a product: its prices, or a problem.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct RepricedProductResult {
    product_id: i64,
    /// 200, or the status of the problem.
    status: u16,
    sku: Option<String>,
    name: Option<String>,
    price_before: Option<String>,
    /// The new price.
    price: Option<String>,
    /// Position of the log after the change.
    position: Option<i64>,
    problem: Option<Problem>,
    /// In a dry run: the events that the change would append.
    events: Option<Vec<Value>>,
}

/// The result of a product: its stock, or a problem.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct ReceivedUnitsResult {
    product_id: i64,
    /// 200, or the status of the problem.
    status: u16,
    stock: Option<i64>,
    on_hand: Option<i64>,
    reserved: Option<i64>,
    missing: Option<i64>,
    /// Position of the log after the change.
    position: Option<i64>,
    problem: Option<Problem>,
    /// In a dry run: the events that the change would append.
    events: Option<Vec<Value>>,
}

impl RowAnswer for RepricedProduct {}

/// The products of a group, by number.
struct ProductsOfGroup<Row, Make> {
    products: Vec<(i64, ProductGroup)>,
    /// The command on a product.
    make: Make,
    _row: PhantomData<fn() -> Row>,
}

impl<Row, Make> RowSource for ProductsOfGroup<Row, Make>
where
    Row: UseCase<Answer: RowAnswer>,
    Make: Fn(ProductId) -> Row + Send + Sync + 'static,
{
    type Row = OfGroup<Row>;
    const NUMBER: &'static str = "product_id";

    async fn next(&mut self, after: u64, most: usize) -> Result<Vec<BulkRow<Self::Row>>, ApiError> {
        let begin = self.products.partition_point(|(product_id, _)| product_id.unsigned_abs() <= after);
        let rows = self.products.iter().skip(begin).take(most).map(|(product_id, group)| {
            let (group, product_id) = (group.clone(), ProductId(*product_id));
            let command = OfGroup { product_id, group, command: (self.make)(product_id) };
            BulkRow { number: product_id.0.unsigned_abs(), command: Ok(Arc::new(command)) }
        });
        Ok(rows.collect())
    }
}

/// Change the prices of a category, a family, a brand, a list of products or all products by a percentage
///
/// The answer is JSON lines (`application/x-ndjson`), one line a product, by number; `dry_run=true` is a preview of all of
/// them. Discontinued products keep their prices. A price is rounded to whole cents, half away from zero (1.005 becomes
/// 1.01), and a price above zero stays at least 0.01.
///
/// Products are changed 100 at a time. An answer that breaks off is continued by the same request with the same
/// `Idempotency-Key`: no price is changed twice.
#[utoipa::path(post, path = "/products/reprice", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = Reprice, params(ManyParams),
    responses((status = 200, content_type = "application/x-ndjson", body = RepricedProductResult), CommandProblems))]
pub async fn reprice_products(State(app): State<App>, command: Command<Reprice>) -> Result<Response, ApiError> {
    let Command { body, context } = command;
    let Reprice { percent, category, subtree, family_id, brand, product_ids, all } = body;
    refuse_lone_subtree(subtree, category.as_ref())?;
    let wanted = match (category, family_id, brand, product_ids, all) {
        (Some(CategoryField(category)), None, None, None, None) => Wanted::Category(category, subtree),
        (None, Some(family_id), None, None, None) => Wanted::Family(family_id),
        (None, None, Some(brand), None, None) => Wanted::Brand(brand),
        (None, None, None, Some(product_ids), None) => Wanted::listed(product_ids)?,
        (None, None, None, None, Some(true)) => Wanted::All,
        _ => {
            let message = "or one of family_id, brand, product_ids and all=true is required";
            return Err(ApiError::invalid_field("category", message));
        }
    };
    run(app, context, wanted, move |product_id| RepriceProduct { product_id, percent }).await
}

/// Add units to the stock of each product of a category or a list
///
/// The answer is JSON lines (`application/x-ndjson`), one line a product, by number; `dry_run=true` is a preview of all of
/// them. Discontinued products receive nothing.
///
/// Products are changed 100 at a time. An answer that breaks off is continued by the same request with the same
/// `Idempotency-Key`: no product receives the units twice.
#[utoipa::path(post, path = "/stock/receive", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = ReceivedUnits, params(ManyParams),
    responses((status = 200, content_type = "application/x-ndjson", body = ReceivedUnitsResult), CommandProblems))]
pub async fn receive_units(State(app): State<App>, command: Command<ReceivedUnits>) -> Result<Response, ApiError> {
    let Command { body: ReceivedUnits { category, subtree, product_ids, units, reason }, context } = command;
    let change = StockChange::By(units.get());
    refuse_lone_subtree(subtree, category.as_ref())?;
    let wanted = match (category, product_ids) {
        (Some(CategoryField(category)), None) => Wanted::Category(category, subtree),
        (None, Some(product_ids)) => Wanted::listed(product_ids)?,
        _ => return Err(ApiError::invalid_field("category", "or product_ids is required, and not both")),
    };
    run(app, context, wanted, move |product_id| AdjustStock { product_id, change, reason: reason.clone() }).await
}

fn refuse_lone_subtree(subtree: Option<bool>, category: Option<&CategoryField>) -> Result<(), ApiError> {
    match (subtree, category) {
        (Some(_), None) => Err(ApiError::invalid_field("subtree", "needs category")),
        _ => Ok(()),
    }
}

/// The group that a request names.
enum Wanted {
    All,
    /// Also of the categories below it, if asked for.
    Category(CategoryKey, Option<bool>),
    Family(FamilyId),
    Brand(Brand),
    /// In ascending order, each once.
    Listed(Vec<ProductId>),
}

/// The most products of a list.
const MAX_LISTED: usize = 1_000;

impl Wanted {
    fn listed(mut product_ids: Vec<ProductId>) -> Result<Self, ApiError> {
        if product_ids.is_empty() || product_ids.len() > MAX_LISTED {
            return Err(ApiError::invalid_field("product_ids", format!("must have 1 to {MAX_LISTED} numbers")));
        }
        product_ids.sort_by_key(|product_id| product_id.0);
        product_ids.dedup();
        Ok(Self::Listed(product_ids))
    }
}

/// Runs a command on each product that the caller can see in the group.
async fn run<Row: UseCase<Answer: RowAnswer>>(
    app: App,
    context: Context,
    wanted: Wanted,
    make: impl Fn(ProductId) -> Row + Send + Sync + 'static,
) -> Result<Response, ApiError> {
    refuse_if_match(&context)?;
    let permit = app.whole_lists.admit_rows()?;
    let (category, family_id, brand) = match wanted {
        Wanted::All => (None, None, None),
        Wanted::Category(category, subtree) => {
            let found = app.journal.run(FindCategory(category), Context::of(context.actor.clone())).await?;
            (Some((found.answer.category_id, subtree)), None, None)
        }
        Wanted::Family(family_id) => {
            app.journal.run(FindFamily(family_id), Context::of(context.actor.clone())).await?;
            (None, Some(family_id), None)
        }
        Wanted::Brand(brand) => (None, None, Some(text_key(brand.as_str()))),
        Wanted::Listed(product_ids) => {
            let products = product_ids.into_iter().map(|product_id| (product_id.0, ProductGroup::All)).collect();
            let source = ProductsOfGroup { products, make, _row: PhantomData };
            return RowsRun { app, source, context, all_or_nothing: false, slice_rows: SLICE_ROWS }
                .answer(permit)
                .await;
        }
    };
    wait_for_position(&app, &context.principal, 0).await?;
    let categories = match category {
        Some((category_id, subtree)) => with_subtrees(&app, Some(vec![category_id.0]), subtree).await?,
        None => None,
    };
    let rows = sqlx::query_file!(
        "projections/products/in_group.sql",
        categories.as_deref(),
        brand,
        family_id.map(|family_id| family_id.0)
    )
    .fetch_all(&app.pool)
    .await?;
    let group_of = |own_category: i64, own_brand: Option<String>| match (category, family_id, &brand) {
        (Some(_), ..) => ProductGroup::Category(CategoryId(own_category)),
        (_, Some(family_id), _) => ProductGroup::Family(family_id),
        (_, _, Some(_)) => ProductGroup::Brand(own_brand.unwrap_or_default()),
        (None, None, None) => ProductGroup::All,
    };
    let products = rows.into_iter().map(|row| (row.product_id, group_of(row.category_id, row.brand))).collect();
    let source = ProductsOfGroup { products, make, _row: PhantomData };
    RowsRun { app, source, context, all_or_nothing: false, slice_rows: SLICE_ROWS }.answer(permit).await
}
