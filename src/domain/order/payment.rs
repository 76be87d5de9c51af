//! Payments and refunds of an order: requested, authorised, captured, refunded.
//!
//! Reports of a provider may arrive late, twice or out of order. A known fact causes no second event; money for a
//! cancelled order is refunded.

use super::{
    Action, Bill, CapturedCharge, OrderError, OrderEvent, Payment, PaymentFailure, PaymentMethod, PlacedOrder,
    ProviderReference, Refund, RefundState, Status,
};
use crate::domain::money::Money;
use crate::domain::text::{Reason, Reference};

/// First payment event of a new order. An order with nothing to pay is paid, whatever its method.
pub(super) fn first_step(method: Option<PaymentMethod>, total: Money) -> Option<OrderEvent> {
    if total.is_zero() {
        return Some(NOTHING_LEFT_TO_PAY);
    }
    let method = method.filter(|method| method.is_online())?;
    Some(OrderEvent::PaymentRequested { attempt: 1, method, amount: total })
}

/// Settles an order of which nothing is due without a payment.
const NOTHING_LEFT_TO_PAY: OrderEvent = OrderEvent::Paid { attempt: None, amount: Money::ZERO, reference: None };

impl PlacedOrder {
    pub(super) fn mark_paid(
        &self,
        amount: Option<Money>,
        reference: Option<Reference>,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        let due = self.require_due()?;
        let amount = amount.unwrap_or(due);
        if amount.is_zero() || amount > due {
            return Err(OrderError::PaymentTooLarge { due });
        }
        Ok(vec![self.received_event(None, amount, reference.map(String::from))])
    }

    /// The amount due, if a payment may begin now.
    fn require_due(&self) -> Result<Money, OrderError> {
        let due = self.bill.due();
        let cancelled = self.states.status == Status::Cancelled;
        if due.is_zero() && self.bill.paid.is_zero() && !cancelled {
            return Err(OrderError::NothingDue);
        }
        self.require_allowed(Action::Pay)?;
        if self.bill.open_attempt {
            return Err(OrderError::PaymentPending);
        }
        if due.is_zero() { Err(OrderError::NothingDue) } else { Ok(due) }
    }

    /// The event of money that the shop received: all that is due, or a part of it.
    fn received_event(&self, attempt: Option<i64>, amount: Money, reference: Option<String>) -> OrderEvent {
        let due = self.bill.due().less(amount);
        if due.is_zero() {
            OrderEvent::Paid { attempt, amount, reference }
        } else {
            OrderEvent::PartiallyPaid { attempt, amount, due, reference }
        }
    }

    /// Whether the order is to be paid and the shop has received nothing.
    pub(super) fn is_unpaid(&self) -> bool {
        let waits = matches!(self.states.payment, Payment::Pending | Payment::Failed);
        waits && self.bill.kept().is_zero() && !self.bill.due().is_zero()
    }

    /// Units that are reserved for the order although the shop has received nothing for it.
    pub fn unpaid_units(&self) -> i64 {
        let open = self.states.status != Status::Cancelled;
        if open && self.bill.kept().is_zero() && !self.bill.due().is_zero() {
            self.lines().map(|(line, units)| line.unshipped(units)).sum()
        } else {
            0
        }
    }

    /// Refuses to ship before an online payment, and after everything was refunded.
    pub(super) fn require_paid_enough_to_ship(&self) -> Result<(), OrderError> {
        let online = self.bill.method.is_some_and(PaymentMethod::is_online);
        // An authorised payment may still fail when it is captured.
        let received = matches!(self.states.payment, Payment::Paid | Payment::PartiallyRefunded | Payment::Refunded);
        if online && !received && !self.bill.due().is_zero() {
            return Err(OrderError::NotPaid);
        }
        let refunded = !self.bill.paid.is_zero() && self.bill.refundable().is_zero();
        // What is left may be worth nothing, such as a gift beside units that were given up.
        if refunded && !self.value_of_unshipped().is_zero() { Err(OrderError::Refunded) } else { Ok(()) }
    }

    fn value_of_unshipped(&self) -> Money {
        self.lines().fold(Money::ZERO, |value, (line, units)| {
            sum(value, line.amount().share(line.unshipped(units), line.quantity.get()))
        })
    }

    pub(super) fn request_payment(&self, method: Option<PaymentMethod>) -> Result<Vec<OrderEvent>, OrderError> {
        let method = method.or(self.bill.method).filter(|method| method.is_online()).ok_or(OrderError::NoProvider);
        let amount = self.require_due()?;
        let method = method?;
        Ok(vec![OrderEvent::PaymentRequested { attempt: self.bill.attempts + 1, method, amount }])
    }

