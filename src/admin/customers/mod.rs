//! Customers: the list, each customer with addresses, and the erasure of personal data.

pub mod addresses;
pub mod create;
pub mod detail;
pub mod erase;
pub mod erasures;
pub mod export;
pub mod list;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A customer as the API returns it.
#[derive(Deserialize)]
pub struct Customer {
    pub customer_id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub registered_at: DateTime<Utc>,
    /// Absent in lists.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    pub erasure_requested_at: Option<DateTime<Utc>>,
}

impl Customer {
    /// First and last name, or the one that there is.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }
}

pub fn address(customer_id: i64) -> String {
    format!("/admin/customers/{customer_id}")
}
