//! Unpaid stock: units that a buyer's orders reserve before the shop has received anything for them.
//!
//! The units of each buyer are counted beside the log, in the commit of the order, under digests that erasure deletes.

use serde::Serialize;

use super::payments::BuyerTerms;
use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::{Order, PlacedOrder};
use crate::domain::refusal::Refusal;
use crate::journal::{Interrupt, SideWrite, UnitOfWork};

/// Counts the units of a buyer's new order; refuses it beyond the bound.
pub(super) fn hold_unpaid(
    work: &mut UnitOfWork<'_>,
    order_id: OrderId,
    customer_id: Option<CustomerId>,
    buyer: &BuyerTerms,
) -> Result<(), Interrupt> {
    let units = work.get::<Order>(order_id)?.placed()?.unpaid_units();
    let Some(bound) = buyer.unpaid_units.filter(|_| units > 0) else { return Ok(()) };
    // A customer is known; the network matters for guests only.
    let network = buyer.network.as_deref().filter(|_| customer_id.is_none());
    work.add_side_write(&HoldUnpaid { order_id, units, bound, customer_id, network })
}

/// Units that an order holds unpaid, as far as they were counted: orders of staff have no payment method.
pub(super) fn counted_units(order: &PlacedOrder) -> i64 {
    if order.bill.method.is_some() { order.unpaid_units() } else { 0 }
}

/// Releases the units that the order held `before` a move and holds no longer.
pub(super) fn release_unpaid(work: &mut UnitOfWork<'_>, order_id: OrderId, before: i64) -> Result<(), Interrupt> {
    let units = counted_units(work.get::<Order>(order_id)?.placed()?);
    if units < before { work.add_side_write(&ReleaseUnpaid { order_id, units }) } else { Ok(()) }
}

#[derive(Serialize)]
struct HoldUnpaid<'a> {
    order_id: OrderId,
    units: i64,
    bound: u32,
    customer_id: Option<CustomerId>,
    network: Option<&'a str>,
}

impl SideWrite for HoldUnpaid<'_> {
    const FUNCTION: &'static str = "hold_unpaid";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "unpaid_stock_bound").then_some(Refusal::TooManyUnpaidUnits)
    }
}

#[derive(Serialize)]
struct ReleaseUnpaid {
    order_id: OrderId,
    units: i64,
}

impl SideWrite for ReleaseUnpaid {
    const FUNCTION: &'static str = "release_unpaid";
}
