//! Payments of an order: requests, results that the provider reports, and deadlines.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::orders::{OrderStateView, order_view_digest};
use super::secrets::expose;
use super::unpaid::{counted_units, release_unpaid};
use crate::domain::ids::OrderId;
use crate::domain::order::{Bill, Order, OrderCommand, OrderError, OrderStates, PaymentMethod, PaymentToken};
use crate::domain::refusal::Refusal;
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

/// A buyer, whom the shop's payment rules bind. Staff are not.
#[derive(Clone, Debug)]
pub struct BuyerTerms {
    pub offered: Vec<PaymentMethod>,
    /// Network of the client, if it is known.
    pub network: Option<String>,
    /// Units that the unpaid orders of one buyer may reserve; `None` disables the bound.
    pub unpaid_units: Option<u32>,
}

/// The payment methods that buyers are offered, as the operator lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedMethods(Vec<PaymentMethod>);

/// Payment rules for buyers, and how long the shop waits for the payment of an order.
#[derive(Clone, Debug)]
pub struct PaymentPolicy {
    pub methods: OfferedMethods,
    /// Whether guests may pay by invoice.
    pub guest_invoices: bool,
    /// Units that the unpaid orders of one buyer may reserve; `None` disables the bound.
    pub unpaid_units: Option<u32>,
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
        let unpaid = counted_units(work.get::<Order>(self.order_id)?.placed()?);
        work.execute::<Order>(self.order_id, self.command.clone())?;
        release_unpaid(work, self.order_id, unpaid)?;
        Ok(PaymentStateView::of(&*work.get::<Order>(self.order_id)?)?)
    }
}

impl PaymentStateView {
    pub fn of(order: &Order) -> Result<Self, OrderError> {
        let order = order.placed()?;
        Ok(Self { states: order.states, bill: order.bill.clone() })
    }
}

impl BuyerTerms {
    pub fn require_offered(&self, method: PaymentMethod) -> Result<(), Refusal> {
        if self.offered.contains(&method) {
            return Ok(());
        }
        Err(Refusal::PaymentMethodUnavailable { method, offered: self.offered.clone() })
    }
}

impl FromStr for OfferedMethods {
    type Err = String;

    /// Methods separated by commas.
    fn from_str(list: &str) -> Result<Self, String> {
        let mut methods = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let method = PaymentMethod::ALL.iter().find(|method| method.as_str() == name);
            let method = method.ok_or_else(|| format!("`{name}` is none of invoice, card, test"))?;
            if !methods.contains(method) {
                methods.push(*method);
            }
        }
        Ok(Self(methods))
    }
}

impl PaymentPolicy {
    /// Whether buyers are offered a method, if its provider is set up.
    pub fn offers(&self, method: PaymentMethod, to_guest: bool) -> bool {
        let allowed = method != PaymentMethod::Invoice || !to_guest || self.guest_invoices;
        allowed && self.methods.0.contains(&method)
    }

    /// Payment deadline of an order that a buyer places `now`.
    pub fn pay_by(&self, method: PaymentMethod, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match method {
            PaymentMethod::Invoice => self.invoice.and_then(|within| now.checked_add_signed(within)),
            PaymentMethod::Test | PaymentMethod::Card => now.checked_add_signed(self.online),
        }
    }
}

impl Default for PaymentPolicy {
    fn default() -> Self {
        Self {
            methods: OfferedMethods(PaymentMethod::ALL.to_vec()),
            guest_invoices: true,
            unpaid_units: None,
            online: TimeDelta::minutes(60),
            invoice: Some(TimeDelta::days(30)),
        }
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
