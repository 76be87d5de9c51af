//! The parts of an order's total, as its event stores them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::discount::DiscountCode;
use crate::domain::money::Money;
use crate::domain::pricing::{Percent, Priced};

/// Parts of the total; only for orders with shipping, taxes or a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderPricing {
    /// Sum of all lines before the discount.
    pub subtotal: Money,
    pub discount: Money,
    /// Code in upper case.
    pub discount_code: Option<String>,
    pub shipping: Money,
    pub shipping_tax_rate: Percent,
    /// Contained in `shipping`, or added to it.
    pub shipping_tax: Money,
    /// Tax of all lines and of shipping.
    pub tax: Money,
    /// Whether subtotals and shipping contain the tax; otherwise it is added.
    pub prices_include_tax: bool,
}

impl OrderPricing {
    pub(super) fn of(priced: &Priced, discount_code: Option<&DiscountCode>) -> Self {
        Self {
            subtotal: priced.subtotal,
            discount: priced.discount,
            discount_code: discount_code.map(DiscountCode::folded),
            shipping: priced.shipping,
            shipping_tax_rate: priced.shipping_tax_rate,
            shipping_tax: priced.shipping_tax,
            tax: priced.tax,
            prices_include_tax: priced.prices_include_tax,
        }
    }
}
