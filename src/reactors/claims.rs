//! How workers claim due reactions and record their outcomes, and the metrics of reactors.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::{ReactorOptions, RecordedEvent};

use crate::metrics;

/// A reaction that this node has claimed.
pub(super) struct ClaimedReaction {
    pub reaction_id: i64,
    pub target: String,
    pub attempts: i32,
    pub event: RecordedEvent,
}

/// How long a claim lasts. A node extends its claims while it works; after its death they expire, and the reactions
/// are due again.
pub(super) const CLAIM_DURATION: Duration = Duration::from_secs(5);
/// How often the metrics are updated.
const METRICS_INTERVAL: Duration = Duration::from_secs(10);
/// The most characters of a failure's reason that are stored.
const REASON_MAX: usize = 500;

/// Claims at most `free` due reactions, within the limit per target; `busy` counts the attempts in progress by target.
/// Claims nothing if the log lacks the generation and position that the node has seen.
/// The attempt is counted before it runs, so that a reaction that crashes the process is parked in the end.
pub(super) async fn claim_due(
    pool: &PgPool,
    reactor: &str,
    options: &ReactorOptions,
    busy: Vec<(String, i64)>,
    free: usize,
    (generation, seen): (i64, i64),
) -> Result<Vec<ClaimedReaction>, sqlx::Error> {
    let (busy_targets, busy_counts): (Vec<_>, Vec<_>) = busy.into_iter().unzip();
    let per_target = i64::try_from(options.concurrency_per_target).unwrap_or(i64::MAX);
    let free = i64::try_from(free).unwrap_or(i64::MAX);
    let claimed = sqlx::query_file!(
        "src/reactors/queries/claim_due.sql",
        reactor,
        &busy_targets,
        &busy_counts,
        per_target,
        free,
        CLAIM_DURATION as _,
        generation,
        seen
    );
    let claimed = claimed.fetch_all(pool).await?.into_iter().map(|row| ClaimedReaction {
        reaction_id: row.reaction_id,
        target: row.target,
        attempts: row.attempts,
        event: RecordedEvent {
            position: row.position,
            event_id: row.event_id,
            event_type: row.event_type,
            event_version: row.event_version,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            recorded_at: row.recorded_at,
            payload: row.payload,
            metadata: row.metadata,
        },
    });
    Ok(claimed.collect())
}

/// Extends the claims on reactions in progress.
pub(super) async fn extend_claims(pool: &PgPool, in_progress: &[(i64, i32)]) -> Result<(), sqlx::Error> {
    update_claims(pool, in_progress, CLAIM_DURATION, 0).await
}

/// Releases the claims on unfinished reactions, as if their attempts had not started.
pub(super) async fn release_claims(pool: &PgPool, in_progress: &[(i64, i32)]) -> Result<(), sqlx::Error> {
    update_claims(pool, in_progress, Duration::ZERO, 1).await
}

async fn update_claims(
    pool: &PgPool,
    in_progress: &[(i64, i32)],
    time: Duration,
    fewer: i32,
) -> Result<(), sqlx::Error> {
    let (ids, attempts): (Vec<_>, Vec<_>) = in_progress.iter().copied().unzip();
    sqlx::query(
        "update reaction set due_at = clock_timestamp() + $3, attempts = reaction.attempts - $4
         from unnest($1, $2) as own (reaction_id, attempts)
         where reaction.reaction_id = own.reaction_id and reaction.attempts = own.attempts and due_at is not null",
    )
    .bind(ids)
    .bind(attempts)
    .bind(time)
    .bind(fewer)
    .execute(pool)
    .await?;
    Ok(())
}

/// Deletes reactions that succeeded, by number and event: after a restore, a number may belong to another reaction.
pub(super) async fn delete_done(pool: &PgPool, done: &[(i64, Uuid)]) -> Result<(), sqlx::Error> {
    let (ids, events): (Vec<_>, Vec<_>) = done.iter().copied().unzip();
    sqlx::query(
        "delete from reaction
         using unnest($1::bigint[], $2::uuid[]) as done (reaction_id, event_id), events as event
         where reaction.reaction_id = done.reaction_id
            and event.position = reaction.position and event.event_id = done.event_id",
    )
    .bind(ids)
    .bind(events)
    .execute(pool)
    .await?;
    Ok(())
}

/// Records a failed attempt: schedules a retry after `wait`, or parks the reaction if there is none.
///
/// Up to a fifth is added to `wait`, so that reactions that failed together are not retried together. Nothing changes
/// if an operator has retried or dropped the reaction in the meantime.
pub(super) async fn record_failure(
    pool: &PgPool,
    (reaction_id, event_id, attempts): (i64, Uuid, i32),
    wait: Option<Duration>,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let reason: String = reason.chars().filter(|letter| !letter.is_control()).take(REASON_MAX).collect();
    sqlx::query(
        "update reaction
         set due_at = clock_timestamp() + $3::interval * (1 + random() * 0.2),
             parked_at = case when $3 is null then clock_timestamp() end,
             reason = $4
         where reaction_id = $1 and attempts = $2 and due_at is not null
            and exists (select from event_log where event_log.position = reaction.position and event_id = $5)",
    )
    .bind(reaction_id)
    .bind(attempts)
    .bind(wait)
    .bind(reason)
    .bind(event_id)
    .execute(pool)
    .await?;
    Ok(())
}

/// Updates the metrics of all reactors, as long as the node runs.
pub(super) async fn report_metrics(pool: PgPool) {
    let mut every = tokio::time::interval(METRICS_INTERVAL);
    loop {
        every.tick().await;
        let Ok(reactors) = super::status(&pool).await else { continue };
        for reactor in reactors {
            let labels = [("reactor", reactor.name.as_str())];
            metrics::REACTOR_LAG.set(reactor.lag as f64, &labels);
            metrics::REACTOR_DUE.set(reactor.due as f64, &labels);
            metrics::REACTOR_PARKED.set(reactor.parked as f64, &labels);
        }
    }
}
