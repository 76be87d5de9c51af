//! The rows of a dump file: categories, and products with their phone and their images.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::fields::Fields;
use super::format::{Problem, Section};
use crate::domain::claim::ClaimIds;
use crate::domain::ids::{CategoryId, ProductId};
use crate::domain::money::Money;
use crate::domain::product::{Brand, Dimensions, PhoneDraft, Slug, Specifications, Stock, SupplierNumber, WeightGrams};
use crate::domain::text::{Description, Name, Sku};

/// Longest path of a file in the media store, as S3 has it.
const MAX_PATH_BYTES: usize = 1_024;

/// A category of a file.
#[derive(Clone, Debug)]
pub(super) struct CategoryRow {
    pub category_id: CategoryId,
    pub name: Name,
    /// `None`: the file does not say.
    pub parent_id: Option<Option<CategoryId>>,
}

/// The fields of a product. `None` means that the file does not say.
#[derive(Clone, Debug)]
pub(super) struct ProductRow {
    pub product_id: ProductId,
    pub title: Name,
    pub price: Money,
    pub category_id: CategoryId,
    pub slug: Option<Slug>,
    pub description: Option<Description>,
    pub supplier_id: Option<Option<SupplierNumber>>,
    pub brand: Option<Option<Brand>>,
    pub is_available: Option<bool>,
    pub created_at: Option<DateTime<Utc>>,
    pub sku: Option<Option<Sku>>,
    pub stock: Option<i64>,
    pub specifications: Option<Specifications>,
    pub weight: Option<Option<WeightGrams>>,
    pub dimensions: Option<Option<Dimensions>>,
}

/// The details of a phone.
#[derive(Clone, Debug)]
pub(super) struct PhoneRow {
    pub product_id: ProductId,
    pub phone: PhoneDraft,
}

/// An image of a product.
#[derive(Clone, Debug)]
pub(super) struct ImageRow {
    pub image_id: i64,
    pub product_id: ProductId,
    /// Path of the file in the media store.
    pub path: String,
    pub place: i64,
    pub created_at: Option<DateTime<Utc>>,
}

/// Unique names that a file gives to products, so that two products can exchange them.
#[derive(Debug, Default)]
pub(super) struct FileNames {
    /// Claim of each product's SKU, the empty text for none.
    pub skus: HashMap<ProductId, String>,
    pub slugs: HashMap<ProductId, Slug>,
}

/// A row that is applied: a category, or what the file holds of one product.
#[derive(Clone, Debug)]
pub(super) enum DeployRow {
    Category(CategoryRow),
    Product(Box<ProductParts>),
}

/// What a file holds of one product.
#[derive(Clone, Debug)]
pub(super) struct ProductParts {
    pub product_id: ProductId,
    pub product: Option<ProductRow>,
    pub phone: Option<PhoneRow>,
    pub images: Vec<super::pictures::WantedImage>,
    pub names: Arc<FileNames>,
}

/// `image_urls` of a product: checked only, because the addresses follow from the images.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageUrlsRead {
    #[serde(rename = "main")]
    _main: Option<String>,
    #[serde(rename = "gallery")]
    _gallery: Vec<String>,
}

/// Whether a text can be the path of a file in the media store, from its root.
fn is_store_path(path: &str) -> bool {
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.chars().any(char::is_control);
    path.len() <= MAX_PATH_BYTES && path.split('/').all(is_name)
}

impl CategoryRow {
    pub fn read(line: u64, element: Value, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut fields = Fields::open(Section::Categories, line, element, problems)?;
        let category_id = CategoryId(fields.pk());
        let name = fields.required("name");
        let parent_id = fields.nullable("parent_id");
        fields.end();
        Some(Self { category_id, name: name?, parent_id })
    }
}

impl ProductRow {
    pub fn read(line: u64, element: Value, problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let mut fields = Fields::open(Section::Products, line, element, problems)?;
        let product_id = ProductId(fields.pk());
        let (title, price, category_id) =
            (fields.required("title"), fields.required("price"), fields.required("category_id"));
        let slug = fields.optional("slug");
        let description = fields.optional("description");
        let (supplier_id, brand) = (fields.nullable("supplier_id"), fields.nullable("brand"));
        let is_available = fields.optional("is_available");
        let created_at = fields.time("created_at");
        fields.time("updated_at");
        fields.optional::<ImageUrlsRead>("image_urls");
        let sku = fields.nullable("sku");
        let stock = match fields.optional::<i64>("stock") {
            Some(stock) if !(0..=Stock::MAX).contains(&stock) => {
                fields.note("stock", &format!("must be a whole number from 0 to {}", Stock::MAX))
            }
            stock => stock,
        };
        let specifications = fields.optional("specifications");
        let (weight, dimensions) = (fields.nullable("weight"), fields.nullable("dimensions"));
        fields.end();
        if problems.len() > before {
            return None;
        }
        Some(Self {
            product_id,
            title: title?,
            price: price?,
            category_id: category_id?,
            slug,
            description,
            supplier_id,
            brand,
            is_available,
            created_at,
            sku,
            stock,
            specifications,
            weight,
            dimensions,
        })
    }

    /// The claim of the SKU, the empty text for none; `None` if the file does not say.
    pub fn sku_claim(&self) -> Option<String> {
        let sku = self.sku.as_ref()?;
        Some(sku.as_ref().map_or_else(String::new, |sku| ClaimIds::product_sku(sku).current().to_owned()))
    }
}

impl PhoneRow {
    pub fn read(line: u64, element: Value, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut fields = Fields::open(Section::Phones, line, element, problems)?;
        let product_id = fields.required("product_id");
        if fields.contains("imei") {
            fields.note::<()>("imei", "is stored apart from dumps; set it with PATCH product/<id>/");
            fields.optional::<Value>("imei");
        }
        let phone = fields.rest();
        fields.end();
        Some(Self { product_id: product_id?, phone: phone? })
    }
}

impl ImageRow {
    pub fn read(line: u64, element: Value, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut fields = Fields::open(Section::Images, line, element, problems)?;
        let image_id = fields.pk();
        let (product_id, place) = (fields.required("product_id"), fields.required("ordre"));
        let path = fields.required::<String>("image").filter(|path| {
            let is_path = is_store_path(path);
            if !is_path {
                fields.note::<()>("image", "must be the path of a file in the media store, such as images/ab/name.jpg");
            }
            is_path
        });
        let created_at = fields.time("created_at");
        fields.time("updated_at");
        fields.end();
        Some(Self { image_id, product_id: product_id?, path: path?, place: place?, created_at })
    }
}
