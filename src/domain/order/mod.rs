//! An order: its lines as they were when it was placed, and its life cycle with money and goods.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Decider;
use super::customer::Country;
use super::ids::{CustomerId, ProductId};
use super::money::Money;

mod allowed;
mod bill;
mod cancellation;
mod command;
mod error;
mod event;
mod goods;
mod line;
mod moves;
mod payment;
mod payment_failure;
mod payment_token;
mod pricing;
mod recipients;
#[cfg(test)]
mod tests;

pub use allowed::Mover;
pub use bill::{Bill, CapturedCharge, PaymentMethod, Refund, RefundState};
pub use command::{Carrier, OrderCommand, OrderDraft, ProviderReference, TrackingNumber};
pub use error::OrderError;
pub use event::OrderEvent;
pub use line::{CancelledUnits, LineUnits, OrderLine, OrderedUnits, ReturnLine, ReturnedUnits, SentUnits, Units};
pub use moves::{Action, Fulfilment, MOVES, Move, OrderStates, Payment, StateValue, Status};
pub use payment_failure::PaymentFailure;
pub use payment_token::PaymentToken;
pub use pricing::OrderPricing;
pub use recipients::{AddressKind, ContactField};

/// Life cycle of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    #[default]
    Unknown,
    Placed(Box<PlacedOrder>),
}

/// State of a placed order, as far as later decisions depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOrder {
    #[serde(flatten)]
    pub states: OrderStates,
    pub customer_id: Option<CustomerId>,
    pub placed_at: DateTime<Utc>,
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_digest: Option<String>,
    pub lines: Vec<OrderLine>,
    /// One for each of `lines`.
    pub units: Vec<Units>,
    /// Whether each shipment is delivered, in the order of their numbers, which count from 1.
    pub shipments: Vec<bool>,
    pub bill: Bill,
    /// Destination that fees and taxes depend on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_country: Option<Country>,
    /// Whether the guest's personal data is erased.
    #[serde(default)]
    pub contact_erased: bool,
    /// Whether the guest's personal data is to be erased when the order is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contact_erasure_requested: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<OrderPricing>,
}

/// Units of a product that an order has moved in stock so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockMoved {
    pub released: i64,
    pub shipped: i64,
    pub restocked: i64,
}

impl Order {
    /// Maximum number of lines of an order.
    pub const MAX_LINES: usize = 2_000;

    /// The order, if it was placed.
    pub fn placed(&self) -> Result<&PlacedOrder, OrderError> {
        match self {
            Self::Placed(order) => Ok(order),
            Self::Unknown => Err(OrderError::NotFound),
        }
    }
}

impl PlacedOrder {
    /// Each line with its units.
    pub fn lines(&self) -> impl Iterator<Item = (&OrderLine, Units)> {
        self.lines.iter().zip(self.units.iter().copied())
    }

    /// Whether the order is closed and nothing of it waits: no payment, no refund, no erasure. Further commands are still
    /// possible, such as a return.
    pub fn may_be_archived(&self) -> bool {
        let is_closed = matches!(self.states.status, Status::Completed | Status::Cancelled);
        let awaits_money = self.bill.open_attempt || self.states.payment == Payment::Authorised;
        let awaits_erasure = self.contact_erasure_requested && !self.contact_erased;
        is_closed && !awaits_money && !self.is_open() && !awaits_erasure
    }

    /// Stock movements of the order, line by line. The stock of the products follows them.
    pub fn stock_moved(&self) -> impl Iterator<Item = (ProductId, StockMoved)> {
        let cancelled = self.states.status == Status::Cancelled;
        self.lines().map(move |(line, units)| {
            let unsent = line.quantity.get() - units.shipped;
            let released = if cancelled { unsent } else { units.withdrawn };
            (line.product_id, StockMoved { released, shipped: units.shipped, restocked: units.restocked })
        })
    }

    fn evolve_order(&mut self, event: &OrderEvent) {
        self.evolve_recipients(event);
        self.evolve_goods(event);
        self.evolve_money(event);
    }

    fn require_allowed(&self, action: Action) -> Result<(), OrderError> {
        if self.states.allow(action) {
            Ok(())
        } else {
            Err(OrderError::IllegalMove { action, order: Box::new(self.clone()) })
        }
    }

    /// A line by number, with its units.
    fn line(&self, line: i64) -> Result<(&OrderLine, Units), OrderError> {
        let index = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
        index.and_then(|index| self.lines().nth(index)).ok_or(OrderError::UnknownLine(line))
    }
}

