//! Shipping fees and tax rates: two tables, each replaced as a whole.

use axum::extract::State;

use crate::domain::customer::Country;
use crate::domain::ids::CategoryId;
use crate::domain::money::Money;
use crate::domain::pricing::{Percent, SHOP, ShippingFee, TaxRate};
use crate::http::App;
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Versioned;
use crate::journal::EntityTag;
use crate::shop::{ChangeShippingFees, ChangeTaxRates, ShippingFeesView, TaxRatesView};

body! {
    /// All shipping fees; replaces the table.
    #[schema(examples(json!({ "fees": [{ "country": "GB", "from": "0.00", "fee": "4.90" }, { "country": "GB", "from": "50.00", "fee": "0.00" }] })))]
    pub struct NewShippingFees {
        #[schema(max_items = 1_000)]
        pub fees: Vec<NewShippingFee>,
    }
}

body! {
    #[derive(Clone)]
    pub struct NewShippingFee {
        /// Country of the destination; if absent, the fee applies to every other country.
        pub country: Option<Country>,
        /// Minimum value of the goods after the discount.
        pub from: Money,
        pub fee: Money,
    }
}

body! {
    /// All tax rates; replaces the table.
    #[schema(examples(json!({ "inclusive": true, "rates": [{ "percent": "19" }, { "category_id": 1, "country": "DE", "percent": "7" }] })))]
    pub struct NewTaxRates {
        /// Whether prices include tax; otherwise tax is added to them.
        pub inclusive: bool,
        #[schema(max_items = 1_000)]
        pub rates: Vec<NewTaxRate>,
    }
}

body! {
    #[derive(Clone)]
    pub struct NewTaxRate {
        /// Number of a category; if absent, the rate applies to every other category.
        pub category_id: Option<CategoryId>,
        /// Country of the destination; if absent, the rate applies to every other country.
        pub country: Option<Country>,
        pub percent: Percent,
    }
}

/// Get the shipping fees
#[utoipa::path(get, path = "/pricing/shipping", tag = "pricing", security(("bearer" = ["reader"])),
    responses((status = 200, body = ShippingFeesView), (status = 503, body = Problem)))]
pub async fn find_shipping_fees(State(app): State<App>) -> Result<Versioned<ShippingFeesView>, ApiError> {
    let found = sqlx::query_file!("projections/pricing/find.sql", SHOP).fetch_optional(&app.pool).await?;
    let Some(row) = found else {
        return Ok(Versioned::new(EntityTag::of_version(0), ShippingFeesView::default()));
    };
    Ok(Versioned::new(EntityTag::of_version(row.version), ShippingFeesView { fees: parse_rows(row.fees)? }))
}

/// Replace the shipping fees
///
/// Shipping fees and tax rates share one version (`ETag`).
#[utoipa::path(put, path = "/pricing/shipping", tag = "pricing", security(("bearer" = ["admin"])),
    request_body = NewShippingFees, params(CommandParams),
    responses((status = 200, body = ShippingFeesView), CommandProblems))]
pub async fn change_shipping_fees(
    State(app): State<App>,
    command: Command<NewShippingFees>,
) -> Result<CommandResponse<ShippingFeesView>, ApiError> {
    let fees = command.body.fees.into_iter();
    let fees = fees.map(|NewShippingFee { country, from, fee }| ShippingFee { country, from, fee });
    app.run(ChangeShippingFees { fees: fees.collect() }, command.context).await
}

/// Get the tax rates
#[utoipa::path(get, path = "/pricing/taxes", tag = "pricing", security(("bearer" = ["reader"])),
    responses((status = 200, body = TaxRatesView), (status = 503, body = Problem)))]
pub async fn find_tax_rates(State(app): State<App>) -> Result<Versioned<TaxRatesView>, ApiError> {
    let found = sqlx::query_file!("projections/pricing/find.sql", SHOP).fetch_optional(&app.pool).await?;
    let Some(row) = found else {
        return Ok(Versioned::new(EntityTag::of_version(0), TaxRatesView::default()));
    };
    let body = TaxRatesView { inclusive: row.inclusive, rates: parse_rows(row.rates)? };
    Ok(Versioned::new(EntityTag::of_version(row.version), body))
}

/// Replace the tax rates
///
/// Shipping fees and tax rates share one version (`ETag`).
#[utoipa::path(put, path = "/pricing/taxes", tag = "pricing", security(("bearer" = ["admin"])),
    request_body = NewTaxRates, params(CommandParams),
    responses((status = 200, body = TaxRatesView), CommandProblems))]
pub async fn change_tax_rates(
    State(app): State<App>,
    command: Command<NewTaxRates>,
) -> Result<CommandResponse<TaxRatesView>, ApiError> {
    let NewTaxRates { inclusive, rates } = command.body;
    let rates = rates.into_iter();
    let rates = rates.map(|NewTaxRate { category_id, country, percent }| TaxRate { category_id, country, percent });
    app.run(ChangeTaxRates { inclusive, rates: rates.collect() }, command.context).await
}

/// Parses the rows of a table as the event stores them.
fn parse_rows<Row: serde::de::DeserializeOwned>(table: serde_json::Value) -> Result<Vec<Row>, ApiError> {
    serde_json::from_value(table).map_err(ApiError::internal)
}
