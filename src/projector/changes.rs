//! What this node knows of the read tables: where they stand, and where each projection last changed.
//!
//! The node that projects learns it with each step, every other node by reading the lease. Both trust what they know for a
//! moment only: a node that was paused, or whose session is gone, does not know that another node projects.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::types::Json;
use tokio::sync::Mutex;

use super::definition::PROJECTIONS;

/// How long a node relies on what it knows.
const TRUSTED_FOR: Duration = Duration::from_millis(100);
/// How long a request waits for the state of the tables before it reads the tables themselves.
const LONGEST_READ: Duration = Duration::from_secs(1);

/// The read tables at one moment.
#[derive(Clone, Debug)]
pub struct TableState {
    /// Position of all tables.
    pub position: i64,
    /// Differs before and after an interruption: another holder of the lease, a replaced table, a lost connection.
    pub era: u64,
    /// Position of the last change of each projection, in the order of [`PROJECTIONS`]; 0 if none is known of this era.
    changes: Box<[i64]>,
    marks: Marks,
    /// The tables were like this then, or later.
    as_of: Instant,
    /// When the node learned of it.
    learned: Instant,
}

/// What changes when something other than the next step happens to the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    epoch: i64,
    swaps: i64,
}

/// A step of this node.
pub(super) struct Step {
    pub started: Instant,
    pub epoch: i64,
    pub swaps: i64,
    pub before: i64,
    pub reached: i64,
    /// Names of the projections that the step may have changed.
    pub changed: Vec<String>,
}

/// The newest state that the node knows.
#[derive(Default)]
pub(super) struct TableChanges {
    known: RwLock<KnownTables>,
    /// One request reads the state for all that wait for it.
    reading: Mutex<()>,
}

#[derive(Default)]
struct KnownTables {
    era: u64,
    state: Option<Arc<TableState>>,
}

#[derive(sqlx::FromRow)]
struct LeaseRow {
    position: i64,
    epoch: i64,
    swaps: i64,
    changes_upto: i64,
    changes: Json<HashMap<String, i64>>,
}

impl TableState {
    /// Position of the last change of these projections, given by their places in [`PROJECTIONS`].
    pub fn last_change(&self, projections: &[usize]) -> i64 {
        projections.iter().filter_map(|place| self.changes.get(*place)).copied().max().unwrap_or(0)
    }

    fn is_trusted(&self) -> bool {
        self.as_of.elapsed() < TRUSTED_FOR
    }
}

impl TableChanges {
    /// A state of at most [`TRUSTED_FOR`] ago in which the tables had reached `position`, read if the node knows none.
    pub async fn current(&self, pool: &PgPool, position: i64) -> Option<Arc<TableState>> {
        if let Some(state) = self.trusted(position) {
            return Some(state);
        }
        // While the database is away, a request must not wait for the reads of others.
        tokio::time::timeout(LONGEST_READ, self.read_once(pool, position)).await.ok().flatten()
    }

    async fn read_once(&self, pool: &PgPool, position: i64) -> Option<Arc<TableState>> {
        let _turn = self.reading.lock().await;
        if let Some(state) = self.trusted(position) {
            return Some(state);
        }
        if let Err(error) = self.read(pool).await {
            tracing::debug!(%error, "the state of the read tables cannot be read");
            // The database may come back as an older one.
            self.forget();
        }
        self.trusted(position)
    }

    /// Reads where the tables stand. From then on, the node answers with nothing older.
    pub async fn read(&self, pool: &PgPool) -> Result<i64, sqlx::Error> {
        let started = Instant::now();
        let read = sqlx::query_as("select position, epoch, swaps, changes_upto, changes from projector_lease");
        let row: LeaseRow = read.fetch_one(pool).await?;
        let position = row.position;
        self.record_read(started, row);
        Ok(position)
    }

