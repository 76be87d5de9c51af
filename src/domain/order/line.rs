//! The lines of an order, and the units of a line that commands and events name.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::OrderError;
use crate::domain::ids::{CategoryId, ProductId};
use crate::domain::money::Money;
use crate::domain::pricing::{Percent, PricedLine, PricingItem};
use crate::domain::product::Listing;
use crate::domain::quantity::Quantity;

/// One line of an order, with names and prices as they were when the order was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderLine {
    /// Counts from 1 within the order; 0 until the order is placed.
    pub line: i64,
    pub product_id: ProductId,
    pub product_name: String,
    pub category_id: CategoryId,
    pub category_name: String,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// `quantity` times `unit_price`.
    pub subtotal: Money,
    /// Discount and tax of the line, if the order has a [`pricing`](super::OrderPricing).
    #[serde(flatten, deserialize_with = "all_or_none")]
    pub priced: Option<PricedLine>,
}

/// Reads the four fields of a [`PricedLine`], which a line has all or none of. Serde alone would ignore incomplete ones.
fn all_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PricedLine>, D::Error> {
    #[derive(Deserialize)]
    struct Fields {
        discount: Option<Money>,
        tax_rate: Option<Percent>,
        tax: Option<Money>,
        total: Option<Money>,
    }
    match Fields::deserialize(deserializer)? {
        Fields { discount: Some(discount), tax_rate: Some(tax_rate), tax: Some(tax), total: Some(total) } => {
            Ok(Some(PricedLine { discount, tax_rate, tax, total }))
        }
        Fields { discount: None, tax_rate: None, tax: None, total: None } => Ok(None),
        _ => Err(D::Error::custom("discount, tax_rate, tax and total of a line come together")),
    }
}

/// Units of a line, by its number in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineUnits {
    pub line: i64,
    pub quantity: Quantity,
}

/// Shipped units of a line to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnLine {
    pub line: i64,
    pub quantity: Quantity,
    /// Whether they can be sold again.
    #[serde(default = "restock_by_default")]
    pub restock: bool,
}

fn restock_by_default() -> bool {
    true
}

/// Units of a line by what happened to them.
///
/// `shipped + withdrawn <= quantity`, `restocked <= returned <= shipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    pub shipped: i64,
    /// Units cancelled before they were shipped.
    pub withdrawn: i64,
    /// Units taken back after they were shipped.
    pub returned: i64,
    /// Returned units that can be sold again.
    pub restocked: i64,
}

/// Remaining units of a line when its order is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderedUnits {
    pub product_id: ProductId,
    pub quantity: Quantity,
    pub subtotal: Money,
}

/// Units of a line in a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentUnits {
    pub line: i64,
    pub product_id: ProductId,
    pub quantity: Quantity,
}

/// Unshipped units of a line that were cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledUnits {
    pub line: i64,
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// Their share of the line's subtotal.
    pub subtotal: Money,
    /// Their share of what the buyer pays for the line.
    pub amount: Money,
}

/// Units of a line that were taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnedUnits {
    pub line: i64,
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// How many of them had not been shipped. Older events have some; now such units are cancelled instead.
    pub withdrawn: i64,
    /// Whether the shipped ones can be sold again.
    pub restocked: bool,
    /// Their share of the line's subtotal.
    pub subtotal: Money,
    /// Their share of what the buyer pays for the line.
    pub amount: Money,
}

impl OrderLine {
    /// A line for a product as the catalogue lists it now; an agreed price replaces the listed one.
    pub fn of(
        product_id: ProductId,
        listing: &Listing,
        category_name: &str,
        quantity: Quantity,
        agreed_price: Option<Money>,
    ) -> Result<Self, OrderError> {
        let unit_price = agreed_price.unwrap_or(listing.price);
        Ok(Self {
            line: 0,
            product_id,
            product_name: listing.name.clone(),
            category_id: listing.category_id,
            category_name: category_name.to_owned(),
            quantity,
            unit_price,
            subtotal: unit_price.times(quantity).ok_or(OrderError::TotalTooLarge)?,
            priced: None,
        })
    }

    /// The line as far as shipping, taxes and discounts depend on it.
    pub fn item(&self) -> PricingItem {
        PricingItem { category_id: self.category_id, subtotal: self.subtotal }
    }

    /// What the buyer pays for the line.
    pub fn amount(&self) -> Money {
        self.priced.map_or(self.subtotal, |priced| priced.total)
    }

    /// Units still to be shipped.
    pub fn unshipped(&self, units: Units) -> i64 {
        self.quantity.get() - units.shipped - units.withdrawn
    }

    /// Shipped units that are not taken back.
    pub fn returnable(units: Units) -> i64 {
        units.shipped - units.returned
    }

    /// Units that are neither cancelled nor taken back.
    pub fn remaining(&self, units: Units) -> i64 {
        self.quantity.get() - units.withdrawn - units.returned
    }

    /// Share of `whole` for the next `quantity` units that are cancelled or taken back. Shares always add up to the
    /// whole, because each begins where the one before ended.
    pub fn share_of(&self, whole: Money, units: Units, quantity: i64) -> Money {
        let taken = units.withdrawn + units.returned;
        let upto = |taken| whole.share(taken, self.quantity.get());
        upto(taken + quantity).less(upto(taken))
    }
}
