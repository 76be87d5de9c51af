//! The goods of an order: shipments, deliveries and returns.

use super::{
    Action, Carrier, Fulfilment, LineUnits, OrderError, OrderEvent, OrderLine, PlacedOrder, ReturnLine, ReturnedUnits,
    SentUnits, Status, TrackingNumber,
};
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::Reason;

impl PlacedOrder {
    pub(super) fn ship(
        &self,
        carrier: Option<Carrier>,
        tracking_number: Option<TrackingNumber>,
        wanted: &[LineUnits],
        collected: bool,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_allowed(Action::Ship)?;
        self.require_paid_enough_to_ship()?;
        let lines = if wanted.is_empty() { self.all_unshipped() } else { self.select_unshipped(wanted)? };
        if lines.is_empty() {
            return Err(OrderError::NothingToShip);
        }
        let mut next = self.clone();
        next.apply_shipment(&lines);
        let shipment = self.next_shipment();
        next.shipments.push(false);
        let fulfilment = next.fulfilment();
        let sent = OrderEvent::ShipmentSent {
            shipment,
            carrier: carrier.map(String::from),
            tracking_number: tracking_number.map(String::from),
            lines,
            fulfilment,
            collected,
        };
        Ok([vec![sent], next.status_events(fulfilment)].concat())
    }

    fn next_shipment(&self) -> i64 {
        // An order has at most as many shipments as units.
        i64::try_from(self.shipments.len()).unwrap_or(i64::MAX - 1) + 1
    }

    fn all_unshipped(&self) -> Vec<SentUnits> {
        let open = self.lines().filter_map(|(line, units)| {
            let quantity = Quantity::new(line.unshipped(units)).ok()?;
            Some(SentUnits { line: line.line, product_id: line.product_id, quantity })
        });
        open.collect()
    }

    fn select_unshipped(&self, wanted: &[LineUnits]) -> Result<Vec<SentUnits>, OrderError> {
        require_distinct(wanted.iter().map(|wanted| wanted.line))?;
        let sent = wanted.iter().map(|&LineUnits { line: number, quantity }| {
            let (line, units) = self.line(number)?;
            require_available(number, quantity.get(), line.unshipped(units))?;
            Ok(SentUnits { line: number, product_id: line.product_id, quantity })
        });
        sent.collect()
    }

