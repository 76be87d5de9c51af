//! An order as the pages show it, with its payments from the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::states::{self, Badge, OrderStates};
use crate::admin::api::Problem;
use crate::admin::format::in_words;
use crate::admin::query::Query;
use crate::admin::staff::Staff;

/// The summary of an order as the API returns it.
#[derive(Deserialize)]
pub struct Order {
    pub order_id: i64,
    #[serde(flatten)]
    pub states: OrderStates,
    pub placed_at: DateTime<Utc>,
    pub customer_id: Option<i64>,
    pub reference: Option<String>,
    pub lines: Vec<Line>,
    pub total_amount: String,
    pub credited: String,
    pub paid: String,
    pub refunded: String,
    pub due: String,
    pub payment_method: Option<String>,
    pub payment_failure: Option<String>,
    pub pay_by: Option<DateTime<Utc>>,
    pub pricing: Option<Pricing>,
    pub shipments: Vec<Shipment>,
    pub refunds: Vec<Refund>,
    pub contact: Option<Contact>,
    pub addresses: Vec<Address>,
    pub metadata: BTreeMap<String, String>,
    pub allowed: Vec<String>,
}

#[derive(Deserialize)]
pub struct Line {
    pub line: i64,
    pub product_id: i64,
    pub product_name: String,
    pub quantity: i64,
    pub price_per_unit: String,
    pub subtotal: String,
    pub shipped: i64,
    pub withdrawn: i64,
    pub returned: i64,
}

#[derive(Deserialize)]
pub struct Pricing {
    pub subtotal: String,
    pub discount: String,
    pub discount_code: Option<String>,
    pub shipping: String,
    pub tax: String,
    pub prices_include_tax: bool,
}

#[derive(Deserialize)]
pub struct Shipment {
    pub shipment: i64,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    pub tracking_url: Option<String>,
    pub collected: bool,
    pub sent_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub lines: Vec<ShippedLine>,
}

#[derive(Deserialize)]
pub struct ShippedLine {
    pub line: i64,
    pub quantity: i64,
}

#[derive(Deserialize)]
pub struct Refund {
    pub amount: String,
    pub state: String,
    pub reason: Option<String>,
    pub failure: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub done_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Deserialize)]
pub struct Contact {
    pub name: String,
    pub email: String,
}

#[derive(Clone, Deserialize)]
pub struct Address {
    pub kind: String,
    pub name: String,
    pub line1: String,
    pub line2: Option<String>,
    pub postal_code: String,
    pub city: String,
    pub region: Option<String>,
    pub country: String,
}

/// Money that was asked for or received.
pub struct Payment {
    /// `None` for money that staff recorded.
    pub attempt: Option<i64>,
    pub at: DateTime<Utc>,
    pub amount: String,
    /// How it is paid, in plain words.
    pub way: String,
    pub outcome: Badge,
    /// Reference of the payment, or why it failed.
    pub remark: String,
}

/// An event of the order as the API returns it.
#[derive(Deserialize)]
pub struct Event {
    recorded_at: DateTime<Utc>,
    pub event_type: String,
    pub payload: Value,
}

/// An order, its payments, and the tag of what was read.
pub struct OrderFile {
    pub order: Order,
    pub payments: Vec<Payment>,
    pub etag: String,
}

/// Events of an order that a page reads; payments come early in its life.
const EVENTS: usize = 1_000;

impl OrderFile {
    pub async fn read(staff: &Staff, order_id: i64) -> Result<Self, Problem> {
        let summary = staff.api.get(format_args!("order/{order_id}/summary")).read::<Order>();
        let events = staff.api.get("events").query("stream", format_args!("Order/{order_id}")).query("limit", EVENTS);
        let (summary, events) = tokio::try_join!(summary, events.read::<Vec<Event>>())?;
        Ok(Self { order: summary.data, payments: payments(&events.data), etag: summary.etag })
    }
}

impl Order {
    pub fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    /// Units of a line that are still to be sent.
    pub fn open(&self, line: &Line) -> i64 {
        if self.states.status == "cancelled" { 0 } else { line.quantity - line.shipped - line.withdrawn }
    }

    pub fn open_units(&self) -> i64 {
        self.lines.iter().map(|line| self.open(line)).sum()
    }

    pub fn shipped_units(&self) -> i64 {
        self.lines.iter().map(|line| line.shipped).sum()
    }

    pub fn allows(&self, action: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == action)
    }

    pub fn address(&self, kind: &str) -> Option<&Address> {
        self.addresses.iter().find(|address| address.kind == kind)
    }

    pub fn product_name(&self, line: &i64) -> &str {
        self.lines.iter().find(|found| found.line == *line).map_or("", |found| &found.product_name)
    }

    /// Money that was received and is neither refunded nor on its way back.
    pub fn refundable(&self) -> Decimal {
        let requested = self.refunds.iter().filter(|refund| refund.state == "requested");
        let requested: Decimal = requested.map(|refund| amount(&refund.amount)).sum();
        amount(&self.paid) - amount(&self.refunded) - requested
    }

    /// Why the last payment failed.
    pub fn failure(&self) -> Option<String> {
        self.payment_failure.as_ref().map(|reason| reason.replace('_', " "))
    }

    pub fn has_credit(&self) -> bool {
        !amount(&self.credited).is_zero()
    }

    pub fn has_due(&self) -> bool {
        !amount(&self.due).is_zero()
    }
}

