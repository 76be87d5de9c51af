//! Cancellation: of the whole order before anything is shipped, or of units that are not shipped.

use chrono::{DateTime, Utc};

use super::goods::{require_available, require_distinct};
use super::{
    Action, CancelledUnits, Fulfilment, LineUnits, OrderError, OrderEvent, OrderLine, OrderedUnits, PlacedOrder,
};
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::Reason;

/// Reason of the scheduler's cancellations.
const NOT_PAID_IN_TIME: &str = "not paid in time";

impl PlacedOrder {
    pub(super) fn cancel(&self, reason: Option<Reason>) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_allowed(Action::Cancel)?;
        if self.states.fulfilment != Fulfilment::Unfulfilled {
            return Err(OrderError::PartlyShipped);
        }
        let lines = self.lines().filter_map(|(line, units)| {
            let quantity = Quantity::new(line.remaining(units)).ok()?;
            let subtotal = line.share_of(line.subtotal, units, quantity.get());
            Some(OrderedUnits { product_id: line.product_id, quantity, subtotal })
        });
        let cancelled = OrderEvent::Cancelled {
            reason: reason.clone().map(String::from),
            customer_id: self.customer_id,
            placed_at: self.placed_at,
            total: self.bill.worth(),
            lines: lines.collect(),
        };
        let mut next = self.clone();
        next.evolve_money(&cancelled);
        Ok([vec![cancelled], next.begin_refund(next.bill.refundable(), reason)].concat())
    }

    pub(super) fn cancel_unpaid(&self, now: DateTime<Utc>) -> Result<Vec<OrderEvent>, OrderError> {
        let late = self.bill.pay_by.is_some_and(|pay_by| pay_by <= now);
        let unsent = self.states.fulfilment == Fulfilment::Unfulfilled;
        if late && self.is_unpaid() && unsent && self.states.allow(Action::Cancel) {
            self.cancel(Reason::parse(NOT_PAID_IN_TIME).ok())
        } else {
            Ok(vec![])
        }
    }

    /// Cancels units that are not shipped. The buyer owes them no longer, or gets their money back at once.
    ///
    /// Cancels the order if nothing was shipped and no unit remains.
    pub(super) fn cancel_units(
        &self,
        wanted: &[LineUnits],
        reason: Option<Reason>,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        if wanted.is_empty() {
            return Err(OrderError::NoLines);
        }
        require_distinct(wanted.iter().map(|wanted| wanted.line))?;
        self.require_allowed(Action::Cancel)?;
        let lines = wanted.iter().map(|wanted| self.cancelled_units(*wanted));
        let lines = lines.collect::<Result<Vec<_>, OrderError>>()?;

        let mut next = self.clone();
        next.apply_cancellation(&lines);
        if next.lines().all(|(line, units)| units.shipped == 0 && line.remaining(units) == 0) {
            return self.cancel(reason);
        }
        let amounts: Vec<Money> = lines.iter().map(|line| line.amount).collect();
        let cancelled = |credit, fulfilment| OrderEvent::UnitsCancelled {
            reason: reason.clone().map(String::from),
            lines,
            credit,
            fulfilment,
            customer_id: self.customer_id,
            placed_at: self.placed_at,
        };
        Ok(next.settle_units(&amounts, true, reason.clone(), cancelled))
    }

    /// The events with which units leave the order. The order's goods are already without them, its money is not.
    ///
    /// What the buyer has not paid of `amounts` is credited. The rest is paid back if `refund`.
    pub(super) fn settle_units(
        mut self,
        amounts: &[Money],
        refund: bool,
        reason: Option<Reason>,
        left: impl FnOnce(Money, Fulfilment) -> OrderEvent,
    ) -> Vec<OrderEvent> {
        let value = amounts.iter().fold(Money::ZERO, |sum, amount| sum.plus(*amount).unwrap_or(Money::MAX));
        let credit = self.bill.credit_for(value);
        let fulfilment = self.fulfilment();
        let left = left(credit, fulfilment);
        let statuses = self.status_events(fulfilment);
        self.evolve_money(&left);
        let settled = self.paid_if_nothing_is_due().into_iter().collect();
        let back = if refund { value.less(credit).min(self.bill.refundable()) } else { Money::ZERO };
        [vec![left], statuses, settled, self.begin_refund(back, reason)].concat()
    }

    fn cancelled_units(&self, wanted: LineUnits) -> Result<CancelledUnits, OrderError> {
        let (line, units) = self.line(wanted.line)?;
        let (requested, unshipped) = (wanted.quantity.get(), line.unshipped(units));
        if requested > unshipped && OrderLine::returnable(units) > 0 {
            return Err(OrderError::AlreadyShipped { line: wanted.line, requested, unshipped });
        }
        require_available(wanted.line, requested, unshipped)?;
        Ok(CancelledUnits {
            line: wanted.line,
            product_id: line.product_id,
            quantity: wanted.quantity,
            subtotal: line.share_of(line.subtotal, units, requested),
            amount: line.share_of(line.amount(), units, requested),
        })
    }

    pub(super) fn apply_cancellation(&mut self, lines: &[CancelledUnits]) {
        for cancelled in lines {
            if let Some(units) = self.units_of(cancelled.line) {
                units.withdrawn += cancelled.quantity.get();
            }
        }
    }
}
