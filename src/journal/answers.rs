//! Answers stored under idempotency keys: read on a miss, kept in the aggregate cache, deleted when they are old.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::PgPool;

use super::error::CommandError;
use super::stream::{AggregateState, StreamId, VersionedState};

/// How long an answer is kept for its idempotency key.
pub(super) const ANSWER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is stored under an idempotency key: nothing yet, or an answer.
#[derive(Clone)]
pub(super) struct AnswerSlot(pub Option<StoredAnswer>);

#[derive(Clone)]
pub(super) struct StoredAnswer {
    pub fingerprint: Vec<u8>,
    pub answer: Value,
    pub position: i64,
    pub kept_until: Instant,
}

/// The id under which the cache keeps the answer to a key: a kind that no aggregate has.
pub(super) fn answer_id(key_digest: &str) -> StreamId {
    StreamId { kind: "idempotency".into(), id: key_digest.into() }
}

/// Reads the answer to a key, if one is stored.
pub(super) fn read_answer<'a>(
    pool: &'a PgPool,
    stream: &'a StreamId,
) -> BoxFuture<'a, Result<VersionedState, CommandError>> {
    Box::pin(async move {
        // The database deletes answers by its own clock, so it computes the time that is left.
        let row: Option<(Vec<u8>, Value, i64, f64)> = sqlx::query_as(
            "select fingerprint, answer, position,
                extract(epoch from recorded_at + interval '24 hours' - clock_timestamp())::float8 as seconds_left
             from idempotency where key_digest = $1",
        )
        .bind(&*stream.id)
        .fetch_optional(pool)
        .await
        .map_err(|error| CommandError::of_statement(&error))?;
        let answer = row.map(|(fingerprint, answer, position, seconds_left)| {
            let kept = Duration::from_secs_f64(seconds_left.clamp(0.0, ANSWER_KEPT.as_secs_f64()));
            StoredAnswer { fingerprint, answer, position, kept_until: Instant::now() + kept }
        });
        let state: Arc<dyn AggregateState> = Arc::new(AnswerSlot(answer));
        Ok(VersionedState { version: 0, state })
    })
}

/// Deletes the answers that were kept for long enough, by the clock that they were recorded by.
pub(super) async fn delete_old_answers(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let delete = "delete from idempotency where recorded_at < clock_timestamp() - interval '24 hours'";
    sqlx::query(delete).execute(pool).await.map(|deleted| deleted.rows_affected())
}

impl AggregateState for AnswerSlot {
    fn evolved(&self, _version: &str, _payload: &Value) -> Result<Arc<dyn AggregateState>, serde_json::Error> {
        Err(serde::de::Error::custom("an answer has no events"))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Err(serde::ser::Error::custom("an answer has no snapshot"))
    }

    fn weight(&self) -> usize {
        // A few of an aggregate's entries: an answer can be as long as the order it repeats.
        4
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
