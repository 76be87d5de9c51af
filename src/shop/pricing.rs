//! What an order costs beyond its goods, by the tables in force and the discount that the buyer asks for.

use crate::domain::customer::Country;
use crate::domain::discount::{Discount, DiscountCode, DiscountCommand, DiscountUse};
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::{Order, OrderError, OrderLine, PlacedOrder, Status};
use crate::domain::pricing::{Priced, Pricing, SHOP};
use crate::journal::{Stop, UnitOfWork};

/// What a buyer says that prices depend on.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Where the goods go.
    pub country: Option<Country>,
    pub discount_code: Option<DiscountCode>,
}

/// The discount that an order uses, and who is said to use it.
pub(super) struct DiscountInUse {
    /// In upper case.
    code: String,
    customer_id: Option<CustomerId>,
}

/// The price of an order; `None` where nothing is added to the goods and nothing taken off.
pub(super) fn price(work: &UnitOfWork<'_>, asked: &Asked, lines: &[OrderLine]) -> Result<Option<Priced>, Stop> {
    let pricing = work.get::<Pricing>(SHOP)?;
    let benefit = match &asked.discount_code {
        Some(code) => Some(work.get::<Discount>(code.folded())?.created()?.terms.benefit),
        None if pricing.is_empty() => return Ok(None),
        None => None,
    };
    let items: Vec<_> = lines.iter().map(OrderLine::item).collect();
    let priced = pricing.price(&items, asked.country.as_ref(), benefit);
    Ok(Some(priced.ok_or(OrderError::TotalTooLarge)?))
}

/// Uses the discount of an order that was just placed, if it has one: here its limits are held.
pub(super) fn use_discount(work: &mut UnitOfWork<'_>, order_id: OrderId) -> Result<(), Stop> {
    let order = work.get::<Order>(order_id)?;
    let order = order.placed()?;
    let (Some(pricing), Some(discount)) = (&order.pricing, discount_in_use(order)) else { return Ok(()) };
    let (customer_id, subtotal) = (discount.customer_id, pricing.subtotal);
    let wanted = DiscountUse { order_id, customer_id, at: work.now(), subtotal };
    work.execute::<Discount>(discount.code, DiscountCommand::Use(wanted))
}

/// The discount that an order uses as it stands: a cancelled one uses none.
pub(super) fn discount_in_use(order: &PlacedOrder) -> Option<DiscountInUse> {
    let code = order.pricing.as_ref().and_then(|pricing| pricing.discount_code.clone())?;
    let cancelled = order.states.status == Status::Cancelled;
    (!cancelled).then_some(DiscountInUse { code, customer_id: order.customer_id })
}

/// Gives back a use that an order had before a step of its life, if it has none after it.
pub(super) fn release_discount(
    work: &mut UnitOfWork<'_>,
    order_id: OrderId,
    before: Option<DiscountInUse>,
) -> Result<(), Stop> {
    let Some(DiscountInUse { code, customer_id }) = before else { return Ok(()) };
    if discount_in_use(work.get::<Order>(order_id)?.placed()?).is_some() {
        return Ok(());
    }
    work.execute::<Discount>(code, DiscountCommand::Release { order_id, customer_id })
}
