//! Loads what the writer missed into the cache: aggregates, through postgres-es, and stored answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cqrs_es::persist::{PersistedEventRepository, PersistenceError};
use futures_util::future::{BoxFuture, try_join_all};
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use sqlx::PgPool;

use super::batch::ANSWER_KEPT;
use super::cache::Cache;
use super::snapshots::read_snapshot;
use super::stream::{State, StreamId, Versioned};
use super::{CommandError, Load, append};
use crate::domain::Decider;

/// Reads one stream's state from the database.
pub(super) type Read = for<'a> fn(&'a PgPool, &'a StreamId) -> BoxFuture<'a, Result<Versioned, CommandError>>;

#[derive(Clone)]
pub(super) struct Loader {
    pool: PgPool,
    cache: Arc<Cache>,
}

/// What is stored under an idempotency key: nothing yet, or an answer.
#[derive(Clone)]
pub(super) struct StoredAnswer(pub Option<Answer>);

#[derive(Clone)]
pub(super) struct Answer {
    pub fingerprint: Vec<u8>,
    pub answer: Value,
    pub position: i64,
    pub kept_until: Instant,
}

impl Loader {
    pub fn new(pool: PgPool, cache: Arc<Cache>) -> Self {
        Self { pool, cache }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub async fn load_all(&self, loads: Vec<Load>) -> Result<(), CommandError> {
        try_join_all(loads.into_iter().map(|load| self.load(load))).await.map(drop)
    }

    async fn load(&self, load: Load) -> Result<(), CommandError> {
        while self.cache.get(&load.stream).is_none() {
            let ticket = self.cache.begin_load(load.stream.clone());
            let loaded = (load.read)(&self.pool, &load.stream).await?;
            if ticket.finish(loaded) {
                break;
            }
        }
        Ok(())
    }
}

/// Loads an aggregate from its last snapshot on; one without events is the aggregate's default.
pub(super) fn read_aggregate<'a, A: Decider>(
    pool: &'a PgPool,
    stream: &'a StreamId,
) -> BoxFuture<'a, Result<Versioned, CommandError>> {
    Box::pin(async move {
        let repository = PostgresEventRepository::new(pool.clone());
        let snapshot = repository.get_snapshot::<A>(&stream.id).await.map_err(persistence_error)?;
        let (mut version, mut aggregate) = snapshot.and_then(read_snapshot::<A>).unwrap_or_default();
        let stored_events = if version == 0 {
            repository.get_events::<A>(&stream.id).await
        } else {
            repository.get_last_events::<A>(&stream.id, usize::try_from(version).unwrap_or_default()).await
        };
        for stored in stored_events.map_err(persistence_error)? {
            let unreadable =
                |error| CommandError::Internal(format!("event {}/{}/{}: {error}", stream.kind, stream.id, version + 1));
            let event = A::read_event(&stored.event_version, stored.payload).map_err(unreadable)?;
            aggregate.evolve(&event);
            version += 1;
        }
        let state: Arc<dyn State> = Arc::new(aggregate);
        Ok(Versioned { version, state })
    })
}

/// The id under which the cache keeps the answer to a key: a kind that no aggregate has.
pub(super) fn answer_id(key_digest: &str) -> StreamId {
    StreamId { kind: "idempotency".into(), id: key_digest.into() }
}

pub(super) fn read_answer<'a>(
    pool: &'a PgPool,
    stream: &'a StreamId,
) -> BoxFuture<'a, Result<Versioned, CommandError>> {
    Box::pin(async move {
        // The database forgets an answer by its own clock, so it is the one to say how long it is still kept.
        let row: Option<(Vec<u8>, Value, i64, f64)> = sqlx::query_as(
            "select fingerprint, answer, position,
                extract(epoch from recorded_at + interval '24 hours' - clock_timestamp())::float8 as seconds_left
             from idempotency where key_digest = $1",
        )
        .bind(&*stream.id)
        .fetch_optional(pool)
        .await
        .map_err(|error| append::command_error(&error))?;
        let answer = row.map(|(fingerprint, answer, position, seconds_left)| {
            let kept = Duration::from_secs_f64(seconds_left.clamp(0.0, ANSWER_KEPT.as_secs_f64()));
            Answer { fingerprint, answer, position, kept_until: Instant::now() + kept }
        });
        let state: Arc<dyn State> = Arc::new(StoredAnswer(answer));
        Ok(Versioned { version: 0, state })
    })
}

impl State for StoredAnswer {
    fn evolved(&self, _version: &str, _payload: &Value) -> Result<Arc<dyn State>, serde_json::Error> {
        Err(serde::de::Error::custom("an answer has no events"))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Err(serde::ser::Error::custom("an answer has no snapshot"))
    }

    fn weight(&self) -> usize {
        // A few of an aggregate's entries: an answer can be as long as the order it repeats.
        4
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        self
    }
}

fn persistence_error(error: PersistenceError) -> CommandError {
    match error {
        PersistenceError::ConnectionError(source) => CommandError::Unavailable(source.to_string()),
        PersistenceError::UnknownError(source) => match source.downcast_ref::<sqlx::Error>() {
            Some(error) => append::command_error(error),
            None => CommandError::Internal(source.to_string()),
        },
        other => CommandError::Internal(other.to_string()),
    }
}
