//! Commands on each product of a group.

use super::categories::{CategoryKey, CategoryRef};
use crate::domain::family::Family;
use crate::domain::ids::{CategoryId, FamilyId, ProductId};
use crate::domain::product::Product;
use crate::domain::refusal::Refusal;
use crate::journal::{Interrupt, UnitOfWork, UseCase};

/// The group that a product was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductGroup {
    All,
    Category(CategoryId),
    Family(FamilyId),
    /// As the brand is written for this product.
    Brand(String),
}

/// A command on a product, refused if the product has left its group since it was found.
pub struct OfGroup<Row> {
    pub product_id: ProductId,
    pub group: ProductGroup,
    pub command: Row,
}

impl<Row: UseCase> UseCase for OfGroup<Row> {
    type Answer = Row::Answer;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Row::Answer, Interrupt> {
        let product = work.get::<Product>(self.product_id)?;
        let listing = product.listing()?;
        let belongs = match &self.group {
            ProductGroup::All => true,
            ProductGroup::Category(category_id) => listing.category_id == *category_id,
            ProductGroup::Family(family_id) => {
                let family = work.get::<Family>(family_id)?;
                family.active().is_ok_and(|family| family.products.contains_key(&self.product_id))
            }
            ProductGroup::Brand(brand) => {
                let of_phone = listing.details.phone.as_ref().and_then(|phone| phone.brand.as_ref());
                [listing.details.brand.as_ref(), of_phone].contains(&Some(brand))
            }
        };
        if !belongs {
            return Err(Refusal::LeftGroup(self.product_id).into());
        }
        self.command.decide(work)
    }
}

/// Finds a category, and changes nothing.
pub struct FindCategory(pub CategoryKey);

impl UseCase for FindCategory {
    type Answer = CategoryRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CategoryRef, Interrupt> {
        self.0.resolve(work).map(|category_id| CategoryRef { category_id })
    }
}

/// Finds a family, and changes nothing.
pub struct FindFamily(pub FamilyId);

impl UseCase for FindFamily {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.get::<Family>(self.0)?.active().map_err(|_| Refusal::UnknownFamily(self.0))?;
        Ok(())
    }
}
