//! How a history writes a value: amounts with the currency, times in the shop's zone, numbers of things as links.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::Piece;
use crate::admin::format::{Format, in_words};
use crate::admin::orders::states;

/// The page of a subject, by the type of its aggregate and its id.
pub type Link<'a> = &'a dyn Fn(&str, &str) -> Option<String>;

pub struct Values<'a> {
    pub format: &'a Format,
    pub link: Link<'a>,
}

/// Fields that hold money.
const AMOUNTS: [&str; 14] = [
    "amount",
    "credited",
    "discount",
    "fee",
    "minimum",
    "paid",
    "price",
    "refunded",
    "shipping",
    "shipping_tax",
    "subtotal",
    "tax",
    "total",
    "unit_price",
];

/// Fields that hold the number of an aggregate, with its type.
const NUMBERS: [(&str, &str); 9] = [
    ("account_id", "Account"),
    ("category_id", "Category"),
    ("children", "Category"),
    ("customer_id", "Customer"),
    ("family_id", "Family"),
    ("order_id", "Order"),
    ("parent_id", "Category"),
    ("product_id", "Product"),
    ("products", "Product"),
];

/// Fields of an item that its summary leaves out: its label names it, or only machines read them.
const LEFT_OUT: [&str; 3] = ["image_id", "hash", "bytes"];

const MAX_TEXT: usize = 300;
/// Items of a list.
const MAX_ITEMS: usize = 20;

impl Piece {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: shortened(text.into()), link: None }
    }
}

impl Values<'_> {
    /// The value of a field; nothing if it is empty.
    pub fn shown(&self, parent: &str, field: &str, value: &Value) -> Vec<Piece> {
        let text = match value {
            Value::Null => return Vec::new(),
            Value::Bool(true) if field == "shipments" => "delivered".to_owned(),
            Value::Bool(false) if field == "shipments" => "sent".to_owned(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            Value::Number(number) => return vec![self.number(field, number)],
            Value::String(text) if text.is_empty() => return Vec::new(),
            Value::String(text) => self.string(parent, field, text),
            Value::Array(items) => return self.list(field, items),
            Value::Object(_) => return self.item(field, value),
        };
        vec![Piece::text(text)]
    }

    /// A value without a meaning for the shop, as text.
    pub fn plain(&self, value: &Value) -> Vec<Piece> {
        match value {
            Value::Null => Vec::new(),
            Value::String(text) => vec![Piece::text(text.clone())],
            other => vec![Piece::text(other.to_string())],
        }
    }

    fn number(&self, field: &str, number: &serde_json::Number) -> Piece {
        if let Some((_, subject)) = NUMBERS.iter().find(|(found, _)| *found == field) {
            let id = number.to_string();
            return Piece { text: format!("{} {id}", subject.to_lowercase()), link: (self.link)(subject, &id) };
        }
        match number.as_i64() {
            Some(count) if !field.ends_with("_id") => Piece::text(self.format.quantity(&count)),
            _ => Piece::text(number.to_string()),
        }
    }

    fn string(&self, parent: &str, field: &str, text: &str) -> String {
        if AMOUNTS.contains(&field) && text.parse::<Decimal>().is_ok() {
            return self.format.money(text);
        }
        if field.ends_with("tax_rate") {
            return format!("{text}\u{a0}%");
        }
        if let (true, Ok(time)) = (text.contains('T'), text.parse::<DateTime<Utc>>()) {
            return self.format.clock_time(&time);
        }
        match (parent, field) {
            ("refunds", "state") => states::refund(text).text,
            (_, "status" | "payment" | "fulfilment") => states::in_words(field, text),
            (_, "state" | "kind" | "method") => in_words(text).to_lowercase(),
            _ => text.to_owned(),
        }
    }

    /// Values with commas between them.
    pub fn list(&self, field: &str, items: &[Value]) -> Vec<Piece> {
        let shown = items.iter().take(MAX_ITEMS).map(|item| self.shown(field, field, item));
        let more = items.len().saturating_sub(MAX_ITEMS);
        let more = (more > 0).then(|| vec![Piece::text(format!("{more} more"))]);
        joined(shown.chain(more))
    }

    /// An item of a list that was added or removed: its fields in a line.
    pub fn item(&self, field: &str, item: &Value) -> Vec<Piece> {
        let Value::Object(fields) = item else { return self.shown(field, field, item) };
        if field == "images"
            && let (Some(width), Some(height)) = (fields.get("width"), fields.get("height"))
        {
            let extension = fields.get("extension").and_then(Value::as_str).unwrap_or_default();
            return vec![Piece::text(format!("{width} × {height} pixels, {extension}"))];
        }
        if let (Some(name), Some(quantity)) =
            (fields.get("product_name").and_then(Value::as_str), fields.get("quantity"))
        {
            let link = fields.get("product_id").and_then(|id| (self.link)("Product", &id.to_string()));
            let each = fields.get("unit_price").and_then(Value::as_str).map(|price| self.format.money(price));
            let pieces = [Piece::text(format!("{quantity} × ")), Piece { link, ..Piece::text(name) }];
            return pieces.into_iter().chain(each.map(|each| Piece::text(format!(", {each} each")))).collect();
        }
        let is_shown = |(name, value): &(&String, &Value)| !LEFT_OUT.contains(&name.as_str()) && !is_nothing(value);
        let pieces = fields.iter().filter(is_shown).map(|(name, value)| {
            let mut pieces = self.shown(field, name, value);
            let has_name = name.ends_with("_name") || name.ends_with("_id") || name == "state";
            if let (false, Some(first)) = (has_name, pieces.first_mut()) {
                first.text = format!("{} {}", in_words(name).to_lowercase(), first.text);
            }
            pieces
        });
        joined(pieces)
    }
}

fn joined(parts: impl Iterator<Item = Vec<Piece>>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if !pieces.is_empty() {
            pieces.push(Piece::text(", "));
        }
        pieces.extend(part);
    }
    pieces
}

/// Whether a value says no more than a missing field.
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty() || text == "0.00",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
