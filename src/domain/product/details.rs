//! Catalogue details of a product: what it is beyond name, price and stock.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Phone, PhoneDraft, Slug, Specifications};
use crate::domain::metadata::Metadata;
use crate::domain::text::Text;
use crate::domain::whole::Whole;

pub type Brand = Text<100>;
/// Dimensions of a product in the merchant's own words, such as `20 × 15 × 10 cm`.
pub type Dimensions = Text<100>;
/// Weight in grams.
pub type WeightGrams = Whole<0, 1_000_000_000>;
/// Number of a supplier in a system of the merchant.
pub type SupplierNumber = Whole<0, 9_007_199_254_740_991>;

/// Details as events and the state hold them. Events hold all of them after each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductDetails {
    /// `None` for a product from before there were slugs: name and number make its slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// `false` for a product that is shown and cannot be bought.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub on_sale: bool,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub specifications: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_g: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier_id: Option<i64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
}

/// A change of details, as clients send it. `None` keeps a detail, `Some(None)` removes it; specifications, metadata and
/// the details of a phone are replaced as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetailsChange {
    pub slug: Option<Slug>,
    pub brand: Option<Option<Brand>>,
    pub on_sale: Option<bool>,
    pub specifications: Option<Specifications>,
    pub weight_g: Option<Option<WeightGrams>>,
    pub dimensions: Option<Option<Dimensions>>,
    pub supplier_id: Option<Option<SupplierNumber>>,
    pub metadata: Option<Metadata>,
    pub phone: Option<Option<PhoneDraft>>,
}

fn yes() -> bool {
    true
}

fn is_yes(on_sale: &bool) -> bool {
    *on_sale
}

impl Default for ProductDetails {
    fn default() -> Self {
        Self {
            slug: None,
            brand: None,
            on_sale: true,
            specifications: Map::new(),
            weight_g: None,
            dimensions: None,
            supplier_id: None,
            metadata: BTreeMap::new(),
            phone: None,
        }
    }
}

impl DetailsChange {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The details after the change.
    pub(super) fn apply(self, details: &ProductDetails) -> ProductDetails {
        let mut changed = details.clone();
        let Self { slug, brand, on_sale, specifications, weight_g, dimensions, supplier_id, metadata, phone } = self;
        replace(&mut changed.slug, slug.map(|slug| Some(slug.into())));
        replace(&mut changed.brand, brand.map(|brand| brand.map(String::from)));
        replace(&mut changed.on_sale, on_sale);
        replace(&mut changed.specifications, specifications.map(Map::from));
        replace(&mut changed.weight_g, weight_g.map(|weight| weight.map(i64::from)));
        replace(&mut changed.dimensions, dimensions.map(|dimensions| dimensions.map(String::from)));
        replace(&mut changed.supplier_id, supplier_id.map(|supplier| supplier.map(i64::from)));
        replace(&mut changed.metadata, metadata.map(BTreeMap::from));
        replace(&mut changed.phone, phone.map(|phone| phone.map(Phone::from)));
        changed
    }
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Details that clones of a state share, so that a clone costs no copy of them.
pub(super) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ProductDetails;

    pub fn serialize<S: Serializer>(details: &Arc<ProductDetails>, serializer: S) -> Result<S::Ok, S::Error> {
        details.as_ref().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<ProductDetails>, D::Error> {
        ProductDetails::deserialize(deserializer).map(Arc::new)
    }
}