    fn trusted(&self, position: i64) -> Option<Arc<TableState>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.state.as_ref().filter(|state| state.position >= position && state.is_trusted()).map(Arc::clone)
    }

    /// Nothing that was known holds any longer.
    pub fn forget(&self) {
        self.change(KnownTables::interrupt);
    }

    fn change(&self, change: impl FnOnce(&mut KnownTables)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds a step to the state before it. A state that lacks earlier steps is read anew when it is needed.
    pub fn record_step(&self, step: Step) {
        let Step { started, epoch, swaps, before, reached, changed } = step;
        let marks = Marks { epoch, swaps };
        self.change(|known| {
            let Some(state) = &known.state else { return };
            if state.marks != marks || reached < before || reached < state.position {
                known.interrupt();
            } else if state.position < before {
                known.state = None;
            } else {
                let mut next = TableState::clone(state);
                for (place, projection) in PROJECTIONS.iter().enumerate() {
                    if changed.iter().any(|name| name == projection.name)
                        && let Some(position) = next.changes.get_mut(place)
                    {
                        *position = reached;
                    }
                }
                next.position = reached;
                next.as_of = next.as_of.max(started);
                next.learned = Instant::now();
                known.state = Some(Arc::new(next));
            }
        });
    }

    fn record_read(&self, started: Instant, row: LeaseRow) {
        let LeaseRow { position, epoch, swaps, changes_upto, changes: Json(by_name) } = row;
        let marks = Marks { epoch, swaps };
        let changes = PROJECTIONS.iter().map(|projection| by_name.get(projection.name).copied().unwrap_or(0)).collect();
        self.change(|known| {
            if let Some(state) = &known.state {
                let follows = state.marks == marks && state.position <= position;
                if !follows && started < state.learned {
                    // The node has learned something newer since the read began.
                    return;
                }
                if !follows {
                    known.interrupt();
                }
            }
            // Steps of an older program record no changes.
            known.state = (changes_upto == position).then(|| {
                let learned = Instant::now();
                Arc::new(TableState { position, era: known.era, changes, marks, as_of: started, learned })
            });
        });
    }
}

impl KnownTables {
    fn interrupt(&mut self) {
        self.era += 1;
        self.state = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["products", "sales"];

    fn row(position: i64, swaps: i64, changes: [i64; 2]) -> LeaseRow {
        let changes = NAMES.iter().map(|name| (*name).to_owned()).zip(changes).collect();
        LeaseRow { position, epoch: 1, swaps, changes_upto: position, changes: Json(changes) }
    }

    fn step(before: i64, reached: i64, changed: &[&str]) -> Step {
        let changed = changed.iter().map(|name| (*name).to_owned()).collect();
        Step { started: Instant::now(), epoch: 1, swaps: 0, before, reached, changed }
    }

    /// Era, position, and the last changes of the two projections.
    fn shown(changes: &TableChanges) -> Option<(u64, i64, i64, i64)> {
        let state = changes.trusted(0)?;
        let place = |name: &str| PROJECTIONS.iter().position(|projection| projection.name == name).unwrap();
        let [products, sales] = NAMES.map(|name| state.last_change(&[place(name)]));
        assert_eq!(state.last_change(&NAMES.map(place)), products.max(sales));
        Some((state.era, state.position, products, sales))
    }

    #[test]
    fn steps_are_added_to_what_was_read() {
        let changes = TableChanges::default();
        changes.record_step(step(0, 5, &["products"]));
        assert_eq!(shown(&changes), None, "nothing was read yet");
        changes.record_read(Instant::now(), row(5, 0, [5, 0]));
        changes.record_step(step(5, 7, &["sales", "carts"]));
        assert_eq!(shown(&changes), Some((0, 7, 5, 7)));
        changes.record_step(step(7, 7, &[]));
        assert_eq!(shown(&changes), Some((0, 7, 5, 7)));
        assert!(changes.trusted(8).is_none());
        changes.record_step(step(9, 10, &["products"]));
        assert_eq!(shown(&changes), None, "the step from 7 to 9 is missing");
    }

    #[test]
    fn a_read_that_a_step_has_overtaken_is_ignored() {
        let changes = TableChanges::default();
        changes.record_read(Instant::now(), row(5, 0, [5, 0]));
        let before_the_step = Instant::now();
        changes.record_step(step(5, 6, &["products"]));
        changes.record_read(before_the_step, row(5, 0, [5, 0]));
        assert_eq!(shown(&changes), Some((0, 6, 6, 0)));
        changes.record_read(Instant::now(), row(5, 0, [5, 0]));
        assert_eq!(shown(&changes), Some((1, 5, 5, 0)), "the tables went back");
    }

    #[test]
    fn an_interruption_begins_another_era() {
        let changes = TableChanges::default();
        changes.record_read(Instant::now(), row(5, 0, [5, 0]));
        changes.record_read(Instant::now(), row(5, 1, [5, 0]));
        assert_eq!(shown(&changes), Some((1, 5, 5, 0)), "a table was replaced");
        changes.forget();
        assert_eq!(shown(&changes), None);
        changes.record_read(Instant::now(), row(5, 1, [5, 0]));
        assert_eq!(shown(&changes), Some((2, 5, 5, 0)));
        changes.record_read(Instant::now(), LeaseRow { changes_upto: 5, ..row(6, 1, [5, 0]) });
        assert_eq!(shown(&changes), None, "an older program has projected");
    }

    #[test]
    fn what_was_known_is_not_trusted_for_long() {
        let changes = TableChanges::default();
        changes.record_read(Instant::now() - TRUSTED_FOR, row(5, 0, [5, 0]));
        assert_eq!(shown(&changes), None);
    }
}
