//! Request bodies of products: new ones and changes.

use std::borrow::Cow;

use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::ids::ProductId;
use crate::domain::metadata::Metadata;
use crate::domain::money::Money;
use crate::domain::product::{
    BatteryCapacity, DetailsChange, Imei, PhoneDraft, Ram, Slug, Specifications, Storage, SupplierNumber, WeightGrams,
};
use crate::domain::settings::LowStockThreshold;
use crate::domain::text::{Description, Name, OptionalSku, Sku, Text};
use crate::http::categories::CategoryField;
use crate::http::wire::body::{FromObject, body};
use crate::http::wire::error::FieldError;
use crate::shop::{ChangeProduct, CreateProduct, PhoneView};

body! {
    /// Details of a phone; all are optional.
    #[schema(examples(json!({ "brand": "Samsung", "model": "S 24", "storage": 128, "ram": 8, "color": "Black" })))]
    pub struct PhoneFields {
        pub brand: Option<Text<100>>,
        pub model: Option<Text<100>>,
        pub operating_system: Option<Text<100>>,
        pub screen_size: Option<Text<100>>,
        pub resolution: Option<Text<100>>,
        pub processor: Option<Text<100>>,
        /// In mAh.
        pub battery_capacity: Option<BatteryCapacity>,
        pub camera_main: Option<Text<200>>,
        pub camera_front: Option<Text<200>>,
        pub network: Option<Text<100>>,
        pub warranty: Option<Text<200>>,
        pub is_new: Option<bool>,
        pub box_included: Option<bool>,
        pub accessories: Option<Description>,
        /// In GB.
        pub storage: Option<Storage>,
        /// In GB.
        pub ram: Option<Ram>,
        pub color: Option<Text<100>>,
    }
}

body! {
    /// A new product.
    #[schema(examples(json!({ "name": "Kettle", "price": "24.90", "category": "Kitchen", "description": "1.7 l", "stock": 12, "sku": "KET-17", "brand": "Bosch", "specifications": { "power": "2200 W" }, "weight_g": 900 })))]
    pub struct NewProduct {
        pub name: Name,
        pub price: Money,
        /// Number or name of a category.
        pub category: CategoryField,
        pub description: Option<Description>,
        /// Units on hand at first; 0 if absent.
        #[schema(minimum = 0, maximum = 1_000_000_000)]
        pub stock: Option<i64>,
        /// Stock-keeping unit; unique among products.
        pub sku: Option<Sku>,
        /// Name in web addresses; unique among products. Made from the name if absent.
        pub slug: Option<Slug>,
        pub brand: Option<Text<100>>,
        /// `false`: the product is shown and cannot be bought. `true` if absent.
        pub on_sale: Option<bool>,
        pub specifications: Option<Specifications>,
        /// Weight in grams.
        pub weight_g: Option<WeightGrams>,
        /// Dimensions in the merchant's own words.
        pub dimensions: Option<Text<100>>,
        /// Number of a supplier in a system of the merchant.
        pub supplier_id: Option<SupplierNumber>,
        pub metadata: Option<Metadata>,
        pub phone: Option<PhoneFields>,
        /// Number of the device; unique among products. Read with `GET product/{product_id}/imei/`.
        pub imei: Option<Imei>,
        /// Stock below it is low. The threshold of the shop if absent.
        pub low_stock_threshold: Option<LowStockThreshold>,
    }
}

body! {
    /// The fields to change; absent fields keep their value. Specifications, metadata and phone are replaced as a whole.
    #[schema(examples(json!({ "price": "19.90", "sku": "KET-18", "on_sale": false })))]
    pub struct ProductChange {
        pub name: Option<Name>,
        pub price: Option<Money>,
        pub category: Option<CategoryField>,
        pub description: Option<Description>,
        /// Stock-keeping unit; unique among products. `null` or the empty text removes it.
        pub sku: Option<OptionalSku>,
        /// `true` takes the product from sale, `false` puts it back.
        pub discontinued: Option<bool>,
        /// Name in web addresses; unique among products.
        pub slug: Option<Slug>,
        /// `null` removes it.
        pub brand: Option<Text<100>>,
        /// `false`: the product is shown and cannot be bought.
        pub on_sale: Option<bool>,
        /// `null` removes them.
        pub specifications: Option<Specifications>,
        /// Weight in grams; `null` removes it.
        pub weight_g: Option<WeightGrams>,
        /// Dimensions in the merchant's own words; `null` removes them.
        pub dimensions: Option<Text<100>>,
        /// Number of a supplier in a system of the merchant; `null` removes it.
        pub supplier_id: Option<SupplierNumber>,
        /// `null` removes all pairs.
        pub metadata: Option<Metadata>,
        /// `null` removes the details.
        pub phone: Option<PhoneFields>,
        /// Number of the device; unique among products. `null` deletes it.
        pub imei: Option<Imei>,
        /// Stock below it is low. `null`: the threshold of the shop counts.
        pub low_stock_threshold: Option<LowStockThreshold>,
    }
}

