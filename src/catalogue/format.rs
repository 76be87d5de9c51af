//! The format of dumps: sections of elements `{model, pk, fields}`, and the problems of a file.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::applied_files::{Counts, SectionCounts};
use crate::domain::counted::counted;
use crate::domain::product::Phone;
use crate::shop::ImageUrls;

/// A part of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    Categories,
    Products,
    Phones,
    Images,
}

/// What a dump of products does not hold.
pub const NOT_HELD: &str = "the format does not hold: metadata, families, IMEI numbers, low_stock_threshold, \
    whether a product is discontinued (it is dumped as not available), reserved units, picture files, \
    and everything else of the shop: settings, discounts, orders, carts and customers";

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sections: Vec<_> = self.0.iter().collect();
        sections.sort_by_key(|(name, _)| Section::ALL.iter().position(|section| section.name() == name.as_str()));
        for (place, (name, counts)) in sections.into_iter().enumerate() {
            let SectionCounts { created, changed, unchanged } = counts;
            let separator = if place > 0 { "\n" } else { "" };
            write!(formatter, "{separator}{name}: {created} created, {changed} changed, {unchanged} unchanged")?;
        }
        Ok(())
    }
}

impl Section {
    /// The sections that every dump has.
    pub const REQUIRED: [Self; 3] = [Self::Products, Self::Phones, Self::Images];
    pub const ALL: [Self; 4] = [Self::Categories, Self::Products, Self::Phones, Self::Images];

    pub fn name(self) -> &'static str {
        match self {
            Self::Categories => "categories",
            Self::Products => "products",
            Self::Phones => "phones",
            Self::Images => "images",
        }
    }

    /// A number of its elements, in words.
    pub fn counted(self, count: u64) -> String {
        let one = match self {
            Self::Categories => "category",
            Self::Products => "product",
            Self::Phones => "phone",
            Self::Images => "image",
        };
        counted(count, one, self.name())
    }

    pub fn model(self) -> &'static str {
        match self {
            Self::Categories => "product.category",
            Self::Products => "product.product",
            Self::Phones => "product.phone",
            Self::Images => "product.imageproduct",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One element of a dump.
#[derive(Serialize)]
pub(super) struct Element<Fields> {
    pub model: &'static str,
    pub pk: i64,
    pub fields: Fields,
}

#[derive(Serialize)]
pub(super) struct CategoryFields {
    pub name: String,
    pub parent_id: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct ProductFields {
    pub title: String,
    pub slug: String,
    pub description: String,
    pub price: String,
    pub category_id: i64,
    pub supplier_id: Option<i64>,
    pub brand: Option<String>,
    pub is_available: bool,
    #[serde(serialize_with = "time")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    pub updated_at: DateTime<Utc>,
    pub image_urls: ImageUrls,
    pub sku: Option<String>,
    pub stock: i64,
    pub specifications: Map<String, Value>,
    pub weight: Option<i64>,
    pub dimensions: Option<String>,
}

/// All details of a phone, null where there is none.
#[derive(Serialize)]
pub(super) struct PhoneFields {
    pub product_id: i64,
    pub brand: Option<String>,
    pub model: Option<String>,
    pub operating_system: Option<String>,
    pub screen_size: Option<String>,
    pub resolution: Option<String>,
    pub processor: Option<String>,
    pub battery_capacity: Option<i64>,
    pub camera_main: Option<String>,
    pub camera_front: Option<String>,
    pub network: Option<String>,
    pub warranty: Option<String>,
    pub is_new: Option<bool>,
    pub box_included: Option<bool>,
    pub accessories: Option<String>,
    pub storage: Option<i64>,
    pub ram: Option<i64>,
    pub color: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ImageFields {
    pub product_id: i64,
    pub image: String,
    pub ordre: i64,
    #[serde(serialize_with = "time")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    pub updated_at: DateTime<Utc>,
}

impl PhoneFields {
    pub fn new(product_id: i64, phone: Phone) -> Self {
        let Phone { brand, model, operating_system, screen_size, resolution, processor, .. } = phone;
        let Phone { battery_capacity, camera_main, camera_front, network, warranty, is_new, .. } = phone;
        let Phone { box_included, accessories, storage, ram, color, .. } = phone;
        Self {
            product_id,
            brand,
            model,
            operating_system,
            screen_size,
            resolution,
            processor,
            battery_capacity,
            camera_main,
            camera_front,
            network,
            warranty,
            is_new,
            box_included,
            accessories,
            storage,
            ram,
            color,
        }
    }
}

/// A time in UTC with microseconds, as the database keeps it.
fn time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// A problem of a file, with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// Line of the element in the file, from 1.
    pub line: Option<u64>,
    pub section: Option<Section>,
    pub pk: Option<i64>,
    pub field: Option<String>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        match (self.section, self.pk) {
            (Some(section), Some(pk)) => write!(formatter, "{section} {pk}: ")?,
            (Some(section), None) => write!(formatter, "{section}: ")?,
            (None, _) => {}
        }
        if let Some(field) = &self.field {
            write!(formatter, "{field}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CategoryId;
    use crate::domain::money::Money;
    use crate::domain::product::{Images, Listing, ProductDetails, Stock};

    #[test]
    fn everything_of_a_product_is_in_the_format_or_named_as_missing() {
        let listing = Listing {
            name: String::new(),
            description: String::new(),
            price: Money::ZERO,
            category_id: CategoryId(1),
            sku: None,
            stock: Stock::default(),
            ordered: false,
            images: Images::default(),
            details: ProductDetails::default().into(),
            has_imei: false,
            low_stock_threshold: None,
        };
        let fields = |state: Value| state.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let of_listing = fields(serde_json::to_value(&listing).unwrap());
        // A field of the state that is not here needs a place in the format, or a word in the line.
        let written = ["name", "description", "price", "category_id", "sku", "images", "details"];
        let named = [("stock", "reserved units"), ("ordered", "orders"), ("has_imei", "IMEI numbers")];
        for field in of_listing {
            let word = named.iter().find(|(name, _)| *name == field).map_or(field.as_str(), |(_, word)| word);
            assert!(written.contains(&field.as_str()) || NOT_HELD.contains(word), "{field}");
        }
        for word in ["low_stock_threshold", "metadata", "families", "discontinued", "picture files"] {
            assert!(NOT_HELD.contains(word), "{word}");
        }
        // A new detail does not compile until it is written, or named here.
        let ProductDetails {
            slug: _,
            brand: _,
            on_sale: _,
            specifications: _,
            weight_g: _,
            dimensions: _,
            supplier_id: _,
            metadata: _,
            phone: _,
        } = ProductDetails::default();
    }
}
