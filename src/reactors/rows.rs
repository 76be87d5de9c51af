//! The statements about rows of `reaction` that workers send, and the figures about them.

use std::time::Duration;

use sqlx::PgPool;

use super::{Fact, Settings};

/// A reaction that this node has taken.
pub(super) struct Taken {
    pub reaction_id: i64,
    pub target: String,
    pub attempts: i32,
    pub fact: Fact,
}

/// How long a reaction that was taken is left alone by others. Its node says again and again that it is alive; when it
/// is not, the reaction is due again after this time.
pub(super) const CLAIM: Duration = Duration::from_secs(5);
/// How often the figures are looked at.
const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// How much of a reason is kept, in characters.
const REASON: usize = 500;

/// Takes what is due, but no more of a target than may be under way, and `free` at the most. The next try is set before
/// this one, so that a reaction that ends the process does not end it again and again.
pub(super) async fn take(
    pool: &PgPool,
    reactor: &str,
    settings: &Settings,
    busy: Vec<(String, i64)>,
    free: usize,
) -> Result<Vec<Taken>, sqlx::Error> {
    let (busy_targets, busy_counts): (Vec<_>, Vec<_>) = busy.into_iter().unzip();
    let per_target = i64::try_from(settings.at_once_per_target).unwrap_or(i64::MAX);
    let free = i64::try_from(free).unwrap_or(i64::MAX);
    let taken = sqlx::query_file!(
        "src/reactors/queries/take.sql",
        reactor,
        &busy_targets,
        &busy_counts,
        per_target,
        free,
        CLAIM as _
    );
    let taken = taken.fetch_all(pool).await?.into_iter().map(|row| Taken {
        reaction_id: row.reaction_id,
        target: row.target,
        attempts: row.attempts,
        fact: Fact {
            position: row.position,
            event_id: row.event_id,
            event_type: row.event_type,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            recorded_at: row.recorded_at,
            payload: row.payload,
            metadata: row.metadata,
        },
    });
    Ok(taken.collect())
}

/// Tells other nodes that the attempts go on.
pub(super) async fn keep(pool: &PgPool, under_way: &[(i64, i32)]) -> Result<(), sqlx::Error> {
    claim(pool, under_way, CLAIM, 0).await
}

/// Gives back what was not finished, as if it had not been begun.
pub(super) async fn give_back(pool: &PgPool, under_way: &[(i64, i32)]) -> Result<(), sqlx::Error> {
    claim(pool, under_way, Duration::ZERO, 1).await
}

async fn claim(pool: &PgPool, under_way: &[(i64, i32)], time: Duration, fewer: i32) -> Result<(), sqlx::Error> {
    let (ids, attempts): (Vec<_>, Vec<_>) = under_way.iter().copied().unzip();
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

pub(super) async fn done(pool: &PgPool, reactions: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query("delete from reaction where reaction_id = any($1)").bind(reactions).execute(pool).await?;
    Ok(())
}

/// Tries it again after a time and up to a fifth more, so that what failed together does not come back together;
/// without a time it is parked. Nothing happens if somebody else has decided about it meanwhile.
pub(super) async fn failed(
    pool: &PgPool,
    (reaction_id, attempts): (i64, i32),
    wait: Option<Duration>,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let reason: String = reason.chars().filter(|letter| !letter.is_control()).take(REASON).collect();
    sqlx::query(
        "update reaction
         set due_at = clock_timestamp() + $3::interval * (1 + random() * 0.2),
             parked_at = case when $3 is null then clock_timestamp() end,
             reason = $4
         where reaction_id = $1 and attempts = $2 and due_at is not null",
    )
    .bind(reaction_id)
    .bind(attempts)
    .bind(wait)
    .bind(reason)
    .execute(pool)
    .await?;
    Ok(())
}

/// Shows how the reactors stand, as long as the node runs.
pub(super) async fn measure(pool: PgPool) {
    let mut every = tokio::time::interval(MEASURE_EVERY);
    loop {
        every.tick().await;
        let Ok(reactors) = super::status(&pool).await else { continue };
        for reactor in reactors {
            metrics::gauge!("reactor_lag", "reactor" => reactor.name.clone()).set(reactor.lag as f64);
            metrics::gauge!("reactor_due", "reactor" => reactor.name.clone()).set(reactor.due as f64);
            metrics::gauge!("reactor_parked", "reactor" => reactor.name).set(reactor.parked as f64);
        }
    }
}
