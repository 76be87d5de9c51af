//! Cancellations: units of earlier orders of the customer are cancelled, or returned if they were shipped.
//!
//! A row takes its units from the customer's latest earlier order that still has the product at the same price, then from
//! the order before, and so on. A cancellation is one use case, so it is played completely or not at all, and only once:
//! its number is claimed like that of an order.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::history::{Cancellation, CancelledLine, SkippedRow};
use super::report::PlayReport;
use super::send::{claim_holders, send};
use super::{CHUNK, PlayError, prepare};
use crate::domain::claim::ClaimIds;
use crate::domain::ids::{CustomerId, OrderId, ProductId};
use crate::domain::money::Money;
use crate::domain::order::{LineUnits, Order, OrderCommand, PlacedOrder, ReturnLine, Status};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Reason, Reference};
use crate::journal::{CommandError, Interrupt, Journal, UnitOfWork, UseCase};
use crate::shop::{MoveOrder, find_holder, take_name};

const NO_SALE: &str = "cancellation of a product that the customer did not buy before";
const PARTLY: &str = "cancellation of more units than the customer bought before";

/// Plays the cancellations of a file, in its order. The read tables must include its sales.
pub(super) async fn play_cancellations(
    journal: &Journal,
    pool: &PgPool,
    cancellations: &[Cancellation],
    report: &mut PlayReport,
) -> Result<(), PlayError> {
    let claims = cancellations.iter().map(|cancellation| ClaimIds::order_reference(&cancellation.reference)).collect();
    let played = claim_holders(journal, claims).await?;
    let (played, due): (Vec<_>, Vec<_>) = cancellations.iter().zip(played).partition(|(_, holder)| holder.is_some());
    report.already_played += played.len();
    for due in due.chunks(CHUNK) {
        let due: Vec<_> = due.iter().map(|(cancellation, _)| *cancellation).collect();
        let earlier_orders = EarlierOrders::load(journal, pool, &due).await?;
        for cancellation in due {
            let wanted = earlier_orders.wanted(cancellation);
            let reference = &cancellation.reference;
            let returned =
                send(journal, || PlayCancellation { reference: reference.clone(), wanted: wanted.clone() }).await;
            let returned = match returned {
                Ok(returned) => returned,
                Err(CommandError::Refused(refusal)) => {
                    report.refused.push((reference.to_string(), refusal.to_string()));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            report.orders_cancelled += returned.orders_cancelled;
            report.orders_returned += returned.orders_returned;
            for (line, units) in cancellation.lines.iter().zip(returned.units) {
                report.units_returned += units;
                if units < line.quantity.get() {
                    let reason = if units == 0 { NO_SALE } else { PARTLY };
                    let units_left = (units > 0).then_some(line.quantity.get() - units);
                    report.skipped.push(SkippedRow {
                        line: line.line_number,
                        reason,
                        row: line.row.clone(),
                        units_left,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Earlier orders that a cancellation may refer to, by customer, product and price; latest first.
#[derive(Default)]
struct EarlierOrders {
    customers: HashMap<String, CustomerId>,
    products: HashMap<String, ProductId>,
    orders: HashMap<(CustomerId, ProductId, Money), Vec<EarlierOrder>>,
}

/// Time and number of an order.
type EarlierOrder = (DateTime<Utc>, OrderId);

impl EarlierOrders {
    async fn load(journal: &Journal, pool: &PgPool, cancellations: &[&Cancellation]) -> Result<Self, PlayError> {
        let emails = cancellations.iter().filter_map(|cancellation| cancellation.email.as_ref());
        let customers = prepare::find_customers(pool, emails.map(|email| email.as_str()).collect()).await?;
        let lines = cancellations.iter().flat_map(|cancellation| &cancellation.lines);
        let skus: BTreeMap<String, ClaimIds> =
            lines.map(|line| (line.sku.folded(), ClaimIds::product_sku(&line.sku))).collect();
        let found = claim_holders(journal, skus.values().cloned().collect()).await?;
        let products =
            skus.into_keys().zip(found).filter_map(|(sku, holder)| Some((sku, ProductId(holder?)))).collect();
        let mut earlier_orders = Self { customers, products, orders: HashMap::new() };

        let pairs = cancellations.iter().flat_map(|cancellation| {
            let customer_id = earlier_orders.customer(cancellation);
            cancellation.lines.iter().filter_map(move |line| Some((customer_id?, line)))
        });
        let pairs = pairs.filter_map(|(customer_id, line)| Some((customer_id.0, earlier_orders.product(line)?.0)));
        let (customer_ids, product_ids): (Vec<i64>, Vec<i64>) = pairs.collect();
        let rows = sqlx::query_file!("src/play/queries/earlier_order_lines.sql", &customer_ids, &product_ids);
        for row in rows.fetch_all(pool).await? {
            let Ok(unit_price) = Money::try_from(row.unit_price) else { continue };
            let key = (CustomerId(row.customer_id), ProductId(row.product_id), unit_price);
            earlier_orders.orders.entry(key).or_default().push((row.placed_at, OrderId(row.order_id)));
        }
        Ok(earlier_orders)
    }

    fn customer(&self, cancellation: &Cancellation) -> Option<CustomerId> {
        self.customers.get(&cancellation.email.as_ref()?.folded()).copied()
    }

    fn product(&self, line: &CancelledLine) -> Option<ProductId> {
        self.products.get(&line.sku.folded()).copied()
    }

    fn wanted(&self, cancellation: &Cancellation) -> Vec<WantedUnits> {
        let orders = |line: &CancelledLine| {
            let key = (self.customer(cancellation)?, self.product(line)?, line.unit_price);
            let earlier = self.orders.get(&key)?.iter().filter(|(placed_at, _)| *placed_at <= cancellation.at);
            Some((key.1, earlier.map(|(_, order_id)| *order_id).collect()))
        };
        let wanted = cancellation.lines.iter().map(|line| {
            let (product_id, orders) = orders(line).unwrap_or((ProductId(0), Vec::new()));
            WantedUnits { product_id, unit_price: line.unit_price, units: line.quantity.get(), orders }
        });
        wanted.collect()
    }
}

/// One cancellation. A repetition has no effect.
struct PlayCancellation {
    reference: Reference,
    wanted: Vec<WantedUnits>,
}

#[derive(Clone)]
struct WantedUnits {
    product_id: ProductId,
    unit_price: Money,
    units: i64,
    /// Orders to take the units from, latest first.
    orders: Vec<OrderId>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ReturnedUnits {
    /// One number per row of the cancellation.
    units: Vec<i64>,
    orders_cancelled: usize,
    orders_returned: usize,
}

impl UseCase for PlayCancellation {
    type Answer = ReturnedUnits;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ReturnedUnits, Interrupt> {
        let claim = ClaimIds::order_reference(&self.reference);
        let mut returned = ReturnedUnits { units: vec![0; self.wanted.len()], ..ReturnedUnits::default() };
        if find_holder(work, &claim)?.is_some() {
            return Ok(returned);
        }
        work.get_all::<Order, _>(self.wanted.iter().flat_map(|wanted| &wanted.orders))?;
        let mut lines = BTreeMap::<OrderId, BTreeMap<i64, i64>>::new();
        for (wanted, returned) in self.wanted.iter().zip(&mut returned.units) {
            for order_id in &wanted.orders {
                let order = work.get::<Order>(order_id)?;
                let lines = lines.entry(*order_id).or_default();
                *returned += wanted.take_units(order.placed()?, wanted.units - *returned, lines);
            }
        }
        lines.retain(|_, lines| !lines.is_empty());
        let Some(first) = lines.keys().next().copied() else { return Ok(returned) };
        for (order_id, lines) in lines {
            self.take_back(work, order_id, &lines)?;
            match work.get::<Order>(order_id)?.placed()?.states.status {
                Status::Cancelled => returned.orders_cancelled += 1,
                _ => returned.orders_returned += 1,
            }
        }
        take_name(work, &claim, first.0)?;
        Ok(returned)
    }
}

impl PlayCancellation {
    /// Cancels the units that are not shipped, and returns the others.
    fn take_back(
        &self,
        work: &mut UnitOfWork<'_>,
        order_id: OrderId,
        lines: &BTreeMap<i64, i64>,
    ) -> Result<(), Interrupt> {
        let broken = |error: &dyn std::error::Error| Interrupt::Broken(error.to_string());
        let reason = Some(Reason::parse(self.reference.as_str()).map_err(|error| broken(&error))?);
        let order = work.get::<Order>(order_id)?;
        let (mut unshipped, mut shipped) = (Vec::new(), Vec::new());
        for (line, moved) in order.placed()?.lines() {
            let Some(units) = lines.get(&line.line).copied() else { continue };
            let cancelled = units.min(line.unshipped(moved));
            if let Ok(quantity) = Quantity::new(cancelled) {
                unshipped.push(LineUnits { line: line.line, quantity });
            }
            if let Ok(quantity) = Quantity::new(units - cancelled) {
                shipped.push(ReturnLine { line: line.line, quantity, restock: true });
            }
        }
        if !shipped.is_empty() {
            let command = OrderCommand::Return { lines: shipped, refund: true, reason: reason.clone() };
            MoveOrder { order_id, command }.decide(work)?;
        }
        if !unshipped.is_empty() {
            let command = OrderCommand::CancelUnits { lines: unshipped, reason };
            MoveOrder { order_id, command }.decide(work)?;
        }
        Ok(())
    }
}

impl WantedUnits {
    /// Takes up to `units` from the lines of an order that still have some; adds them to `returned`, per line.
    fn take_units(&self, order: &PlacedOrder, units: i64, returned: &mut BTreeMap<i64, i64>) -> i64 {
        if order.states.status == Status::Cancelled {
            return 0;
        }
        let mut left = units;
        for (line, moved) in order.lines() {
            if line.product_id != self.product_id || line.unit_price != self.unit_price {
                continue;
            }
            let before = returned.get(&line.line).copied().unwrap_or_default();
            let part = left.min(line.remaining(moved) - before);
            if part > 0 {
                returned.insert(line.line, before + part);
                left -= part;
            }
        }
        units - left
    }
}
