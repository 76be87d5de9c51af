//! Discounts and their codes.

use std::num::NonZeroU32;

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::discount::{DiscountCode, DiscountTerms};
use crate::domain::money::{Money, two_decimals};
use crate::domain::pricing::{Benefit, Percent};
use crate::http::App;
use crate::http::wire::body::{self, FromObject, NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params, Versioned};
use crate::journal::EntityTag;
use crate::shop::{ChangeDiscount, CreateDiscount, DiscountKind, DiscountView, EndDiscount, TermsChange};

body! {
    /// A new discount.
    #[schema(examples(json!({ "code": "SPRING-24", "kind": "percent", "value": "10", "until": "2099-12-31T00:00:00Z", "minimum": "20.00" })))]
    pub struct NewDiscount {
        pub code: DiscountCode,
        pub kind: DiscountKind,
        /// A percentage with at most three decimals, or an amount; absent for `free_shipping`.
        #[schema(pattern = "^[0-9]{1,12}([.][0-9]{1,3})?$")]
        pub value: Option<String>,
        /// Valid from this time on.
        pub from: Option<DateTime<Utc>>,
        /// Valid before this time.
        pub until: Option<DateTime<Utc>>,
        /// Maximum number of orders that may use the discount.
        #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
        pub total_limit: Option<NonZeroU32>,
        /// Maximum number of orders per customer; guests cannot use a discount with this limit.
        #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
        pub customer_limit: Option<NonZeroU32>,
        /// Minimum subtotal of an order.
        pub minimum: Option<Money>,
    }
}

/// The fields to change; absent fields keep their value, and `null` removes a limit.
#[derive(ToSchema)]
#[schema(examples(json!({ "until": null, "minimum": "25.00" })))]
pub struct DiscountChange {
    /// Requires `value`, except for `free_shipping`.
    kind: Option<DiscountKind>,
    /// A percentage with at most three decimals, or an amount; requires `kind`.
    #[schema(pattern = "^[0-9]{1,12}([.][0-9]{1,3})?$")]
    value: Option<String>,
    #[schema(value_type = Option<DateTime<Utc>>)]
    from: Option<Option<DateTime<Utc>>>,
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<Option<DateTime<Utc>>>,
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    total_limit: Option<Option<NonZeroU32>>,
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    customer_limit: Option<Option<NonZeroU32>>,
    minimum: Option<Option<Money>>,
}

impl FromObject for DiscountChange {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let change = Self {
            kind: body::take_field(&mut object, "kind", &mut errors).flatten(),
            value: body::take_field(&mut object, "value", &mut errors).flatten(),
            from: take_bound(&mut object, "from", &mut errors),
            until: take_bound(&mut object, "until", &mut errors),
            total_limit: take_bound(&mut object, "total_limit", &mut errors),
            customer_limit: take_bound(&mut object, "customer_limit", &mut errors),
            minimum: take_bound(&mut object, "minimum", &mut errors),
        };
        body::refuse_unknown(&object, &mut errors);
        if errors.is_empty() { Ok(change) } else { Err(errors) }
    }
}

/// A bound that may be absent (the outer `None`) or null (no bound).
fn take_bound<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    field: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Option<T>> {
    if object.contains_key(field) { body::take_field(object, field, errors) } else { None }
}

fn benefit(kind: DiscountKind, value: Option<&str>) -> Result<Benefit, ApiError> {
    let invalid = |message: &dyn std::fmt::Display| ApiError::invalid_field("value", message.to_string());
    match (kind, value) {
        (DiscountKind::Percent, Some(value)) => {
            Percent::parse(value).map(Benefit::Percent).map_err(|error| invalid(&error))
        }
        (DiscountKind::Amount, Some(value)) => {
            Money::parse(value).map(Benefit::Amount).map_err(|error| invalid(&error))
        }
        (DiscountKind::FreeShipping, None) => Ok(Benefit::FreeShipping),
        (DiscountKind::Percent | DiscountKind::Amount, None) => Err(invalid(&"is required for this kind")),
        (DiscountKind::FreeShipping, Some(_)) => Err(invalid(&"must be absent for free_shipping")),
    }
}

