//! Loads what the writer missed into the cache: aggregates, through postgres-es, and stored answers.
//!
//! A reference names one stream and the function that reads it.

use std::fmt;
use std::sync::Arc;

use cqrs_es::persist::{PersistedEventRepository, PersistenceError};
use futures_util::future::{BoxFuture, try_join_all};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;

use super::answers;
use super::cache::Cache;
use super::error::CommandError;
use super::snapshots::read_snapshot;
use super::stream::{AggregateState, StreamId, VersionedState};
use crate::database::unavailability::Unavailability;
use crate::domain::Decider;

/// Reads one stream's state from the database.
type ReadStream = for<'a> fn(&'a PgPool, &'a StreamId) -> BoxFuture<'a, Result<VersionedState, CommandError>>;

/// One aggregate, and how it is loaded.
#[derive(Clone)]
pub struct AggregateRef {
    pub(super) stream: StreamId,
    read: ReadStream,
}

#[derive(Clone)]
pub(super) struct Loader {
    pool: PgPool,
    cache: Arc<Cache>,
}

impl AggregateRef {
    pub fn of<A: Decider>(id: impl fmt::Display) -> Self {
        Self { stream: StreamId::of::<A>(id), read: load_state::<A> }
    }

    /// The answer stored under an idempotency key.
    pub(super) fn answer(stream: StreamId) -> Self {
        Self { stream, read: answers::read_answer }
    }
}

impl fmt::Debug for AggregateRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.stream.kind, self.stream.id)
    }
}

impl Loader {
    pub fn new(pool: PgPool, cache: Arc<Cache>) -> Self {
        Self { pool, cache }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub async fn read<A: Decider>(&self, id: impl fmt::Display) -> Result<A, CommandError> {
        read_aggregate(&self.pool, &StreamId::of::<A>(id)).await.map(|(_, aggregate)| aggregate)
    }

    pub async fn load_all(&self, missing: Vec<AggregateRef>) -> Result<(), CommandError> {
        try_join_all(missing.into_iter().map(|missing| self.load(missing))).await.map(drop)
    }

    async fn load(&self, missing: AggregateRef) -> Result<(), CommandError> {
        while self.cache.get(&missing.stream).is_none() {
            let ticket = self.cache.begin_load(missing.stream.clone());
            let loaded = (missing.read)(&self.pool, &missing.stream).await?;
            if ticket.finish(loaded) {
                break;
            }
        }
        Ok(())
    }
}

fn load_state<'a, A: Decider>(
    pool: &'a PgPool,
    stream: &'a StreamId,
) -> BoxFuture<'a, Result<VersionedState, CommandError>> {
    Box::pin(async move {
        let (version, aggregate) = read_aggregate::<A>(pool, stream).await?;
        let state: Arc<dyn AggregateState> = Arc::new(aggregate);
        Ok(VersionedState { version, state })
    })
}

/// Reads an aggregate from its last snapshot on; without events it is the aggregate's default.
async fn read_aggregate<A: Decider>(pool: &PgPool, stream: &StreamId) -> Result<(i64, A), CommandError> {
    let repository = PostgresEventRepository::new(pool.clone());
    let snapshot = repository.get_snapshot::<A>(&stream.id).await.map_err(classify_error)?;
    let (mut version, mut aggregate) = snapshot.and_then(read_snapshot::<A>).unwrap_or_default();
    let stored_events = if version == 0 {
        repository.get_events::<A>(&stream.id).await
    } else {
        repository.get_last_events::<A>(&stream.id, usize::try_from(version).unwrap_or_default()).await
    };
    for stored in stored_events.map_err(classify_error)? {
        let unreadable =
            |error| CommandError::Internal(format!("event {}/{}/{}: {error}", stream.kind, stream.id, version + 1));
        let event = A::read_event(&stored.event_version, stored.payload).map_err(unreadable)?;
        aggregate.evolve(&event);
        version += 1;
    }
    Ok((version, aggregate))
}

fn classify_error(error: PersistenceError) -> CommandError {
    match error {
        PersistenceError::ConnectionError(source) => {
            let reason = source.downcast_ref::<sqlx::Error>().map_or(Unavailability::Disconnected, Unavailability::of);
            CommandError::Unavailable { reason, error: source.to_string() }
        }
        PersistenceError::UnknownError(source) => match source.downcast_ref::<sqlx::Error>() {
            Some(error) => CommandError::of_statement(error),
            None => CommandError::Internal(source.to_string()),
        },
        other => CommandError::Internal(other.to_string()),
    }
}
