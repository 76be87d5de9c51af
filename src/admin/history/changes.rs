//! The differences of two states, a line for each field. Lists are compared item by item, so that only what changed is
//! shown.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::values::{Link, Values, is_nothing};
use super::{Change, Piece};
use crate::admin::format::{Format, in_words};

/// Parts of a state whose fields need no name in front.
const WITHOUT_NAME: [&str; 5] = ["details", "bill", "states", "pricing", "terms"];
/// Fields that only machines read.
const TECHNICAL: [&str; 4] = ["hash", "bytes", "request_digest", "last_address"];
/// Objects whose names and values members of the staff choose.
const FREE: [&str; 3] = ["specifications", "metadata", "options"];

/// Lists: field, name of an item, and the field of an item that identifies it; without one its place does.
const LISTS: [(&str, &str, Option<&str>); 6] = [
    ("lines", "Line", Some("line")),
    ("units", "Line", None),
    ("images", "Image", Some("image_id")),
    ("charges", "Payment", Some("attempt")),
    ("refunds", "Refund", None),
    ("shipments", "Shipment", None),
];

/// The fields of a state that another changed.
pub fn of(before: &Map<String, Value>, after: &Map<String, Value>, format: &Format, link: Link<'_>) -> Vec<Change> {
    let (before, after) = (with_unit(before, format), with_unit(after, format));
    let mut comparison = Comparison { values: Values { format, link }, changes: Vec::new() };
    comparison.fields("", "", Some(&before).filter(|before| !before.is_empty()), Some(&after));
    comparison.changes
}

/// The state with the unit of a discount's value, which its kind says.
fn with_unit(state: &Map<String, Value>, format: &Format) -> Map<String, Value> {
    let mut state = state.clone();
    let text = |field: &str| state.get(field).and_then(Value::as_str);
    let value = match (text("kind"), text("value")) {
        (Some("percent"), Some(value)) => format!("{value}\u{a0}%"),
        (Some("amount"), Some(value)) => format.money(value),
        _ => return state,
    };
    state.insert("value".to_owned(), Value::from(value));
    state
}

