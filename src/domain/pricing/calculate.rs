//! What an order costs, line by line and to the cent.
//!
//! - All arithmetic is in whole cents; what is rounded is rounded half away from zero, once, where it arises.
//! - A discount is taken off the subtotal of the order: a percentage of it, or an amount, but never more than all of it.
//! - It is split over the lines in proportion to their subtotals by largest remainder: each line gets the whole cents of
//!   its share, and the cents that are left go to the lines with the largest remainders, of equal ones to the earlier.
//! - Each line is taxed on what is left of it after the discount. Tax that the prices include is `amount × r / (100 + r)`
//!   and changes no total; tax that is added is `amount × r / 100`.
//! - Shipping follows from the value of the goods after the discount, and is taxed at the standard rate of the country,
//!   which is the one without a category.
//! - So the totals of the lines, with shipping and the tax added to it, are the total of the order: always, because
//!   nothing is rounded twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Percent, Pricing};
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

/// What a discount takes off an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Benefit {
    /// Of the subtotal.
    Percent(Percent),
    /// Of the subtotal, as much of it as there is.
    Amount(Money),
    FreeShipping,
}

/// What an order costs, with everything that the figure is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// In the order of the items.
    pub lines: Vec<PricedLine>,
    /// Of all lines, before the discount.
    pub subtotal: Money,
    pub discount: Money,
    pub shipping: Money,
    pub shipping_tax_rate: Percent,
    /// Contained in `shipping`, or added to it.
    pub shipping_tax: Money,
    /// Of all lines and of shipping.
    pub tax: Money,
    /// What the customer pays.
    pub total: Money,
    /// Whether the tax is contained in subtotals and shipping, or added to them.
    pub prices_include_tax: bool,
}

/// Discount and tax of one line, and what the buyer pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedLine {
    /// The line's share of the order's discount.
    pub discount: Money,
    pub tax_rate: Percent,
    pub tax: Money,
    /// What the buyer pays for the line, tax included.
    pub total: Money,
}

impl Pricing {
    /// The price of an order; `None` if a sum is above [`Money::MAX`].
    pub fn price(&self, items: &[PricingItem], country: Option<&Country>, benefit: Option<Benefit>) -> Option<Priced> {
        let subtotals: Vec<i128> = items.iter().map(|item| item.subtotal.cents()).collect();
        let subtotal: i128 = subtotals.iter().sum();
        let discount = benefit.map_or(0, |benefit| benefit.taken_off(subtotal));

        let mut rates: BTreeMap<CategoryId, Percent> = BTreeMap::new();
        let mut lines = Vec::with_capacity(items.len());
        let (mut tax, mut total) = (0, 0);
        for ((item, line_subtotal), share) in items.iter().zip(&subtotals).zip(split(discount, &subtotals)) {
            let rate = rates.entry(item.category_id);
            let tax_rate = *rate.or_insert_with(|| self.tax_rate(Some(item.category_id), country));
            let (line_tax, line_total) = self.taxed(line_subtotal - share, tax_rate);
            tax += line_tax;
            total += line_total;
            lines.push(PricedLine {
                discount: Money::from_cents(share)?,
                tax_rate,
                tax: Money::from_cents(line_tax)?,
                total: Money::from_cents(line_total)?,
            });
        }

        let shipping = match benefit {
            Some(Benefit::FreeShipping) => Money::ZERO,
            _ => self.shipping_fee(country, Money::from_cents(subtotal - discount)?),
        };
        let shipping_tax_rate = self.tax_rate(None, country);
        let (shipping_tax, shipping_total) = self.taxed(shipping.cents(), shipping_tax_rate);
        Some(Priced {
            lines,
            subtotal: Money::from_cents(subtotal)?,
            discount: Money::from_cents(discount)?,
            shipping,
            shipping_tax_rate,
            shipping_tax: Money::from_cents(shipping_tax)?,
            tax: Money::from_cents(tax + shipping_tax)?,
            total: Money::from_cents(total + shipping_total)?,
            prices_include_tax: self.inclusive,
        })
    }

    /// The tax on an amount, and the amount with its tax, in cents.
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
    /// In cents, from 0 to the subtotal.
    fn taken_off(self, subtotal: i128) -> i128 {
        match self {
            Self::Percent(percent) => rounded(subtotal * percent.thousandths(), Percent::WHOLE),
            Self::Amount(amount) => amount.cents().min(subtotal),
            Self::FreeShipping => 0,
        }
    }
}

/// The quotient, rounded half away from zero; neither number is negative.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    (2 * dividend + divisor) / (2 * divisor)
}

/// Splits cents in proportion to `weights`, of which they are at most the sum, by largest remainder.
pub(super) fn split(cents: i128, weights: &[i128]) -> Vec<i128> {
    let whole: i128 = weights.iter().sum();
    if whole == 0 {
        return vec![0; weights.len()];
    }
    let mut shares: Vec<_> = weights.iter().map(|weight| cents * weight / whole).collect();
    // There are fewer cents left than lines with a remainder, because the remainders add up to them.
    let left = cents - shares.iter().sum::<i128>();
    let mut by_remainder: Vec<_> = (0..weights.len()).collect();
    // The sort is stable, so of equal remainders the earlier line comes first.
    by_remainder.sort_by_key(|&line| std::cmp::Reverse(cents * weights[line] % whole));
    for line in by_remainder.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        shares[line] += 1;
    }
    shares
}
