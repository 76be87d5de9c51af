//! Answers stored under idempotency keys: read on a miss, kept in the aggregate cache, deleted when they are old.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::PgPool;

use super::error::CommandError;
use super::load::StreamReader;
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
    reader: &'a StreamReader,
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
        .fetch_optional(&reader.pool)
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

/// The most answers that one run deletes.
pub(super) const DELETED_AT_ONCE: i64 = 10_000;

/// Deletes answers that were kept for long enough, by the clock that they were recorded by. Beyond `most` answers, those
/// that are older than an hour are deleted too, oldest first.
pub(super) async fn delete_old_answers(pool: &PgPool, most: u32) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "with last_kept as (
            select recorded_at from idempotency order by recorded_at desc offset greatest($1 - 1, 0) limit 1
         )
         delete from idempotency where key_digest in (
            select key_digest from idempotency
            where recorded_at < greatest(
                clock_timestamp() - interval '24 hours',
                (select least(recorded_at, clock_timestamp() - interval '1 hour') from last_kept)
            )
            order by recorded_at
            limit $2
         )",
    )
    .bind(i64::from(most))
    .bind(DELETED_AT_ONCE)
    .execute(pool)
    .await
    .map(|deleted| deleted.rows_affected())
}

fn count_values(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(count_values).sum::<usize>() + 1,
        Value::Object(fields) => fields.values().map(count_values).sum::<usize>() + 1,
        _ => 1,
    }
}

impl AggregateState for AnswerSlot {
    fn evolved(&self, _version: &str, _payload: &Value) -> Result<Arc<dyn AggregateState>, serde_json::Error> {
        Err(serde::de::Error::custom("an answer has no events"))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Err(serde::ser::Error::custom("an answer has no snapshot"))
    }

    fn weight(&self) -> usize {
        // A few of an aggregate's entries, and one for each eight values: an answer can be as long as the order it repeats.
        4 + self.0.as_ref().map_or(0, |stored| count_values(&stored.answer) / 8)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
