//! The view of a product: what commands and reads answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::category::Category;
use crate::domain::ids::ProductId;
use crate::domain::picture::MediaBase;
use crate::domain::product::{Phone, Product, ProductDetails, Slug};
use crate::domain::settings::{SHOP, ShopSettings};
use crate::journal::{Interrupt, UnitOfWork, ViewDigest};
use crate::shop::families::FamilyPlace;
use crate::shop::images::ImageUrls;

/// Digest of what reads of a product show beyond its stream: the name of its category, and where images are.
pub fn product_digest(category: &str, media_base: Option<&str>) -> ViewDigest {
    ViewDigest::of([Some(category), media_base].into_iter().flatten())
}

/// The digest of a product as reads compute it; `None` if it cannot be read.
pub(in crate::shop) fn product_view_digest(
    work: &UnitOfWork<'_>,
    product_id: ProductId,
) -> Result<Option<ViewDigest>, Interrupt> {
    let product = work.get::<Product>(product_id)?;
    let Ok(listing) = product.listing() else { return Ok(None) };
    let category = work.get::<Category>(listing.category_id)?;
    let settings = work.get::<ShopSettings>(SHOP)?;
    let media_base = settings.media_base.as_ref().map(MediaBase::as_str);
    Ok(category.name().ok().map(|category| product_digest(category, media_base)))
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductView {
    pub product_id: i64,
    pub name: String,
    pub price: String,
    /// Units available for sale.
    pub stock: i64,
    pub category: String,
    pub description: String,
    pub sku: Option<String>,
    /// Units in the warehouse. For staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    /// Units that open orders reserve. For staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<i64>,
    pub discontinued: bool,
    /// Name in web addresses; unique among products.
    #[serde(default)]
    pub slug: String,
    #[serde(default)]
    pub brand: Option<String>,
    /// `false`: the product is shown and cannot be bought.
    #[serde(default = "sold_before")]
    pub on_sale: bool,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub specifications: Map<String, Value>,
    #[serde(default)]
    pub weight_g: Option<i64>,
    #[serde(default)]
    pub dimensions: Option<String>,
    /// For staff.
    #[serde(default, deserialize_with = "shown", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub supplier_id: Option<Option<i64>>,
    /// For staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub phone: Option<PhoneView>,
    /// Stock below it is low; `null`: the threshold of the shop counts. For staff.
    #[serde(default, deserialize_with = "shown", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub low_stock_threshold: Option<Option<i64>>,
    #[serde(default)]
    pub image_urls: ImageUrls,
    /// The family and the product's options; `null` without one. In reads, as everything below; absent from answers of commands.
    #[serde(default, deserialize_with = "shown", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FamilyPlace>)]
    pub family: Option<Option<FamilyPlace>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When the catalogue data last changed; stock does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// Reads a field that a stored answer has, also if it is `null`.
fn shown<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Stored answers from before products could be off sale.
fn sold_before() -> bool {
    true
}

/// Details of a phone; those that are not known are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneView(pub Phone);

/// The slug of a product: its own, or that of a product from before there were slugs.
pub fn shown_slug(slug: Option<&str>, name: &str, product_id: i64) -> String {
    slug.map_or_else(|| Slug::of_older(name, ProductId(product_id)).into(), str::to_owned)
}

impl ProductView {
    pub(in crate::shop) fn of(work: &UnitOfWork<'_>, product_id: ProductId) -> Result<Self, Interrupt> {
        let product = work.get::<Product>(product_id)?;
        let listing = product.listing()?;
        let category = work.get::<Category>(listing.category_id)?;
        let settings = work.get::<ShopSettings>(SHOP)?;
        let media_base = settings.media_base.as_ref().map(MediaBase::as_str);
        let view = Self {
            product_id: product_id.0,
            name: listing.name.clone(),
            price: listing.price.to_string(),
            stock: listing.stock.available(),
            category: category.name()?.to_owned(),
            description: listing.description.clone(),
            sku: listing.sku.clone(),
            on_hand: Some(listing.stock.on_hand),
            reserved: Some(listing.stock.reserved),
            discontinued: matches!(*product, Product::Discontinued(_)),
            low_stock_threshold: Some(listing.low_stock_threshold.map(i64::from)),
            image_urls: ImageUrls::of(media_base, listing.images.iter().map(|image| image.picture.name().to_string())),
            ..Self::default()
        };
        Ok(view.with_details(listing.details.as_ref().clone()))
    }

    /// The view with these details.
    pub fn with_details(self, details: ProductDetails) -> Self {
        let ProductDetails { slug, brand, on_sale, specifications, weight_g, dimensions, .. } = details;
        let ProductDetails { supplier_id, metadata, phone, .. } = details;
        let slug = shown_slug(slug.as_deref(), &self.name, self.product_id);
        let phone = phone.map(PhoneView);
        let (supplier_id, metadata) = (Some(supplier_id), Some(metadata));
        Self { slug, brand, on_sale, specifications, weight_g, dimensions, supplier_id, metadata, phone, ..self }
    }

    /// The view without what only staff may see.
    pub fn for_shoppers(self) -> Self {
        let (supplier_id, metadata, low_stock_threshold) = (None, None, None);
        Self { on_hand: None, reserved: None, supplier_id, metadata, low_stock_threshold, ..self }
    }
}
