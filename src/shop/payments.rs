//! Payment requests, recorded payment results, and payment deadlines.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::orders::OrderStateView;
use crate::domain::ids::OrderId;
use crate::domain::order::{Bill, Order, OrderCommand, OrderStates, PaymentMethod, PaymentToken};
use crate::journal::{AggregateRef, Profile, Interrupt, UnitOfWork, UseCase};

pub struct RequestPayment {
    pub order_id: OrderId,
    pub method: PaymentMethod,
    /// What the provider is shown.
    pub token: PaymentToken,
}

impl UseCase for RequestPayment {
    type Answer = OrderStateView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderStateView, Interrupt> {
        let request = OrderCommand::RequestPayment { method: Some(self.method) };
        work.execute::<Order>(self.order_id, request)?;
        keep_instrument(work, self.order_id, &self.token)?;
        OrderStateView::of(work, self.order_id, std::iter::empty())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }
}

/// Keeps what the attempt that was just begun is made with, beside the log. An order for nothing needs none.
pub(super) fn keep_instrument(work: &mut UnitOfWork<'_>, order_id: OrderId, token: &PaymentToken) -> Result<(), Interrupt> {
    let order = work.get::<Order>(order_id)?;
    let bill = &order.placed()?.bill;
    if bill.open_attempt {
        let (order_id, attempt, token) = (order_id.0, bill.attempts, token.expose().to_owned());
        work.write_profile(Profile::PutInstrument { order_id, attempt, token });
    }
    Ok(())
}

pub struct RecordPayment {
    pub order_id: OrderId,
    /// One of those whose names begin with `Record`.
    pub note: Option<OrderCommand>,
}

/// How an order and its money stand now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentStateView {
    pub states: OrderStates,
    pub bill: Bill,
}

impl UseCase for RecordPayment {
    type Answer = PaymentStateView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<PaymentStateView, Interrupt> {
        if let Some(note) = &self.note {
            work.execute::<Order>(self.order_id, note.clone())?;
        }
        let order = work.get::<Order>(self.order_id)?;
        let order = order.placed()?;
        Ok(PaymentStateView { states: order.states, bill: order.bill.clone() })
    }
}

#[derive(Clone, Debug)]
pub struct PaymentPolicy {
    /// How long an order waits for a provider's payment before it is cancelled.
    pub online: TimeDelta,
    /// How long an order waits for its invoice to be paid; `None` is for ever.
    pub invoice: Option<TimeDelta>,
}

impl PaymentPolicy {
    /// When an order that a buyer places `now` is cancelled if it is not paid by then. Without a method it waits as for an
    /// invoice, so that nobody holds stock for ever.
    pub fn pay_by(&self, method: Option<PaymentMethod>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match method {
            None | Some(PaymentMethod::Invoice) => self.invoice.and_then(|within| now.checked_add_signed(within)),
            Some(PaymentMethod::Test | PaymentMethod::Card) => now.checked_add_signed(self.online),
        }
    }
}

impl Default for PaymentPolicy {
    fn default() -> Self {
        Self { online: TimeDelta::minutes(60), invoice: Some(TimeDelta::days(30)) }
    }
}
