//! Shipping fees and tax rates: two tables for the whole shop, and price calculation.
//!
//! `calculate` holds the rules of calculation. Both tables are in one stream, [`SHOP`], so that an order is priced by
//! tables that were in force at the same time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::customer::Country;
use super::event::events;
use super::ids::CategoryId;
use super::money::Money;

mod calculate;
mod percent;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use calculate::{Benefit, Priced, PricedLine, PricingItem};
pub use percent::{Percent, PercentError};

/// Id of the only stream.
pub const SHOP: &str = "shop";

/// The tables in force. Without rows shipping is free and there are no taxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// Sorted, so that tables with the same rows are equal.
    pub fees: Vec<ShippingFee>,
    /// Whether prices contain the tax; otherwise it is added.
    pub inclusive: bool,
    /// Sorted.
    pub rates: Vec<TaxRate>,
}

/// Shipping fee of orders from a minimum value on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ShippingFee {
    /// `None` applies to countries without a row for the value.
    pub country: Option<Country>,
    /// Minimum value of the goods after the discount.
    pub from: Money,
    pub fee: Money,
}

/// Tax rate of a category in a country.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TaxRate {
    /// `None` applies to categories without a row of their own.
    pub category_id: Option<CategoryId>,
    /// `None` applies to countries without a row of their own.
    pub country: Option<Country>,
    pub percent: Percent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PricingCommand {
    ChangeShippingFees { fees: Vec<ShippingFee> },
    ChangeTaxRates { inclusive: bool, rates: Vec<TaxRate> },
}

events! {
    /// Each event carries its whole table.
    pub enum PricingEvent {
        ShippingFeesChanged { fees: Vec<ShippingFee> } = "ShippingFeesChanged",
        TaxRatesChanged { inclusive: bool, rates: Vec<TaxRate> } = "TaxRatesChanged",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PricingError {
    #[error("a table can have at most {} rows", Pricing::MAX_ROWS)]
    TooManyRows,
    #[error("two fees apply to {} from {from} on", name(country.as_ref()))]
    DuplicateFee { country: Option<Country>, from: Money },
    #[error("two rates apply to category {} and {}", category_id.map_or("any".to_owned(), |id| id.to_string()), name(country.as_ref()))]
    DuplicateRate { category_id: Option<CategoryId>, country: Option<Country> },
    #[error("shipping fees or taxes depend on the country; name the country that the order goes to")]
    CountryRequired,
    #[error("the shop does not ship to {0}: no shipping fee or tax rate covers it")]
    NotShippedThere(Country),
    #[error("the total is above {}", Money::MAX)]
    TotalTooLarge,
}

/// The refusal of an order to a country that no row covers.
fn not_covered(country: Option<&Country>) -> PricingError {
    country.map_or(PricingError::CountryRequired, |country| PricingError::NotShippedThere(country.clone()))
}

fn name(country: Option<&Country>) -> String {
    country.map_or_else(|| "any country".to_owned(), Country::to_string)
}

impl Pricing {
    /// Maximum number of rows of a table.
    pub const MAX_ROWS: usize = 1_000;

    /// Whether orders cost only their goods.
    pub fn is_empty(&self) -> bool {
        self.fees.is_empty() && self.rates.is_empty()
    }

    /// Shipping fee for goods of this value: the country's row with the highest `from` up to the value, else such a row
    /// without country, else zero.
    ///
    /// Refuses a country without any row, if the table has rows for other countries only.
    pub fn shipping_fee(&self, country: Option<&Country>, value: Money) -> Result<Money, PricingError> {
        let row_for = |country: Option<&Country>| {
            let reached = self.fees.iter().filter(|row| row.country.as_ref() == country && row.from <= value);
            reached.max_by_key(|row| row.from)
        };
        let row = country.and_then(|country| row_for(Some(country))).or_else(|| row_for(None));
        if let Some(row) = row {
            return Ok(row.fee);
        }
        let covered = self.fees.iter().any(|row| row.country.is_none() || row.country.as_ref() == country);
        if covered || self.fees.is_empty() { Ok(Money::ZERO) } else { Err(not_covered(country)) }
    }

    /// Rate of the most specific row: category and country, country, category, neither; 0 without a row for the category.
    /// Without a category: the country's standard rate.
    ///
    /// Refuses a country without a row for the category, if other countries have one.
    pub fn tax_rate(
        &self,
        category_id: Option<CategoryId>,
        country: Option<&Country>,
    ) -> Result<Percent, PricingError> {
        let row_for = |category_id: Option<CategoryId>, country: Option<&Country>| {
            self.rates.iter().find(|row| row.category_id == category_id && row.country.as_ref() == country)
        };
        let row = row_for(category_id, country)
            .or_else(|| row_for(None, country))
            .or_else(|| row_for(category_id, None))
            .or_else(|| row_for(None, None));
        if let Some(row) = row {
            return Ok(row.percent);
        }
        // Rows without a country would have been found.
        let elsewhere = self.rates.iter().any(|row| row.category_id.is_none() || row.category_id == category_id);
        if elsewhere { Err(not_covered(country)) } else { Ok(Percent::ZERO) }
    }
}

impl Decider for Pricing {
    fn decide(&self, command: PricingCommand) -> Result<Vec<PricingEvent>, PricingError> {
        match command {
            PricingCommand::ChangeShippingFees { mut fees } => {
                check_length(&fees)?;
                fees.sort();
                let same = |pair: &&[ShippingFee]| (&pair[0].country, pair[0].from) == (&pair[1].country, pair[1].from);
                if let Some([twice, ..]) = fees.windows(2).find(same) {
                    return Err(PricingError::DuplicateFee { country: twice.country.clone(), from: twice.from });
                }
                let unchanged = fees == self.fees;
                Ok(if unchanged { vec![] } else { vec![PricingEvent::ShippingFeesChanged { fees }] })
            }
            PricingCommand::ChangeTaxRates { inclusive, mut rates } => {
                check_length(&rates)?;
                rates.sort();
                let same = |pair: &&[TaxRate]| {
                    (pair[0].category_id, &pair[0].country) == (pair[1].category_id, &pair[1].country)
                };
                if let Some([twice, ..]) = rates.windows(2).find(same) {
                    let TaxRate { category_id, country, .. } = twice.clone();
                    return Err(PricingError::DuplicateRate { category_id, country });
                }
                let unchanged = inclusive == self.inclusive && rates == self.rates;
                Ok(if unchanged { vec![] } else { vec![PricingEvent::TaxRatesChanged { inclusive, rates }] })
            }
        }
    }

    fn evolve(&mut self, event: &PricingEvent) {
        match event {
            PricingEvent::ShippingFeesChanged { fees } => self.fees.clone_from(fees),
            PricingEvent::TaxRatesChanged { inclusive, rates } => {
                self.inclusive = *inclusive;
                self.rates.clone_from(rates);
            }
        }
    }

    fn weight(&self) -> usize {
        1 + self.fees.len() + self.rates.len()
    }
}

fn check_length<Row>(rows: &[Row]) -> Result<(), PricingError> {
    if rows.len() > Pricing::MAX_ROWS { Err(PricingError::TooManyRows) } else { Ok(()) }
}

super::aggregate!(Pricing, "Pricing", PricingCommand, PricingEvent, PricingError);
