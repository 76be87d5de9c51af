//! What commands answer: the state that they decided, in the shapes of the interface.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::cart::Cart;
use crate::domain::category::Category;
use crate::domain::ids::{CartId, OrderId, ProductId};
use crate::domain::money::{Money, two_decimals};
use crate::domain::order::{Fulfilment, Order, OrderPricing, Payment, Status};
use crate::domain::pricing::Percent;
use crate::domain::product::{Product, ProductError};
use crate::journal::{Stop, UnitOfWork};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<i64>,
    pub items: Vec<CartLine>,
    pub total: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartLine {
    pub product_name: String,
    /// What the product costs now.
    pub price: String,
    pub quantity: i64,
    pub subtotal: String,
    pub product_id: i64,
}

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
pub struct OrderStanding {
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
    pub stock: Vec<ProductStock>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductStock {
    pub product_id: i64,
    /// What can be sold now.
    pub stock: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductView {
    pub product_id: i64,
    pub name: String,
    pub price: String,
    /// What can still be sold.
    pub stock: i64,
    pub category: String,
    pub description: String,
    pub sku: Option<String>,
    pub on_hand: i64,
    pub reserved: i64,
    pub discontinued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockView {
    pub product_id: i64,
    /// What can still be sold: `on_hand` less `reserved`.
    pub stock: i64,
    pub on_hand: i64,
    pub reserved: i64,
}

impl CartView {
    /// The cart at current prices. A product that was deleted meanwhile is left out.
    pub(super) fn of(work: &UnitOfWork<'_>, cart_id: CartId) -> Result<Self, Stop> {
        let items = work.get::<Cart>(cart_id)?.items();
        let products = work.get_all::<Product, _>(items.keys())?;
        let mut total = Decimal::ZERO;
        let mut lines = Vec::with_capacity(items.len());
        for ((product_id, quantity), product) in items.into_iter().zip(products) {
            let listing = match product.listing() {
                Ok(listing) => listing,
                Err(ProductError::NotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            let subtotal = listing.price.amount() * Decimal::from(quantity.get());
            total += subtotal;
            lines.push(CartLine {
                product_name: listing.name.clone(),
                price: listing.price.to_string(),
                quantity: quantity.get(),
                subtotal: two_decimals(subtotal),
                product_id: product_id.0,
            });
        }
        let customer_id = cart_id.customer().map(|customer_id| customer_id.0);
        Ok(Self { customer_id, items: lines, total: two_decimals(total) })
    }
}

impl OrderView {
    pub(super) fn of(work: &UnitOfWork<'_>, order_id: OrderId) -> Result<Self, Stop> {
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

impl OrderStanding {
    pub(super) fn of(
        work: &UnitOfWork<'_>,
        order_id: OrderId,
        moved: impl Iterator<Item = ProductId>,
    ) -> Result<Self, Stop> {
        let order = work.get::<Order>(order_id)?;
        let order = order.placed()?;
        let stock = moved.map(|product_id| {
            let stock = work.get::<Product>(product_id)?.listing()?.stock;
            Ok(ProductStock { product_id: product_id.0, stock: stock.available() })
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
            stock: stock.collect::<Result<_, Stop>>()?,
        })
    }
}

impl ProductView {
    pub(super) fn of(work: &UnitOfWork<'_>, product_id: ProductId) -> Result<Self, Stop> {
        let product = work.get::<Product>(product_id)?;
        let listing = product.listing()?;
        let category = work.get::<Category>(listing.category_id)?;
        Ok(Self {
            product_id: product_id.0,
            name: listing.name.clone(),
            price: listing.price.to_string(),
            stock: listing.stock.available(),
            category: category.name()?.to_owned(),
            description: listing.description.clone(),
            sku: listing.sku.clone(),
            on_hand: listing.stock.on_hand,
            reserved: listing.stock.reserved,
            discontinued: matches!(*product, Product::Discontinued(_)),
        })
    }
}

impl StockView {
    pub(super) fn of(work: &UnitOfWork<'_>, product_id: ProductId) -> Result<Self, Stop> {
        let product = work.get::<Product>(product_id)?;
        let stock = product.listing()?.stock;
        Ok(Self {
            product_id: product_id.0,
            stock: stock.available(),
            on_hand: stock.on_hand,
            reserved: stock.reserved,
        })
    }
}
