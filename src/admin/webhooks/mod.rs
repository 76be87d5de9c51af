//! Webhooks: receivers of events, their secrets and their deliveries.

pub mod detail;
pub mod list;

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::Form;
use super::page::Page;
use crate::domain::event_types::ALL;

/// A webhook as the API returns it.
#[derive(Deserialize)]
pub struct Webhook {
    pub webhook_id: i64,
    pub url: String,
    pub description: Option<String>,
    pub event_types: Vec<String>,
    pub active: bool,
    pub failing_since: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_reason: Option<String>,
    pub missed_after: Option<i64>,
    pub missed_upto: Option<i64>,
    pub dropped_deliveries: i64,
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A new secret, which the API shows once.
#[derive(Deserialize)]
pub struct NewSecret {
    pub webhook_id: i64,
    pub secret: Option<String>,
}

#[derive(Template)]
#[template(path = "admin/webhooks/secret.html")]
pub struct SecretPage {
    pub page: Page,
    pub webhook_id: i64,
    pub secret: Option<String>,
    /// Whether an earlier secret signs too, for a day.
    pub rotated: bool,
}

/// Event types of an aggregate, to choose from.
pub struct EventGroup {
    pub title: &'static str,
    pub types: Vec<&'static str>,
}

impl Webhook {
    pub fn state(&self) -> &'static str {
        match (self.active, self.disabled_at.is_some(), self.failing_since.is_some()) {
            (true, _, false) => "active",
            (true, _, true) => "failing",
            (false, true, _) => "stopped by the shop",
            (false, false, _) => "paused",
        }
    }

    pub fn tone(&self) -> &'static str {
        match (self.active, self.disabled_at.is_some(), self.failing_since.is_some()) {
            (true, _, false) => "good",
            (true, _, true) => "warn",
            (false, true, _) => "bad",
            (false, false, _) => "calm",
        }
    }

    pub fn events(&self) -> String {
        match self.event_types.as_slice() {
            [all] if all == "*" => "all events".to_owned(),
            types => types.join(", "),
        }
    }

    pub fn reason(&self) -> &'static str {
        match self.disabled_reason.as_deref() {
            Some("gone") => "The receiver answered 410 Gone.",
            Some("failing") => "No delivery has succeeded for days.",
            Some("backlog") => "Too many deliveries were waiting.",
            _ => "",
        }
    }
}

pub fn event_groups() -> Vec<EventGroup> {
    let group = |events: &crate::domain::event_types::AggregateEvents| EventGroup {
        title: events.aggregate_type,
        types: events.event_types().map(|event| event.name).collect(),
    };
    ALL.iter().map(group).filter(|group| !group.types.is_empty()).collect()
}

/// The chosen event types, for the API.
pub fn chosen_types(form: &Form) -> Value {
    if form.is_checked("all_events") { json!(["*"]) } else { json!(form.all("event_types")) }
}

/// Whether a form has chosen an event type.
pub fn is_chosen(form: &Form, name: &str) -> bool {
    form.all("event_types").contains(&name)
}
