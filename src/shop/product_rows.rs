//! Products and stock of many rows: each names its product by number or SKU, or is a new one.

use serde::{Deserialize, Serialize};

use super::names::{find_holder, take_name};
use super::products::{ChangeProduct, CreateProduct};
use super::stock::{AdjustStock, StockChange, StockView, low_stock_threshold};
use crate::domain::claim::ClaimIds;
use crate::domain::ids::ProductId;
use crate::domain::price_change::PriceChange;
use crate::domain::product::{Product, ProductCommand};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Reason, Sku};
use crate::journal::{Interrupt, UnitOfWork, UseCase};

/// The product of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductKey {
    Id(ProductId),
    Sku(Sku),
}

impl ProductKey {
    /// The number of the product; `None` if no product has the SKU.
    fn find(&self, work: &UnitOfWork<'_>) -> Result<Option<ProductId>, Interrupt> {
        match self {
            Self::Id(product_id) => Ok(Some(*product_id)),
            Self::Sku(sku) => Ok(find_holder(work, &ClaimIds::product_sku(sku))?.map(ProductId)),
        }
    }
}

/// Creates a product, or changes the one that the row names.
pub struct ApplyProduct {
    /// `None` creates a product.
    pub key: Option<ProductKey>,
    /// What to change; its number is replaced by that of the product.
    pub change: ChangeProduct,
    /// The new product, or which fields it lacks.
    pub create: Result<CreateProduct, String>,
    /// Units on hand, as counted.
    pub stock: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowEffect {
    Created,
    Changed,
    Unchanged,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppliedProduct {
    pub product_id: i64,
    pub sku: Option<String>,
    pub effect: RowEffect,
}

impl UseCase for ApplyProduct {
    type Answer = AppliedProduct;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AppliedProduct, Interrupt> {
        let found = self.key.as_ref().map(|key| key.find(work)).transpose()?.flatten();
        self.apply_to(found, work)
    }
}

impl ApplyProduct {
    /// Changes the product `found`, or creates one.
    fn apply_to(&self, found: Option<ProductId>, work: &mut UnitOfWork<'_>) -> Result<AppliedProduct, Interrupt> {
        let before = work.event_count();
        let (product_id, created) = match (found, &self.create) {
            (Some(product_id), _) => {
                ChangeProduct { product_id, ..self.change.clone() }.decide(work)?;
                if let Some(counted) = self.stock {
                    let shop_threshold = low_stock_threshold(work)?;
                    let count = ProductCommand::CountStock { counted, reason: None, shop_threshold };
                    work.execute::<Product>(product_id, count)?;
                }
                (product_id, false)
            }
            (None, Ok(create)) => {
                let product_id = create.decide(work)?.product_id;
                if self.change.discontinued == Some(true) {
                    work.execute::<Product>(product_id, ProductCommand::Discontinue)?;
                }
                (product_id, true)
            }
            (None, Err(lacking)) => return Err(Refusal::ProductIncomplete(lacking.clone()).into()),
        };
        let effect = match (created, work.event_count() - before) {
            (true, _) => RowEffect::Created,
            (false, 0) => RowEffect::Unchanged,
            (false, _) => RowEffect::Changed,
        };
        let sku = work.get::<Product>(product_id)?.listing()?.sku.clone();
        Ok(AppliedProduct { product_id: product_id.0, sku, effect })
    }

    /// As a row of a file that may be imported again: a row that names no product creates one the first time, and changes
    /// that product when a row with the same digest comes again.
    pub fn apply_once(&self, digest: &str, work: &mut UnitOfWork<'_>) -> Result<AppliedProduct, Interrupt> {
        if self.key.is_some() {
            return self.decide(work);
        }
        let ids = ClaimIds::import_row(digest);
        let found = find_holder(work, &ids)?.map(ProductId);
        let applied = self.apply_to(found, work)?;
        if found.is_none() {
            take_name(work, &ids, applied.product_id)?;
        }
        Ok(applied)
    }
}

/// Adjusts the stock of the product that a row names.
pub struct AdjustStockOf {
    pub key: ProductKey,
    pub change: StockChange,
    pub reason: Option<Reason>,
}

impl UseCase for AdjustStockOf {
    type Answer = StockView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<StockView, Interrupt> {
        let Some(product_id) = self.key.find(work)? else { return Err(Refusal::UnknownSku(self.shown_sku()).into()) };
        AdjustStock { product_id, change: self.change, reason: self.reason.clone() }.decide(work)
    }
}

impl AdjustStockOf {
    fn shown_sku(&self) -> String {
        match &self.key {
            ProductKey::Id(product_id) => product_id.to_string(),
            ProductKey::Sku(sku) => sku.to_string(),
        }
    }
}

/// Changes the price of a product by a percentage.
pub struct RepriceProduct {
    pub product_id: ProductId,
    pub percent: PriceChange,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RepricedProduct {
    pub product_id: i64,
    pub sku: Option<String>,
    pub name: String,
    pub price_before: String,
    pub price: String,
}

impl UseCase for RepriceProduct {
    type Answer = RepricedProduct;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<RepricedProduct, Interrupt> {
        let product = work.get::<Product>(self.product_id)?;
        let listing = product.listing()?;
        let price = self.percent.applied_to(listing.price).ok_or(Refusal::PriceTooLarge)?;
        let answer = RepricedProduct {
            product_id: self.product_id.0,
            sku: listing.sku.clone(),
            name: listing.name.clone(),
            price_before: listing.price.to_string(),
            price: price.to_string(),
        };
        work.execute::<Product>(self.product_id, ProductCommand::Reprice { price })?;
        Ok(answer)
    }
}