    /// Counts an unpaid order as paid if nothing of it is due any more.
    pub(super) fn paid_if_nothing_is_due(&self) -> Option<OrderEvent> {
        let waits = matches!(self.states.payment, Payment::Pending | Payment::PartiallyPaid | Payment::Failed);
        let open = self.states.status != Status::Cancelled && !self.bill.open_attempt;
        (waits && open && self.bill.due().is_zero()).then_some(NOTHING_LEFT_TO_PAY)
    }

    pub(super) fn record_authorisation(
        &self,
        attempt: i64,
        amount: Money,
        reference: ProviderReference,
    ) -> Vec<OrderEvent> {
        let last = attempt == self.bill.attempts;
        if last && self.states.allow(Action::Authorise) {
            vec![OrderEvent::PaymentAuthorised { attempt, amount, reference: reference.into() }]
        } else {
            vec![]
        }
    }

    pub(super) fn record_capture(
        &self,
        attempt: i64,
        amount: Money,
        reference: ProviderReference,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        if !(1..=self.bill.attempts).contains(&attempt) {
            return Err(OrderError::UnknownAttempt(attempt));
        }
        if self.bill.charge_of(attempt).is_some() {
            return Ok(vec![]);
        }
        if !self.states.allow(Action::Capture) {
            return Err(OrderError::PaidByOtherAttempt);
        }
        let paid = self.received_event(Some(attempt), amount, Some(reference.into()));
        let mut next = self.clone();
        next.evolve_money(&paid);
        let too_much = next.bill.kept().less(next.bill.worth());
        let reason =
            if next.states.status == Status::Cancelled { "cancelled before it was paid" } else { "paid too much" };
        let back = next.begin_refund(too_much, Reason::parse(reason).ok());
        Ok([vec![paid], back].concat())
    }

    pub(super) fn record_payment_failure(&self, attempt: i64, reason: PaymentFailure) -> Vec<OrderEvent> {
        let last = attempt == self.bill.attempts;
        // A partially paid order is in this state before, during and after an attempt.
        let over = self.states.payment == Payment::PartiallyPaid && !self.bill.open_attempt;
        if !last || over || !self.states.allow(Action::Fail) {
            return vec![];
        }
        let payment = match (self.bill.kept().is_zero(), self.bill.due().is_zero()) {
            (true, _) => None,
            (false, true) => Some(Payment::Paid),
            (false, false) => Some(Payment::PartiallyPaid),
        };
        let failed = OrderEvent::PaymentFailed { attempt, reason, payment };
        let mut next = self.clone();
        next.evolve_money(&failed);
        [failed].into_iter().chain(next.paid_if_nothing_is_due()).collect()
    }

