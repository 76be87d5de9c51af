//! Orders: placing them, and moving them along their life cycle.

mod placing;
mod reference;
mod views;

use std::collections::BTreeMap;

use super::pricing::{discount_in_use, release_discount};
use super::recipients::require_shipping_address;
use super::unpaid::{counted_units, release_unpaid};
use crate::domain::customer::Customer;
use crate::domain::ids::{OrderId, ProductId};
use crate::domain::order::{Order, OrderCommand, StockMoved};
use crate::domain::product::{Product, ProductCommand};
use crate::domain::refusal::{MissingUnits, Refusal};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

pub(super) use placing::{NewOrder, as_stored, place_order};
pub use placing::{PlaceOrder, PlacedByStaff, RequestedLine};
pub use views::{OrderLineView, OrderStateView, OrderView, PricingView, ProductStockView};

/// Moves an order along its life cycle, with its stock and its discount.
pub struct MoveOrder {
    pub order_id: OrderId,
    pub command: OrderCommand,
}

impl UseCase for MoveOrder {
    type Answer = OrderStateView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderStateView, Interrupt> {
        let order_id = self.order_id;
        let before = stock_moved(work, order_id)?;
        let discount = discount_in_use(work.get::<Order>(order_id)?.placed()?);
        let unpaid = counted_units(work.get::<Order>(order_id)?.placed()?);
        work.execute::<Order>(order_id, self.command.clone())?;
        if let OrderCommand::Ship { collected: false, .. } = self.command {
            require_shipping_address(work, order_id)?;
        }
        release_discount(work, order_id, discount)?;
        release_unpaid(work, order_id, unpaid)?;
        let after = stock_moved(work, order_id)?;
        let steps: Vec<StockStep> = after
            .into_iter()
            .map(|(product_id, after)| (product_id, before.get(&product_id).copied().unwrap_or_default(), after))
            .filter(|(_, before, after)| before != after)
            .collect();
        work.get_all::<Product, _>(steps.iter().map(|(product_id, ..)| product_id))?;
        require_on_hand(work, &steps)?;
        for (product_id, before, after) in &steps {
            for command in stock_commands(order_id, *before, *after) {
                work.execute::<Product>(product_id, command)?;
            }
        }
        OrderStateView::of(work, order_id, steps.iter().map(|(product_id, ..)| *product_id))
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

/// Digest of what reads of an order show beyond its stream: the customer's name and addresses, which change with the
/// customer's stream. `None` for an order of a guest.
pub fn order_digest(customer_version: Option<i64>) -> Option<ViewDigest> {
    customer_version.map(|version| ViewDigest::of([version.to_be_bytes()]))
}

/// The digest of an order as reads compute it.
pub(super) fn order_view_digest(work: &UnitOfWork<'_>, order_id: OrderId) -> Result<Option<ViewDigest>, Interrupt> {
    let order = work.get::<Order>(order_id)?;
    let customer_id = order.placed().ok().and_then(|placed| placed.customer_id);
    let version = customer_id.map(|customer_id| work.version(&AggregateRef::of::<Customer>(customer_id)));
    Ok(order_digest(version.transpose()?))
}

/// Units of a product that the order has moved before and after a command.
type StockStep = (ProductId, StockMoved, StockMoved);

/// Refuses to ship more than is on hand; names every product concerned. A count may have found fewer units than orders
/// reserve, and the orders then ship as long as units last.
fn require_on_hand(work: &UnitOfWork<'_>, steps: &[StockStep]) -> Result<(), Interrupt> {
    let mut missing = Vec::new();
    for (product_id, before, after) in steps {
        let product = work.get::<Product>(product_id)?;
        let listing = product.listing()?;
        let (requested, on_hand) = (after.shipped - before.shipped, listing.stock.on_hand);
        if requested > on_hand {
            let (product_id, name) = (*product_id, listing.name.clone());
            missing.push(MissingUnits { product_id, name, requested, on_hand });
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Refusal::NotOnHand(missing).into()) }
}

/// Units that the order has moved so far, by product; several lines may have one product.
fn stock_moved(work: &UnitOfWork<'_>, order_id: OrderId) -> Result<BTreeMap<ProductId, StockMoved>, Interrupt> {
    let order = work.get::<Order>(order_id)?;
    let mut moved = BTreeMap::<_, StockMoved>::new();
    for (product_id, line) in order.placed()?.stock_moved() {
        let product = moved.entry(product_id).or_default();
        product.released += line.released;
        product.shipped += line.shipped;
        product.restocked += line.restocked;
    }
    Ok(moved)
}

/// The commands that move stock from `before` to `after`.
fn stock_commands(order_id: OrderId, before: StockMoved, after: StockMoved) -> impl Iterator<Item = ProductCommand> {
    let released = after.released - before.released;
    let shipped = after.shipped - before.shipped;
    let restocked = after.restocked - before.restocked;
    [
        (released > 0).then_some(ProductCommand::Release { order_id, quantity: released }),
        (shipped > 0).then_some(ProductCommand::Ship { order_id, quantity: shipped }),
        (restocked > 0).then_some(ProductCommand::Restock { order_id, quantity: restocked }),
    ]
    .into_iter()
    .flatten()
}
