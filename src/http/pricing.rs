//! What shipping costs and how things are taxed: two tables, each replaced as a whole.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::customer::Country;
use crate::domain::ids::CategoryId;
use crate::domain::money::Money;
use crate::domain::pricing::{Percent, SHOP, ShippingFee, TaxRate};
use crate::http::App;
use crate::http::wire::body::body;
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Versioned;
use crate::shop::{ChangeShippingFees, ChangeTaxRates, ShippingFeesView, TaxRatesView};

body! {
    /// All fees for shipping.
    pub struct NewShippingFees {
        #[schema(max_items = 1_000)]
        pub fees: Vec<NewShippingFee>,
    }
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShippingFee {
    /// Two letters of ISO 3166-1, in upper case; absent is for every other country.
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{2}$")]
    country: Option<Country>,
    /// The least value of the goods after the discount.
    #[schema(value_type = String, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "50.00")]
    from: Money,
    #[schema(value_type = String, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "4.90")]
    fee: Money,
}

body! {
    /// All rates of taxes.
    pub struct NewTaxRates {
        /// Whether tax is contained in the prices, or added to them.
        #[schema(example = true)]
        pub inclusive: bool,
        #[schema(max_items = 1_000)]
        pub rates: Vec<NewTaxRate>,
    }
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaxRate {
    /// Absent is for every other category.
    #[schema(value_type = Option<i64>)]
    category_id: Option<CategoryId>,
    /// Two letters of ISO 3166-1, in upper case; absent is for every other country.
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{2}$")]
    country: Option<Country>,
    /// From 0 to 100, with at most three decimals.
    #[schema(value_type = String, pattern = "^[0-9]{1,3}([.][0-9]{1,3})?$", examples("19"))]
    percent: Percent,
}

/// What shipping costs
#[utoipa::path(get, path = "/pricing/shipping", tag = "pricing", security(("bearer" = ["reader"])),
    responses((status = 200, body = ShippingFeesView), (status = 503, body = Problem)))]
pub async fn find_fees(State(app): State<App>) -> Result<Versioned<ShippingFeesView>, ApiError> {
    let found = sqlx::query_file!("projections/pricing/find.sql", SHOP).fetch_optional(&app.pool).await?;
    let Some(row) = found else { return Ok(Versioned { version: 0, body: ShippingFeesView::default() }) };
    Ok(Versioned { version: row.version, body: ShippingFeesView { fees: rows(row.fees)? } })
}

/// Replaces what shipping costs
///
/// Both tables of `pricing/` have one version between them.
#[utoipa::path(put, path = "/pricing/shipping", tag = "pricing", security(("bearer" = ["admin"])),
    request_body = NewShippingFees, params(CommandParams),
    responses((status = 200, body = ShippingFeesView), CommandProblems))]
pub async fn change_fees(
    State(app): State<App>,
    command: Command<NewShippingFees>,
) -> Result<Answer<ShippingFeesView>, ApiError> {
    let fees = command.body.fees.into_iter();
    let fees = fees.map(|NewShippingFee { country, from, fee }| ShippingFee { country, from, fee });
    app.run(ChangeShippingFees { fees: fees.collect() }, command.context).await
}

/// How things are taxed
#[utoipa::path(get, path = "/pricing/taxes", tag = "pricing", security(("bearer" = ["reader"])),
    responses((status = 200, body = TaxRatesView), (status = 503, body = Problem)))]
pub async fn find_rates(State(app): State<App>) -> Result<Versioned<TaxRatesView>, ApiError> {
    let found = sqlx::query_file!("projections/pricing/find.sql", SHOP).fetch_optional(&app.pool).await?;
    let Some(row) = found else { return Ok(Versioned { version: 0, body: TaxRatesView::default() }) };
    Ok(Versioned { version: row.version, body: TaxRatesView { inclusive: row.inclusive, rates: rows(row.rates)? } })
}

/// Replaces how things are taxed
///
/// Both tables of `pricing/` have one version between them.
#[utoipa::path(put, path = "/pricing/taxes", tag = "pricing", security(("bearer" = ["admin"])),
    request_body = NewTaxRates, params(CommandParams),
    responses((status = 200, body = TaxRatesView), CommandProblems))]
pub async fn change_rates(
    State(app): State<App>,
    command: Command<NewTaxRates>,
) -> Result<Answer<TaxRatesView>, ApiError> {
    let NewTaxRates { inclusive, rates } = command.body;
    let rates = rates.into_iter();
    let rates = rates.map(|NewTaxRate { category_id, country, percent }| TaxRate { category_id, country, percent });
    app.run(ChangeTaxRates { inclusive, rates: rates.collect() }, command.context).await
}

/// The rows of a table as they stand in the event.
fn rows<Row: serde::de::DeserializeOwned>(table: serde_json::Value) -> Result<Vec<Row>, ApiError> {
    serde_json::from_value(table).map_err(ApiError::internal)
}
