//! Loads what the writer missed into the cache: aggregates and stored answers.
//!
//! A reference names one stream and the function that reads it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use futures_util::future::{BoxFuture, try_join_all};
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::answers;
use super::cache::Cache;
use super::error::CommandError;
use super::snapshots;
use super::stream::{AggregateState, StreamId, VersionedState};
use crate::domain::Decider;

/// Reads one stream's state from the database.
type ReadStream = for<'a> fn(&'a StreamReader, &'a StreamId) -> BoxFuture<'a, Result<VersionedState, CommandError>>;

/// One aggregate, and how it is loaded.
#[derive(Clone)]
pub struct AggregateRef {
    pub(super) stream: StreamId,
    read: ReadStream,
    /// The state before the first event; `None` for what is not a stream of events.
    empty: Option<fn() -> Arc<dyn AggregateState>>,
}

#[derive(Clone)]
pub(super) struct Loader {
    pub reader: StreamReader,
    cache: Arc<Cache>,
}

/// Reads streams from their last snapshot on.
#[derive(Clone)]
pub(super) struct StreamReader {
    pub pool: PgPool,
    /// Number of events between two snapshots, and the most events in memory at once.
    snapshot_every: i64,
    /// A few reads at a time fill gaps between snapshots, because each may be long.
    filling: Arc<Semaphore>,
}

/// Reads of this node that fill gaps between snapshots at the same time.
const FILLS_AT_ONCE: usize = 4;
/// Snapshots that are written with one statement.
const SNAPSHOT_BATCH: usize = 16;
/// Streams from which on they are read together.
const READ_TOGETHER: usize = 16;
/// Streams that one statement reads.
const STREAMS_OF_A_READ: usize = 1_000;
/// Events up to which a stream is read together with others; longer ones are read from their snapshots.
const EVENTS_OF_A_READ: i64 = 20;

impl AggregateRef {
    pub fn of<A: Decider>(id: impl fmt::Display) -> Self {
        Self { stream: StreamId::of::<A>(id), read: load_state::<A>, empty: Some(|| Arc::new(A::default())) }
    }

    /// The state before the first event; `None` for what is not a stream of events.
    pub(super) fn first_state(&self) -> Option<VersionedState> {
        Some(VersionedState { version: 0, state: (self.empty?)() })
    }

    /// The answer stored under an idempotency key.
    pub(super) fn answer(stream: StreamId) -> Self {
        Self { stream, read: answers::read_answer, empty: None }
    }
}

impl fmt::Debug for AggregateRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.stream.kind, self.stream.id)
    }
}

impl Loader {
    pub fn new(pool: PgPool, cache: Arc<Cache>, snapshot_every: i64) -> Self {
        let reader = StreamReader { pool, snapshot_every, filling: Arc::new(Semaphore::new(FILLS_AT_ONCE)) };
        Self { reader, cache }
    }

    /// Loads everything that is missing. Many short streams are read together: a slice of a file needs thousands, and
    /// most of them have no event.
    pub async fn load_all(&self, mut missing: Vec<AggregateRef>) -> Result<(), CommandError> {
        if missing.len() >= READ_TOGETHER {
            let mut seen = HashSet::new();
            missing.retain(|reference| seen.insert(reference.stream.clone()));
            for together in missing.chunks(STREAMS_OF_A_READ) {
                self.load_short(together).await?;
            }
        }
        try_join_all(missing.into_iter().map(|missing| self.load(missing))).await.map(drop)
    }

