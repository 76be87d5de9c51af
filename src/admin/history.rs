//! The history of a page's subject: who changed what, when, from what to what.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::Problem;
use super::format::{Format, in_words};
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
    pub actor: Actor,
    pub role: String,
    pub reason: String,
    pub changes: Vec<Change>,
    /// Changes that are not shown.
    pub more: i64,
}

/// Who acted. Templates show it with `ui::actor`.
pub struct Actor {
    pub name: String,
    /// The number of an account, which has a page.
    pub account_id: Option<i64>,
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
/// Changes of an entry; an order of 1,000 lines has as many.
const MAX_CHANGES: usize = 12;
/// Ends of the names of fields that are amounts of money.
const AMOUNTS: [&str; 9] =
    ["amount", "total", "subtotal", "price", "paid", "refunded", "credited", "minimum", "discount"];

/// Reads the latest changes; `subject` is the path of its read, such as `categories/7`.
pub async fn read(staff: &Staff, subject: &str) -> Result<History, Problem> {
    let call = staff.api.get(format!("{subject}/history")).query("limit", SHOWN).query("newest_first", true);
    let reply = call.read::<Vec<Event>>().await?;
    let format = *staff.page("");
    let entries = reply.data.into_iter().map(|event| Entry::of(event, &format)).collect();
    Ok(History { entries, has_more: reply.next.is_some() })
}

impl Actor {
    pub fn of(actor: Option<String>) -> Self {
        let name = actor.unwrap_or_default();
        let account_id = name.strip_prefix("account/").and_then(|number| number.parse().ok());
        Self { name: account_id.map_or(name, |number: i64| format!("account {number}")), account_id }
    }
}

impl Entry {
    fn of(event: Event, format: &Format) -> Self {
        let mut changes = changes(&event.before, &event.after, format);
        let more = changes.len().saturating_sub(MAX_CHANGES);
        changes.truncate(MAX_CHANGES);
        Self {
            time: event.recorded_at,
            event: in_words(&event.event_type),
            actor: Actor::of(event.actor),
            role: event.role.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            changes,
            more: more.try_into().unwrap_or_default(),
        }
    }
}

fn changes(before: &Map<String, Value>, after: &Map<String, Value>, format: &Format) -> Vec<Change> {
    // What is created begins with many fields that are still empty.
    let is_new = before.is_empty();
    let (before, after) = (flat(before, format), flat(after, format));
    let texts = |values: &[Field]| -> BTreeMap<String, String> {
        values.iter().map(|field| (field.name.clone(), field.text.clone())).collect()
    };
    let (texts_before, texts_after) = (texts(&before), texts(&after));
    let removed = before.iter().filter(|field| !texts_after.contains_key(&field.name));
    let change = |field: &Field| Change {
        field: in_words(&field.name),
        before: texts_before.get(&field.name).cloned().unwrap_or_default(),
        after: texts_after.get(&field.name).cloned().unwrap_or_default(),
    };
    let counts = after.iter().filter(|field| !is_new || !field.is_nothing);
    counts.chain(removed).map(change).filter(|change| change.before != change.after).collect()
}

/// A value that is neither an object nor a list.
struct Field {
    /// With the names and places of what it is in: `details.brand`, `units.1.shipped`.
    name: String,
    text: String,
    /// Whether it is false, zero or empty.
    is_nothing: bool,
}

fn flat(fields: &Map<String, Value>, format: &Format) -> Vec<Field> {
    let mut values = Vec::new();
    for (name, value) in fields {
        add(&mut values, name.clone(), value, format);
    }
    values
}

fn add(values: &mut Vec<Field>, name: String, value: &Value, format: &Format) {
    match value {
        Value::Object(inner) if inner.contains_key("product_name") && inner.contains_key("quantity") => {
            let product = inner["product_name"].as_str().unwrap_or_default();
            let text = shortened(&format!("{} × {product}", inner["quantity"]));
            values.push(Field { name: name.replacen("lines.", "line.", 1), text, is_nothing: false });
        }
        Value::Object(inner) => {
            for (field, value) in inner {
                add(values, format!("{name}.{field}"), value, format);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (place, value) in list.iter().enumerate() {
                add(values, format!("{name}.{}", place + 1), value, format);
            }
        }
        Value::Array(list) => {
            let texts: Vec<String> = list.iter().map(|value| shown(&name, value, format)).collect();
            values.push(Field { name, text: shortened(&texts.join(", ")), is_nothing: list.is_empty() });
        }
        _ => {
            let text = shown(&name, value, format);
            let is_nothing = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Number(number) => number.as_f64() == Some(0.0),
                Value::String(text) => text.is_empty() || text == "0.00",
                _ => false,
            };
            values.push(Field { name, text, is_nothing });
        }
    }
}

/// A value in a line.
fn shown(name: &str, value: &Value, format: &Format) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shortened(&string(name, text, format)),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// Times in the zone of the shop, amounts with the currency, and states in words.
fn string(name: &str, text: &str, format: &Format) -> String {
    if text.contains('T')
        && let Ok(time) = text.parse::<DateTime<Utc>>()
    {
        return format.clock_time(&time);
    }
    let end = name.rsplit(['.', '_']).next().unwrap_or_default();
    let is_amount = text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if is_amount && AMOUNTS.contains(&end) {
        return format.money(text);
    }
    let is_state = text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_state { text.replace('_', " ") } else { text.to_owned() }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(before: Value, after: Value) -> Vec<Change> {
        let now = "2026-11-28T14:05:00Z".parse().unwrap();
        let format = Format { currency: "EUR".parse().unwrap(), zone: chrono_tz::Tz::Europe__Berlin, now };
        changes(before.as_object().unwrap(), after.as_object().unwrap(), &format)
    }

    fn change(field: &str, before: &str, after: &str) -> Change {
        Change { field: field.to_owned(), before: before.to_owned(), after: after.to_owned() }
    }

    #[test]
    fn changes_name_each_field_once_with_both_values() {
        let before = json!({ "category_name": "Tea", "parent_id": 3, "on_sale": true, "stock": { "on_hand": 3, "reserved": 1 } });
        let after = json!({
            "category_name": "Coffee", "parent_id": null, "on_sale": false, "tags": ["a", "b"],
            "stock": { "on_hand": 5, "reserved": 1 }
        });
        let expected = [
            change("Category name", "Tea", "Coffee"),
            change("Parent id", "3", ""),
            change("On sale", "yes", "no"),
            change("Tags", "", "a, b"),
            change("Stock on hand", "3", "5"),
        ];
        assert_eq!(all(before, after), expected);
    }

    #[test]
    fn lines_amounts_times_and_states_are_in_plain_words_and_a_new_subject_omits_what_is_empty() {
        let line = json!({ "line": 1, "product_name": "Tea pot", "quantity": 3, "unit_price": "1200.00" });
        let units = |returned: i64| json!([{ "shipped": 3, "returned": returned }]);
        let placed = json!({
            "placed_at": "2026-11-28T07:26:58.385738Z", "lines": [line], "refunds": [], "paid": "0.00", "attempts": 0,
            "bill": { "total": "3600.00", "open": false }, "note": null, "units": units(0)
        });
        let expected = [
            change("Placed at", "", "28 Nov 2026, 08:26"),
            change("Line 1", "", "3 × Tea pot"),
            change("Bill total", "", "3,600.00\u{a0}EUR"),
            change("Units 1 shipped", "", "3"),
        ];
        let mut found = all(json!({}), placed);
        found.sort_by_key(|change| expected.iter().position(|expected| expected.field == change.field));
        assert_eq!(found, expected);
        let returned = all(
            json!({ "payment": "paid", "units": units(0) }),
            json!({ "payment": "partially_refunded", "units": units(1) }),
        );
        assert_eq!(returned, [change("Payment", "paid", "partially refunded"), change("Units 1 returned", "0", "1")]);
    }
}
