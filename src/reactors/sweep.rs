//! Limits of parked reactions and of the records of decisions.

use sqlx::PgPool;

/// The most parked reactions of a reactor whose reactions may be dropped; beyond them the oldest are dropped.
pub const MAX_PARKED: i64 = 100_000;
/// The most records of decisions; beyond them the oldest are deleted.
pub const MAX_DECISIONS: i64 = 100_000;
/// The most reactions that one run drops.
const BATCH: i64 = 1_000;

/// Drops reactions of `reactors` that have been parked for more than `days` (0: for any time), and the oldest beyond
/// `max_parked` of each reactor. Each is recorded as dropped by `scheduler`. Deletes the oldest records of decisions.
/// Returns how many reactions were dropped, and whether there are more.
pub async fn sweep(pool: &PgPool, reactors: &[&str], days: u32, max_parked: i64) -> Result<(u64, bool), sqlx::Error> {
    let mut dropped = 0;
    let mut more = false;
    for reactor in reactors {
        let count = sqlx::query(
            "with dropped as (
                delete from reaction where reaction_id in (
                    (select reaction_id from reaction
                     where reactor = $1 and $2 > 0 and parked_at < clock_timestamp() - make_interval(days => $2)
                     order by parked_at limit $4)
                    union
                    (select reaction_id from reaction
                     where reactor = $1 and parked_at is not null
                     order by parked_at desc offset $3 limit $4)
                )
                returning reactor, position, target, reason
             )
             insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
             select clock_timestamp(), 'scheduler', 'drop', reactor, position, target, reason from dropped",
        )
        .bind(reactor)
        .bind(i32::try_from(days).unwrap_or(i32::MAX))
        .bind(max_parked)
        .bind(BATCH)
        .execute(pool)
        .await?
        .rows_affected();
        if count > 0 {
            tracing::warn!(reactor, count, "dropped reactions that were parked for too long, or were too many");
        }
        dropped += count;
        more |= count >= BATCH.unsigned_abs();
    }
    sqlx::query(
        "delete from reaction_decision where decision_id <= (select max(decision_id) - $1 from reaction_decision)",
    )
    .bind(MAX_DECISIONS)
    .execute(pool)
    .await?;
    Ok((dropped, more))
}
