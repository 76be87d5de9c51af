//! Payments of an order: requests, results that the provider reports, and deadlines.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::orders::{OrderStateView, order_view_digest};
use super::secrets::expose;
use crate::domain::ids::OrderId;
use crate::domain::order::{Bill, Order, OrderCommand, OrderError, OrderStates, PaymentMethod, PaymentToken};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase, ViewDigest};

/// Requests another attempt to pay an order, with a payment instrument.
pub struct RequestPayment {
    pub order_id: OrderId,
    pub method: PaymentMethod,
    pub token: PaymentToken,
}

/// Records a provider's payment result on an order.
pub struct RecordPayment {
    pub order_id: OrderId,
    /// One of those whose names begin with `Record`.
    pub command: OrderCommand,
}

/// States and money of an order, as payments need them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentStateView {
    pub states: OrderStates,
    pub bill: Bill,
}

/// How long the shop waits for the payment of an order.
#[derive(Clone, Debug)]
pub struct PaymentPolicy {
    /// How long an order waits for a provider's payment before it is cancelled.
    pub online: TimeDelta,
    /// How long an order waits for its invoice to be paid; `None` disables the deadline.
    pub invoice: Option<TimeDelta>,
}

impl UseCase for RequestPayment {
    type Answer = OrderStateView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderStateView, Interrupt> {
        let request = OrderCommand::RequestPayment { method: Some(self.method) };
        work.execute::<Order>(self.order_id, request)?;
        store_instrument(work, self.order_id, &self.token)?;
        OrderStateView::of(work, self.order_id, std::iter::empty())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

impl UseCase for RecordPayment {
    type Answer = PaymentStateView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<PaymentStateView, Interrupt> {
        work.execute::<Order>(self.order_id, self.command.clone())?;
        Ok(PaymentStateView::of(&*work.get::<Order>(self.order_id)?)?)
    }
}

impl PaymentStateView {
    pub fn of(order: &Order) -> Result<Self, OrderError> {
        let order = order.placed()?;
        Ok(Self { states: order.states, bill: order.bill.clone() })
    }
}

impl PaymentPolicy {
    /// Payment deadline of an order that a buyer places `now`. Without a method it is that of an invoice, so that the
    /// order cannot reserve stock for ever.
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

/// Stores the instrument of the attempt that has just begun, beside the log. An order for nothing needs none.
pub(super) fn store_instrument(
    work: &mut UnitOfWork<'_>,
    order_id: OrderId,
    token: &PaymentToken,
) -> Result<(), Interrupt> {
    let order = work.get::<Order>(order_id)?;
    let bill = &order.placed()?.bill;
    if bill.open_attempt {
        work.add_side_write(&PutInstrument { order_id, attempt: bill.attempts, token })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct PutInstrument<'a> {
    order_id: OrderId,
    attempt: i64,
    #[serde(serialize_with = "expose")]
    token: &'a PaymentToken,
}

impl SideWrite for PutInstrument<'_> {
    const FUNCTION: &'static str = "put_instrument";
}
