//! The tree of categories: no category is below itself, and the number of levels is bounded.
//!
//! A unit of work reads every category that it names as it is at the commit, so two moves at once cannot make a circle.

use crate::domain::category::{Category, CategoryCommand, CategoryError, MAX_LEVELS};
use crate::domain::ids::CategoryId;
use crate::domain::refusal::Refusal;
use crate::journal::{Interrupt, UnitOfWork};

/// Adds a category to the children of its parent, and checks the number of levels above it.
pub(super) fn enter_parent(
    work: &mut UnitOfWork<'_>,
    category_id: CategoryId,
    parent_id: CategoryId,
) -> Result<(), Interrupt> {
    if work.get::<Category>(parent_id)?.name().is_err() {
        return Err(Refusal::UnknownCategory(parent_id.to_string()).into());
    }
    if levels_upto(work, parent_id)? >= MAX_LEVELS {
        return Err(CategoryError::TooManyLevels.into());
    }
    work.execute::<Category>(parent_id, CategoryCommand::AddChild { child_id: category_id })
}

/// Removes a category from the children of its parent, if it has one.
pub(super) fn leave_parent(
    work: &mut UnitOfWork<'_>,
    category_id: CategoryId,
    parent_id: Option<CategoryId>,
) -> Result<(), Interrupt> {
    match parent_id {
        Some(parent_id) => work.execute::<Category>(parent_id, CategoryCommand::RemoveChild { child_id: category_id }),
        None => Ok(()),
    }
}

/// Refuses to move a category below itself, or with too many levels below the new place.
pub(super) fn check_move(
    work: &UnitOfWork<'_>,
    category_id: CategoryId,
    parent_id: CategoryId,
) -> Result<(), Interrupt> {
    let mut above = Some(parent_id);
    let mut level = 0;
    while let Some(next) = above {
        if next == category_id {
            return Err(CategoryError::BelowItself.into());
        }
        level += 1;
        above = work.get::<Category>(next)?.parent_id();
    }
    let mut row = vec![category_id];
    while !row.is_empty() {
        level += 1;
        if level > MAX_LEVELS {
            return Err(CategoryError::TooManyLevels.into());
        }
        row = work.get_all::<Category, _>(row)?.iter().flat_map(|category| category.children()).collect();
    }
    Ok(())
}

/// Number of levels from the top to a category.
fn levels_upto(work: &UnitOfWork<'_>, category_id: CategoryId) -> Result<usize, Interrupt> {
    let mut levels = 1;
    let mut above = work.get::<Category>(category_id)?.parent_id();
    while let Some(next) = above {
        levels += 1;
        above = work.get::<Category>(next)?.parent_id();
    }
    Ok(levels)
}
