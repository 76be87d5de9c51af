//! State of an order as commands answer it.

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
    #[schema(value_type = String, example = "pending")]
    pub status: Status,
    pub order_date: NaiveDate,
    #[schema(value_type = String, example = "9.99")]
    pub total_amount: Money,
    pub lines: Vec<OrderLineView>,
    /// Absent where the total is the sum of the subtotals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<PricingView>,
}

/// What an order's total is made of: subtotal less discount, plus shipping, plus tax unless prices include it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricingView {
    /// Of all lines, before the discount.
    #[schema(value_type = String, example = "54.87")]
    pub subtotal: Money,
    #[schema(value_type = String, example = "5.49")]
    pub discount: Money,
    pub discount_code: Option<String>,
    #[schema(value_type = String, example = "4.90")]
    pub shipping: Money,
    #[schema(value_type = String, example = "19")]
    pub shipping_tax_rate: Percent,
    /// Contained in `shipping`, or added to it.
    #[schema(value_type = String, example = "0.78")]
    pub shipping_tax: Money,
    /// Of all lines and of shipping.
    #[schema(value_type = String, example = "6.56")]
    pub tax: Money,
    pub prices_include_tax: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLineView {
    pub product_id: i64,
    pub product_name: String,
    pub quantity: i64,
    #[schema(value_type = String, example = "9.99")]
    pub price_per_unit: Money,
    #[schema(value_type = String, example = "9.99")]
    pub subtotal: Money,
    /// The line's part of the order's discount; this and the next three are absent where the order has no pricing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1.00")]
    pub discount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "19")]
    pub tax_rate: Option<Percent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1.44")]
    pub tax: Option<Money>,
    /// What the buyer is to pay for the line, tax included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "8.99")]
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

/// An order after a step of its life: its states, its money, and what can be sold of what the step moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderStateView {
    pub order_id: i64,
    #[schema(value_type = String, example = "processing")]
    pub status: Status,
    #[schema(value_type = String, example = "paid")]
    pub payment: Payment,
    #[schema(value_type = String, example = "unfulfilled")]
    pub fulfilment: Fulfilment,
    #[schema(value_type = String, example = "19.98")]
    pub total_amount: Money,
    /// By how much the order has been worth less since it was placed.
    #[schema(value_type = String, example = "0.00")]
    pub credited: Money,
    #[schema(value_type = String, example = "19.98")]
    pub paid: Money,
    #[schema(value_type = String, example = "0.00")]
    pub refunded: Money,
    /// What is still to be paid.
    #[schema(value_type = String, example = "0.00")]
    pub due: Money,
    /// What can still be given back.
    #[schema(value_type = String, example = "19.98")]
    pub refundable: Money,
    /// Of each product whose stock the step moved.
    pub stock: Vec<ProductStockView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductStockView {
    pub product_id: i64,
    /// What can be sold now.
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
