//! Users: the accounts of the staff and of customers.

pub mod detail;
pub mod list;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// An account as the API returns it.
#[derive(Deserialize)]
pub struct User {
    pub account_id: i64,
    pub email: String,
    pub role: String,
    pub customer_id: Option<i64>,
    pub disabled: bool,
    pub has_password: bool,
    pub opened_at: DateTime<Utc>,
}

impl User {
    pub fn is_customer(&self) -> bool {
        self.role == "customer"
    }

    pub fn state(&self) -> &'static str {
        match (self.disabled, self.has_password) {
            (true, _) => "disabled",
            (false, false) => "no password yet",
            (false, true) => "active",
        }
    }

    pub fn tone(&self) -> &'static str {
        match (self.disabled, self.has_password) {
            (true, _) => "bad",
            (false, false) => "warn",
            (false, true) => "good",
        }
    }
}

/// The roles of the staff, each with what it may do.
pub fn staff_roles() -> Vec<(String, String)> {
    let roles = [
        ("reader", "Reader: sees everything but credentials"),
        ("editor", "Editor: changes the catalogue, orders and customers"),
        ("admin", "Admin: everything, users and rebuilds too"),
    ];
    roles.into_iter().map(|(role, text)| (role.to_owned(), text.to_owned())).collect()
}
