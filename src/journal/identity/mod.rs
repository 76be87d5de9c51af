//! Identity of the log: its id and generation, and how a node notices that an older database was restored.
//!
//! The database holds both, so a restored older database does not know that it is older. Each node remembers the last
//! event that it saw, in memory and in a file of its data folder ([`mod@file`]). A log that ends before that event, or has
//! another event there, was restored: the node begins a new generation. Many nodes may notice at once; the generation
//! is compared and set in one transaction of the database, so one of them begins it, and the others adopt it.
//!
//! `docs/decisions/log-identity.md` explains the choices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::sync::{Notify, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use super::cache::Cache;
use super::numbers::Numbers;
use crate::failpoints::failpoint;

mod begin;
mod file;
mod stream_position;
mod watcher;

pub use begin::{BegunGeneration, declare_restored};
pub use file::LogFile;
pub use stream_position::{MalformedPosition, StreamPosition};
pub(super) use watcher::keep_recognised;

use begin::{begin_generation, reserve_numbers};
use file::FileRecord;

/// Which log this is, and how often an older database was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
pub struct LogIdentity {
    /// The same for the life of a shop, and in its copies.
    pub log_id: Uuid,
    /// Counts from 1; a restored older database begins the next.
    #[schema(minimum = 1)]
    pub generation: i64,
}

/// Identity and end of the log in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct LogState {
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub identity: LogIdentity,
    /// When the generation began.
    pub began_at: DateTime<Utc>,
    /// Events up to this position are those of the generation before.
    pub began_after: i64,
    /// Position of the last event.
    pub position: i64,
    head_event: Option<Uuid>,
    seen_event: Option<Uuid>,
}

/// An event that the node has seen in the log, by position and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenEvent {
    pub position: i64,
    pub event_id: Uuid,
}

/// What this node knows of the log. Cheap to clone.
#[derive(Clone)]
pub struct KnownLog(Arc<KnownLogInner>);

struct KnownLogInner {
    known: Mutex<Known>,
    identity: watch::Sender<LogIdentity>,
    /// End of the log, for all readers of this node.
    head: watch::Sender<i64>,
    cache: Arc<Cache>,
    file: Option<LogFile>,
    /// Wakes the watcher.
    wake: Notify,
    unsaved: AtomicBool,
    unwritable: AtomicBool,
}

struct Known {
    identity: LogIdentity,
    /// The newest event that this node has seen in this generation.
    seen: Option<SeenEvent>,
    /// Numbers given, as far as this node knows.
    numbers: Numbers,
    /// This node gives no number above these before the file has higher ones.
    reserved: Numbers,
}

/// What a node concludes from the state of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recognition {
    /// The log that the node knows.
    Same,
    /// The log of a newer generation, or another log.
    Another,
    /// An older state of the log that the node knows. The next generation is at least this.
    Restored { least_generation: i64 },
}

/// How many numbers of each kind are reserved in the file at once, so that it is written rarely.
const RESERVED_AT_ONCE: i64 = 1_000;

impl LogState {
    /// Reads the state, with the event at a position that the node has seen.
    pub async fn read(connection: &mut PgConnection, seen_position: Option<i64>) -> Result<Self, sqlx::Error> {
        sqlx::query_as(include_str!("../queries/log_state.sql")).bind(seen_position).fetch_one(connection).await
    }

    fn last_event(&self) -> Option<SeenEvent> {
        self.head_event.map(|event_id| SeenEvent { position: self.position, event_id })
    }

    /// Compares the log with what a node knew. The state was read with the position of `seen`.
    fn recognise(&self, known: LogIdentity, seen: Option<SeenEvent>) -> Recognition {
        if self.identity.log_id != known.log_id || self.identity.generation > known.generation {
            return Recognition::Another;
        }
        let is_older = self.identity.generation < known.generation;
        let lacks_seen = seen.is_some_and(|seen| self.seen_event != Some(seen.event_id));
        if is_older || lacks_seen {
            return Recognition::Restored { least_generation: known.generation + 1 };
        }
        Recognition::Same
    }
}

impl KnownLog {
    /// Recognises the log at the start of a node, by the file of its data folder if there is one.
    pub(in crate::journal) async fn open(
        connection: &mut PgConnection,
        file: Option<LogFile>,
        cache: Arc<Cache>,
        head: watch::Sender<i64>,
    ) -> Result<Self, sqlx::Error> {
        let state = LogState::read(connection, None).await?;
        let record = file.as_ref().and_then(|file| file.load(state.identity.log_id));
        let known = Known::new(&state, record);
        let known = Self(Arc::new(KnownLogInner {
            identity: watch::Sender::new(known.identity),
            known: Mutex::new(known),
            head,
            cache,
            file,
            wake: Notify::new(),
            unsaved: AtomicBool::new(true),
            unwritable: AtomicBool::new(false),
        }));
        known.reconcile(connection).await?;
        Ok(known)
    }

    pub fn identity(&self) -> watch::Receiver<LogIdentity> {
        self.0.identity.subscribe()
    }

