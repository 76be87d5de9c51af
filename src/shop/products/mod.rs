//! Products of the catalogue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::MAX_CHOSEN_NUMBER;
use super::categories::CategoryKey;
use super::families::leave_family;
use super::images::remove_images;
use super::names::release_name;
use super::orders::as_stored;
use super::stock::low_stock_threshold;
use crate::domain::category::{Category, CategoryCommand};
use crate::domain::claim::ClaimIds;
use crate::domain::ids::ProductId;
use crate::domain::money::Money;
use crate::domain::product::{DetailsChange, Imei, Product, ProductCommand, ProductError, Slug};
use crate::domain::refusal::Refusal;
use crate::domain::settings::LowStockThreshold;
use crate::domain::text::{Description, Name, Sku};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

mod claims;
mod imei;
mod view;

pub use claims::find_slug_holder;
use claims::{change_sku, claim_sku, claim_slug, load_claims, make_slug};
pub(super) use view::product_view_digest;
pub use view::{PhoneView, ProductView, product_digest, shown_slug};

/// Creates a product in a category, with its opening stock.
#[derive(Clone)]
pub struct CreateProduct {
    pub name: Name,
    pub description: Description,
    pub price: Money,
    pub category: CategoryKey,
    pub sku: Option<Sku>,
    /// Opening stock in units, 0 or more.
    pub stock: i64,
    /// Without a slug, one is made from the name.
    pub details: DetailsChange,
    pub imei: Option<Imei>,
    /// `None`: the threshold of the shop counts.
    pub low_stock_threshold: Option<LowStockThreshold>,
    /// The number of the product in another system, refused if it was ever given here; later numbers follow it.
    /// `None` means the next number.
    pub product_id: Option<ProductId>,
    /// When another system created the product; `None` means now.
    pub created_at: Option<DateTime<Utc>>,
}

impl CreateProduct {
    /// A product with nothing but what each product has.
    pub fn new(name: Name, price: Money, category: CategoryKey) -> Self {
        Self {
            name,
            description: Description::default(),
            price,
            category,
            sku: None,
            stock: 0,
            details: DetailsChange::default(),
            imei: None,
            low_stock_threshold: None,
            product_id: None,
            created_at: None,
        }
    }

    fn take_number(&self, work: &mut UnitOfWork<'_>) -> Result<ProductId, Interrupt> {
        let Some(product_id) = self.product_id else { return Ok(ProductId(work.next_number::<Product>()?)) };
        if !(1..=MAX_CHOSEN_NUMBER).contains(&product_id.0) {
            return Err(Refusal::ProductIdOutOfRange(product_id).into());
        }
        let free = work.take_number::<Product>(product_id.0)?;
        if free { Ok(product_id) } else { Err(Refusal::ProductIdTaken(product_id).into()) }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProductRef {
    pub product_id: ProductId,
}

impl UseCase for CreateProduct {
    type Answer = ProductRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ProductRef, Interrupt> {
        let category_id = self.category.resolve(work)?;
        if self.created_at.is_some_and(|created_at| created_at > work.now()) {
            return Err(Refusal::CreatedInTheFuture.into());
        }
        let product_id = self.take_number(work)?;
        load_claims(work, self.sku.as_ref(), self.details.slug.as_ref(), &self.name, product_id)?;
        if let Some(sku) = &self.sku {
            claim_sku(work, sku, product_id)?;
        }
        let mut details = self.details.clone();
        match &details.slug {
            Some(slug) => claim_slug(work, slug, product_id)?,
            None => details.slug = Some(make_slug(work, self.name.as_str(), None, product_id)?),
        }
        let create = ProductCommand::Create {
            name: self.name.clone(),
            description: self.description.clone(),
            price: self.price,
            category_id,
            sku: self.sku.clone(),
            details: Box::new(details),
            created_at: self.created_at.map(as_stored),
            low_stock_threshold: self.low_stock_threshold,
        };
        work.execute::<Product>(product_id, create)?;
        if let Some(imei) = &self.imei {
            imei::change_imei(work, product_id, Some(imei))?;
        }
        work.execute::<Category>(category_id, CategoryCommand::AddProduct { product_id })?;
        match self.stock {
            0 => {}
            ..0 => return Err(ProductError::NegativeCount.into()),
            change => {
                let shop_threshold = low_stock_threshold(work)?;
                let receive = ProductCommand::AdjustStock { change, reason: None, shop_threshold };
                work.execute::<Product>(product_id, receive)?;
            }
        }
        Ok(ProductRef { product_id })
    }
}

fn change_low_stock_threshold(
    work: &mut UnitOfWork<'_>,
    product_id: ProductId,
    threshold: Option<LowStockThreshold>,
) -> Result<(), Interrupt> {
    let shop_threshold = low_stock_threshold(work)?;
    work.execute::<Product>(product_id, ProductCommand::ChangeLowStockThreshold { threshold, shop_threshold })
}

/// Changes, discontinues or relists a product. `None` keeps a value.
#[derive(Clone)]
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
    pub details: DetailsChange,
    /// `Some(None)` removes the IMEI.
    pub imei: Option<Option<Imei>>,
    /// `Some(None)`: the threshold of the shop counts again.
    pub low_stock_threshold: Option<Option<LowStockThreshold>>,
}

impl ChangeProduct {
    /// A change of nothing.
    pub fn of(product_id: ProductId) -> Self {
        Self {
            product_id,
            name: None,
            description: None,
            category: None,
            price: None,
            sku: None,
            discontinued: None,
            details: DetailsChange::default(),
            imei: None,
            low_stock_threshold: None,
        }
    }