/// A row of the table `discounts`.
struct DiscountRow {
    discount_id: String,
    code: String,
    kind: String,
    value: Option<String>,
    valid_from: Option<DateTime<Utc>>,
    valid_until: Option<DateTime<Utc>>,
    total_limit: Option<i64>,
    customer_limit: Option<i64>,
    minimum: Option<Decimal>,
    ended: bool,
    uses: i64,
    version: i64,
}

impl DiscountRow {
    fn view(self) -> DiscountView {
        DiscountView {
            code: self.code,
            kind: self.kind,
            value: self.value,
            from: self.valid_from,
            until: self.valid_until,
            total_limit: self.total_limit,
            customer_limit: self.customer_limit,
            minimum: self.minimum.map(two_decimals),
            uses: self.uses,
            ended: self.ended,
        }
    }
}

/// List discounts by code, ended discounts included
#[utoipa::path(get, path = "/discounts", tag = "pricing", security(("bearer" = ["reader"])), params(Page),
    responses((status = 200, body = Vec<DiscountView>), (status = 400, body = Problem)))]
pub async fn list_discounts(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<DiscountView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let after: String = page.after()?.unwrap_or_default();
    let rows = sqlx::query_file_as!(DiscountRow, "projections/discounts/list.sql", after, limit + 1);
    let rows = rows.fetch_all(&app.pool).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.discount_id.clone()).map(DiscountRow::view))
}

/// Get a discount
#[utoipa::path(get, path = "/discount/{code}", tag = "pricing", security(("bearer" = ["reader"])),
    params(("code" = DiscountCode, Path)), responses((status = 200, body = DiscountView), (status = 404, body = Problem)))]
pub async fn find_discount(
    State(app): State<App>,
    Ids(code): Ids<DiscountCode>,
) -> Result<Versioned<DiscountView>, ApiError> {
    let found = sqlx::query_file_as!(DiscountRow, "projections/discounts/find.sql", code.folded());
    let found = found.fetch_optional(&app.pool).await?;
    let row = found.ok_or_else(|| ApiError::not_found("discount_not_found", "Discount not found"))?;
    Ok(Versioned::new(EntityTag::of_version(row.version), row.view()))
}

/// Create a discount
#[utoipa::path(post, path = "/discounts", tag = "pricing", security(("bearer" = ["editor"])),
    request_body = NewDiscount, params(CommandParams),
    responses((status = 201, body = DiscountView), CommandProblems))]
pub async fn create_discount(
    State(app): State<App>,
    command: Command<NewDiscount>,
) -> Result<CommandResponse<DiscountView>, ApiError> {
    let NewDiscount { code, kind, value, from, until, total_limit, customer_limit, minimum } = command.body;
    let benefit = benefit(kind, value.as_deref())?;
    let terms = DiscountTerms { benefit, from, until, total_limit, customer_limit, minimum };
    let created = app.run(CreateDiscount { code, terms }, command.context).await?;
    Ok(created.created(|created| format!("/shop/api/discount/{}/", created.code)))
}

/// Change the terms of a discount
#[utoipa::path(patch, path = "/discount/{code}", tag = "pricing", security(("bearer" = ["editor"])),
    request_body = DiscountChange,
    params(("code" = DiscountCode, Path), CommandParams), responses((status = 200, body = DiscountView), CommandProblems))]
pub async fn change_discount(
    State(app): State<App>,
    Ids(code): Ids<DiscountCode>,
    command: Command<DiscountChange>,
) -> Result<CommandResponse<DiscountView>, ApiError> {
    let DiscountChange { kind, value, from, until, total_limit, customer_limit, minimum } = command.body;
    let benefit = match (kind, value) {
        (None, None) => None,
        (None, Some(_)) => return Err(ApiError::invalid_field("kind", "is required with a value")),
        (Some(kind), value) => Some(benefit(kind, value.as_deref())?),
    };
    let change = TermsChange { benefit, from, until, total_limit, customer_limit, minimum };
    app.run(ChangeDiscount { code, change }, command.context).await
}

/// End a discount; this cannot be undone
#[utoipa::path(delete, path = "/discount/{code}", tag = "pricing", security(("bearer" = ["editor"])),
    params(("code" = DiscountCode, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn end_discount(
    State(app): State<App>,
    Ids(code): Ids<DiscountCode>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(EndDiscount { code }, command.context).await
}