    /// Watches where the log ends.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.0.head.subscribe()
    }

    /// Generation, and the newest position that this node has seen in it. A statement that must not run on a restored
    /// older database compares both.
    pub fn seen(&self) -> (i64, i64) {
        let known = self.lock();
        (known.identity.generation, known.seen.map_or(0, |seen| seen.position))
    }

    /// Compares the log with what this node knows. Begins a new generation if an older database was restored, and
    /// adopts one that has begun: then the cache and the known end of the log are those of the database.
    pub(in crate::journal) async fn reconcile(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        loop {
            let (identity, seen, given) = {
                let known = self.lock();
                (known.identity, known.seen, known.given())
            };
            let state = LogState::read(connection, seen.map(|seen| seen.position)).await?;
            match state.recognise(identity, seen) {
                Recognition::Same => {
                    self.observe(identity.generation, state.last_event(), None);
                    return Ok(());
                }
                Recognition::Another => {
                    self.adopt(&state);
                    // What this node gave in its generation may be more than the others knew.
                    if state.identity.log_id == identity.log_id {
                        reserve_numbers(connection, &given).await?;
                    }
                }
                Recognition::Restored { least_generation } => {
                    let found = state.identity.generation;
                    begin_generation(connection, found, least_generation, &given).await?;
                    failpoint!("generation-begun");
                }
            }
        }
    }

    /// Takes over the generation of the database, and forgets everything that followed from another.
    pub(in crate::journal) fn adopt(&self, state: &LogState) {
        let mut known = self.lock();
        if known.identity == state.identity {
            return;
        }
        tracing::warn!(
            log_id = %state.identity.log_id, generation = state.identity.generation, position = state.position,
            began_after = state.began_after, "the log has another generation: an older database was restored"
        );
        if known.identity.log_id != state.identity.log_id {
            (known.numbers, known.reserved) = (Numbers::default(), Numbers::default());
        }
        known.identity = state.identity;
        known.seen = state.last_event();
        self.0.cache.clear();
        self.0.head.send_replace(state.position);
        self.0.identity.send_replace(state.identity);
        self.0.unsaved.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }

    /// Remembers an event that is stored in `generation`, and the numbers given with it.
    pub(in crate::journal) fn observe(&self, generation: i64, event: Option<SeenEvent>, numbers: Option<&Numbers>) {
        let mut known = self.lock();
        if known.identity.generation != generation {
            return;
        }
        if event.map(|event| event.position) > known.seen.map(|seen| seen.position) {
            known.seen = event;
            self.0.unsaved.store(true, Ordering::Release);
        }
        if let Some(numbers) = numbers {
            known.numbers = *numbers;
            if self.0.file.is_some() && !known.reserved.covers(&numbers.raised_by(RESERVED_AT_ONCE / 2)) {
                self.0.wake.notify_one();
            }
        }
    }

    /// Numbers that this node may have given, also in earlier generations.
    pub(in crate::journal) fn given(&self) -> Numbers {
        self.lock().given()
    }

    /// Returns once the file has higher numbers than `numbers`; usually it has, and nothing is written.
    pub(in crate::journal) async fn reserve(&self, numbers: &Numbers) {
        if self.0.file.is_none() {
            return;
        }
        let covered = {
            let mut known = self.lock();
            known.numbers.raise(numbers);
            known.reserved.covers(numbers)
        };
        if !covered {
            self.save().await;
        }
    }

    /// Writes the file, durably. A node that cannot write it sells without it, and logs the error.
    pub(in crate::journal) async fn save(&self) {
        let Some(file) = self.0.file.clone() else { return };
        self.0.unsaved.store(false, Ordering::Release);
        let record = {
            let known = self.lock();
            FileRecord {
                identity: known.identity,
                seen: known.seen,
                numbers: known.numbers.raised_by(RESERVED_AT_ONCE),
            }
        };
        let numbers = record.numbers;
        let saved = tokio::task::spawn_blocking(move || file.save(&record)).await;
        let saved = saved.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        if let Err(error) = &saved {
            tracing::error!(%error, "cannot write the identity of the log to the data folder: \
                this node might not notice that an older database was restored");
        }
        self.0.unwritable.store(saved.is_err(), Ordering::Release);
        // Without a file the node sells all the same.
        self.lock().reserved.raise(&numbers);
    }

    /// Whether the file could not be written when it was last tried.
    pub fn is_file_unwritable(&self) -> bool {
        self.0.unwritable.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What the node knew when it last wrote its file; without one, what the database says.
    fn new(state: &LogState, record: Option<FileRecord>) -> Self {
        let (numbers, reserved) = (Numbers::default(), Numbers::default());
        match record {
            Some(record) => Self { identity: record.identity, seen: record.seen, numbers, reserved: record.numbers },
            None => Self { identity: state.identity, seen: state.last_event(), numbers, reserved },
        }
    }

    fn given(&self) -> Numbers {
        let mut given = self.reserved;
        given.raise(&self.numbers);
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Uuid = Uuid::from_u128(1);
    const SEEN: Uuid = Uuid::from_u128(2);

    fn state(generation: i64, seen_event: Option<Uuid>) -> LogState {
        LogState {
            identity: LogIdentity { log_id: LOG, generation },
            began_at: DateTime::UNIX_EPOCH,
            began_after: 0,
            position: 9,
            head_event: None,
            seen_event,
        }
    }

    #[test]
    fn a_log_without_the_seen_event_or_of_an_earlier_generation_was_restored() {
        let known = LogIdentity { log_id: LOG, generation: 3 };
        let seen = Some(SeenEvent { position: 7, event_id: SEEN });
        assert_eq!(state(3, Some(SEEN)).recognise(known, seen), Recognition::Same);
        assert_eq!(state(3, None).recognise(known, None), Recognition::Same);
        let restored = Recognition::Restored { least_generation: 4 };
        assert_eq!(state(3, None).recognise(known, seen), restored, "the log ends before it");
        assert_eq!(state(3, Some(LOG)).recognise(known, seen), restored, "another event is there");
        assert_eq!(state(2, Some(SEEN)).recognise(known, seen), restored);
        assert_eq!(state(4, None).recognise(known, seen), Recognition::Another);
        let other = LogIdentity { log_id: SEEN, generation: 9 };
        assert_eq!(state(1, None).recognise(other, seen), Recognition::Another);
    }
}