    /// Changes the details, and releases the previous slug. A product from before there were slugs keeps the one that is
    /// made of its name when the name changes.
    fn change_details(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let product_id = self.product_id;
        let listing = work.get::<Product>(product_id)?.listing()?.clone();
        let mut details = self.details.clone();
        let is_renamed = self.name.as_ref().is_some_and(|name| name.as_str() != listing.name);
        if details.slug.is_none() && listing.details.slug.is_none() && is_renamed {
            let kept = Slug::of_older(&listing.name, product_id);
            details.slug = Some(make_slug(work, &listing.name, Some(kept), product_id)?);
        } else if let Some(slug) = &details.slug {
            claim_slug(work, slug, product_id)?;
        }
        if let (Some(next), Some(previous)) = (&details.slug, &listing.details.slug)
            && next.as_str() != previous
        {
            release_name(work, &ClaimIds::product_slug(&Slug::stored(previous)), product_id.0)?;
        }
        if details.is_empty() {
            return Ok(());
        }
        work.execute::<Product>(product_id, ProductCommand::ChangeDetails(Box::new(details)))
    }
}

impl UseCase for ChangeProduct {
    type Answer = ProductView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ProductView, Interrupt> {
        let previous_category_id = work.get::<Product>(self.product_id)?.listing()?.category_id;
        let category_id = self.category.as_ref().map(|category| category.resolve(work)).transpose()?;
        self.change_details(work)?;
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
        if let Some(imei) = &self.imei {
            imei::change_imei(work, self.product_id, imei.as_ref())?;
        }
        if let Some(threshold) = self.low_stock_threshold {
            change_low_stock_threshold(work, self.product_id, threshold)?;
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
        imei::change_imei(work, product_id, None)?;
        work.execute::<Product>(product_id, ProductCommand::Delete)?;
        leave_family(work, product_id)?;
        work.execute::<Category>(listing.category_id, CategoryCommand::RemoveProduct { product_id })?;
        if let Some(sku) = listing.sku {
            release_name(work, &ClaimIds::product_sku(&Sku::stored(sku)), product_id.0)?;
        }
        if let Some(slug) = &listing.details.slug {
            release_name(work, &ClaimIds::product_slug(&Slug::stored(slug)), product_id.0)?;
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
