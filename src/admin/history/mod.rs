//! The history of a page's subject: who changed what, when, from what to what.

mod changes;
mod values;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::Problem;
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
struct Event {
    position: i64,
    recorded_at: DateTime<Utc>,
    event_type: String,
    actor: Option<String>,
    role: Option<String>,
    reason: Option<String>,
    before: Map<String, Value>,
    after: Map<String, Value>,
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
/// Events among which the entries are found if some are left out.
const SEARCHED: usize = 500;
/// Changes of an entry.
const MAX_CHANGES: usize = 12;

/// Reads the latest changes; `subject` is the path of its read, such as `categories/7`.
pub async fn read(staff: &Staff, subject: &str) -> Result<History, Problem> {
    read_without(staff, subject, &[]).await
}

/// Reads the latest changes without events of the `hidden` types, of which a subject may have far more than of others.
pub async fn read_without(staff: &Staff, subject: &str, hidden: &[&str]) -> Result<History, Problem> {
    let limit = if hidden.is_empty() { SHOWN } else { SEARCHED };
    let call = staff.api.get(format!("{subject}/history")).query("limit", limit).query("newest_first", true);
    let mut reply = call.read::<Vec<Event>>().await?;
    reply.data.retain(|event| !hidden.contains(&event.event_type.as_str()));
    let has_more = reply.next.is_some() || reply.data.len() > SHOWN;
    let page = staff.page("");
    let entries = reply.data.into_iter().take(SHOWN).map(|event| entry(&page, event)).collect();
    Ok(History { entries, has_more, is_filtered: !hidden.is_empty(), events: events_of(subject) })
}

/// Address of the list of a subject's events.
fn events_of(subject: &str) -> Option<String> {
    let (noun, id) = subject.split_once('/')?;
    let aggregate_type = match noun {
        "cart" => "Cart",
        "categories" => "Category",
        "customer" => "Customer",
        "family" => "Family",
        "order" => "Order",
        "product" => "Product",
        "user" => "Account",
        // A discount's stream has the code in another form.
        _ => return None,
    };
    Some(format!("/admin/events?stream={aggregate_type}%2F{id}"))
}

fn entry(page: &Page, event: Event) -> Entry {
    let link = |subject: &str, id: &str| super::engine::page_of(page, subject, id);
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
