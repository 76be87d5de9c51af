//! Unique names of products: SKUs and slugs.

use crate::domain::claim::{Claim, ClaimError, ClaimIds};
use crate::domain::ids::ProductId;
use crate::domain::product::{Product, ProductCommand, Slug};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Name, Sku};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork};
use crate::shop::names::{find_holder, release_name, release_previous_name, take_name};

/// Slugs that are loaded together where a name is taken: those of the products of one block of numbers.
const SLUGS_AT_ONCE: i64 = 128;

/// Loads the claims of a new product together.
pub(super) fn load_claims(
    work: &UnitOfWork<'_>,
    sku: Option<&Sku>,
    slug: Option<&Slug>,
    name: &Name,
    product_id: ProductId,
) -> Result<(), Interrupt> {
    let slug = slug.cloned().unwrap_or_else(|| Slug::candidate(name.as_str(), product_id, 0));
    let claims = [sku.map(ClaimIds::product_sku), Some(ClaimIds::product_slug(&slug))];
    work.get_all::<Claim, _>(claims.iter().flatten().flat_map(ClaimIds::all)).map(drop)
}

pub(super) fn claim_sku(work: &mut UnitOfWork<'_>, sku: &Sku, product_id: ProductId) -> Result<(), Interrupt> {
    take_name(work, &ClaimIds::product_sku(sku), product_id.0).map_err(|interrupt| match interrupt {
        Interrupt::Refused(Refusal::Claim(ClaimError::Taken { holder })) => Refusal::SkuTaken(ProductId(holder)).into(),
        other => other,
    })
}

/// Gives a product another SKU or none, and releases the previous one.
pub(super) fn change_sku(work: &mut UnitOfWork<'_>, product_id: ProductId, sku: Option<&Sku>) -> Result<(), Interrupt> {
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

/// Takes a slug, or refuses it and names the product that has it.
pub(super) fn claim_slug(work: &mut UnitOfWork<'_>, slug: &Slug, product_id: ProductId) -> Result<(), Interrupt> {
    match find_slug_holder(work, slug)?.filter(|holder| *holder != product_id) {
        Some(holder) => Err(Refusal::SlugTaken(holder).into()),
        None => take_name(work, &ClaimIds::product_slug(slug), product_id.0),
    }
}

/// Takes the `kept` slug, or else the first free slug that is made of the name.
pub(super) fn make_slug(
    work: &mut UnitOfWork<'_>,
    name: &str,
    kept: Option<Slug>,
    product_id: ProductId,
) -> Result<Slug, Interrupt> {
    if let Some(kept) = kept
        && take_free_slug(work, &kept, product_id)?
    {
        return Ok(kept);
    }
    for taken in 0..Slug::CANDIDATES {
        let slug = Slug::candidate(name, product_id, taken);
        match take_free_slug(work, &slug, product_id) {
            Ok(true) => return Ok(slug),
            Ok(false) => {}
            Err(Interrupt::Missing(missing)) if taken > 0 => {
                return Err(Interrupt::Missing([missing, missing_candidates(work, name, product_id, taken)?].concat()));
            }
            Err(other) => return Err(other),
        }
    }
    Err(Interrupt::Broken("every slug for the product is taken".to_owned()))
}

/// Takes a slug; `false` if another product has it.
fn take_free_slug(work: &mut UnitOfWork<'_>, slug: &Slug, product_id: ProductId) -> Result<bool, Interrupt> {
    if find_slug_holder(work, slug)?.is_some_and(|holder| holder != product_id) {
        return Ok(false);
    }
    take_name(work, &ClaimIds::product_slug(slug), product_id.0)?;
    Ok(true)
}

/// What the products of one name would miss whose numbers are in the same block: a unit of work may create many, and each
/// round of loading would otherwise serve one of them.
fn missing_candidates(
    work: &UnitOfWork<'_>,
    name: &str,
    product_id: ProductId,
    taken: usize,
) -> Result<Vec<AggregateRef>, Interrupt> {
    let first = product_id.0 - product_id.0 % SLUGS_AT_ONCE;
    let numbers = first.max(1)..first + SLUGS_AT_ONCE;
    let slugs: Vec<_> = numbers.map(|number| Slug::candidate(name, ProductId(number), taken)).collect();
    let claims: Vec<_> = slugs.iter().map(ClaimIds::product_slug).collect();
    let products = work.get_all::<Product, _>(slugs.iter().filter_map(Slug::older_product)).map(drop);
    let claims = work.get_all::<Claim, _>(claims.iter().flat_map(ClaimIds::all)).map(drop);
    let mut missing = Vec::new();
    for loaded in [products, claims] {
        match loaded {
            Ok(()) => {}
            Err(Interrupt::Missing(references)) => missing.extend(references),
            Err(other) => return Err(other),
        }
    }
    Ok(missing)
}

/// The product with a slug, by a claim or, for a product from before there were slugs, by its name and number.
pub fn find_slug_holder(work: &UnitOfWork<'_>, slug: &Slug) -> Result<Option<ProductId>, Interrupt> {
    if let Some(older) = slug.older_product()
        && let Ok(listing) = work.get::<Product>(older)?.listing()
        && listing.details.slug.is_none()
        && Slug::of_older(&listing.name, older) == *slug
    {
        return Ok(Some(older));
    }
    Ok(find_holder(work, &ClaimIds::product_slug(slug))?.map(ProductId))
}