impl Decider for Order {
    fn decide(&self, command: OrderCommand) -> Result<Vec<OrderEvent>, OrderError> {
        let order = match self {
            Self::Placed(order) => order,
            Self::Unknown => {
                let OrderCommand::Place(order) = command else { return Err(OrderError::NotFound) };
                return place(order);
            }
        };
        match command {
            OrderCommand::Place(_) => Err(OrderError::AlreadyPlaced),
            OrderCommand::Process => {
                order.require_allowed(Action::Process)?;
                Ok(vec![OrderEvent::ProcessingStarted {}])
            }
            OrderCommand::Ship { carrier, tracking_number, lines, collected } => {
                order.ship(carrier, tracking_number, &lines, collected)
            }
            OrderCommand::Deliver { shipment } => order.deliver(shipment),
            OrderCommand::Cancel { reason } => order.cancel(reason),
            OrderCommand::CancelUnits { lines, reason } => order.cancel_units(&lines, reason),
            OrderCommand::CancelUnpaid { now } => order.cancel_unpaid(now),
            OrderCommand::Return { lines, refund, reason } => order.return_units(&lines, refund, reason),
            OrderCommand::Refund { amount, reason } => order.refund(amount, reason),
            OrderCommand::MarkPaid { amount, reference } => order.mark_paid(amount, reference),
            OrderCommand::RequestPayment { method } => order.request_payment(method),
            OrderCommand::RecordAuthorisation { attempt, amount, reference } => {
                Ok(order.record_authorisation(attempt, amount, reference))
            }
            OrderCommand::RecordCapture { attempt, amount, reference } => {
                order.record_capture(attempt, amount, reference)
            }
            OrderCommand::RecordPaymentFailure { attempt, reason } => Ok(order.record_payment_failure(attempt, reason)),
            OrderCommand::RecordRefund { refund, reference } => order.record_refund(refund, reference),
            OrderCommand::RecordRefundFailure { refund, reason } => order.record_refund_failure(refund, reason),
            OrderCommand::CorrectAddresses { shipping, billing } => order.correct_addresses(shipping, billing),
            OrderCommand::CorrectContact { fields } => order.correct_contact(fields),
            OrderCommand::ChangeMetadata => order.change_metadata(),
            OrderCommand::EraseContact => order.erase_contact(),
            OrderCommand::RequestContactErasure => order.request_contact_erasure(),
            OrderCommand::WithdrawContactErasure => Ok(order.withdraw_contact_erasure()),
        }
    }

    fn evolve(&mut self, event: &OrderEvent) {
        if let OrderEvent::Placed {
            customer_id,
            placed_at,
            reference,
            total,
            lines,
            payment_method,
            pay_by,
            shipping_country,
            pricing,
            request_digest,
        } = event
        {
            // Orders of older logs with nothing to pay may have a deadline, and no event that they are paid.
            let payment = if total.is_zero() { Payment::Paid } else { Payment::Pending };
            let pay_by = pay_by.filter(|_| !total.is_zero());
            *self = Self::Placed(Box::new(PlacedOrder {
                states: OrderStates { payment, ..OrderStates::default() },
                customer_id: *customer_id,
                placed_at: *placed_at,
                reference: reference.clone(),
                request_digest: request_digest.clone(),
                units: vec![Units::default(); lines.len()],
                lines: lines.clone(),
                shipments: Vec::new(),
                bill: Bill { total: *total, method: *payment_method, pay_by, ..Bill::default() },
                shipping_country: shipping_country.clone(),
                contact_erased: false,
                contact_erasure_requested: false,
                pricing: pricing.clone(),
            }));
        } else if let Self::Placed(order) = self {
            order.evolve_order(event);
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Placed(order) => 1 + order.lines.len() + order.shipments.len() + order.bill.refunds.len(),
            Self::Unknown => 1,
        }
    }
}

fn place(order: OrderDraft) -> Result<Vec<OrderEvent>, OrderError> {
    if order.lines.is_empty() {
        return Err(OrderError::NoLines);
    }
    if order.lines.len() > Order::MAX_LINES {
        return Err(OrderError::TooManyLines);
    }
    let mut lines = order.lines;
    let sum = lines.iter().try_fold(Money::ZERO, |sum, line| sum.plus(line.subtotal));
    let mut total = sum.ok_or(OrderError::TotalTooLarge)?;
    lines.iter_mut().zip(1..).for_each(|(line, number)| line.line = number);
    if let Some(priced) = &order.priced {
        total = priced.total;
        lines.iter_mut().zip(&priced.lines).for_each(|(line, priced)| line.priced = Some(*priced));
    }
    let mut events = vec![OrderEvent::Placed {
        customer_id: order.customer_id,
        placed_at: order.placed_at,
        reference: order.reference.map(String::from),
        total,
        lines,
        payment_method: order.payment_method,
        pay_by: order.pay_by.filter(|_| !total.is_zero()),
        shipping_country: order.shipping_country,
        pricing: order.priced.as_ref().map(|priced| OrderPricing::of(priced, order.discount_code.as_ref())),
        request_digest: order.request_digest,
    }];
    events.extend(payment::first_step(order.payment_method, total));
    Ok(events)
}

impl super::Numbered for Order {}
super::aggregate!(Order, "Order", OrderCommand, OrderEvent, OrderError);
