//! The reactor that mails buyers about their orders.
//!
//! A mail's content comes from the log; name and addresses come from the tables that can be erased. No mail goes to
//! erased customers, to guests without an e-mail address, or for imported orders: those with a reference to another
//! system, or placed in the past.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Mail, MailError, Mailer, TemplateError, Templates};
use crate::payments::Currency;
use crate::reactors::{Failure, Reaction, Reactor};
use crate::shop::tracking_url;

/// Sends a mail for each event of an order that concerns its buyer.
pub struct OrderMails {
    pool: PgPool,
    mailer: Mailer,
    templates: Templates,
    currency: Currency,
}

/// Each event with the name of its template.
const MAILS: [(&str, &str); 6] = [
    ("OrderPlaced", "order_placed"),
    ("OrderPaid", "order_paid"),
    ("OrderShipmentSent", "order_shipment_sent"),
    ("OrderCancelled", "order_cancelled"),
    ("OrderUnitsCancelled", "order_units_cancelled"),
    ("OrderRefunded", "order_refunded"),
];
const EVENT_TYPES: [&str; MAILS.len()] = [MAILS[0].0, MAILS[1].0, MAILS[2].0, MAILS[3].0, MAILS[4].0, MAILS[5].0];

/// Amount of an [`OrderPaid`](crate::domain::order::OrderEvent::Paid) that only says that nothing is due.
const NO_MONEY: &str = "0.00";

/// An order that was placed longer than this before it was recorded is an import.
const PLACED_NOW: TimeDelta = TimeDelta::hours(1);

struct OrderPlacedEvent {
    payload: Value,
    recorded_at: DateTime<Utc>,
}

struct Buyer {
    name: String,
    email: String,
}

#[derive(Clone, Serialize)]
struct OrderAddress {
    kind: String,
    name: String,
    line1: String,
    line2: Option<String>,
    postal_code: String,
    city: String,
    region: Option<String>,
    country: String,
}

impl Reactor for OrderMails {
    fn name(&self) -> &'static str {
        "order_mails"
    }

    fn event_types(&self) -> &[&'static str] {
        &EVENT_TYPES
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.send_mail(reaction))
    }
}

impl OrderMails {
    pub fn new(pool: PgPool, mailer: Mailer, templates: Templates, currency: Currency) -> Self {
        Self { pool, mailer, templates, currency }
    }

    async fn send_mail(&self, reaction: &Reaction) -> Result<(), Failure> {
        let event = &reaction.event;
        let Some((_, name)) = MAILS.iter().find(|(event_type, _)| *event_type == event.event_type) else {
            return Ok(());
        };
        if event.event_type == "OrderPaid" && event.payload["amount"] == NO_MONEY {
            return Ok(());
        }
        let Some(placed) = self.find_placed_order(&event.aggregate_id).await.map_err(retry_later)? else {
            return Ok(());
        };
        if placed.is_imported() {
            return Ok(());
        }
        let customer_id = placed.payload["customer_id"].as_i64();
        let Some(buyer) = self.find_buyer(&event.aggregate_id, customer_id).await.map_err(retry_later)? else {
            return Ok(());
        };
        let addresses = self.list_addresses(&event.aggregate_id).await.map_err(retry_later)?;
        let address = |kind: &str| addresses.iter().find(|address| address.kind == kind);
        let context = json!({
            "shop": { "url": self.mailer.config().public_url, "currency": self.currency.code() },
            "name": buyer.name,
            "order": {
                "order_id": event.aggregate_id,
                "placed_on": format_day(&placed.payload["placed_at"]),
                "total": placed.payload["total"],
                "lines": placed.payload["lines"],
                "pricing": placed.payload["pricing"],
                "payment_method": placed.payload["payment_method"],
                "pay_by": placed.pay_by(),
                "shipping_address": address("shipping"),
                "billing_address": address("billing"),
            },
            "event": event_with_names(&event.payload, &placed.payload["lines"]),
        });
        let content = self.templates.render(name, &context).map_err(|error| Failure::Park(error.to_string()))?;
        let mail = Mail {
            to: buyer.email,
            subject: content.subject,
            text: content.text,
            html: Some(content.html),
            id: Some(format!("order.{}", event.event_id)),
        };
        self.mailer.send(&mail).await.map_err(|error| match error {
            MailError::Refused(_) | MailError::Invalid(_) => Failure::Park(error.to_string()),
            MailError::Settings(_) | MailError::Unsent(_) => Failure::Retry(error.to_string()),
        })
    }