struct Comparison<'a> {
    values: Values<'a>,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    /// Compares the fields of two objects. `label` names the object, `name` is its field.
    fn fields(
        &mut self,
        label: &str,
        name: &str,
        before: Option<&Map<String, Value>>,
        after: Option<&Map<String, Value>>,
    ) {
        let names = |fields: Option<&Map<String, Value>>| -> Vec<String> {
            fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
        };
        let old = names(before).into_iter().filter(|name| after.is_none_or(|after| !after.contains_key(name)));
        for field in names(after).into_iter().chain(old) {
            let is_first_state = label.is_empty() && before.is_none() && field == "state";
            if TECHNICAL.contains(&field.as_str()) || is_first_state {
                continue;
            }
            let value = |fields: Option<&Map<String, Value>>| match fields.and_then(|fields| fields.get(&field)) {
                Some(value) => value.clone(),
                // Left out while it is true.
                None if field == "on_sale" && fields.is_some() => Value::Bool(true),
                None => Value::Null,
            };
            self.value(&label_of(label, name, &field), name, &field, &value(before), &value(after));
        }
    }

    /// Compares two values of a field; `parent` is the field of the object around it.
    fn value<'a>(&mut self, label: &str, parent: &str, field: &str, before: &'a Value, after: &'a Value) {
        if before == after || is_nothing(before) && is_nothing(after) && field != "on_sale" {
            return;
        }
        let is_free = FREE.contains(&parent);
        match (before, after) {
            (Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) if !is_free => {
                self.fields(label, field, before.as_object(), after.as_object());
            }
            (Value::Array(_) | Value::Null, Value::Array(_) | Value::Null) if !is_free => {
                let items = |list: &'a Value| list.as_array().map_or(&[][..], Vec::as_slice);
                self.list(label, field, items(before), items(after));
            }
            _ => {
                let shown =
                    |value| if is_free { self.values.plain(value) } else { self.values.shown(parent, field, value) };
                let (before, after) = (shown(before), shown(after));
                self.add(label, before, after);
            }
        }
    }

    fn list<'a>(&mut self, label: &str, field: &str, before: &'a [Value], after: &'a [Value]) {
        let Some((_, item, key)) = LISTS.iter().find(|(found, ..)| *found == field) else {
            return self.set(label, field, before, after);
        };
        let identified = |list: &'a [Value]| -> Vec<(String, &'a Value)> {
            let place = |(index, value): (usize, &'a Value)| {
                let number =
                    key.and_then(|key| value.get(key)).map_or_else(|| (index + 1).to_string(), Value::to_string);
                (number, value)
            };
            list.iter().enumerate().map(place).collect()
        };
        let (before, after) = (identified(before), identified(after));
        let by_number = |list: &[(String, &'a Value)]| -> HashMap<String, &'a Value> { list.iter().cloned().collect() };
        let (old, new) = (by_number(&before), by_number(&after));
        let removed = before.iter().filter(|(number, _)| !new.contains_key(number));
        for (number, _) in after.iter().chain(removed) {
            let label = format!("{item} {number}");
            match (old.get(number), new.get(number)) {
                (Some(before), Some(after)) => self.value(&label, field, field, before, after),
                (before, after) => {
                    let shown =
                        |value: Option<&&Value>| value.map_or_else(Vec::new, |value| self.values.item(field, value));
                    let (before, after) = (shown(before), shown(after));
                    self.add(&label, before, after);
                }
            }
        }
        let order = |list: &[(String, &Value)], others: &HashMap<String, &Value>| -> Vec<String> {
            list.iter().map(|(number, _)| number.clone()).filter(|number| others.contains_key(number)).collect()
        };
        let (old, new) = (order(&before, &new), order(&after, &old));
        if old != new {
            let text = |numbers: Vec<String>| vec![Piece::text(numbers.join(", "))];
            self.add(&format!("Order of {field}"), text(old), text(new));
        }
    }

    /// Compares two lists of plain values: what was removed, what was added; or both, if only their order changed.
    fn set(&mut self, label: &str, field: &str, before: &[Value], after: &[Value]) {
        let without = |list: &[Value], others: &[Value]| -> Vec<Value> {
            list.iter().filter(|value| !others.contains(value)).cloned().collect()
        };
        let (removed, added) = (without(before, after), without(after, before));
        let is_reordered = removed.is_empty() && added.is_empty();
        let shown = |list: &[Value]| self.values.list(field, list);
        let (before, after) =
            if is_reordered { (shown(before), shown(after)) } else { (shown(&removed), shown(&added)) };
        self.add(label, before, after);
    }

    fn add(&mut self, label: &str, before: Vec<Piece>, after: Vec<Piece>) {
        if before != after {
            self.changes.push(Change { field: label.to_owned(), before, after });
        }
    }
}

/// The name of a field in words, with that of the object around it.
fn label_of(label: &str, parent: &str, field: &str) -> String {
    if WITHOUT_NAME.contains(&parent) || label.is_empty() {
        return words(field);
    }
    // Names that are numbers: a product of a family, of a cart.
    if field.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{} {field}", if parent == "items" { "Product" } else { label.trim_end_matches('s') });
    }
    if FREE.contains(&parent) { format!("{label}: {field}") } else { format!("{label}, {}", lower(&words(field))) }
}

/// The words of a field on the pages.
fn words(field: &str) -> String {
    let text = match field {
        "withdrawn" => "Given up",
        "restocked" => "Back in stock",
        "credited" => "No longer due",
        "has_imei" => "IMEI stored",
        "ordered" => "Was ordered",
        "product_count" => "Number of products",
        "parent_id" => "Below",
        "children" => "Categories below",
        "weight_g" => "Weight in grams",
        "supplier_id" => "Supplier number",
        "sku" => "SKU",
        "total_limit" => "Uses at most",
        "customer_limit" => "Uses by a customer at most",
        _ => return in_words(field.strip_suffix("_id").unwrap_or(field)),
    };
    text.to_owned()
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    match (letters.next(), letters.clone().next()) {
        // An abbreviation stays.
        (Some(first), Some(second)) if second.is_uppercase() => format!("{first}{}", letters.as_str()),
        (Some(first), _) => first.to_lowercase().chain(letters).collect(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
