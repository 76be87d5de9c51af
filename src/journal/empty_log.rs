//! Decides use cases on a log without an event, for a shop that does not exist yet.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::numbers::Numbers;
use super::stream::{StreamId, VersionedState};
use super::unit_of_work::{Interrupt, StateView, UnitOfWork, UseCase};

/// The first states of the aggregates that a use case asked for.
#[derive(Default)]
struct EmptyLog(HashMap<StreamId, VersionedState>);

impl StateView for EmptyLog {
    fn get(&self, stream: &StreamId) -> Option<VersionedState> {
        self.0.get(stream).cloned()
    }
}

/// The answer of a use case to the first command of a shop. Nothing is stored.
pub fn decide_on_empty_log<U: UseCase>(use_case: &U, now: DateTime<Utc>) -> Result<U::Answer, Interrupt> {
    let mut log = EmptyLog::default();
    loop {
        let decided = use_case.decide(&mut UnitOfWork::new(&log, now, Numbers::default()));
        let Err(Interrupt::Missing(references)) = decided else { return decided };
        for reference in references {
            let state = reference.first_state();
            let state = state.ok_or_else(|| Interrupt::Broken(format!("{reference:?} has no first state")))?;
            log.0.insert(reference.stream, state);
        }
    }
}