    async fn find_placed_order(&self, order_id: &str) -> Result<Option<OrderPlacedEvent>, sqlx::Error> {
        sqlx::query_file_as!(OrderPlacedEvent, "src/mail/queries/placed_order.sql", order_id)
            .fetch_optional(&self.pool)
            .await
    }

    /// Finds the buyer; `None` once the customer or the guest's contact is erased.
    async fn find_buyer(&self, order_id: &str, customer_id: Option<i64>) -> Result<Option<Buyer>, sqlx::Error> {
        sqlx::query_file_as!(Buyer, "src/mail/queries/buyer.sql", order_id, customer_id)
            .fetch_optional(&self.pool)
            .await
    }

    async fn list_addresses(&self, order_id: &str) -> Result<Vec<OrderAddress>, sqlx::Error> {
        sqlx::query_file_as!(OrderAddress, "src/mail/queries/order_addresses.sql", order_id).fetch_all(&self.pool).await
    }
}

impl OrderPlacedEvent {
    fn is_imported(&self) -> bool {
        let placed_at = parse_time(&self.payload["placed_at"]);
        self.payload["reference"].is_string()
            || placed_at.is_none_or(|placed_at| placed_at < self.recorded_at - PLACED_NOW)
    }

    /// When the payment is due: the day for invoices, the minute for other methods, which are due within the hour.
    fn pay_by(&self) -> Option<String> {
        let pay_by = &self.payload["pay_by"];
        if self.payload["payment_method"] == "invoice" {
            return format_day(pay_by);
        }
        Some(parse_time(pay_by)?.format("%-d %B %Y, %H:%M UTC").to_string())
    }
}

/// Checks the templates by rendering each for an order with every optional part. Returns what is wrong.
pub fn check(templates: &Templates) -> Vec<TemplateError> {
    let address = json!({
        "name": "Jo Miller", "line1": "12 Mill Lane", "line2": "Mill", "postal_code": "AB1 2CD", "city": "Milltown",
        "region": "Millshire", "country": "GB",
    });
    let line = json!({
        "line": 1, "product_id": 1, "product_name": "Kettle", "quantity": 2, "unit_price": "19.90", "subtotal": "39.80",
    });
    let context = json!({
        "shop": { "url": "https://shop.example.com", "currency": "EUR" },
        "name": "Jo Miller",
        "order": {
            "order_id": "17", "placed_on": "1 May 2026", "total": "39.80", "lines": [line],
            "pricing": {
                "subtotal": "39.80", "discount": "4.90", "discount_code": "SPRING", "shipping": "4.90", "tax": "6.35",
                "prices_include_tax": true,
            },
            "payment_method": "invoice",
            "pay_by": "15 May 2026", "shipping_address": address, "billing_address": address,
        },
        "event": {
            "amount": "39.80", "reason": "not paid in time", "carrier": "Post", "tracking_number": "123",
            "tracking_url": "https://example.com/123", "lines": [line],
        },
    });
    MAILS
        .iter()
        .filter_map(|(_, name)| templates.render(name, &context).err())
        .chain(templates.unknown_files())
        .collect()
}

/// The event's payload, with the product names of its lines and the tracking URL of its parcel.
fn event_with_names(payload: &Value, placed_lines: &Value) -> Value {
    let placed_lines = placed_lines.as_array().into_iter().flatten();
    let names: HashMap<_, _> = placed_lines.map(|line| (line["line"].as_i64(), &line["product_name"])).collect();
    let mut payload = payload.clone();
    for line in payload.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = names.get(&line["line"].as_i64()) {
            line["product_name"] = (*name).clone();
        }
    }
    let text = |name: &str| payload[name].as_str();
    let url = text("carrier").zip(text("tracking_number")).and_then(|(carrier, number)| tracking_url(carrier, number));
    if let Some(url) = url {
        payload["tracking_url"] = json!(url);
    }
    payload
}

fn parse_time(text: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text.as_str()?).ok().map(|time| time.to_utc())
}

/// Formats a date for people, such as 1 May 2026.
fn format_day(text: &Value) -> Option<String> {
    Some(parse_time(text)?.format("%-d %B %Y").to_string())
}

fn retry_later(error: sqlx::Error) -> Failure {
    Failure::Retry(format!("cannot read the order: {error}"))
}
