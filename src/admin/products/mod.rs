//! Products: the list with its cells and bulk actions, and each product.

pub mod bulk;
pub mod cells;
pub mod detail;
pub mod family;
pub mod list;
pub mod low_stock;

use serde::Deserialize;

/// The part of a product that its cells need.
#[derive(Deserialize)]
pub struct ProductCell {
    pub product_id: i64,
    pub name: String,
    pub price: String,
    pub stock: i64,
    pub on_hand: i64,
    pub reserved: i64,
}
