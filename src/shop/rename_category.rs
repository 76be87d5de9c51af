//! Another name for a category; its products follow.

use super::create_category::{CategoryCreated, claim_name};
use crate::domain::category::{Category, CategoryCommand};
use crate::domain::claim::{Claim, ClaimCommand, ClaimKind, claim_id};
use crate::domain::ids::CategoryId;
use crate::domain::text::Name;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct RenameCategory {
    pub category_id: CategoryId,
    pub name: Name,
}

impl UseCase for RenameCategory {
    type Answer = CategoryCreated;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CategoryCreated, Stop> {
        let category = work.get::<Category>(self.category_id)?;
        let previous_name = Name::parse(category.name()?).map_err(|error| Stop::Broken(error.to_string()))?;
        if previous_name.folded() != self.name.folded() {
            claim_name(work, &self.name, self.category_id)?;
            let previous = claim_id(ClaimKind::CategoryName, &previous_name.folded());
            work.execute::<Claim>(previous, ClaimCommand::Release)?;
        }
        work.execute::<Category>(self.category_id, CategoryCommand::Rename { name: self.name.clone() })?;
        Ok(CategoryCreated { category_id: self.category_id })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Category>(self.category_id))
    }
}
