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
    queue: mpsc::Sender<(StreamId, i64, Arc<dyn AggregateState>)>,
    pub every: i64,
}

pub(super) fn start(pool: PgPool, every: i64) -> Snapshots {
    let (queue, mut offered) = mpsc::channel::<(StreamId, i64, Arc<dyn AggregateState>)>(64);
    tokio::spawn(async move {
        while let Some((stream, version, state)) = offered.recv().await {
            failpoint!("snapshot-taken");
            if let Err(error) = write(&pool, &stream, version, state.as_ref()).await {
                tracing::warn!(stream = ?stream.kind, %error, "could not write a snapshot");
            }
        }
    });
    Snapshots { queue, every }
}

impl Snapshots {
    pub fn offer(&self, stream: &StreamId, versioned: &VersionedState) {
        // A full queue means that snapshots come faster than they are written; the next one suffices.
        let _ = self.queue.try_send((stream.clone(), versioned.version, Arc::clone(&versioned.state)));
    }
}

async fn write(pool: &PgPool, stream: &StreamId, version: i64, state: &dyn AggregateState) -> Result<(), sqlx::Error> {
    let state = state.snapshot().map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(
        "insert into snapshots (aggregate_type, aggregate_id, last_sequence, current_snapshot, payload)
         values ($1, $2, $3, 1, $4)
         on conflict (aggregate_type, aggregate_id) do update
         set last_sequence = excluded.last_sequence, current_snapshot = snapshots.current_snapshot + 1,
             payload = excluded.payload
         where snapshots.last_sequence < excluded.last_sequence",
    )
    .bind(&*stream.kind)
    .bind(&*stream.id)
    .bind(version)
    .bind(json!({ "format": FORMAT, "state": state }))
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
