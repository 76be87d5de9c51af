//! Families: products that differ in options. Each product is in one family at most.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{find_holder, release_name, take_name};
use crate::domain::claim::ClaimIds;
use crate::domain::family::{Family, FamilyCommand, FamilyError, OptionNames, OptionValues};
use crate::domain::ids::{FamilyId, ProductId};
use crate::domain::money::two_decimals;
use crate::domain::product::{Product, Supply, UnavailableReason};
use crate::domain::refusal::Refusal;
use crate::domain::text::Name;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

/// Creates a family without products.
pub struct CreateFamily {
    pub name: Name,
    pub options: OptionNames,
}

/// Renames a family, or changes its options. `None` keeps a value.
pub struct ChangeFamily {
    pub family_id: FamilyId,
    pub name: Option<Name>,
    pub options: Option<OptionNames>,
}

/// Deletes a family without products.
pub struct DeleteFamily {
    pub family_id: FamilyId,
}

/// Puts a product into a family, moves it from another family, or changes its options.
pub struct PutInFamily {
    pub product_id: ProductId,
    pub family_id: FamilyId,
    pub options: OptionValues,
}

/// Takes a product out of its family.
pub struct LeaveFamily {
    pub product_id: ProductId,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct FamilyRef {
    pub family_id: FamilyId,
}

/// A family without its products.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FamilyRow {
    pub family_id: i64,
    pub name: String,
    /// Names of the options, in the order in which they are shown.
    pub options: Vec<String>,
    /// Products in the family, discontinued products included.
    pub product_count: i64,
}

/// The family of a product, and the product's options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FamilyPlace {
    pub family_id: i64,
    /// Name of the family.
    pub name: String,
    /// The product's value of each option.
    pub options: BTreeMap<String, String>,
}

/// A family and its products.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FamilyView {
    pub family_id: i64,
    pub name: String,
    /// Names of the options, in the order in which they are shown.
    pub options: Vec<String>,
    /// Lowest and highest price of the products that are not discontinued; `null` if there are none.
    pub price_range: Option<PriceRange>,
    /// Units in stock of the products that are not discontinued.
    pub stock: i64,
    /// Whether any of these products has stock, on sale or not.
    pub in_stock: bool,
    /// Whether a unit of any product can be ordered now.
    pub available: bool,
    /// The products, by their options.
    pub products: Vec<FamilyProduct>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PriceRange {
    pub min: String,
    pub max: String,
}

/// A product of a family.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FamilyProduct {
    pub product_id: i64,
    pub name: String,
    /// The product's value of each option.
    pub options: BTreeMap<String, String>,
    pub price: String,
    /// Units in stock, also while the product is not on sale; 0 if it is discontinued.
    pub stock: i64,
    /// Whether a unit can be ordered now.
    pub available: bool,
    /// Why it cannot be ordered; `null` if it can.
    pub reason: Option<UnavailableReason>,
    pub sku: Option<String>,
}

/// A product of a family, as reads and commands find it.
#[derive(Clone, Debug)]
pub struct FamilyMember {
    pub product_id: ProductId,
    pub name: String,
    pub options: BTreeMap<String, String>,
    pub price: Decimal,
    pub sku: Option<String>,
    pub stock: i64,
    pub supply: Supply,
}

impl UseCase for CreateFamily {
    type Answer = FamilyRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<FamilyRef, Interrupt> {
        let family_id = FamilyId(work.next_number::<Family>()?);
        let create = FamilyCommand::Create { name: self.name.clone(), options: self.options.clone() };
        work.execute::<Family>(family_id, create)?;
        Ok(FamilyRef { family_id })
    }
}

impl UseCase for ChangeFamily {
    type Answer = FamilyRow;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<FamilyRow, Interrupt> {
        let change = FamilyCommand::Change { name: self.name.clone(), options: self.options.clone() };
        work.execute::<Family>(self.family_id, change)?;
        let family = work.get::<Family>(self.family_id)?;
        let family = family.active()?;
        Ok(FamilyRow {
            family_id: self.family_id.0,
            name: family.name.clone(),
            options: family.options.clone().into(),
            product_count: i64::try_from(family.products.len()).unwrap_or(i64::MAX),
        })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Family>(self.family_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        family_view_digest(work, self.family_id)
    }
}

impl UseCase for DeleteFamily {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Family>(self.family_id, FamilyCommand::Delete)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Family>(self.family_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        family_view_digest(work, self.family_id)
    }
}

impl UseCase for PutInFamily {
    type Answer = FamilyPlace;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<FamilyPlace, Interrupt> {
        let Self { product_id, family_id, options } = self;
        let (product_id, family_id) = (*product_id, *family_id);
        work.get::<Product>(product_id)?.listing()?;
        work.get::<Family>(family_id)?.active().map_err(|_| Refusal::UnknownFamily(family_id))?;
        let place = ClaimIds::family_place(product_id);
        if find_holder(work, &place)?.is_some_and(|other| other != family_id.0) {
            leave_family(work, product_id)?;
        }
        take_name(work, &place, family_id.0)?;
        work.execute::<Family>(family_id, FamilyCommand::PutProduct { product_id, options: options.clone() })?;
        find_place(work, product_id)?.ok_or_else(|| Refusal::NotInFamily.into())
    }
}

impl UseCase for LeaveFamily {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.get::<Product>(self.product_id)?.listing()?;
        if leave_family(work, self.product_id)? { Ok(()) } else { Err(Refusal::NotInFamily.into()) }
    }
}

