//! The history of a page's subject: who changed what, when, from what to what.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::Problem;
use super::format::{Format, in_words};
use super::orders::states;
use super::staff::Staff;

/// The latest changes of a subject. Templates show it with `admin/history.html`.
pub struct History {
    pub entries: Vec<Entry>,
    /// Whether there are older entries.
    pub has_more: bool,
}

/// An event as the API returns it.
#[derive(Deserialize)]
struct Event {
    recorded_at: DateTime<Utc>,
    event_type: String,
    actor: Option<String>,
    role: Option<String>,
    reason: Option<String>,
    before: Map<String, Value>,
    after: Map<String, Value>,
}

pub struct Entry {
    pub time: DateTime<Utc>,
    pub event: String,
    pub actor: String,
    pub role: String,
    /// Why, as the actor said; often empty.
    pub reason: String,
    pub changes: Vec<Change>,
}

/// A field that an event changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// Entries of a page.
const SHOWN: usize = 20;
const MAX_TEXT: usize = 300;

/// Reads the latest changes; `subject` is the path of its read, such as `categories/7`.
pub async fn read(staff: &Staff, subject: &str) -> Result<History, Problem> {
    let call = staff.api.get(format!("{subject}/history")).query("limit", SHOWN).query("newest_first", true);
    let reply = call.read::<Vec<Event>>().await?;
    let format = *staff.page("History");
    let entries = reply.data.into_iter().map(|event| Entry::new(&format, event)).collect();
    Ok(History { entries, has_more: reply.next.is_some() })
}

impl Entry {
    fn new(format: &Format, event: Event) -> Self {
        Self {
            time: event.recorded_at,
            event: in_words(&event.event_type),
            actor: event.actor.unwrap_or_default(),
            role: event.role.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            changes: changes(format, &event.before, &event.after),
        }
    }
}

fn changes(format: &Format, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let (before, after) = (flat(format, before), flat(format, after));
    let find = |values: &[(String, String)], field: &str| {
        values.iter().find(|(found, _)| found == field).map(|(_, value)| value.clone())
    };
    let removed = before.iter().filter(|(field, _)| find(&after, field).is_none());
    let change = |(field, _): &(String, String)| Change {
        field: in_words(field),
        before: find(&before, field).unwrap_or_default(),
        after: find(&after, field).unwrap_or_default(),
    };
    after.iter().chain(removed).map(change).filter(|change| change.before != change.after).collect()
}

/// The fields with those of objects inside them: `details.brand`.
fn flat(format: &Format, fields: &Map<String, Value>) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Object(inner) => {
                let inner = flat(format, inner).into_iter();
                values.extend(inner.map(|(field, value)| (format!("{name}.{field}"), value)));
            }
            _ => values.push((name.clone(), shortened(shown(format, name, value)))),
        }
    }
    values
}

/// A value in words; empty for one that says nothing.
fn shown(format: &Format, field: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => format.moment(&time.into()),
            Err(_) => states::in_words(field, text).unwrap_or(text).to_owned(),
        },
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let items = items.iter().map(|item| shown(format, field, item)).filter(|item| !item.is_empty());
            items.collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) => {
            let shown = fields.iter().map(|(name, value)| (name, shown(format, name, value)));
            // An item of a list names only what it has.
            let has = shown.filter(|(_, value)| !["", "0", "no"].contains(&value.as_str()));
            has.map(|(name, value)| format!("{} {value}", in_words(name).to_lowercase())).collect::<Vec<_>>().join(", ")
        }
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn format() -> Format {
        Format { currency: "EUR".parse().unwrap(), zone: chrono_tz::Tz::Europe__Berlin, now: DateTime::UNIX_EPOCH }
    }

    fn change(field: &str, before: &str, after: &str) -> Change {
        Change { field: field.to_owned(), before: before.to_owned(), after: after.to_owned() }
    }

    #[test]
    fn values_inside_lists_and_times_are_in_words() {
        let after = json!({
            "status": "pending", "placed_at": "2026-11-28T08:00:46.458337Z", "charges": [], "units": [{ "shipped": 0 }],
            "lines": [{ "product_name": "Kettle", "quantity": 2, "gift": false }, { "product_name": "Mug", "quantity": 1 }],
        });
        let expected = [
            change("Lines", "", "product name Kettle, quantity 2; product name Mug, quantity 1"),
            change("Placed at", "", "28 Nov 2026, 09:00"),
            change("Status", "", "new"),
        ];
        let mut changes = changes(&format(), &Map::new(), after.as_object().unwrap());
        changes.sort_by(|one, other| one.field.cmp(&other.field));
        assert_eq!(changes, expected);
    }

    #[test]
    fn changes_name_each_field_once_with_both_values() {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let before = map(
            json!({ "category_name": "Tea", "parent_id": 3, "on_sale": true, "stock": { "on_hand": 3, "reserved": 1 } }),
        );
        let after = map(
            json!({ "category_name": "Coffee", "parent_id": null, "on_sale": false, "tags": ["a", "b"], "stock": { "on_hand": 5, "reserved": 1 } }),
        );
        let expected = [
            change("Category name", "Tea", "Coffee"),
            change("Parent id", "3", ""),
            change("On sale", "yes", "no"),
            change("Tags", "", "a; b"),
            change("Stock on hand", "3", "5"),
        ];
        assert_eq!(changes(&format(), &before, &after), expected);
    }
}
