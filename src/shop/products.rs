//! Products of the catalogue.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::categories::CategoryKey;
use super::images::remove_images;
use super::names::{release_name, release_previous_name, take_name};
use crate::domain::category::{Category, CategoryCommand};
use crate::domain::claim::{ClaimError, ClaimIds};
use crate::domain::ids::ProductId;
use crate::domain::money::Money;
use crate::domain::product::{Product, ProductCommand, ProductError};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Description, Name, Sku};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

/// Creates a product in a category, with its opening stock.
pub struct CreateProduct {
    pub name: Name,
    pub description: Description,
    pub price: Money,
    pub category: CategoryKey,
    pub sku: Option<Sku>,
    /// Opening stock in units, 0 or more.
    pub stock: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProductRef {
    pub product_id: ProductId,
}

impl UseCase for CreateProduct {
    type Answer = ProductRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ProductRef, Interrupt> {
        let category_id = self.category.resolve(work)?;
        let product_id = ProductId(work.next_number::<Product>()?);
        if let Some(sku) = &self.sku {
            claim_sku(work, sku, product_id)?;
        }
        let create = ProductCommand::Create {
            name: self.name.clone(),
            description: self.description.clone(),
            price: self.price,
            category_id,
            sku: self.sku.clone(),
        };
        work.execute::<Product>(product_id, create)?;
        work.execute::<Category>(category_id, CategoryCommand::AddProduct { product_id })?;
        match self.stock {
            0 => {}
            ..0 => return Err(ProductError::NegativeCount.into()),
            change => work.execute::<Product>(product_id, ProductCommand::AdjustStock { change, reason: None })?,
        }
        Ok(ProductRef { product_id })
    }
}

fn claim_sku(work: &mut UnitOfWork<'_>, sku: &Sku, product_id: ProductId) -> Result<(), Interrupt> {
    take_name(work, &ClaimIds::product_sku(sku), product_id.0).map_err(|interrupt| match interrupt {
        Interrupt::Refused(Refusal::Claim(ClaimError::Taken { holder })) => Refusal::SkuTaken(ProductId(holder)).into(),
        other => other,
    })
}

/// Gives a product another SKU or none, and releases the previous one.
fn change_sku(work: &mut UnitOfWork<'_>, product_id: ProductId, sku: Option<&Sku>) -> Result<(), Interrupt> {
    let previous = work.get::<Product>(product_id)?.listing()?.sku.clone().map(Sku::stored);
    if let Some(sku) = sku {
        claim_sku(work, sku, product_id)?;
    }
    work.execute::<Product>(product_id, ProductCommand::ChangeSku { sku: sku.cloned() })?;
    let Some(previous) = previous.as_ref().map(ClaimIds::product_sku) else { return Ok(()) };
    match sku.map(ClaimIds::product_sku) {
        Some(next) => release_previous_name(work, &previous, &next, product_id.0),
        None => release_name(work, &previous, product_id.0),
    }
}

/// Changes, discontinues or relists a product. `None` keeps a value.
pub struct ChangeProduct {
    pub product_id: ProductId,
    pub name: Option<Name>,
    pub description: Option<Description>,
    pub category: Option<CategoryKey>,
    pub price: Option<Money>,
    /// `Some(None)` removes the SKU.
    pub sku: Option<Option<Sku>>,
    /// `true` takes the product from sale, `false` puts it back.
    pub discontinued: Option<bool>,
}

impl UseCase for ChangeProduct {
    type Answer = ProductView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ProductView, Interrupt> {
        let previous_category_id = work.get::<Product>(self.product_id)?.listing()?.category_id;
        let category_id = self.category.as_ref().map(|category| category.resolve(work)).transpose()?;
        let change =
            ProductCommand::Change { name: self.name.clone(), description: self.description.clone(), category_id };
        work.execute::<Product>(self.product_id, change)?;
        if let Some(category_id) = category_id.filter(|category_id| *category_id != previous_category_id) {
            let product_id = self.product_id;
            work.execute::<Category>(previous_category_id, CategoryCommand::RemoveProduct { product_id })?;
            work.execute::<Category>(category_id, CategoryCommand::AddProduct { product_id })?;
        }
        if let Some(price) = self.price {
            work.execute::<Product>(self.product_id, ProductCommand::Reprice { price })?;
        }
        if let Some(sku) = &self.sku {
            change_sku(work, self.product_id, sku.as_ref())?;
        }
        match self.discontinued {
            Some(true) => work.execute::<Product>(self.product_id, ProductCommand::Discontinue)?,
            Some(false) => work.execute::<Product>(self.product_id, ProductCommand::Relist)?,
            None => {}
        }
        ProductView::of(work, self.product_id)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

/// Deletes a product that was never ordered.
pub struct DeleteProduct {
    pub product_id: ProductId,
}

impl UseCase for DeleteProduct {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let product_id = self.product_id;
        let listing = work.get::<Product>(product_id)?.listing()?.clone();
        remove_images(work, product_id)?;
        work.execute::<Product>(product_id, ProductCommand::Delete)?;
        work.execute::<Category>(listing.category_id, CategoryCommand::RemoveProduct { product_id })?;
        if let Some(sku) = listing.sku {
            release_name(work, &ClaimIds::product_sku(&Sku::stored(sku)), product_id.0)?;
        }
        Ok(())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

/// Digest of what reads of a product show beyond its stream: the name of its category.
pub fn product_digest(category: &str) -> ViewDigest {
    ViewDigest::of([category])
}

/// The digest of a product as reads compute it; `None` if it cannot be read.
pub(super) fn product_view_digest(
    work: &UnitOfWork<'_>,
    product_id: ProductId,
) -> Result<Option<ViewDigest>, Interrupt> {
    let product = work.get::<Product>(product_id)?;
    let Ok(listing) = product.listing() else { return Ok(None) };
    let category = work.get::<Category>(listing.category_id)?;
    Ok(category.name().ok().map(product_digest))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductView {
    pub product_id: i64,
    pub name: String,
    pub price: String,
    /// Units available for sale.
    pub stock: i64,
    pub category: String,
    pub description: String,
    pub sku: Option<String>,
    pub on_hand: i64,
    pub reserved: i64,
    pub discontinued: bool,
}

impl ProductView {
    pub(super) fn of(work: &UnitOfWork<'_>, product_id: ProductId) -> Result<Self, Interrupt> {
        let product = work.get::<Product>(product_id)?;
        let listing = product.listing()?;
        let category = work.get::<Category>(listing.category_id)?;
        Ok(Self {
            product_id: product_id.0,
            name: listing.name.clone(),
            price: listing.price.to_string(),
            stock: listing.stock.available(),
            category: category.name()?.to_owned(),
            description: listing.description.clone(),
            sku: listing.sku.clone(),
            on_hand: listing.stock.on_hand,
            reserved: listing.stock.reserved,
            discontinued: matches!(*product, Product::Discontinued(_)),
        })
    }
}
