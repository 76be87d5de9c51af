//! Another table of how things are taxed.

use serde::{Deserialize, Serialize};

use crate::domain::category::Category;
use crate::domain::pricing::{Pricing, PricingCommand, SHOP, TaxRate};
use crate::domain::refusal::Refusal;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct ChangeTaxRates {
    pub inclusive: bool,
    pub rates: Vec<TaxRate>,
}

/// How things are taxed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaxRates {
    /// Whether tax is contained in the prices, or added to them.
    pub inclusive: bool,
    /// The most specific row applies: category and country, country, category, neither; without one nothing is taxed.
    pub rates: Vec<TaxRateRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaxRateRow {
    /// `null` is for every other category.
    pub category_id: Option<i64>,
    /// Two letters of ISO 3166-1; `null` is for every other country.
    pub country: Option<String>,
    #[schema(example = "19")]
    pub percent: String,
}

impl UseCase for ChangeTaxRates {
    type Answer = TaxRates;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<TaxRates, Stop> {
        // Checked first, so that a table that is too long loads nothing.
        let change = PricingCommand::ChangeTaxRates { inclusive: self.inclusive, rates: self.rates.clone() };
        work.execute::<Pricing>(SHOP, change)?;
        let mut category_ids: Vec<_> = self.rates.iter().filter_map(|rate| rate.category_id).collect();
        category_ids.sort();
        category_ids.dedup();
        for (category_id, category) in category_ids.iter().zip(work.get_all::<Category, _>(&category_ids)?) {
            category.name().map_err(|_| Refusal::UnknownCategory(category_id.to_string()))?;
        }
        let pricing = work.get::<Pricing>(SHOP)?;
        Ok(TaxRates { inclusive: pricing.inclusive, rates: pricing.rates.iter().map(TaxRateRow::of).collect() })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Pricing>(SHOP))
    }
}

impl TaxRateRow {
    fn of(row: &TaxRate) -> Self {
        Self {
            category_id: row.category_id.map(|category_id| category_id.0),
            country: row.country.as_ref().map(ToString::to_string),
            percent: row.percent.to_string(),
        }
    }
}
