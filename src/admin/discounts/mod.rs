//! Discounts: the list, new ones, and each discount.

pub mod create;
pub mod detail;
pub mod list;
mod times;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::Form;
use super::page::Page;
use super::staff::Staff;

/// A discount as the API returns it.
#[derive(Deserialize)]
pub struct Discount {
    pub code: String,
    pub kind: String,
    pub value: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub total_limit: Option<i64>,
    pub customer_limit: Option<i64>,
    pub minimum: Option<String>,
    pub uses: i64,
    pub ended: bool,
}

const KINDS: [(&str, &str); 3] = [
    ("percent", "Percentage of the subtotal"),
    ("amount", "Amount off the subtotal"),
    ("free_shipping", "Free shipping"),
];

impl Discount {
    /// What buyers get.
    pub fn benefit(&self, page: &Page) -> String {
        match (self.kind.as_str(), self.value.as_deref()) {
            ("percent", Some(value)) => format!("{value}\u{a0}%"),
            ("amount", Some(value)) => page.money(value),
            _ => "Free shipping".to_owned(),
        }
    }

    /// Whether it can be used now, and the tone of the badge that says so.
    pub fn state(&self, page: &Page) -> (&'static str, &'static str) {
        let now = page.now;
        if self.ended {
            ("ended", "bad")
        } else if self.until.is_some_and(|until| until <= now) {
            ("expired", "bad")
        } else if self.total_limit.is_some_and(|limit| self.uses >= limit) {
            ("used up", "bad")
        } else if self.from.is_some_and(|from| from > now) {
            ("not yet valid", "warn")
        } else {
            ("valid", "good")
        }
    }

    /// The form as the discount is stored.
    fn form(&self, staff: &Staff) -> Form {
        let number = |limit: Option<i64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        Form::new([
            ("code", self.code.clone()),
            ("kind", self.kind.clone()),
            ("value", self.value.clone().unwrap_or_default()),
            ("from", times::to_field(staff, self.from)),
            ("until", times::to_field(staff, self.until)),
            ("total_limit", number(self.total_limit)),
            ("customer_limit", number(self.customer_limit)),
            ("minimum", self.minimum.clone().unwrap_or_default()),
        ])
    }
}

/// The kinds of discounts as a choice.
fn kinds() -> Vec<(String, String)> {
    KINDS.map(|(kind, text)| (kind.to_owned(), text.to_owned())).to_vec()
}

/// The terms of a form, as the API reads them; an empty field is no limit.
fn terms(staff: &Staff, form: &Form) -> Value {
    json!({
        "kind": form.text("kind"),
        "value": form.optional("value"),
        "from": times::of_field(staff, form, "from"),
        "until": times::of_field(staff, form, "until"),
        "total_limit": form.number("total_limit"),
        "customer_limit": form.number("customer_limit"),
        "minimum": form.optional("minimum"),
    })
}

pub fn address(code: &str) -> String {
    format!("/admin/discounts/{code}")
}
