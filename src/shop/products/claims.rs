//! Unique names of products: SKUs and slugs.

use crate::domain::claim::{Claim, ClaimError, ClaimIds};
use crate::domain::ids::ProductId;
use crate::domain::product::{Product, ProductCommand, Slug};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Name, Sku};
use crate::journal::{Interrupt, UnitOfWork};
use crate::shop::names::{find_holder, release_name, release_previous_name, take_name};

/// Slugs that are loaded together where a name is taken.
const SLUGS_AT_ONCE: i64 = 64;

/// Loads the claims of a new product together.
pub(super) fn load_claims(
    work: &UnitOfWork<'_>,
    sku: Option<&Sku>,
    slug: Option<&Slug>,
    name: &Name,
    product_id: ProductId,
) -> Result<(), Interrupt> {
    let slug = slug.cloned().or_else(|| Slug::candidates(name.as_str(), product_id).next());
    let claims = [sku.map(ClaimIds::product_sku), slug.as_ref().map(ClaimIds::product_slug)];
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

/// Takes the first of the slugs that is free.
pub(super) fn make_slug(
    work: &mut UnitOfWork<'_>,
    candidates: impl Iterator<Item = Slug>,
    product_id: ProductId,
) -> Result<Slug, Interrupt> {
    let mut candidates = candidates.peekable();
    if let Some(first) = candidates.peek()
        && find_slug_holder(work, first)?.is_some_and(|holder| holder != product_id)
    {
        load_numbered_slugs(work, first, product_id)?;
    }
    for slug in candidates {
        if find_slug_holder(work, &slug)?.is_none_or(|holder| holder == product_id) {
            take_name(work, &ClaimIds::product_slug(&slug), product_id.0)?;
            return Ok(slug);
        }
    }
    Err(Interrupt::Broken("every slug for the product is taken".to_owned()))
}

/// Loads together what the next products of one name would need: a unit of work may create many, and one after the other
/// would find its own slug missing.
fn load_numbered_slugs(work: &UnitOfWork<'_>, slug: &Slug, product_id: ProductId) -> Result<(), Interrupt> {
    let slugs: Vec<_> =
        (product_id.0..product_id.0 + SLUGS_AT_ONCE).map(|number| slug.numbered(ProductId(number))).collect();
    work.get_all::<Product, _>(slugs.iter().filter_map(Slug::older_product))?;
    let claims: Vec<_> = slugs.iter().map(ClaimIds::product_slug).collect();
    work.get_all::<Claim, _>(claims.iter().flat_map(ClaimIds::all)).map(drop)
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
