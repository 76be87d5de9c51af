//! Categories, each under a name of its own, in a tree.

use serde::{Deserialize, Serialize};

use tree::{check_move, enter_parent, leave_parent};

use super::MAX_CHOSEN_NUMBER;
use super::names::{find_holder, release_name, release_previous_name, take_name};
use crate::domain::category::{Category, CategoryCommand, CategoryError};
use crate::domain::claim::{ClaimError, ClaimIds};
use crate::domain::ids::CategoryId;
use crate::domain::refusal::Refusal;
use crate::domain::text::Name;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

mod tree;

/// Creates a category under a name that no other category has.
pub struct CreateCategory {
    pub name: Name,
    /// `None` for a category at the top.
    pub parent_id: Option<CategoryId>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CategoryRef {
    pub category_id: CategoryId,
}

impl UseCase for CreateCategory {
    type Answer = CategoryRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CategoryRef, Interrupt> {
        let category_id = CategoryId(work.next_number::<Category>()?);
        create_category(work, category_id, &self.name, self.parent_id)
    }
}

/// Creates a category under the number that it has in another system; later numbers follow it.
pub struct ImportCategory {
    pub category_id: CategoryId,
    pub name: Name,
    /// `None` for a category at the top.
    pub parent_id: Option<CategoryId>,
}

impl UseCase for ImportCategory {
    type Answer = CategoryRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CategoryRef, Interrupt> {
        let category_id = self.category_id;
        let is_in_range = (1..=MAX_CHOSEN_NUMBER).contains(&category_id.0);
        if !is_in_range || !work.take_number::<Category>(category_id.0)? {
            return Err(Refusal::CategoryIdTaken(category_id).into());
        }
        create_category(work, category_id, &self.name, self.parent_id)
    }
}

fn create_category(
    work: &mut UnitOfWork<'_>,
    category_id: CategoryId,
    name: &Name,
    parent_id: Option<CategoryId>,
) -> Result<CategoryRef, Interrupt> {
    claim_name(work, name, category_id)?;
    work.execute::<Category>(category_id, CategoryCommand::Create { name: name.clone(), parent_id })?;
    if let Some(parent_id) = parent_id {
        enter_parent(work, category_id, parent_id)?;
    }
    Ok(CategoryRef { category_id })
}

/// Claims a name for a category, unless another category has it.
fn claim_name(work: &mut UnitOfWork<'_>, name: &Name, category_id: CategoryId) -> Result<(), Interrupt> {
    take_name(work, &ClaimIds::category_name(name), category_id.0).map_err(|interrupt| match interrupt {
        Interrupt::Refused(Refusal::Claim(ClaimError::Taken { holder })) => {
            Refusal::CategoryNameTaken(CategoryId(holder)).into()
        }
        other => other,
    })
}

/// Renames a category, or moves it in the tree; its products and the categories below follow.
pub struct ChangeCategory {
    pub category_id: CategoryId,
    /// `None` keeps the name.
    pub name: Option<Name>,
    /// `Some(None)` moves the category to the top.
    pub parent_id: Option<Option<CategoryId>>,
}

impl UseCase for ChangeCategory {
    type Answer = CategoryRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CategoryRef, Interrupt> {
        let category_id = self.category_id;
        let category = work.get::<Category>(category_id)?;
        let previous_name = Name::stored(category.name()?);
        if let Some(name) = &self.name {
            claim_name(work, name, category_id)?;
            let (previous, next) = (ClaimIds::category_name(&previous_name), ClaimIds::category_name(name));
            release_previous_name(work, &previous, &next, category_id.0)?;
            work.execute::<Category>(category_id, CategoryCommand::Rename { name: name.clone() })?;
        }
        let previous_parent_id = category.parent_id();
        if let Some(parent_id) = self.parent_id.filter(|parent_id| *parent_id != previous_parent_id) {
            leave_parent(work, category_id, previous_parent_id)?;
            work.execute::<Category>(category_id, CategoryCommand::Move { parent_id })?;
            if let Some(parent_id) = parent_id {
                check_move(work, category_id, parent_id)?;
                enter_parent(work, category_id, parent_id)?;
            }
        }
        Ok(CategoryRef { category_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Category>(self.category_id))
    }
}

/// Deletes a category without products and without categories below, and releases its name.
pub struct DeleteCategory {
    pub category_id: CategoryId,
}

impl UseCase for DeleteCategory {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let category = work.get::<Category>(self.category_id)?;
        let name = Name::stored(category.name()?);
        work.execute::<Category>(self.category_id, CategoryCommand::Delete)?;
        leave_parent(work, self.category_id, category.parent_id())?;
        release_name(work, &ClaimIds::category_name(&name), self.category_id.0)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Category>(self.category_id))
    }
}

/// A category by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CategoryKey {
    Id(CategoryId),
    Name(Name),
}

impl CategoryKey {
    /// The number of the category; an unknown one is refused.
    pub(super) fn resolve(&self, work: &UnitOfWork<'_>) -> Result<CategoryId, Interrupt> {
        let (shown, category_id) = match self {
            Self::Id(category_id) => (category_id.to_string(), Some(*category_id)),
            Self::Name(name) => {
                let holder = find_holder(work, &ClaimIds::category_name(name))?;
                (format!("\"{name}\""), holder.map(CategoryId))
            }
        };
        let unknown = || Refusal::UnknownCategory(shown);
        let Some(category_id) = category_id else { return Err(unknown().into()) };
        match work.get::<Category>(category_id)?.name() {
            Ok(_) => Ok(category_id),
            Err(CategoryError::NotFound) => Err(unknown().into()),
            Err(error) => Err(error.into()),
        }
    }
}
