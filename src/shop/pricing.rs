//! Tax rates, shipping fees, and the price of an order.

use serde::{Deserialize, Serialize};

use crate::domain::category::Category;
use crate::domain::customer::Country;
use crate::domain::discount::{Discount, DiscountCode, DiscountCommand, DiscountUse};
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::{Order, OrderLine, PlacedOrder, Status};
use crate::domain::pricing::{Priced, Pricing, PricingCommand, SHOP, ShippingFee, TaxRate};
use crate::domain::refusal::Refusal;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

/// Replaces the table of tax rates.
pub struct ChangeTaxRates {
    pub inclusive: bool,
    pub rates: Vec<TaxRate>,
}

/// The table of tax rates.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaxRatesView {
    /// Whether prices include tax; otherwise it is added to them.
    pub inclusive: bool,
    /// The most specific row applies: category and country, country, category, neither. Without a row for any country
    /// there is no tax; a country without a row is refused at checkout, if another country has one.
    pub rates: Vec<TaxRateView>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaxRateView {
    /// `null` applies to every other category.
    pub category_id: Option<i64>,
    /// Country code of ISO 3166-1; `null` applies to every other country.
    pub country: Option<String>,
    #[schema(example = "19")]
    pub percent: String,
}

impl UseCase for ChangeTaxRates {
    type Answer = TaxRatesView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<TaxRatesView, Interrupt> {
        // Checks the table first, so that one that is too long loads nothing.
        let change = PricingCommand::ChangeTaxRates { inclusive: self.inclusive, rates: self.rates.clone() };
        work.execute::<Pricing>(SHOP, change)?;
        let mut category_ids: Vec<_> = self.rates.iter().filter_map(|rate| rate.category_id).collect();
        category_ids.sort();
        category_ids.dedup();
        for (category_id, category) in category_ids.iter().zip(work.get_all::<Category, _>(&category_ids)?) {
            category.name().map_err(|_| Refusal::UnknownCategory(category_id.to_string()))?;
        }
        let pricing = work.get::<Pricing>(SHOP)?;
        Ok(TaxRatesView { inclusive: pricing.inclusive, rates: pricing.rates.iter().map(TaxRateView::of).collect() })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Pricing>(SHOP))
    }
}

impl TaxRateView {
    fn of(row: &TaxRate) -> Self {
        Self {
            category_id: row.category_id.map(|category_id| category_id.0),
            country: row.country.as_ref().map(ToString::to_string),
            percent: row.percent.to_string(),
        }
    }
}

/// Replaces the table of shipping fees.
pub struct ChangeShippingFees {
    pub fees: Vec<ShippingFee>,
}

/// The table of shipping fees.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShippingFeesView {
    /// The shop applies the row with the highest `from` that the value of the goods reaches: first among the rows of
    /// the country, then among the rows without a country. A country without a row is refused at checkout, unless the
    /// table has no rows. If the value of the goods is below each `from`, shipping is free.
    pub fees: Vec<ShippingFeeView>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShippingFeeView {
    /// Country code of ISO 3166-1; `null` applies to every other country.
    pub country: Option<String>,
    /// Minimum value of the goods after the discount.
    #[schema(example = "50.00")]
    pub from: String,
    #[schema(example = "4.90")]
    pub fee: String,
}

impl UseCase for ChangeShippingFees {
    type Answer = ShippingFeesView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ShippingFeesView, Interrupt> {
        work.execute::<Pricing>(SHOP, PricingCommand::ChangeShippingFees { fees: self.fees.clone() })?;
        let pricing = work.get::<Pricing>(SHOP)?;
        Ok(ShippingFeesView { fees: pricing.fees.iter().map(ShippingFeeView::of).collect() })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Pricing>(SHOP))
    }
}

impl ShippingFeeView {
    fn of(row: &ShippingFee) -> Self {
        let country = row.country.as_ref().map(ToString::to_string);
        Self { country, from: row.from.to_string(), fee: row.fee.to_string() }
    }
}

/// Pricing inputs of an order.
#[derive(Clone, Debug, Default)]
pub struct PricingRequest {
    /// Destination of the goods.
    pub country: Option<Country>,
    pub discount_code: Option<DiscountCode>,
}

/// The discount that an order uses, and its customer.
pub(super) struct DiscountInUse {
    /// Upper case.
    code: String,
    customer_id: Option<CustomerId>,
}

/// The price of an order; `None` if there is no tax, no shipping fee and no discount.
pub(super) fn price(
    work: &UnitOfWork<'_>,
    request: &PricingRequest,
    lines: &[OrderLine],
) -> Result<Option<Priced>, Interrupt> {
    let pricing = work.get::<Pricing>(SHOP)?;
    let benefit = match &request.discount_code {
        Some(code) => {
            let discount = work.get::<Discount>(code.folded())?;
            let unknown = |_| Refusal::UnknownDiscount(code.folded());
            Some(discount.created().map_err(unknown)?.terms.benefit)
        }
        None if pricing.is_empty() => return Ok(None),
        None => None,
    };
    let items: Vec<_> = lines.iter().map(OrderLine::item).collect();
    Ok(Some(pricing.price(&items, request.country.as_ref(), benefit)?))
}

/// Counts a use of the discount of a new order, if it has one. This enforces the limits of the discount.
pub(super) fn use_discount(work: &mut UnitOfWork<'_>, order_id: OrderId) -> Result<(), Interrupt> {
    let order = work.get::<Order>(order_id)?;
    let order = order.placed()?;
    let (Some(pricing), Some(discount)) = (&order.pricing, discount_in_use(order)) else { return Ok(()) };
    let (customer_id, subtotal) = (discount.customer_id, pricing.subtotal);
    let wanted = DiscountUse { order_id, customer_id, at: work.now(), subtotal };
    work.execute::<Discount>(discount.code, DiscountCommand::Use(wanted))
}

/// The discount that an order uses now; a cancelled order uses none.
pub(super) fn discount_in_use(order: &PlacedOrder) -> Option<DiscountInUse> {
    let code = order.pricing.as_ref().and_then(|pricing| pricing.discount_code.clone())?;
    let cancelled = order.states.status == Status::Cancelled;
    (!cancelled).then_some(DiscountInUse { code, customer_id: order.customer_id })
}

/// Releases the discount that an order used `before` a move, if it uses none after it.
pub(super) fn release_discount(
    work: &mut UnitOfWork<'_>,
    order_id: OrderId,
    before: Option<DiscountInUse>,
) -> Result<(), Interrupt> {
    let Some(DiscountInUse { code, customer_id }) = before else { return Ok(()) };
    if discount_in_use(work.get::<Order>(order_id)?.placed()?).is_some() {
        return Ok(());
    }
    work.execute::<Discount>(code, DiscountCommand::Release { order_id, customer_id })
}