/// Takes a product out of its family; `false` if it is in none.
pub(super) fn leave_family(work: &mut UnitOfWork<'_>, product_id: ProductId) -> Result<bool, Interrupt> {
    let place = ClaimIds::family_place(product_id);
    let Some(family_id) = find_holder(work, &place)? else { return Ok(false) };
    work.execute::<Family>(family_id, FamilyCommand::RemoveProduct { product_id })?;
    release_name(work, &place, family_id)?;
    Ok(true)
}

/// The family of a product, if any.
fn find_place(work: &UnitOfWork<'_>, product_id: ProductId) -> Result<Option<FamilyPlace>, Interrupt> {
    let Some(family_id) = find_holder(work, &ClaimIds::family_place(product_id))? else { return Ok(None) };
    let family = work.get::<Family>(family_id)?;
    let family = family.active()?;
    let options = family.products.get(&product_id).ok_or(FamilyError::ProductNotFound)?;
    Ok(Some(FamilyPlace { family_id, name: family.name.clone(), options: options.as_map().clone() }))
}

impl FamilyView {
    /// The family with its products in the given order.
    pub fn new(family_id: FamilyId, name: String, options: Vec<String>, members: Vec<FamilyMember>) -> Self {
        let discontinued = Some(UnavailableReason::Discontinued);
        let listed = members.iter().filter(|member| member.supply.refuse(0) != discontinued);
        let price_range = listed.clone().map(|member| member.price).min().zip(listed.map(|member| member.price).max());
        let price_range = price_range.map(|(min, max)| PriceRange { min: two_decimals(min), max: two_decimals(max) });
        let stock = members.iter().map(|member| member.stock).sum();
        let products: Vec<_> = members.into_iter().map(FamilyProduct::from).collect();
        let available = products.iter().any(|product| product.available);
        Self { family_id: family_id.0, name, options, price_range, stock, in_stock: stock > 0, available, products }
    }

    /// Digest of what a read shows beyond the family's stream, of products in the order of their numbers.
    pub fn digest(&self) -> ViewDigest {
        ViewDigest::of(self.products.iter().flat_map(|product| {
            let reason = product.reason.map_or("", UnavailableReason::as_str);
            [product.name.as_str(), product.price.as_str(), reason, product.sku.as_deref().unwrap_or_default()]
        }))
    }
}

impl From<FamilyMember> for FamilyProduct {
    fn from(member: FamilyMember) -> Self {
        let FamilyMember { product_id, name, options, price, sku, stock, supply } = member;
        let reason = supply.refuse(1);
        Self {
            product_id: product_id.0,
            name,
            options,
            price: two_decimals(price),
            stock,
            available: reason.is_none(),
            reason,
            sku,
        }
    }
}

/// The digest of a family as reads compute it; `None` if it cannot be read.
fn family_view_digest(work: &UnitOfWork<'_>, family_id: FamilyId) -> Result<Option<ViewDigest>, Interrupt> {
    let family = work.get::<Family>(family_id)?;
    let Ok(family) = family.active() else { return Ok(None) };
    let products = work.get_all::<Product, _>(family.products.keys())?;
    let members = family.products.iter().zip(products).filter_map(|((product_id, options), product)| {
        let listing = product.listing().ok()?;
        Some(FamilyMember {
            product_id: *product_id,
            name: listing.name.clone(),
            options: options.as_map().clone(),
            price: listing.price.amount(),
            sku: listing.sku.clone(),
            stock: listing.stock.available(),
            supply: product.supply(),
        })
    });
    let (name, options) = (family.name.clone(), family.options.clone().into());
    Ok(Some(FamilyView::new(family_id, name, options, members.collect()).digest()))
}