    pub(super) fn deliver(&self, shipment: Option<i64>) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_allowed(Action::Deliver)?;
        let arrived: Vec<i64> = match shipment {
            Some(number) => {
                let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
                match index.and_then(|index| self.shipments.get(index)) {
                    Some(false) => vec![number],
                    Some(true) => return Err(OrderError::AlreadyDelivered(number)),
                    None => return Err(OrderError::UnknownShipment(number)),
                }
            }
            None => (1..).zip(&self.shipments).filter(|(_, arrived)| !**arrived).map(|(number, _)| number).collect(),
        };
        let mut next = self.clone();
        if self.shipments.is_empty() {
            next.states.fulfilment = Fulfilment::Delivered;
        }
        let mut events = Vec::with_capacity(arrived.len() + 1);
        for shipment in arrived {
            next.mark_delivered(shipment);
            events.push(OrderEvent::ShipmentDelivered { shipment, fulfilment: next.fulfilment() });
        }
        events.extend(next.status_events(next.fulfilment()));
        if events.is_empty() { Err(OrderError::NothingToDeliver) } else { Ok(events) }
    }

    pub(super) fn return_units(
        &self,
        wanted: &[ReturnLine],
        refund: bool,
        reason: Option<Reason>,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        if wanted.is_empty() {
            return Err(OrderError::NoLines);
        }
        require_distinct(wanted.iter().map(|wanted| wanted.line))?;
        // An order that can still be cancelled refuses by line, so that the refusal names the right action.
        if !self.states.allow(Action::Cancel) {
            self.require_allowed(Action::Return)?;
        }
        let lines = wanted.iter().map(|wanted| self.returned_units(wanted));
        let lines = lines.collect::<Result<Vec<_>, OrderError>>()?;
        self.require_allowed(Action::Return)?;

        let mut next = self.clone();
        next.apply_return(&lines);
        let amounts: Vec<Money> = lines.iter().map(|line| line.amount).collect();
        let returned = |credit, fulfilment| OrderEvent::Returned {
            reason: reason.clone().map(String::from),
            lines,
            credit,
            fulfilment,
            customer_id: self.customer_id,
            placed_at: self.placed_at,
        };
        Ok(next.settle_units(&amounts, refund, reason.clone(), returned))
    }

    fn returned_units(&self, wanted: &ReturnLine) -> Result<ReturnedUnits, OrderError> {
        let (line, units) = self.line(wanted.line)?;
        let (quantity, shipped) = (wanted.quantity.get(), OrderLine::returnable(units));
        if quantity > shipped && line.unshipped(units) > 0 {
            return Err(OrderError::NotShipped { line: wanted.line, requested: quantity, shipped });
        }
        require_available(wanted.line, quantity, shipped)?;
        Ok(ReturnedUnits {
            line: wanted.line,
            product_id: line.product_id,
            quantity: wanted.quantity,
            withdrawn: 0,
            restocked: wanted.restock,
            subtotal: line.share_of(line.subtotal, units, quantity),
            amount: line.share_of(line.amount(), units, quantity),
        })
    }

    /// Fulfilment state that follows from units and shipments.
    pub(super) fn fulfilment(&self) -> Fulfilment {
        let sum = |count: fn(&super::Units) -> i64| self.units.iter().map(count).sum::<i64>();
        let (shipped, returned) = (sum(|units| units.shipped), sum(|units| units.returned));
        let open = self.lines().any(|(line, units)| line.unshipped(units) > 0);
        if shipped == 0 {
            Fulfilment::Unfulfilled
        } else if open {
            Fulfilment::PartiallyShipped
        } else if returned == shipped {
            Fulfilment::Returned
        } else if self.all_delivered() {
            Fulfilment::Delivered
        } else {
            Fulfilment::Shipped
        }
    }

    /// Whether all shipments are delivered. Orders that are older than shipments have none, only a state.
    fn all_delivered(&self) -> bool {
        match self.shipments.is_empty() {
            true => self.states.fulfilment == Fulfilment::Delivered,
            false => self.shipments.iter().all(|arrived| *arrived),
        }
    }

    /// Events that change the status when the goods reach `fulfilment`. Nothing more happens to goods that arrived, or
    /// that all came back, so they complete the order.
    pub(super) fn status_events(&self, fulfilment: Fulfilment) -> Vec<OrderEvent> {
        let all_sent = !matches!(fulfilment, Fulfilment::Unfulfilled | Fulfilment::PartiallyShipped);
        let shipped = all_sent && self.states.status == Status::Processing;
        let at_rest = matches!(fulfilment, Fulfilment::Delivered | Fulfilment::Returned);
        let completed = at_rest && (shipped || self.states.status == Status::Shipped);
        let shipped = shipped.then_some(OrderEvent::Shipped { fulfilment: Some(fulfilment) });
        let completed = completed.then_some(OrderEvent::Completed { fulfilment: Some(fulfilment) });
        shipped.into_iter().chain(completed).collect()
    }

    pub(super) fn evolve_goods(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::ProcessingStarted {} => self.states.status = Status::Processing,
            OrderEvent::ShipmentSent { lines, fulfilment, .. } => {
                self.apply_shipment(lines);
                self.shipments.push(false);
                self.states.fulfilment = *fulfilment;
            }
            OrderEvent::ShipmentDelivered { shipment, fulfilment } => {
                self.mark_delivered(*shipment);
                self.states.fulfilment = *fulfilment;
            }
            OrderEvent::Shipped { fulfilment } => {
                self.states.status = Status::Shipped;
                if fulfilment.is_none() {
                    self.apply_shipment(&self.all_unshipped());
                }
                self.states.fulfilment = fulfilment.unwrap_or(Fulfilment::Shipped);
            }
            OrderEvent::Completed { fulfilment } => {
                self.states.status = Status::Completed;
                self.states.fulfilment = fulfilment.unwrap_or(Fulfilment::Delivered);
            }
            OrderEvent::Cancelled { .. } => self.states.status = Status::Cancelled,
            OrderEvent::UnitsCancelled { lines, fulfilment, .. } => {
                self.apply_cancellation(lines);
                self.states.fulfilment = *fulfilment;
            }
            OrderEvent::Returned { lines, fulfilment, .. } => {
                self.apply_return(lines);
                self.states.fulfilment = *fulfilment;
            }
            _ => {}
        }
    }

    fn apply_shipment(&mut self, lines: &[SentUnits]) {
        for sent in lines {
            if let Some(units) = self.units_of(sent.line) {
                units.shipped += sent.quantity.get();
            }
        }
    }

    fn apply_return(&mut self, lines: &[ReturnedUnits]) {
        for back in lines {
            if let Some(units) = self.units_of(back.line) {
                let returned = back.quantity.get() - back.withdrawn;
                units.withdrawn += back.withdrawn;
                units.returned += returned;
                units.restocked += if back.restocked { returned } else { 0 };
            }
        }
    }

    fn mark_delivered(&mut self, shipment: i64) {
        let index = usize::try_from(shipment - 1).ok();
        if let Some(arrived) = index.and_then(|index| self.shipments.get_mut(index)) {
            *arrived = true;
        }
    }

    pub(super) fn units_of(&mut self, line: i64) -> Option<&mut super::Units> {
        usize::try_from(line - 1).ok().and_then(|index| self.units.get_mut(index))
    }
}

pub(super) fn require_distinct(lines: impl Iterator<Item = i64>) -> Result<(), OrderError> {
    let mut seen = std::collections::HashSet::new();
    for line in lines {
        if !seen.insert(line) {
            return Err(OrderError::DuplicateLine(line));
        }
    }
    Ok(())
}

pub(super) fn require_available(line: i64, requested: i64, available: i64) -> Result<(), OrderError> {
    if requested > available {
        return Err(OrderError::TooManyUnits { line, requested, available });
    }
    Ok(())
}
