//! Calculation of an order's price, line by line and to the cent.
//!
//! - All arithmetic is in whole cents. Each amount is rounded once, half away from zero.
//! - A discount reduces the subtotal of the order by a percentage or an amount, at most to zero.
//! - It is split over the lines in proportion to their subtotals by largest remainder: each line gets the whole cents of
//!   its share, and the remaining cents go to the lines with the largest remainders, earlier lines first.
//! - Each line is taxed after its discount. Tax included in prices is `amount × r / (100 + r)` and changes no total;
//!   added tax is `amount × r / 100`.
//! - The shipping fee depends on the value of the goods after the discount. It is taxed at the country's standard rate,
//!   the one without a category.
//! - A country that no row covers has no price, in fees and in taxes alike: it is refused, not priced at zero.
//! - No amount is rounded twice, so the totals of lines and shipping always add up to the total of the order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Percent, Pricing, PricingError};
use crate::domain::customer::Country;
use crate::domain::ids::CategoryId;
use crate::domain::money::Money;

/// One line of an order, as far as shipping, taxes and discounts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricingItem {
    pub category_id: CategoryId,
    /// Quantity times unit price.
    pub subtotal: Money,
}

/// Benefit of a discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Benefit {
    /// Percentage of the subtotal.
    Percent(Percent),
    /// Amount off the subtotal, at most all of it.
    Amount(Money),
    FreeShipping,
}

/// Price of an order with all its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Lines in the order of the items.
    pub lines: Vec<PricedLine>,
    /// Sum of all lines before the discount.
    pub subtotal: Money,
    pub discount: Money,
    pub shipping: Money,
    pub shipping_tax_rate: Percent,
    /// Contained in `shipping`, or added to it.
    pub shipping_tax: Money,
    /// Tax of all lines and of shipping.
    pub tax: Money,
    /// Amount that the buyer pays.
    pub total: Money,
    /// Whether subtotals and shipping contain the tax; otherwise it is added.
    pub prices_include_tax: bool,
}

/// Discount, tax and total of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PricedLine {
    /// The line's share of the order's discount.
    pub discount: Money,
    pub tax_rate: Percent,
    pub tax: Money,
    /// What the buyer pays for the line, tax included.
    pub total: Money,
}

impl Pricing {
    /// Calculates the price of an order; refuses a country that no row covers, and a sum above [`Money::MAX`].
    pub fn price(
        &self,
        items: &[PricingItem],
        country: Option<&Country>,
        benefit: Option<Benefit>,
    ) -> Result<Priced, PricingError> {
        let money = |cents| Money::from_cents(cents).ok_or(PricingError::TotalTooLarge);
        let subtotals: Vec<i128> = items.iter().map(|item| item.subtotal.cents()).collect();
        let subtotal: i128 = subtotals.iter().sum();
        let discount = benefit.map_or(0, |benefit| benefit.taken_off(subtotal));

        let mut rates: BTreeMap<CategoryId, Percent> = BTreeMap::new();
        let mut lines = Vec::with_capacity(items.len());
        let (mut tax, mut total) = (0, 0);
        for ((item, line_subtotal), share) in items.iter().zip(&subtotals).zip(split(discount, &subtotals)) {
            let tax_rate = match rates.entry(item.category_id) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => *unknown.insert(self.tax_rate(Some(item.category_id), country)?),
            };
            let (line_tax, line_total) = self.taxed(line_subtotal - share, tax_rate);
            tax += line_tax;
            total += line_total;
            lines.push(PricedLine {
                discount: money(share)?,
                tax_rate,
                tax: money(line_tax)?,
                total: money(line_total)?,
            });
        }

        // Free shipping does not extend the countries that the shop ships to.
        let fee = self.shipping_fee(country, money(subtotal - discount)?)?;
        let shipping = if benefit == Some(Benefit::FreeShipping) { Money::ZERO } else { fee };
        let shipping_tax_rate = match self.tax_rate(None, country) {
            // Nothing is taxed, so the rate does not matter.
            Err(_) if shipping.is_zero() => Percent::ZERO,
            rate => rate?,
        };
        let (shipping_tax, shipping_total) = self.taxed(shipping.cents(), shipping_tax_rate);
        Ok(Priced {
            lines,
            subtotal: money(subtotal)?,
            discount: money(discount)?,
            shipping,
            shipping_tax_rate,
            shipping_tax: money(shipping_tax)?,
            tax: money(tax + shipping_tax)?,
            total: money(total + shipping_total)?,
            prices_include_tax: self.inclusive,
        })
    }

    /// Tax on an amount, and the amount with tax, in cents.
    fn taxed(&self, amount: i128, rate: Percent) -> (i128, i128) {
        let rate = rate.thousandths();
        if self.inclusive {
            (rounded(amount * rate, Percent::WHOLE + rate), amount)
        } else {
            let tax = rounded(amount * rate, Percent::WHOLE);
            (tax, amount + tax)
        }
    }
}

impl Benefit {
    /// Reduction of a subtotal in cents, from 0 to the subtotal.
    fn taken_off(self, subtotal: i128) -> i128 {
        match self {
            Self::Percent(percent) => rounded(subtotal * percent.thousandths(), Percent::WHOLE),
            Self::Amount(amount) => amount.cents().min(subtotal),
            Self::FreeShipping => 0,
        }
    }
}

/// Divides, rounding half away from zero; neither number is negative.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    (2 * dividend + divisor) / (2 * divisor)
}

/// Splits cents in proportion to `weights` by largest remainder; `cents` is at most the sum of the weights.
pub(super) fn split(cents: i128, weights: &[i128]) -> Vec<i128> {
    let whole: i128 = weights.iter().sum();
    if whole == 0 {
        return vec![0; weights.len()];
    }
    let mut shares: Vec<_> = weights.iter().map(|weight| cents * weight / whole).collect();
    // Fewer cents are left than lines have a remainder, because the remainders add up to the cents.
    let left = cents - shares.iter().sum::<i128>();
    let mut by_remainder: Vec<_> = (0..weights.len()).collect();
    // The sort is stable: with equal remainders the earlier line comes first.
    by_remainder.sort_by_key(|&line| std::cmp::Reverse(cents * weights[line] % whole));
    for line in by_remainder.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        shares[line] += 1;
    }
    shares
}
