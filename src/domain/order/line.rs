//! The lines of an order, and where their units are.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{CategoryId, ProductId};
use crate::domain::money::Money;
use crate::domain::pricing::Percent;
use crate::domain::quantity::Quantity;

/// One line of an order, with everything as it was when the order was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Counts from 1.
    pub line: i64,
    pub product_id: ProductId,
    pub product_name: String,
    pub category_id: CategoryId,
    pub category_name: String,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// `quantity` times `unit_price`.
    pub subtotal: Money,
    /// Of this and the next three all are there or none: they are where the order has a [`pricing`](super::OrderPricing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Percent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// What the buyer is to pay for the line, tax included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
}

/// Where the units of a line are. `shipped + withdrawn <= quantity`, `restocked <= returned <= shipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    pub shipped: i64,
    /// Taken back before they were shipped.
    pub withdrawn: i64,
    /// Taken back after they were shipped.
    pub returned: i64,
    /// Of the returned ones, those that can be sold again.
    pub restocked: i64,
}

/// One line of an order as later events repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedUnits {
    pub product_id: ProductId,
    pub quantity: Quantity,
    pub subtotal: Money,
}

/// Units of a line in a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentUnits {
    pub line: i64,
    pub product_id: ProductId,
    pub quantity: Quantity,
}

/// Units of a line that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedUnits {
    pub line: i64,
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// How many of them had not been shipped.
    pub withdrawn: i64,
    /// Whether those that had been shipped can be sold again.
    pub restocked: bool,
    /// Their part of the line's subtotal.
    pub subtotal: Money,
    /// What the buyer was to pay for them.
    pub amount: Money,
}

impl OrderLine {
    /// What the buyer is to pay for the line.
    pub fn amount(&self) -> Money {
        self.total.unwrap_or(self.subtotal)
    }

    /// Units still to be shipped.
    pub fn open(&self, units: Units) -> i64 {
        self.quantity.get() - units.shipped - units.withdrawn
    }

    /// Units that the buyer has or waits for.
    pub fn standing(&self, units: Units) -> i64 {
        self.quantity.get() - units.withdrawn - units.returned
    }

    /// What the next `quantity` units to be taken back have of `whole`. All of them together have all of it, however
    /// they come back, because each part ends where the next begins.
    pub fn part(&self, whole: Money, units: Units, quantity: i64) -> Money {
        let taken = units.withdrawn + units.returned;
        let upto = |taken| whole.share(taken, self.quantity.get());
        upto(taken + quantity).less(upto(taken))
    }
}
