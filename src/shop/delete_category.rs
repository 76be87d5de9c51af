//! The end of a category without products; its name is free again.

use crate::domain::category::{Category, CategoryCommand};
use crate::domain::claim::{Claim, ClaimCommand, ClaimKind, claim_id};
use crate::domain::ids::CategoryId;
use crate::domain::text::Name;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct DeleteCategory {
    pub category_id: CategoryId,
}

impl UseCase for DeleteCategory {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        let category = work.get::<Category>(self.category_id)?;
        let name = Name::parse(category.name()?).map_err(|error| Stop::Broken(error.to_string()))?;
        work.execute::<Category>(self.category_id, CategoryCommand::Delete)?;
        work.execute::<Claim>(claim_id(ClaimKind::CategoryName, &name.folded()), ClaimCommand::Release)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Category>(self.category_id))
    }
}
