//! The journal's statements, and what their failures mean.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::CommandError;
use super::batch::Batch;
use super::context::{Context, KEY_DIGEST};
use crate::database::failure::DatabaseFailure;

/// Where the log ends. `epoch` is raised after a lost connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Head {
    pub position: i64,
    pub epoch: i64,
}

/// An event as the tail of the log gives it.
#[derive(sqlx::FromRow)]
pub(super) struct StoredEvent {
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_version: String,
    pub payload: Value,
    pub position: i64,
    /// Names the idempotency key that its command came with.
    pub key_digest: Option<String>,
}

/// What a failed statement means for the commands it was to store.
pub(super) enum Failure {
    /// The connection was lost: the statement may have been carried out, or may yet be.
    Unknown(sqlx::Error),
    /// The database refused what the batch contains; other commands may be stored without it.
    Rejected(sqlx::Error),
    /// The database could not do it now; nothing was stored.
    Unavailable(sqlx::Error),
}

/// Appends the batch if the log still ends at `head`, and tells where it ends now.
/// `event_ids` are the batch's, in its order.
pub(super) async fn append(
    connection: &mut PgConnection,
    head: Head,
    batch: &Batch,
    event_ids: &[Uuid],
) -> Result<(bool, Head), sqlx::Error> {
    let events = || batch.events.iter().map(|(event, _)| event);
    let answers = batch.answers.iter().map(|answer| {
        json!({
            "key_digest": answer.key_digest,
            "fingerprint": hex::encode(answer.fingerprint),
            "answer": answer.answer,
            "position": answer.position,
        })
    });
    let (appended, position, epoch): (bool, i64, i64) = sqlx::query_as(
        "select appended, head_position, head_epoch
         from journal_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(head.position)
    .bind(head.epoch)
    .bind(events().map(|event| &*event.stream.kind).collect::<Vec<_>>())
    .bind(events().map(|event| &*event.stream.id).collect::<Vec<_>>())
    .bind(events().map(|event| event.sequence).collect::<Vec<_>>())
    .bind(events().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
    .bind(events().map(|event| event.event_version.as_str()).collect::<Vec<_>>())
    .bind(events().map(|event| event.payload.as_str()).collect::<Vec<_>>())
    .bind(metadata(batch))
    .bind(event_ids)
    .bind((!batch.answers.is_empty()).then(|| answers.collect::<Value>()))
    .bind((!batch.profiles.is_empty()).then_some(sqlx::types::Json(&batch.profiles)))
    .fetch_one(connection)
    .await?;
    Ok((appended, Head { position, epoch }))
}

/// The metadata of each event; those of one command share it.
fn metadata(batch: &Batch) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(batch.events.len());
    let mut previous: Option<&Arc<Context>> = None;
    for (_, context) in &batch.events {
        let same = previous.is_some_and(|previous| Arc::ptr_eq(previous, context));
        let metadata = all.last().filter(|_| same).cloned().unwrap_or_else(|| context.metadata());
        all.push(metadata);
        previous = Some(context);
    }
    all
}

pub(super) async fn head(connection: &mut PgConnection) -> Result<Head, sqlx::Error> {
    sqlx::query_as("select position, epoch from journal_head").fetch_one(connection).await
}

/// Where the log ends; nobody else moves it until the transaction is over.
pub(super) async fn lock_head(connection: &mut PgConnection) -> Result<Head, sqlx::Error> {
    sqlx::query_as("select position, epoch from journal_head for update").fetch_one(connection).await
}

/// Waits for whatever still holds the head, and raises the epoch, so that nothing sent earlier can be stored later.
pub(super) async fn fence(connection: &mut PgConnection) -> Result<Head, sqlx::Error> {
    sqlx::query_as("update journal_head set epoch = epoch + 1 returning position, epoch").fetch_one(connection).await
}

/// The position of an event, if it is stored.
pub(super) async fn position_of(connection: &mut PgConnection, event_id: Uuid) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("select position from events where event_id = $1")
        .bind(event_id)
        .fetch_optional(connection)
        .await
}

/// The next events after `position`, at most 1,000.
pub(super) async fn tail(connection: &mut PgConnection, position: i64) -> Result<Vec<StoredEvent>, sqlx::Error> {
    sqlx::query_as(
        "select aggregate_type, aggregate_id, sequence, event_version, payload, position,
            metadata ->> $2 as key_digest
         from events
         where position > $1 order by position limit 1000",
    )
    .bind(position)
    .bind(KEY_DIGEST)
    .fetch_all(connection)
    .await
}

/// Deletes answers that were kept for long enough, by the clock that they were recorded by.
pub(super) async fn forget_answers(pool: &sqlx::PgPool) -> Result<u64, sqlx::Error> {
    let delete = "delete from idempotency where recorded_at < clock_timestamp() - interval '24 hours'";
    sqlx::query(delete).execute(pool).await.map(|deleted| deleted.rows_affected())
}

/// What a failed append means.
pub(super) fn failure(error: sqlx::Error) -> Failure {
    match DatabaseFailure::of(&error) {
        DatabaseFailure::NotNow | DatabaseFailure::LockTimeout => Failure::Unavailable(error),
        DatabaseFailure::Disconnected | DatabaseFailure::Unreadable => Failure::Unknown(error),
        _ => Failure::Rejected(error),
    }
}

/// A failed statement as the answer to a command that it served, and that left no trace.
pub(super) fn command_error(error: &sqlx::Error) -> CommandError {
    if DatabaseFailure::of(error).is_transient() {
        CommandError::Unavailable(error.to_string())
    } else {
        CommandError::Internal(error.to_string())
    }
}