impl Line {
    pub fn returnable(&self) -> i64 {
        self.shipped - self.returned
    }
}

impl Pricing {
    pub fn has_discount(&self) -> bool {
        !amount(&self.discount).is_zero()
    }
}

impl Refund {
    pub fn badge(&self) -> Badge {
        states::refund(&self.state)
    }

    /// Why it failed, and why it was asked for.
    pub fn remark(&self) -> String {
        let failure = self.failure.as_ref().map(|failure| failure.replace('_', " "));
        failure.into_iter().chain(self.reason.clone()).collect::<Vec<_>>().join("; ")
    }
}

impl Contact {
    /// The list of the orders with this address.
    pub fn orders(&self) -> String {
        Query::default().with("email", &self.email)
    }
}

impl Address {
    /// The lines of the address below the name.
    pub fn rows(&self) -> Vec<String> {
        let place = format!("{} {}", self.postal_code, self.city);
        let rows = [Some(self.line1.clone()), self.line2.clone(), Some(place), self.region.clone()];
        let rows = rows.into_iter().flatten().chain([self.country.clone()]);
        rows.map(|row| row.trim().to_owned()).filter(|row| !row.is_empty()).collect()
    }
}

/// An amount of the API.
pub fn amount(text: &str) -> Decimal {
    text.parse().unwrap_or_default()
}

/// How a payment method is called.
pub fn method(name: &str) -> &str {
    match name {
        "card" => "card",
        "invoice" => "invoice",
        "test" => "test card",
        other => other,
    }
}

/// The attempts of a provider, and the payments that staff recorded, in their order.
fn payments(events: &[Event]) -> Vec<Payment> {
    let mut payments: Vec<Payment> = Vec::new();
    for event in events {
        let payload = &event.payload;
        let attempt = payload["attempt"].as_i64();
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        let badge = |text: &str, tone| Badge { text: text.to_owned(), tone };
        let (outcome, remark) = match event.event_type.as_str() {
            "OrderPaymentRequested" => (badge("waiting for the provider", "warn"), String::new()),
            "OrderPaymentAuthorised" => (badge("authorised", "warn"), text("reference")),
            "OrderPaymentFailed" => (badge("failed", "bad"), in_words(&text("reason"))),
            "OrderPaid" | "OrderPartiallyPaid" => (badge("received", "good"), text("reference")),
            _ => continue,
        };
        let known = payments.iter_mut().find(|payment| attempt.is_some() && payment.attempt == attempt);
        match known {
            Some(payment) => (payment.outcome, payment.remark) = (outcome, remark),
            // An order with nothing to pay is paid without money.
            None if amount(&text("amount")).is_zero() => {}
            None => {
                let way = match payload["method"].as_str() {
                    Some(name) => method(name).to_owned(),
                    None if attempt.is_some() => "payment provider".to_owned(),
                    None => "recorded by staff".to_owned(),
                };
                payments.push(Payment { attempt, at: event.recorded_at, amount: text("amount"), way, outcome, remark });
            }
        }
    }
    payments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attempts_and_recorded_payments_are_listed_with_their_outcome() {
        let event = |event_type: &str, payload: Value| Event {
            recorded_at: DateTime::UNIX_EPOCH,
            event_type: event_type.to_owned(),
            payload,
        };
        let events = [
            event("OrderPlaced", json!({})),
            event("OrderPaymentRequested", json!({ "attempt": 1, "method": "card", "amount": "20.00" })),
            event("OrderPaymentFailed", json!({ "attempt": 1, "reason": "card_declined" })),
            event("OrderPartiallyPaid", json!({ "amount": "5.00", "due": "15.00", "reference": "INV-1" })),
            event("OrderPaymentRequested", json!({ "attempt": 2, "method": "test", "amount": "15.00" })),
            event("OrderPaid", json!({ "attempt": 2, "amount": "15.00", "reference": "pi_1" })),
        ];
        let shown: Vec<_> = payments(&events)
            .into_iter()
            .map(|payment| (payment.attempt, payment.way, payment.outcome.text, payment.remark))
            .collect();
        let row = |attempt, way: &str, outcome: &str, remark: &str| {
            (attempt, way.to_owned(), outcome.to_owned(), remark.to_owned())
        };
        let expected = [
            row(Some(1), "card", "failed", "Card declined"),
            row(None, "recorded by staff", "received", "INV-1"),
            row(Some(2), "test card", "received", "pi_1"),
        ];
        assert_eq!(shown, expected);
        assert!(payments(&[event("OrderPaid", json!({ "amount": "0.00" }))]).is_empty());
    }
}
