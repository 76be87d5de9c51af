//! Many products in one request, and their stock: JSON lines in and out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::bodies::{NewProduct, ProductPatch};
use super::{StockAdjustment, stock_change};
use crate::domain::ids::ProductId;
use crate::domain::text::Sku;
use crate::http::App;
use crate::http::wire::body::{FromObject, take_field};
use crate::http::wire::command::CommandProblems;
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::json_lines::{Rows, RowsParams};
use crate::http::wire::row_results::{Lines, RowAnswer, RowsRun, SLICE_ROWS};
use crate::journal::UseCase;
use crate::shop::{AdjustStockOf, AppliedProduct, ApplyProduct, BulkRow, ProductKey, RowEffect, StockView};

/// The result of a row: the product, or a problem.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct ProductRowResult {
    /// Line of the row in the request, from 1.
    line: u64,
    /// 201 for a new product, 200 for another, or the status of the problem.
    status: u16,
    product_id: Option<i64>,
    sku: Option<String>,
    effect: Option<RowEffect>,
    /// Position of the log after the row.
    position: Option<i64>,
    problem: Option<Problem>,
    /// In a dry run: the events that the row would append.
    events: Option<Vec<Value>>,
}

impl RowAnswer for AppliedProduct {
    fn status(&self) -> StatusCode {
        if self.effect == RowEffect::Created { StatusCode::CREATED } else { StatusCode::OK }
    }
}

impl RowAnswer for StockView {}

/// The result of a row: the stock of its product, or a problem.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct StockRowResult {
    /// Line of the row in the request, from 1.
    line: u64,
    /// 200, or the status of the problem.
    status: u16,
    product_id: Option<i64>,
    stock: Option<i64>,
    on_hand: Option<i64>,
    reserved: Option<i64>,
    missing: Option<i64>,
    /// Position of the log after the row.
    position: Option<i64>,
    problem: Option<Problem>,
    /// In a dry run: the events that the row would append.
    events: Option<Vec<Value>>,
}

/// A row of `products/bulk`.
pub struct ProductRow(ApplyProduct);

impl FromObject for ProductRow {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let is_null = object.get("product_id") == Some(&Value::Null);
        let product_id = take_field::<Option<ProductId>>(&mut object, "product_id", &mut errors).flatten();
        if is_null {
            let message = "must not be null; a row without it creates a product".to_owned();
            errors.push(FieldError { field: "product_id".to_owned(), message });
        }
        let stock = read_stock(&object, &mut errors);
        let key = match (product_id, object.get("sku")) {
            (Some(product_id), _) => Some(ProductKey::Id(product_id)),
            (None, Some(Value::String(sku))) => Sku::parse(sku).ok().map(ProductKey::Sku),
            (None, _) => None,
        };
        let change = change_of(object.clone(), key.as_ref());
        object.remove("discontinued");
        let create = NewProduct::from_object(object);
        let (change, create) = match (key.is_some(), change, create) {
            (true, Ok(change), create) => (change, create.map_err(|errors| describe(&errors))),
            // A new product shows every field that it lacks.
            (false, Ok(change), Ok(create)) => (change, Ok(create)),
            (true, Err(found), _) | (false, _, Err(found)) | (false, Err(found), Ok(_)) => {
                errors.extend(found);
                return Err(errors);
            }
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let change = change.into_use_case(product_id.unwrap_or(ProductId(0)));
        Ok(Self(ApplyProduct { key, change, create: create.map(NewProduct::into_use_case), stock }))
    }
}

/// A row as an import reads it; an error names its fields.
pub fn read_product_row(row: Map<String, Value>) -> Result<ApplyProduct, String> {
    ProductRow::from_object(row).map(|ProductRow(row)| row).map_err(|errors| describe(&errors))
}

fn read_stock(object: &Map<String, Value>, errors: &mut Vec<FieldError>) -> Option<i64> {
    let mut stock = Map::new();
    stock.extend(object.get_key_value("stock").map(|(field, value)| (field.clone(), value.clone())));
    take_field::<Option<i64>>(&mut stock, "stock", errors).flatten()
}

/// The change that a row makes if its product exists. The SKU by which it is found stays as it is.
fn change_of(mut object: Map<String, Value>, key: Option<&ProductKey>) -> Result<ProductPatch, Vec<FieldError>> {
    object.remove("stock");
    if let Some(ProductKey::Sku(_)) = key {
        object.remove("sku");
    }
    ProductPatch::from_object(object)
}

