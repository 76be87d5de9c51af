//! The history of a page's subject: who changed what, when, from what to what.

mod changes;
mod values;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::Problem;
use super::engine::{events_of, page_of};
use super::format::in_words;
use super::page::Page;
use super::staff::Staff;

/// The latest changes of a subject. Templates show it with `admin/history.html`.
pub struct History {
    pub entries: Vec<Entry>,
    /// Whether there are older entries.
    pub has_more: bool,
    /// Whether some kinds of events are left out.
    pub is_filtered: bool,
    /// Address of the list of all events; `None` if it is not found by the subject.
    pub events: Option<String>,
}

/// An event as the API returns it.
#[derive(Deserialize)]
pub struct Event {
    position: i64,
    pub recorded_at: DateTime<Utc>,
    event_type: String,
    actor: Option<String>,
    role: Option<String>,
    reason: Option<String>,
    pub before: Map<String, Value>,
    pub after: Map<String, Value>,
}

/// The latest events of a subject, the newest first.
pub struct Latest {
    pub events: Vec<Event>,
    has_more: bool,
}

pub struct Entry {
    /// Position in the log.
    pub position: i64,
    pub time: DateTime<Utc>,
    pub event: String,
    pub actor: String,
    pub role: String,
    /// Why, as the member wrote; may be empty.
    pub reason: String,
    pub changes: Vec<Change>,
    /// Number of further changes.
    pub omitted: usize,
}

/// A field that an event changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    /// Empty if there was nothing.
    pub before: Vec<Piece>,
    /// Empty if there is nothing now.
    pub after: Vec<Piece>,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    /// Address of the page that the text names.
    pub link: Option<String>,
}

/// Entries of a page.
const SHOWN: usize = 20;
/// Changes of an entry.
const MAX_CHANGES: usize = 12;

/// Reads the latest changes; `subject` is the path of its read, such as `categories/7`.
pub async fn read(staff: &Staff, subject: &str) -> Result<History, Problem> {
    Ok(read_latest(staff, subject, SHOWN).await?.without(staff, subject, &[]))
}

/// Reads the latest `limit` events of a subject.
pub async fn read_latest(staff: &Staff, subject: &str, limit: usize) -> Result<Latest, Problem> {
    let call = staff.api.get(format!("{subject}/history")).query("limit", limit).query("newest_first", true);
    let reply = call.read().await?;
    Ok(Latest { events: reply.data, has_more: reply.next.is_some() })
}

impl Latest {
    /// The history without events of the `hidden` types, of which a subject may have far more than of others.
    pub fn without(self, staff: &Staff, subject: &str, hidden: &[&str]) -> History {
        let page = staff.page("");
        let mut events = self.events.into_iter().filter(|event| !hidden.contains(&event.event_type.as_str()));
        let entries = events.by_ref().take(SHOWN).map(|event| entry(&page, event)).collect();
        History {
            entries,
            has_more: self.has_more || events.next().is_some(),
            is_filtered: !hidden.is_empty(),
            events: events_of(subject),
        }
    }
}

fn entry(page: &Page, event: Event) -> Entry {
    let link = |subject: &str, id: &str| page_of(page, subject, id);
    let mut changes = changes::of(&event.before, &event.after, page, &link);
    let omitted = changes.len().saturating_sub(MAX_CHANGES);
    changes.truncate(MAX_CHANGES);
    Entry {
        position: event.position,
        time: event.recorded_at,
        event: in_words(&event.event_type),
        actor: event.actor.unwrap_or_default(),
        role: event.role.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        changes,
        omitted,
    }
}
