//! Payments and refunds of an order: requested, authorised, captured, refunded.
//!
//! Reports of a provider may arrive late, twice or out of order. A known fact causes no second event; money for a
//! cancelled order is refunded.

use super::{
    Action, CapturedCharge, OrderError, OrderEvent, Payment, PaymentFailure, PaymentMethod, PlacedOrder,
    ProviderReference, Refund, RefundState, Status,
};
use crate::domain::money::Money;
use crate::domain::text::{Reason, Reference};

/// First payment event of a new order. A total of zero counts as paid.
pub(super) fn first_step(method: PaymentMethod, total: Money) -> Option<OrderEvent> {
    match method {
        PaymentMethod::Invoice => None,
        PaymentMethod::Test | PaymentMethod::Card if total.is_zero() => {
            Some(OrderEvent::Paid { attempt: None, amount: total, reference: None })
        }
        PaymentMethod::Test | PaymentMethod::Card => {
            Some(OrderEvent::PaymentRequested { attempt: 1, method, amount: total })
        }
    }
}

impl PlacedOrder {
    pub(super) fn mark_paid(&self, reference: Option<Reference>) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_allowed(Action::Pay)?;
        if self.bill.open_attempt {
            return Err(OrderError::PaymentPending);
        }
        Ok(vec![OrderEvent::Paid { attempt: None, amount: self.bill.due(), reference: reference.map(String::from) }])
    }

    pub(super) fn request_payment(&self, method: Option<PaymentMethod>) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_allowed(Action::Pay)?;
        let method = method.or(self.bill.method).filter(|method| method.is_online()).ok_or(OrderError::NoProvider)?;
        if self.bill.open_attempt {
            return Err(OrderError::PaymentPending);
        }
        let amount = self.bill.due();
        if amount.is_zero() {
            return Err(OrderError::NothingDue);
        }
        Ok(vec![OrderEvent::PaymentRequested { attempt: self.bill.attempts + 1, method, amount }])
    }

    /// Counts an unpaid order as paid if nothing of it is due any more.
    pub(super) fn paid_if_nothing_is_due(&self) -> Option<OrderEvent> {
        let unpaid = matches!(self.states.payment, Payment::Pending | Payment::Failed) && !self.bill.open_attempt;
        let paid = OrderEvent::Paid { attempt: None, amount: Money::ZERO, reference: None };
        (unpaid && self.bill.due().is_zero()).then_some(paid)
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
        if self.bill.charge.as_ref().is_some_and(|charge| charge.attempt == attempt) {
            return Ok(vec![]);
        }
        if !self.states.allow(Action::Capture) {
            return Err(OrderError::PaidByOtherAttempt);
        }
        let paid = OrderEvent::Paid { attempt: Some(attempt), amount, reference: Some(reference.into()) };
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
        if last && self.states.allow(Action::Fail) {
            vec![OrderEvent::PaymentFailed { attempt, reason }]
        } else {
            vec![]
        }
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

    /// Starts a refund the way the money came: by the provider, or at once if staff do it.
    pub(super) fn begin_refund(&self, amount: Money, reason: Option<Reason>) -> Vec<OrderEvent> {
        if amount.is_zero() {
            return vec![];
        }
        let refund = i64::try_from(self.bill.refunds.len()).unwrap_or(i64::MAX - 1) + 1;
        let reason = reason.map(String::from);
        vec![match self.bill.charge {
            Some(_) => OrderEvent::RefundRequested { refund, amount, reason },
            None => self.refunded_event(refund, amount, None, reason),
        }]
    }

    fn refunded_event(
        &self,
        refund: i64,
        amount: Money,
        reference: Option<String>,
        reason: Option<String>,
    ) -> OrderEvent {
        let all = self.bill.kept().less(amount).is_zero();
        OrderEvent::Refunded {
            refund,
            amount,
            credit: self.bill.credit_of_refund(amount),
            payment: if all { Payment::Refunded } else { Payment::PartiallyRefunded },
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
        let Refund { amount, state } = *self.require_refund(refund)?;
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
            OrderEvent::PaymentFailed { .. } => {
                bill.open_attempt = false;
                self.states.payment = Payment::Failed;
            }
            OrderEvent::Paid { attempt, amount, reference } => {
                bill.open_attempt = false;
                bill.paid = sum(bill.paid, *amount);
                bill.charge =
                    attempt.zip(reference.clone()).map(|(attempt, reference)| CapturedCharge { attempt, reference });
                self.states.payment = Payment::Paid;
            }
            OrderEvent::RefundRequested { amount, .. } => {
                bill.refunds.push(Refund { amount: *amount, state: RefundState::Requested });
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
            None => self.bill.refunds.push(Refund { amount, state }),
        }
    }
}

/// Adds two amounts of one order, whose sums stay within its total.
fn sum(one: Money, other: Money) -> Money {
    one.plus(other).unwrap_or(Money::MAX)
}
