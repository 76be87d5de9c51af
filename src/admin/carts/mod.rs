//! Carts: those that are open, and what is in them.

pub mod detail;
pub mod list;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::format::in_words;

/// A cart as the API returns it.
#[derive(Default, Deserialize)]
pub struct Cart {
    pub items: Vec<CartLine>,
    /// Of the items that can be ordered.
    pub total: String,
    pub customer_id: Option<i64>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub struct CartLine {
    pub product_id: i64,
    pub product_name: String,
    pub price: String,
    pub quantity: i64,
    pub subtotal: String,
    pub available: bool,
    pub reason: Option<String>,
}

impl CartLine {
    /// Why the line cannot be ordered.
    pub fn obstacle(&self) -> String {
        self.reason.as_deref().map_or_else(|| "Not available".to_owned(), in_words)
    }
}