    pub(super) fn refund(&self, amount: Option<Money>, reason: Option<Reason>) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_allowed(Action::Refund)?;
        let refundable = self.bill.refundable();
        let amount = amount.unwrap_or(refundable);
        if amount > refundable || amount.is_zero() {
            return Err(OrderError::RefundTooLarge { refundable });
        }
        Ok(self.begin_refund(amount, reason))
    }

    /// Starts a refund the way the money came: by the providers, the latest charge first, and the rest at once, because
    /// staff do it.
    pub(super) fn begin_refund(&self, amount: Money, reason: Option<Reason>) -> Vec<OrderEvent> {
        let known = i64::try_from(self.bill.refunds.len()).unwrap_or(i64::MAX - 1_000_000);
        let mut numbers = known + 1..;
        let reason = reason.map(String::from);
        let mut left = amount;
        let mut events = Vec::new();
        for charge in self.bill.charges.iter().rev() {
            let amount = left.min(self.bill.refundable_of(charge));
            if let (false, Some(refund)) = (amount.is_zero(), numbers.next()) {
                let (attempt, reason) = (Some(charge.attempt), reason.clone());
                events.push(OrderEvent::RefundRequested { refund, amount, reason, attempt });
                left = left.less(amount);
            }
        }
        if let (false, Some(refund)) = (left.is_zero(), numbers.next()) {
            events.push(self.refunded_event(refund, left, None, reason));
        }
        events
    }

    fn refunded_event(
        &self,
        refund: i64,
        amount: Money,
        reference: Option<String>,
        reason: Option<String>,
    ) -> OrderEvent {
        let credit = self.bill.credit_of_refund(amount);
        let kept = self.bill.kept().less(amount);
        let payment = if kept.is_zero() {
            Payment::Refunded
        } else if self.bill.worth().less(credit) > kept {
            Payment::PartiallyPaid
        } else {
            Payment::PartiallyRefunded
        };
        OrderEvent::Refunded {
            refund,
            amount,
            credit,
            payment,
            reference,
            reason,
            customer_id: self.customer_id,
            placed_at: self.placed_at,
        }
    }

    pub(super) fn record_refund(
        &self,
        refund: i64,
        reference: ProviderReference,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        let Refund { amount, state, .. } = *self.require_refund(refund)?;
        let refundable = self.bill.refundable();
        match state {
            RefundState::Done => Ok(vec![]),
            RefundState::Failed if amount > refundable => Err(OrderError::RefundTooLarge { refundable }),
            // The money has moved, even if the refund was recorded as failed before.
            RefundState::Requested | RefundState::Failed => {
                Ok(vec![self.refunded_event(refund, amount, Some(reference.into()), None)])
            }
        }
    }

    pub(super) fn record_refund_failure(&self, refund: i64, reason: Reason) -> Result<Vec<OrderEvent>, OrderError> {
        Ok(match self.require_refund(refund)?.state {
            RefundState::Requested => vec![OrderEvent::RefundFailed { refund, reason: reason.into() }],
            RefundState::Done | RefundState::Failed => vec![],
        })
    }

    /// A requested refund, by number.
    pub fn require_refund(&self, refund: i64) -> Result<&Refund, OrderError> {
        let index = usize::try_from(refund).ok().and_then(|refund| refund.checked_sub(1));
        index.and_then(|index| self.bill.refunds.get(index)).ok_or(OrderError::UnknownRefund(refund))
    }

    pub(super) fn evolve_money(&mut self, event: &OrderEvent) {
        let bill = &mut self.bill;
        match event {
            OrderEvent::PaymentRequested { attempt, method, .. } => {
                bill.attempts = *attempt;
                bill.open_attempt = true;
                bill.method = Some(*method);
                self.states.payment = Payment::Pending;
            }
            OrderEvent::PaymentAuthorised { .. } => self.states.payment = Payment::Authorised,
            OrderEvent::PaymentFailed { payment, .. } => {
                bill.open_attempt = false;
                self.states.payment = payment.unwrap_or(Payment::Failed);
            }
            OrderEvent::Paid { attempt, amount, reference } => {
                bill.open_attempt = false;
                bill.receive(*attempt, *amount, reference.as_deref());
                self.states.payment = Payment::Paid;
            }
            OrderEvent::PartiallyPaid { attempt, amount, reference, .. } => {
                // Money of an earlier attempt, which arrives late, does not end the running one.
                bill.open_attempt &= attempt.is_some_and(|attempt| attempt != bill.attempts);
                bill.receive(*attempt, *amount, reference.as_deref());
                self.states.payment = Payment::PartiallyPaid;
            }
            OrderEvent::RefundRequested { amount, attempt, .. } => {
                let attempt = attempt.or(bill.charges.last().map(|charge| charge.attempt));
                bill.refunds.push(Refund { amount: *amount, state: RefundState::Requested, attempt });
            }
            OrderEvent::Refunded { refund, amount, credit, payment, .. } => {
                bill.refunded = sum(bill.refunded, *amount);
                bill.credited = sum(bill.credited, *credit);
                self.states.payment = *payment;
                self.close_refund(*refund, *amount, RefundState::Done);
            }
            OrderEvent::RefundFailed { refund, .. } => self.close_refund(*refund, Money::ZERO, RefundState::Failed),
            OrderEvent::Returned { credit, .. } | OrderEvent::UnitsCancelled { credit, .. } => {
                bill.credited = sum(bill.credited, *credit);
            }
            OrderEvent::Cancelled { .. } => bill.credited = bill.total,
            _ => {}
        }
    }

    /// Closes a refund; adds it if it was never requested.
    fn close_refund(&mut self, refund: i64, amount: Money, state: RefundState) {
        match usize::try_from(refund - 1).ok().and_then(|index| self.bill.refunds.get_mut(index)) {
            Some(known) => known.state = state,
            None => self.bill.refunds.push(Refund { amount, state, attempt: None }),
        }
    }
}

impl Bill {
    fn receive(&mut self, attempt: Option<i64>, amount: Money, reference: Option<&str>) {
        self.paid = sum(self.paid, amount);
        let charge = attempt.zip(reference);
        let charge =
            charge.map(|(attempt, reference)| CapturedCharge { attempt, reference: reference.to_owned(), amount });
        self.charges.extend(charge);
    }
}

/// Adds two amounts of one order, whose sums stay within its total.
fn sum(one: Money, other: Money) -> Money {
    one.plus(other).unwrap_or(Money::MAX)
}
