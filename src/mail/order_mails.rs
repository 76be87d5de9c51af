//! The reactor that mails buyers about their orders.
//!
//! A mail's content comes from the log; name and addresses come from the tables that can be erased. No mail goes to
//! erased customers, to guests without an e-mail address, to addresses that cannot be mailed, or for imported orders:
//! those with a reference to another system, or placed in the past.
//!
//! Whatever a buyer may have written is in a form that does not become a link.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::free_text::{without_links, without_links_in};
use super::unmailable::mailable_address;
use super::{Mail, MailError, Mailer, Templates};
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

pub(super) const NAME: &str = "order_mails";

/// Each event with the name of its template.
pub(super) const MAILS: [(&str, &str); 7] = [
    ("OrderPlaced", "order_placed"),
    ("OrderPaid", "order_paid"),
    ("OrderPartiallyPaid", "order_partially_paid"),
    ("OrderShipmentSent", "order_shipment_sent"),
    ("OrderCancelled", "order_cancelled"),
    ("OrderUnitsCancelled", "order_units_cancelled"),
    ("OrderRefunded", "order_refunded"),
];
const EVENT_TYPES: [&str; MAILS.len()] =
    [MAILS[0].0, MAILS[1].0, MAILS[2].0, MAILS[3].0, MAILS[4].0, MAILS[5].0, MAILS[6].0];

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
        NAME
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
        if mailable_address(&buyer.email).is_none() {
            tracing::warn!(
                order_id = event.aggregate_id,
                event = event.event_type,
                "a mail is skipped: the buyer's e-mail address is invalid"
            );
            return Ok(());
        }
        let addresses = self.list_addresses(&event.aggregate_id).await.map_err(retry_later)?;
        let address = |kind: &str| addresses.iter().find(|address| address.kind == kind);
        let context = json!({
            "shop": { "url": self.mailer.config().public_url, "currency": self.currency.code() },
            "name": without_links(&buyer.name),
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
            MailError::Refused(_) | MailError::Invalid(_) | MailError::Unmailable => Failure::Park(error.to_string()),
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
        let addresses = sqlx::query_file_as!(OrderAddress, "src/mail/queries/order_addresses.sql", order_id);
        Ok(addresses.fetch_all(&self.pool).await?.into_iter().map(OrderAddress::without_links).collect())
    }
}

impl OrderAddress {
    fn without_links(self) -> Self {
        let Self { kind, name, line1, line2, postal_code, city, region, country } = self;
        let [name, line1, postal_code, city] = [name, line1, postal_code, city].map(|text| without_links(&text));
        let [line2, region] = [line2, region].map(|text| text.map(|text| without_links(&text)));
        Self { kind, name, line1, line2, postal_code, city, region, country }
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

/// The event's payload, with the product names of its lines and the tracking URL of its parcel.
fn event_with_names(payload: &Value, placed_lines: &Value) -> Value {
    let placed_lines = placed_lines.as_array().into_iter().flatten();
    let names: HashMap<_, _> = placed_lines.map(|line| (line["line"].as_i64(), &line["product_name"])).collect();
    let text = |name: &str| payload[name].as_str();
    let url = text("carrier").zip(text("tracking_number")).and_then(|(carrier, number)| tracking_url(carrier, number));
    let mut payload = payload.clone();
    without_links_in(&mut payload);
    for line in payload.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = names.get(&line["line"].as_i64()) {
            line["product_name"] = (*name).clone();
        }
    }
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
