//! Families: products that differ in options.

pub mod detail;
pub mod list;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::api::{Problem, Reply};
use super::staff::Staff;

/// A family as the API returns it.
#[derive(Deserialize)]
pub struct Family {
    pub family_id: i64,
    pub name: String,
    pub options: Vec<String>,
    pub price_range: Option<PriceRange>,
    pub stock: i64,
    pub in_stock: bool,
    pub products: Vec<FamilyProduct>,
}

#[derive(Deserialize)]
pub struct PriceRange {
    pub min: String,
    pub max: String,
}

/// A product of a family.
#[derive(Deserialize)]
pub struct FamilyProduct {
    pub product_id: i64,
    pub name: String,
    pub options: BTreeMap<String, String>,
    pub price: String,
    pub stock: i64,
    pub available: bool,
    pub reason: Option<String>,
    pub sku: Option<String>,
}

/// A family as the API lists it.
#[derive(Deserialize)]
pub struct FamilyRow {
    pub family_id: i64,
    pub name: String,
    pub options: Vec<String>,
    pub product_count: i64,
}

/// The most families in a choice.
const MAX_OPTIONS: usize = 1_000;

impl Family {
    /// The values that products have of an option, each once.
    pub fn values(&self, option: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for value in self.products.iter().filter_map(|product| product.options.get(option)) {
            if !values.iter().any(|known| known.to_lowercase() == value.to_lowercase()) {
                values.push(value);
            }
        }
        values
    }
}

impl FamilyProduct {
    /// Why it cannot be ordered.
    pub fn state(&self) -> String {
        self.reason.as_deref().unwrap_or("unavailable").replace('_', " ")
    }

    /// The value of an option.
    pub fn value(&self, option: &str) -> &str {
        self.options.get(option).map_or("", String::as_str)
    }
}

pub async fn read_family(staff: &Staff, family_id: i64) -> Result<Reply<Family>, Problem> {
    staff.api.get(format!("family/{family_id}")).read().await
}

/// The families of a choice, by name, up to [`MAX_OPTIONS`].
pub async fn read_family_options(staff: &Staff) -> Result<Vec<(String, String)>, Problem> {
    let families = staff.api.get("families").query("limit", MAX_OPTIONS).read::<Vec<FamilyRow>>().await?.data;
    Ok(families.into_iter().map(|family| (family.family_id.to_string(), family.name)).collect())
}
