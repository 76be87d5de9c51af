//! The event log: the newest events first, with filters, and each event with its payload.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::page_of;
use crate::admin::api::Problem;
use crate::admin::format::in_words;
use crate::admin::list::{Listing, Pager};
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};
use crate::domain::event_types::ALL;

/// Parameters of the API's list that the address may have.
const FILTERS: [&str; 3] = ["type", "stream", "after"];

#[derive(Template)]
#[template(path = "admin/engine/events.html")]
struct EventListPage {
    page: Page,
    list: Listing<Event>,
    /// Whether the oldest event comes first.
    oldest_first: bool,
    types: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "admin/engine/event.html")]
struct EventPage {
    page: Page,
    event: Event,
    subject: Option<String>,
    next: Option<i64>,
}

/// An event as the API returns it.
#[derive(Deserialize)]
struct Event {
    position: i64,
    generation: i64,
    event_id: String,
    recorded_at: DateTime<Utc>,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Value,
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl Event {
    fn stream(&self) -> String {
        format!("{}/{}", self.aggregate_type, self.aggregate_id)
    }

    fn title(&self) -> String {
        in_words(&self.event_type)
    }

    fn actor(&self) -> &str {
        self.metadata.get("actor").and_then(Value::as_str).unwrap_or_default()
    }

    fn payload_text(&self) -> String {
        serde_json::to_string_pretty(&self.payload).unwrap_or_default()
    }

    /// The metadata as pairs of words.
    fn metadata_pairs(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.metadata.iter().map(|(name, value)| (in_words(name), text(value))).collect()
    }

    fn subject(&self, page: &Page) -> Option<String> {
        page_of(page, &self.aggregate_type, &self.aggregate_id)
    }
}

impl EventListPage {
    fn is_filtered(&self) -> bool {
        self.list.query.has_any(&FILTERS)
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let oldest_first = staff.query.get("order") == "oldest";
    let call = staff.api.get("events").query("newest_first", !oldest_first);
    let list = match Listing::<Event>::read(&staff, call, &FILTERS).await {
        Ok(list) => list,
        // The log ends before this position.
        Err(problem) if problem.status == 410 => {
            Listing { rows: vec![], pager: Pager::default(), query: staff.query.clone(), problem: Some(problem) }
        }
        Err(problem) => return Err(problem),
    };
    staff.show(&EventListPage { page: staff.page("Events"), list, oldest_first, types: types() })
}

/// Every event type, by name.
fn types() -> Vec<(String, String)> {
    let mut names: Vec<_> = ALL.iter().flat_map(|events| events.event_types()).map(|event| event.name).collect();
    names.sort_unstable();
    names.into_iter().map(|name| (name.to_owned(), name.to_owned())).collect()
}

pub async fn show_one(staff: Staff, Id(position): Id) -> PageResult {
    let before = position.checked_sub(1).filter(|before| *before >= 0).ok_or_else(Problem::not_found)?;
    let call = staff.api.get("events").query("after", before).query("limit", 1);
    let reply = match call.read::<Vec<Event>>().await {
        Err(problem) if problem.status == 410 => return Err(Problem::not_found()),
        reply => reply?,
    };
    let next = reply.next.as_ref().map(|_| position + 1);
    let event = reply.data.into_iter().find(|event| event.position == position).ok_or_else(Problem::not_found)?;
    let page = staff.page(format!("Event {position}")).below("Events", "/admin/events");
    let subject = event.subject(&page);
    staff.show(&EventPage { page, event, subject, next })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    let newest_first = staff.query.get("order") != "oldest";
    let call = staff.api.get("events").query("newest_first", newest_first).queries(staff.query.pairs(&FILTERS));
    call.stream_csv("events.csv").await
}
