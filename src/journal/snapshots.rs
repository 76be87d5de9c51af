//! Snapshots: the states of a stream after every few hundred events. Losing one costs time, never an event.
//!
//! The writer offers them, and a read that finds a gap fills it. A snapshot counts only if the program has the rules
//! that made it, and if the log still holds the event that it ends with. So neither an upgrade nor a restore of an older
//! log makes one wrong.

use std::sync::Arc;

use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::mpsc;

use super::error::CommandError;
use super::stream::{AggregateState, StreamId, VersionedState};
use crate::domain::Decider;
use crate::failpoints::failpoint;

/// Fingerprint of the sources of the rules, computed when the program is built.
const FINGERPRINT: &str = env!("RULES_FINGERPRINT");
/// Bound of the queue of offered states.
const QUEUE_LENGTH: usize = 64;

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
    let (queue, mut offered) = mpsc::channel::<OfferedSnapshot>(QUEUE_LENGTH);
    tokio::spawn(async move {
        while let Some(offered) = offered.recv().await {
            failpoint!("snapshot-taken");
            let OfferedSnapshot { generation, stream, version, state } = offered;
            match state.snapshot() {
                Ok(state) => write_all(&pool, Some(generation), &stream, &[(version, state)]).await,
                Err(error) => tracing::warn!(stream = ?stream.kind, %error, "cannot serialise a snapshot"),
            }
        }
    });
    Snapshots { queue, every }
}

impl Snapshots {
    pub fn offer(&self, generation: i64, stream: &StreamId, versioned: &VersionedState) {
        // A full queue means that snapshots come faster than they are written; a later read fills the gap.
        let VersionedState { version, state } = versioned.clone();
        let _ = self.queue.try_send(OfferedSnapshot { generation, stream: stream.clone(), version, state });
    }
}

/// Writes snapshots of one stream: pairs of a number of events and the state after them.
/// Writes none if the log has another generation than the one given: the database is an older one, restored since.
/// A failure is only logged: the state follows from the log without them.
pub(super) async fn write_all(pool: &PgPool, generation: Option<i64>, stream: &StreamId, snapshots: &[(i64, Value)]) {
    if snapshots.is_empty() {
        return;
    }
    let (versions, states): (Vec<i64>, Vec<&Value>) =
        snapshots.iter().map(|(version, state)| (*version, state)).unzip();
    let written = sqlx::query(
        "insert into stream_snapshot (aggregate_type, aggregate_id, sequence, event_id, fingerprint, state)
         select aggregate_type, aggregate_id, sequence, event_id, $5, fresh.state
         from unnest($3::bigint[], $4::jsonb[]) as fresh (version, state)
         join event_log on aggregate_type = $1 and aggregate_id = $2 and sequence = fresh.version
         where $6::bigint is null or (select generation from log_identity) = $6
         on conflict (aggregate_type, aggregate_id, sequence) do update
         set event_id = excluded.event_id, fingerprint = excluded.fingerprint, state = excluded.state",
    )
    .bind(&*stream.kind)
    .bind(&*stream.id)
    .bind(versions)
    .bind(states)
    .bind(FINGERPRINT)
    .bind(generation)
    .execute(pool)
    .await;
    if let Err(error) = written {
        tracing::warn!(stream = ?stream.kind, %error, "cannot write snapshots");
    }
}

/// The last snapshot within the first `upto` events: its number of events and its state; 0 and the default without one.
pub(super) async fn find_last<A: Decider>(
    pool: &PgPool,
    stream: &StreamId,
    upto: i64,
) -> Result<(i64, A), CommandError> {
    let found: Option<(i64, Value)> = sqlx::query_as(
        "select snapshot.sequence, snapshot.state
         from stream_snapshot as snapshot
         join event_log as event using (aggregate_type, aggregate_id, sequence, event_id)
         where aggregate_type = $1 and aggregate_id = $2 and sequence <= $3 and snapshot.fingerprint = $4
         order by sequence desc
         limit 1",
    )
    .bind(&*stream.kind)
    .bind(&*stream.id)
    .bind(upto)
    .bind(FINGERPRINT)
    .fetch_optional(pool)
    .await
    .map_err(|error| CommandError::of_statement(&error))?;
    let state = found.and_then(|(version, state)| Some((version, serde_json::from_value(state).ok()?)));
    Ok(state.unwrap_or_default())
}