fn describe(errors: &[FieldError]) -> String {
    let errors = errors.iter().map(|FieldError { field, message }| format!("{field} {message}"));
    errors.collect::<Vec<_>>().join("; ")
}

/// A row of `stock/bulk`.
pub struct StockRow(AdjustStockOf);

impl FromObject for StockRow {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let product_id = take_field::<Option<ProductId>>(&mut object, "product_id", &mut errors).flatten();
        let sku = take_field::<Option<Sku>>(&mut object, "sku", &mut errors).flatten();
        let adjustment = match StockAdjustment::from_object(object) {
            Ok(adjustment) => Some(adjustment),
            Err(found) => {
                errors.extend(found);
                None
            }
        };
        let key = match (product_id, sku) {
            (Some(product_id), None) => Some(ProductKey::Id(product_id)),
            (None, Some(sku)) => Some(ProductKey::Sku(sku)),
            (None, None) if !errors.is_empty() => None,
            _ => {
                let message = "is required unless sku is given, and not both".to_owned();
                errors.push(FieldError { field: "product_id".to_owned(), message });
                None
            }
        };
        let change = adjustment.as_ref().map(stock_change).transpose();
        match (key, adjustment, change) {
            (Some(key), Some(StockAdjustment { reason, .. }), Ok(Some(change))) if errors.is_empty() => {
                Ok(Self(AdjustStockOf { key, change, reason }))
            }
            (_, _, Err(error)) => {
                errors.push(error);
                Err(errors)
            }
            _ => Err(errors),
        }
    }
}

/// Create and change many products
///
/// JSON lines (`application/x-ndjson`), up to 10,000 rows and 10 MiB; the answer has one line a row, in their order.
/// A row with a `product_id` changes that product. A row with a `sku` changes the product that has it, or creates one.
/// Any other row creates a product. Its fields are those of `POST products/` and `PATCH product/{product_id}/`; `stock` of
/// a product that exists is a count of the units on hand.
///
/// Each row is carried out or refused alone; with `atomic=true` all are, or none, and a refusal names every refused row.
/// `atomic=true` and `dry_run=true` take up to 1,000 rows. An answer that breaks off is continued by the same request with
/// the same `Idempotency-Key`.
#[utoipa::path(post, path = "/products/bulk", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body(content = String, content_type = "application/x-ndjson",
        example = "{\"name\": \"Kettle\", \"price\": \"24.90\", \"category\": \"Kitchen\", \"sku\": \"KET-17\"}\n{\"product_id\": 4, \"price\": \"9.90\"}\n"),
    params(RowsParams),
    responses((status = 200, content_type = "application/x-ndjson", body = ProductRowResult), CommandProblems))]
pub async fn apply_products(State(app): State<App>, rows: Rows<ProductRow>) -> Result<Response, ApiError> {
    run(app, rows, |ProductRow(row)| row).await
}

/// Adjust the stock of many products
///
/// JSON lines (`application/x-ndjson`), up to 10,000 rows and 10 MiB; the answer has one line a row, in their order.
/// A row names its product by `product_id` or `sku`, and has either a `change` or a `count`, as
/// `POST product/{product_id}/stock/` has.
///
/// Each row is carried out or refused alone; with `atomic=true` all are, or none, and a refusal names every refused row.
/// `atomic=true` and `dry_run=true` take up to 1,000 rows. An answer that breaks off is continued by the same request with
/// the same `Idempotency-Key`, so that no row is counted twice.
#[utoipa::path(post, path = "/stock/bulk", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body(content = String, content_type = "application/x-ndjson",
        example = "{\"sku\": \"KET-17\", \"change\": 12, \"reason\": \"delivery 4711\"}\n{\"product_id\": 4, \"count\": 3}\n"),
    params(RowsParams),
    responses((status = 200, content_type = "application/x-ndjson", body = StockRowResult), CommandProblems))]
pub async fn adjust_stocks(State(app): State<App>, rows: Rows<StockRow>) -> Result<Response, ApiError> {
    run(app, rows, |StockRow(row)| row).await
}

async fn run<Body, Row: UseCase<Answer: RowAnswer>>(
    app: App,
    Rows { rows, atomic, context, permit }: Rows<Body>,
    command: impl Fn(Body) -> Row,
) -> Result<Response, ApiError> {
    let slice_rows = if atomic || context.dry_run { rows.len() } else { SLICE_ROWS };
    let rows = rows.into_iter().map(|(number, row)| BulkRow { number, command: row.map(&command).map(Arc::new) });
    let source = Lines(rows.collect());
    RowsRun { app, source, context, all_or_nothing: atomic, slice_rows }.answer(permit).await
}
