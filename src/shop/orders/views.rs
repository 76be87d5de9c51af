//! Views of an order, as commands return them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::{OrderId, ProductId};
use crate::domain::money::Money;
use crate::domain::order::{Fulfilment, Order, OrderPricing, Payment, Status};
use crate::domain::pricing::Percent;
use crate::domain::product::Product;
use crate::journal::{Interrupt, UnitOfWork};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderView {
    pub order_id: i64,
    pub status: Status,
    pub order_date: NaiveDate,
    pub total_amount: Money,
    pub lines: Vec<OrderLineView>,
    /// Absent if the total is the sum of the subtotals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<PricingView>,
}

/// Parts of an order's total: subtotal less discount, plus shipping, plus tax unless prices include it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricingView {
    /// Sum of all lines before the discount.
    pub subtotal: Money,
    pub discount: Money,
    pub discount_code: Option<String>,
    pub shipping: Money,
    pub shipping_tax_rate: Percent,
    /// Included in `shipping` if prices include tax; otherwise added to it.
    pub shipping_tax: Money,
    /// Tax on all lines and on shipping.
    pub tax: Money,
    pub prices_include_tax: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLineView {
    pub product_id: i64,
    pub product_name: String,
    pub quantity: i64,
    pub price_per_unit: Money,
    pub subtotal: Money,
    /// The line's share of the discount.
    ///
    /// `discount`, `tax_rate`, `tax` and `total` are absent if the order has no pricing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Percent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// Price of the line, tax included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
}

impl From<&OrderPricing> for PricingView {
    fn from(pricing: &OrderPricing) -> Self {
        let OrderPricing { subtotal, discount, shipping, shipping_tax_rate, shipping_tax, tax, .. } = *pricing;
        let discount_code = pricing.discount_code.clone();
        let prices_include_tax = pricing.prices_include_tax;
        Self { subtotal, discount, discount_code, shipping, shipping_tax_rate, shipping_tax, tax, prices_include_tax }
    }
}

/// An order after a move: states, money, and the stock of the products that the move affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderStateView {
    pub order_id: i64,
    pub status: Status,
    pub payment: Payment,
    pub fulfilment: Fulfilment,
    pub total_amount: Money,
    /// Reduction of the total since the order was placed.
    pub credited: Money,
    pub paid: Money,
    pub refunded: Money,
    /// Amount still to be paid.
    pub due: Money,
    /// Amount that can still be refunded.
    pub refundable: Money,
    /// Products whose stock the move changed.
    pub stock: Vec<ProductStockView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductStockView {
    pub product_id: i64,
    /// Units available for sale.
    pub stock: i64,
}

impl OrderView {
    pub(in crate::shop) fn of(work: &UnitOfWork<'_>, order_id: OrderId) -> Result<Self, Interrupt> {
        let order = work.get::<Order>(order_id)?;
        let order = order.placed()?;
        let lines = order.lines.iter().map(|line| OrderLineView {
            product_id: line.product_id.0,
            product_name: line.product_name.clone(),
            quantity: line.quantity.get(),
            price_per_unit: line.unit_price,
            subtotal: line.subtotal,
            discount: line.priced.map(|priced| priced.discount),
            tax_rate: line.priced.map(|priced| priced.tax_rate),
            tax: line.priced.map(|priced| priced.tax),
            total: line.priced.map(|priced| priced.total),
        });
        Ok(Self {
            order_id: order_id.0,
            status: order.states.status,
            order_date: order.placed_at.date_naive(),
            total_amount: order.bill.total,
            lines: lines.collect(),
            pricing: order.pricing.as_ref().map(PricingView::from),
        })
    }
}

impl OrderStateView {
    pub(in crate::shop) fn of(
        work: &UnitOfWork<'_>,
        order_id: OrderId,
        moved: impl Iterator<Item = ProductId>,
    ) -> Result<Self, Interrupt> {
        let order = work.get::<Order>(order_id)?;
        let order = order.placed()?;
        let stock = moved.map(|product_id| {
            let stock = work.get::<Product>(product_id)?.listing()?.stock;
            Ok(ProductStockView { product_id: product_id.0, stock: stock.available() })
        });
        Ok(Self {
            order_id: order_id.0,
            status: order.states.status,
            payment: order.states.payment,
            fulfilment: order.states.fulfilment,
            total_amount: order.bill.total,
            credited: order.bill.credited,
            paid: order.bill.paid,
            refunded: order.bill.refunded,
            due: order.bill.due(),
            refundable: order.bill.refundable(),
            stock: stock.collect::<Result<_, Interrupt>>()?,
        })
    }
}
