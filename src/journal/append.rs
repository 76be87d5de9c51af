//! The writer's statements.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::batch::Batch;
use super::context::{Context, KEY_DIGEST};
use super::side_write::PendingSideWrite;
use super::stream::TailEvent;

/// End of the log. `epoch` rises after a lost connection, and with each generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Head {
    pub position: i64,
    pub epoch: i64,
}

impl Head {
    /// The generation of the log: the upper half of the epoch.
    pub fn generation(self) -> i64 {
        (self.epoch >> 32) + 1
    }
}

const APPEND: &str = "select appended, head_position, head_epoch
    from journal_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const REHEARSE: &str = "select appended, head_position, head_epoch
    from journal_rehearse($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// Appends the batch if the log still ends at `head`; returns whether it did, and where the log ends now.
/// `event_ids` are the batch's, in its order. A dry run is undone before the statement ends.
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
    let side_writes = batch.side_writes.iter().map(PendingSideWrite::json);
    let statement = if batch.dry_run { REHEARSE } else { APPEND };
    let (appended, position, epoch): (bool, i64, i64) = sqlx::query_as(statement)
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
        .bind((!batch.side_writes.is_empty()).then(|| Json(side_writes.collect::<Vec<_>>())))
        .fetch_one(connection)
        .await?;
    Ok((appended, Head { position, epoch }))
}

/// Metadata of each event; the events of one command share it.
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

/// Reads where the log ends.
pub(super) async fn head(connection: &mut PgConnection) -> Result<Head, sqlx::Error> {
    sqlx::query_as("select position, epoch from journal_head").fetch_one(connection).await
}

/// Locks the head until the end of the transaction, and reads where the log ends.
pub(super) async fn lock_head(connection: &mut PgConnection) -> Result<Head, sqlx::Error> {
    sqlx::query_as("select position, epoch from journal_head for update").fetch_one(connection).await
}

/// Waits for the holder of the head and raises the epoch, so that nothing sent earlier can be stored later.
pub(super) async fn fence(connection: &mut PgConnection) -> Result<Head, sqlx::Error> {
    sqlx::query_as("update journal_head set epoch = epoch + 1 returning position, epoch").fetch_one(connection).await
}

/// Position of an event, if it is stored.
pub(super) async fn position_of(connection: &mut PgConnection, event_id: Uuid) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("select position from event_log where event_id = $1")
        .bind(event_id)
        .fetch_optional(connection)
        .await
}

/// The next events after `position`, at most 1,000.
pub(super) async fn tail(connection: &mut PgConnection, position: i64) -> Result<Vec<TailEvent>, sqlx::Error> {
    sqlx::query_as(
        "select aggregate_type, aggregate_id, sequence, event_version, payload, position, event_id,
            metadata ->> $2 as key_digest
         from event_log
         where position > $1 order by position limit 1000",
    )
    .bind(position)
    .bind(KEY_DIGEST)
    .fetch_all(connection)
    .await
}
