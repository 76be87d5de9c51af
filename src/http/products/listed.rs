//! A product in the list of products, as each view shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::types::Json as SqlJson;
use utoipa::ToSchema;

use crate::domain::product::ProductDetails;
use crate::http::wire::amount::Amount;
use crate::shop::{ImageUrls, PhoneView, shown_slug};

/// A product in the list of products.
#[derive(Serialize, ToSchema)]
pub struct ListedProduct {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    /// Units available: on hand and not reserved, never below 0.
    pub stock: i64,
    pub category: String,
    /// Units in the warehouse; with `view=stock` and `view=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    /// Units that open orders reserve; with `view=stock` and `view=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<i64>,
    /// With `view=stock` and `view=full`; `null` for a product without an SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sku: Option<Option<String>>,
    /// With `collapse=family`; `null` for a product without a family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ListedFamily>)]
    pub family: Option<Option<ListedFamily>>,
    /// With `view=full`, as everything below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discontinued: Option<bool>,
    /// Name in web addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub brand: Option<Option<String>>,
    /// `false`: the product is shown and cannot be bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_sale: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub specifications: Option<Map<String, Value>>,
    /// Weight in grams.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub weight_g: Option<Option<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub dimensions: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub supplier_id: Option<Option<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PhoneView>)]
    pub phone: Option<Option<PhoneView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_urls: Option<ImageUrls>,
    /// Stock below it is low; `null`: the threshold of the shop counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub low_stock_threshold: Option<Option<i64>>,
    /// When the product was created, here or in the system that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When the catalogue data last changed; stock does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// The family that a row of the list stands for.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ListedFamily {
    pub family_id: i64,
    pub name: String,
    /// Products of the family, without discontinued ones.
    pub products: i64,
    /// Lowest price of these products.
    #[schema(example = "199.00")]
    pub min_price: Option<String>,
    /// Highest price of these products.
    #[schema(example = "499.00")]
    pub max_price: Option<String>,
    /// Whether any of these products has stock.
    pub in_stock: bool,
}

/// What a list shows of each product beside the documented columns.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductListView {
    Stock,
    Full,
}

/// A row of the list with everything that a view may show.
pub(super) struct ProductListRow {
    pub product_id: i64,
    pub name: String,
    pub price: Amount,
    pub stock: i64,
    pub category: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub sku: Option<String>,
    pub family: Option<SqlJson<ListedFamily>>,
    pub full: Option<SqlJson<FullRow>>,
}

/// The part of a row that only `view=full` reads.
#[derive(Deserialize)]
pub(super) struct FullRow {
    description: String,
    discontinued: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    details: ProductDetails,
    low_stock_threshold: Option<i64>,
    /// Names of the images, in order; `None` without images.
    images: Option<Vec<String>>,
    media_base: Option<String>,
}

impl ProductListRow {
    pub fn into_listed(self, view: Option<ProductListView>, collapse: bool) -> ListedProduct {
        let Self { product_id, name, price, stock, category, on_hand, reserved, sku, family, full } = self;
        let mut product = ListedProduct {
            product_id,
            name,
            price,
            stock,
            category,
            on_hand: view.map(|_| on_hand),
            reserved: view.map(|_| reserved),
            sku: view.map(|_| sku),
            family: collapse.then(|| family.map(|family| family.0)),
            description: None,
            discontinued: None,
            slug: None,
            brand: None,
            on_sale: None,
            specifications: None,
            weight_g: None,
            dimensions: None,
            supplier_id: None,
            metadata: None,
            phone: None,
            image_urls: None,
            low_stock_threshold: None,
            created_at: None,
            updated_at: None,
        };
        if let Some(SqlJson(full)) = full {
            full.add_to(&mut product);
        }
        product
    }
}

impl FullRow {
    fn add_to(self, product: &mut ListedProduct) {
        let Self { description, discontinued, created_at, updated_at, details, images, media_base, .. } = self;
        let ProductDetails { slug, brand, on_sale, specifications, weight_g, dimensions, .. } = details;
        let ProductDetails { supplier_id, metadata, phone, .. } = details;
        product.slug = Some(shown_slug(slug.as_deref(), &product.name, product.product_id));
        (product.description, product.discontinued) = (Some(description), Some(discontinued));
        (product.created_at, product.updated_at) = (Some(created_at), Some(updated_at));
        (product.brand, product.on_sale, product.specifications) = (Some(brand), Some(on_sale), Some(specifications));
        (product.weight_g, product.dimensions) = (Some(weight_g), Some(dimensions));
        (product.supplier_id, product.metadata) = (Some(supplier_id), Some(metadata));
        product.low_stock_threshold = Some(self.low_stock_threshold);
        product.phone = Some(phone.map(PhoneView));
        product.image_urls = Some(ImageUrls::of(media_base.as_deref(), images.iter().flatten()));
    }
}
