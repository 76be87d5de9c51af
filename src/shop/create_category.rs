//! A new category, under a name that no other has.

use serde::{Deserialize, Serialize};

use crate::domain::category::{Category, CategoryCommand};
use crate::domain::claim::{Claim, ClaimCommand, ClaimError, ClaimKind, claim_id};
use crate::domain::ids::CategoryId;
use crate::domain::refusal::Refusal;
use crate::domain::text::Name;
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct CreateCategory {
    pub name: Name,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CategoryCreated {
    #[schema(value_type = i64)]
    pub category_id: CategoryId,
}

impl UseCase for CreateCategory {
    type Answer = CategoryCreated;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CategoryCreated, Stop> {
        let category_id = CategoryId(work.next_number::<Category>()?);
        claim_name(work, &self.name, category_id)?;
        work.execute::<Category>(category_id, CategoryCommand::Create { name: self.name.clone() })?;
        Ok(CategoryCreated { category_id })
    }
}

/// Takes a name for a category, unless another one has it.
pub(super) fn claim_name(work: &mut UnitOfWork<'_>, name: &Name, category_id: CategoryId) -> Result<(), Stop> {
    let claim = claim_id(ClaimKind::CategoryName, &name.folded());
    work.execute::<Claim>(claim, ClaimCommand::Take { holder: category_id.0 }).map_err(|stop| match stop {
        Stop::Refused(Refusal::Claim(ClaimError::Taken { holder })) => {
            Refusal::CategoryNameTaken(CategoryId(holder)).into()
        }
        other => other,
    })
}
