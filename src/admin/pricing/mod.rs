//! Taxes and shipping fees: both tables, their forms, and what they were.

pub mod history;
pub mod overview;
mod rows;
pub mod shipping;
pub mod taxes;

use serde::Deserialize;

pub const ADDRESS: &str = "/admin/pricing";

/// The table of tax rates.
#[derive(Deserialize)]
pub struct Taxes {
    pub inclusive: bool,
    pub rates: Vec<TaxRate>,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct TaxRate {
    pub category_id: Option<i64>,
    pub country: Option<String>,
    pub percent: String,
}

/// The table of shipping fees.
#[derive(Deserialize)]
pub struct Fees {
    pub fees: Vec<Fee>,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Fee {
    pub country: Option<String>,
    pub from: String,
    pub fee: String,
}
