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
    /// Units in the warehouse; with `view=stock` and, for staff, with `view=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    /// Units that open orders reserve; with `view=stock` and, for staff, with `view=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<i64>,
    /// With `view=stock` and `view=full`; `null` for a product without an SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sku: Option<Option<String>>,
    /// With `collapse=family` and `view=full`; `null` for a product without a family.
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
    /// For staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub supplier_id: Option<Option<i64>>,
    /// For staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PhoneView>)]
    pub phone: Option<Option<PhoneView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_urls: Option<ImageUrls>,
    /// Stock below it is low; `null`: the threshold of the shop counts. For staff.
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

/// The family of a product in a list.
#[derive(Serialize, ToSchema)]
pub struct ListedFamily {
    pub family_id: i64,
    pub name: String,
    /// The product's value of each option; with `view=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
    /// Products of the family that are not discontinued. With `collapse=family`, as everything below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub products: Option<i64>,
    /// Lowest price of these products.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "199.00")]
    pub min_price: Option<Option<String>>,
    /// Highest price of these products.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "499.00")]
    pub max_price: Option<Option<String>>,
    /// Whether any of these products has stock, on sale or not: as the filter `in_stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// Whether a unit of any of these products can be ordered now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
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
    pub family: Option<SqlJson<FamilyRow>>,
    pub full: Option<SqlJson<FullRow>>,
}

/// The family of a row.
#[derive(Deserialize)]
pub(super) struct FamilyRow {
    family_id: i64,
    name: String,
    options: BTreeMap<String, String>,
    range: FamilyRange,
}

/// The products of a family that are not discontinued.
#[derive(Deserialize)]
struct FamilyRange {
    products: i64,
    min_price: Option<String>,
    max_price: Option<String>,
    in_stock: bool,
    available: bool,
}

/// What a row shows beside the documented columns.
#[derive(Clone, Copy)]
pub(super) struct ListedColumns {
    pub view: Option<ProductListView>,
    /// Whether each row stands for its family.
    pub collapse: bool,
    pub for_staff: bool,
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
    pub fn into_listed(self, columns: ListedColumns) -> ListedProduct {
        let ListedColumns { view, collapse, for_staff } = columns;
        let is_full = view == Some(ProductListView::Full);
        let show_family = |SqlJson(row): SqlJson<FamilyRow>| {
            let FamilyRow { family_id, name, options, range } = row;
            let range = Some(range).filter(|_| collapse);
            ListedFamily {
                family_id,
                name,
                options: is_full.then_some(options),
                products: range.as_ref().map(|range| range.products),
                in_stock: range.as_ref().map(|range| range.in_stock),
                available: range.as_ref().map(|range| range.available),
                min_price: range.as_ref().map(|range| range.min_price.clone()),
                max_price: range.map(|range| range.max_price),
            }
        };
        let Self { product_id, name, price, stock, category, on_hand, reserved, sku, family, full } = self;
        let mut product = ListedProduct {
            product_id,
            name,
            price,
            stock,
            category,
            on_hand: view.filter(|_| for_staff).map(|_| on_hand),
            reserved: view.filter(|_| for_staff).map(|_| reserved),
            sku: view.map(|_| sku),
            family: (collapse || is_full).then(|| family.map(show_family)),
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
            full.add_to(&mut product, for_staff);
        }
        product
    }
}

impl FullRow {
    fn add_to(self, product: &mut ListedProduct, for_staff: bool) {
        let Self { description, discontinued, created_at, updated_at, details, images, media_base, .. } = self;
        let ProductDetails { slug, brand, on_sale, specifications, weight_g, dimensions, .. } = details;
        let ProductDetails { supplier_id, metadata, phone, .. } = details;
        product.slug = Some(shown_slug(slug.as_deref(), &product.name, product.product_id));
        (product.description, product.discontinued) = (Some(description), Some(discontinued));
        (product.created_at, product.updated_at) = (Some(created_at), Some(updated_at));
        (product.brand, product.on_sale, product.specifications) = (Some(brand), Some(on_sale), Some(specifications));
        (product.weight_g, product.dimensions) = (Some(weight_g), Some(dimensions));
        if for_staff {
            (product.supplier_id, product.metadata) = (Some(supplier_id), Some(metadata));
            product.low_stock_threshold = Some(self.low_stock_threshold);
        }
        product.phone = Some(phone.map(PhoneView));
        product.image_urls = Some(ImageUrls::of(media_base.as_deref(), images.iter().flatten()));
    }
}
