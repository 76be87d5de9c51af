//! What an order's total is made of, as its event keeps it.

use serde::{Deserialize, Serialize};

use crate::domain::discount::DiscountCode;
use crate::domain::money::Money;
use crate::domain::pricing::{Percent, Priced};

/// Only of orders to which something was added, or from which something was taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPricing {
    /// Of all lines, before the discount.
    pub subtotal: Money,
    pub discount: Money,
    /// In upper case.
    pub discount_code: Option<String>,
    pub shipping: Money,
    pub shipping_tax_rate: Percent,
    /// Contained in `shipping`, or added to it.
    pub shipping_tax: Money,
    /// Of all lines and of shipping.
    pub tax: Money,
    /// Whether the tax is contained in subtotals and shipping, or added to them.
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
