//! Unique names: the holder of a name, claims and releases, under the current rule and earlier ones.

use crate::domain::claim::{Claim, ClaimCommand, ClaimError, ClaimIds};
use crate::journal::{Interrupt, UnitOfWork};

/// The holder of a name, by number.
pub fn find_holder(work: &UnitOfWork<'_>, ids: &ClaimIds) -> Result<Option<i64>, Interrupt> {
    let claims = work.get_all::<Claim, _>(ids.all())?;
    Ok(claims.iter().find_map(|claim| claim.holder))
}

/// Takes a name, unless another holds it under any rule. The unit of work reads every id, so that two holders of one
/// name cannot both win.
pub fn take_name(work: &mut UnitOfWork<'_>, ids: &ClaimIds, holder: i64) -> Result<(), Interrupt> {
    match work.get_all::<Claim, _>(ids.all())?.iter().filter_map(|claim| claim.holder).find(|other| *other != holder) {
        Some(holder) => Err(ClaimError::Taken { holder }.into()),
        None => work.execute::<Claim>(ids.current(), ClaimCommand::Take { holder }),
    }
}

/// Releases a name wherever `holder` holds it.
pub fn release_name(work: &mut UnitOfWork<'_>, ids: &ClaimIds, holder: i64) -> Result<(), Interrupt> {
    release(work, ids.all(), holder)
}

/// Releases the ids of a previous name that the next name of the same holder does not have. Two spellings of one name
/// share some ids; an id that only the previous spelling has would otherwise stay taken for ever.
pub fn release_previous_name(
    work: &mut UnitOfWork<'_>,
    previous: &ClaimIds,
    next: &ClaimIds,
    holder: i64,
) -> Result<(), Interrupt> {
    release(work, previous.all().filter(|id| next.all().all(|kept| kept != *id)), holder)
}

fn release<'a>(work: &mut UnitOfWork<'_>, ids: impl Iterator<Item = &'a str>, holder: i64) -> Result<(), Interrupt> {
    for id in ids {
        if work.get::<Claim>(id)?.holder == Some(holder) {
            work.execute::<Claim>(id, ClaimCommand::Release)?;
        }
    }
    Ok(())
}