/// Fields of a [`ProductChange`] that `null` removes.
const REMOVABLE: [&str; 10] = [
    "sku",
    "brand",
    "specifications",
    "weight_g",
    "dimensions",
    "supplier_id",
    "metadata",
    "phone",
    "imei",
    "low_stock_threshold",
];

/// A [`ProductChange`] in which `null` removes a value.
pub struct ProductPatch {
    change: ProductChange,
    /// Those of [`REMOVABLE`] that were `null`.
    removed: Vec<&'static str>,
}

impl FromObject for ProductPatch {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let removed = REMOVABLE.into_iter().filter(|field| object.get(*field) == Some(&Value::Null)).collect();
        ProductChange::from_object(object).map(|change| Self { change, removed })
    }
}

impl NewProduct {
    pub fn into_use_case(self) -> CreateProduct {
        let Self { name, price, category, description, stock, sku, slug, brand, on_sale, .. } = self;
        let Self {
            specifications, weight_g, dimensions, supplier_id, metadata, phone, imei, low_stock_threshold, ..
        } = self;
        let details = DetailsChange {
            slug,
            brand: brand.map(Some),
            on_sale,
            specifications,
            weight_g: weight_g.map(Some),
            dimensions: dimensions.map(Some),
            supplier_id: supplier_id.map(Some),
            metadata,
            phone: phone.map(|phone| Some(phone.into())),
        };
        CreateProduct {
            description: description.unwrap_or_default(),
            stock: stock.unwrap_or(0),
            sku,
            details,
            imei,
            low_stock_threshold,
            ..CreateProduct::new(name, price, category.0)
        }
    }
}

impl ProductPatch {
    pub fn into_use_case(self, product_id: ProductId) -> ChangeProduct {
        let Self { change, removed } = self;
        let ProductChange { name, price, category, description, sku, discontinued, slug, brand, on_sale, .. } = change;
        let ProductChange { specifications, weight_g, dimensions, supplier_id, metadata, phone, imei, .. } = change;
        let ProductChange { low_stock_threshold, .. } = change;
        let is_removed = |field: &str| removed.contains(&field);
        let removal = Removal { removed: &removed };
        let details = DetailsChange {
            slug,
            brand: removal.of("brand", brand),
            on_sale,
            specifications: specifications.or_else(|| is_removed("specifications").then(Specifications::default)),
            weight_g: removal.of("weight_g", weight_g),
            dimensions: removal.of("dimensions", dimensions),
            supplier_id: removal.of("supplier_id", supplier_id),
            metadata: metadata.or_else(|| is_removed("metadata").then(Metadata::default)),
            phone: removal.of("phone", phone.map(PhoneDraft::from)),
        };
        ChangeProduct {
            name,
            description,
            category: category.map(|category| category.0),
            price,
            sku: sku.map(OptionalSku::text).or_else(|| is_removed("sku").then_some(None)),
            discontinued,
            details,
            imei: removal.of("imei", imei),
            low_stock_threshold: removal.of("low_stock_threshold", low_stock_threshold),
            ..ChangeProduct::of(product_id)
        }
    }
}

struct Removal<'a> {
    removed: &'a [&'static str],
}

impl Removal<'_> {
    /// The new value, `Some(None)` if the field was `null`, or `None` if it was absent.
    fn of<T>(&self, field: &str, value: Option<T>) -> Option<Option<T>> {
        if self.removed.contains(&field) { Some(None) } else { value.map(Some) }
    }
}

impl From<PhoneFields> for PhoneDraft {
    fn from(fields: PhoneFields) -> Self {
        let PhoneFields { brand, model, operating_system, screen_size, resolution, processor, .. } = fields;
        let PhoneFields { battery_capacity, camera_main, camera_front, network, warranty, is_new, .. } = fields;
        let PhoneFields { box_included, accessories, storage, ram, color, .. } = fields;
        Self {
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

/// Answers show the details of a phone as requests send them.
impl PartialSchema for PhoneView {
    fn schema() -> RefOr<Schema> {
        PhoneFields::schema()
    }
}

impl ToSchema for PhoneView {
    fn name() -> Cow<'static, str> {
        "Phone".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        PhoneFields::schemas(schemas);
    }
}
