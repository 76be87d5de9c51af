//! Snapshots of long streams, written in the background: losing one costs time, never an event.

use std::sync::Arc;

use cqrs_es::persist::SerializedSnapshot;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::mpsc;

use super::stream::{AggregateState, StreamId, VersionedState};
use crate::domain::Decider;
use crate::failpoints::failpoint;

/// Raised when the meaning of a state changes, so that older snapshots are ignored.
const FORMAT: i64 = 2;

/// Queue of states to write as snapshots; a full queue drops them.
pub(super) struct Snapshots {
    queue: mpsc::Sender<OfferedSnapshot>,
    pub every: i64,
}

/// A state to write, with the generation of the log that it belongs to.
struct OfferedSnapshot {
    generation: i64,
    stream: StreamId,
    version: i64,
    state: Arc<dyn AggregateState>,
}

pub(super) fn start(pool: PgPool, every: i64) -> Snapshots {
    let (queue, mut offered) = mpsc::channel::<OfferedSnapshot>(64);
    tokio::spawn(async move {
        while let Some(offered) = offered.recv().await {
            failpoint!("snapshot-taken");
            if let Err(error) = write(&pool, &offered).await {
                tracing::warn!(stream = ?offered.stream.kind, %error, "could not write a snapshot");
            }
        }
    });
    Snapshots { queue, every }
}

impl Snapshots {
    pub fn offer(&self, generation: i64, stream: &StreamId, versioned: &VersionedState) {
        // A full queue means that snapshots come faster than they are written; the next one suffices.
        let VersionedState { version, state } = versioned.clone();
        let _ = self.queue.try_send(OfferedSnapshot { generation, stream: stream.clone(), version, state });
    }
}

/// Writes a snapshot, unless the database is an older one that was restored since.
async fn write(pool: &PgPool, offered: &OfferedSnapshot) -> Result<(), sqlx::Error> {
    let OfferedSnapshot { generation, stream, version, state } = offered;
    let state = state.snapshot().map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(
        "insert into snapshots (aggregate_type, aggregate_id, last_sequence, current_snapshot, payload)
         select $1, $2, $3, 1, $4
         where (select generation from log_identity) = $5
            and exists (select from events where aggregate_type = $1 and aggregate_id = $2 and sequence = $3)
         on conflict (aggregate_type, aggregate_id) do update
         set last_sequence = excluded.last_sequence, current_snapshot = snapshots.current_snapshot + 1,
             payload = excluded.payload
         where snapshots.last_sequence < excluded.last_sequence",
    )
    .bind(&*stream.kind)
    .bind(&*stream.id)
    .bind(version)
    .bind(json!({ "format": FORMAT, "state": state }))
    .bind(generation)
    .execute(pool)
    .await
    .map(drop)
}

/// Version and state of a snapshot; `None` if it has another format.
pub(super) fn read_snapshot<A: Decider>(snapshot: SerializedSnapshot) -> Option<(i64, A)> {
    let Value::Object(mut payload) = snapshot.aggregate else { return None };
    if payload.get("format") != Some(&json!(FORMAT)) {
        return None;
    }
    let state = serde_json::from_value(payload.remove("state")?).ok()?;
    Some((i64::try_from(snapshot.current_sequence).ok()?, state))
}