    /// Loads those of `missing` that have few events, with one statement.
    async fn load_short(&self, missing: &[AggregateRef]) -> Result<(), CommandError> {
        let streams = missing.iter().filter_map(|reference| Some((&reference.stream, reference.empty?)));
        let tickets: Vec<_> =
            streams.map(|(stream, empty)| (stream, empty(), self.cache.begin_load(stream.clone()))).collect();
        let (kinds, ids): (Vec<&str>, Vec<&str>) =
            tickets.iter().map(|(stream, ..)| (&*stream.kind, &*stream.id)).unzip();
        let events: Vec<(i64, String, Value)> = sqlx::query_as(
            "select wanted.place, event.event_version, event.payload
             from unnest($1::text[], $2::text[]) with ordinality as wanted (kind, id, place)
             cross join lateral (
                select sequence, event_version, payload from event_log
                where aggregate_type = wanted.kind and aggregate_id = wanted.id
                order by sequence limit $3
             ) as event
             order by wanted.place, event.sequence",
        )
        .bind(kinds)
        .bind(ids)
        .bind(EVENTS_OF_A_READ + 1)
        .fetch_all(&self.reader.pool)
        .await
        .map_err(|error| CommandError::of_statement(&error))?;
        let mut events = events.into_iter().peekable();
        for (place, (stream, mut state, ticket)) in (1..).zip(tickets) {
            let mut version = 0;
            while let Some((_, event_version, payload)) = events.next_if(|(of, ..)| *of == place) {
                version += 1;
                state = state.evolved(&event_version, &payload).map_err(|error| {
                    CommandError::Internal(format!("event {}/{}/{version}: {error}", stream.kind, stream.id))
                })?;
            }
            // A longer stream, and one that changed meanwhile, is loaded alone.
            if version <= EVENTS_OF_A_READ {
                ticket.finish(VersionedState { version, state });
            }
        }
        Ok(())
    }

    async fn load(&self, missing: AggregateRef) -> Result<(), CommandError> {
        while self.cache.get(&missing.stream).is_none() {
            let ticket = self.cache.begin_load(missing.stream.clone());
            let loaded = (missing.read)(&self.reader, &missing.stream).await?;
            if ticket.finish(loaded) {
                break;
            }
        }
        Ok(())
    }
}

fn load_state<'a, A: Decider>(
    reader: &'a StreamReader,
    stream: &'a StreamId,
) -> BoxFuture<'a, Result<VersionedState, CommandError>> {
    Box::pin(async move {
        let (version, aggregate) = reader.read::<A>(stream, i64::MAX).await?;
        let state: Arc<dyn AggregateState> = Arc::new(aggregate);
        Ok(VersionedState { version, state })
    })
}

impl StreamReader {
    /// The state after the first `upto` events, or after all if there are fewer, and their number.
    ///
    /// It begins at the last snapshot. Without one in the last `snapshot_every` events, it writes those that are missing,
    /// so that the next read needs them no more.
    pub async fn read<A: Decider>(&self, stream: &StreamId, upto: i64) -> Result<(i64, A), CommandError> {
        let (mut version, mut aggregate) = snapshots::find_last::<A>(&self.pool, stream, upto).await?;
        if self.read_further(stream, &mut version, &mut aggregate, upto).await? {
            return Ok((version, aggregate));
        }
        let _permit = self.filling.acquire().await;
        // Another read may have filled the gap meanwhile.
        let (filled_upto, state) = snapshots::find_last::<A>(&self.pool, stream, upto).await?;
        if filled_upto > version {
            (version, aggregate) = (filled_upto, state);
        }
        let mut missing = Vec::new();
        loop {
            if version > filled_upto {
                let state = AggregateState::snapshot(&aggregate);
                missing.push((version, state.map_err(|error| CommandError::Internal(error.to_string()))?));
            }
            let ended = self.read_further(stream, &mut version, &mut aggregate, upto).await?;
            if ended || missing.len() >= SNAPSHOT_BATCH {
                snapshots::write_all(&self.pool, None, stream, &missing).await;
                missing.clear();
            }
            if ended {
                return Ok((version, aggregate));
            }
        }
    }

    /// Applies the events up to the next snapshot, or up to `upto`. Returns whether that is all.
    async fn read_further<A: Decider>(
        &self,
        stream: &StreamId,
        version: &mut i64,
        aggregate: &mut A,
        upto: i64,
    ) -> Result<bool, CommandError> {
        let next_snapshot = (*version / self.snapshot_every + 1) * self.snapshot_every;
        let events: Vec<(String, Value)> = sqlx::query_as(
            "select event_version, payload from event_log
             where aggregate_type = $1 and aggregate_id = $2 and sequence > $3 and sequence <= $4
             order by sequence",
        )
        .bind(&*stream.kind)
        .bind(&*stream.id)
        .bind(*version)
        .bind(upto.min(next_snapshot))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| CommandError::of_statement(&error))?;
        for (event_version, payload) in events {
            let event = A::read_event(&event_version, payload).map_err(|error| {
                CommandError::Internal(format!("event {}/{}/{}: {error}", stream.kind, stream.id, *version + 1))
            })?;
            aggregate.evolve(&event);
            *version += 1;
        }
        Ok(*version < next_snapshot || *version >= upto)
    }
}
