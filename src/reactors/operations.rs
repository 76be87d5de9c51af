//! What operators see of reactors and reactions, and how they retry or drop them. Each decision is recorded in the
//! same transaction.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::database::begin_transaction;

/// Progress of a reactor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReactorStatus {
    pub name: String,
    /// Log position up to which events are enqueued.
    pub position: i64,
    /// Number of events between `position` and the end of the log.
    pub lag: i64,
    /// Reactions that wait for an attempt, now or later.
    pub due: i64,
    /// Reactions that wait for an operator's decision.
    pub parked: i64,
    /// When the oldest event with a due reaction was recorded.
    pub oldest_due: Option<DateTime<Utc>>,
}

/// A pending side effect of one event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReactionView {
    pub reaction_id: i64,
    pub reactor: String,
    /// The recipient if one event has several reactions, such as the number of a webhook; otherwise empty.
    pub target: String,
    /// `due` or `parked`.
    #[schema(value_type = ReactionState)]
    pub state: String,
    pub attempts: i32,
    /// When the next attempt is due; null if parked.
    pub due_at: Option<DateTime<Utc>>,
    pub parked_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    pub position: i64,
    pub event_id: Uuid,
    pub event_type: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub recorded_at: DateTime<Utc>,
}

/// An operator's decision about a reaction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Decision {
    pub decision_id: i64,
    pub decided_at: DateTime<Utc>,
    pub actor: String,
    /// `retry`, `drop` or `redeliver`.
    pub decision: String,
    pub reactor: String,
    pub position: i64,
    pub target: String,
    /// Why the last attempt before the decision failed.
    pub reason: Option<String>,
}

/// Whether a reaction waits for an attempt or for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReactionState {
    Due,
    Parked,
}

/// Progress of every reactor, by name.
pub async fn status(pool: &PgPool) -> Result<Vec<ReactorStatus>, sqlx::Error> {
    sqlx::query_file_as!(ReactorStatus, "src/reactors/queries/status.sql").fetch_all(pool).await
}

/// Streams of some kinds, as type and id, with an event up to a position for which a reaction is due or parked.
pub async fn awaited_streams(pool: &PgPool, kinds: &[String], upto: i64) -> Result<Vec<(String, String)>, sqlx::Error> {
    let found = sqlx::query_file!("src/reactors/queries/awaited_streams.sql", kinds, upto).fetch_all(pool).await?;
    Ok(found.into_iter().map(|row| (row.kind, row.id)).collect())
}

/// Lists reactions after `after`, oldest first.
pub async fn list(
    pool: &PgPool,
    state: Option<ReactionState>,
    reactor: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<ReactionView>, sqlx::Error> {
    let parked = state.map(|state| state == ReactionState::Parked);
    sqlx::query_file_as!(ReactionView, "src/reactors/queries/list.sql", after, parked, reactor, limit)
        .fetch_all(pool)
        .await
}

/// Lists decisions before `before`, newest first.
pub async fn decisions(pool: &PgPool, before: i64, limit: i64) -> Result<Vec<Decision>, sqlx::Error> {
    sqlx::query_file_as!(Decision, "src/reactors/queries/decisions.sql", before, limit).fetch_all(pool).await
}

/// Makes a reaction due now, with a full number of attempts. Returns `false` if there is no such reaction.
pub async fn retry(pool: &PgPool, reaction_id: i64, actor: &str) -> Result<bool, sqlx::Error> {
    Ok(make_due(pool, &[reaction_id], None, actor).await? > 0)
}

/// Makes all parked reactions of a reactor due now, and returns their number.
pub async fn retry_all(pool: &PgPool, reactor: &str, actor: &str) -> Result<u64, sqlx::Error> {
    make_due(pool, &[], Some(reactor), actor).await
}

/// Makes reactions due now, and returns how many of them there are.
pub async fn retry_several(pool: &PgPool, reaction_ids: &[i64], actor: &str) -> Result<u64, sqlx::Error> {
    make_due(pool, reaction_ids, None, actor).await
}

async fn make_due(
    pool: &PgPool,
    reaction_ids: &[i64],
    parked_by: Option<&str>,
    actor: &str,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "with retried as (
            update reaction
            set attempts = 0, due_at = clock_timestamp(), parked_at = null, restored_in = null
            where reaction_id = any($1) or (reactor = $2 and parked_at is not null)
            returning reactor, position, target, reason
        )
        insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
        select clock_timestamp(), $3, 'retry', reactor, position, target, reason from retried",
    )
    .bind(reaction_ids)
    .bind(parked_by)
    .bind(actor)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Whether an operator has retried a reaction that was parked for this reason.
pub async fn was_retried(pool: &PgPool, reactor: &str, position: i64, reason: &str) -> Result<bool, sqlx::Error> {
    let retried = sqlx::query_scalar(
        "select exists (
            select from reaction_decision
            where reactor = $1 and position = $2 and decision = 'retry' and reason = $3
        )",
    );
    retried.bind(reactor).bind(position).bind(reason).fetch_one(pool).await
}

/// Deletes a reaction for good. Returns `false` if there is no such reaction.
pub async fn drop_one(pool: &PgPool, reaction_id: i64, actor: &str) -> Result<bool, sqlx::Error> {
    Ok(drop_several(pool, &[reaction_id], actor).await? > 0)
}

/// Deletes reactions for good, and returns how many of them there were.
pub async fn drop_several(pool: &PgPool, reaction_ids: &[i64], actor: &str) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "with dropped as (
            delete from reaction where reaction_id = any($1) returning reactor, position, target, reason
        )
        insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
        select clock_timestamp(), $2, 'drop', reactor, position, target, reason from dropped",
    )
    .bind(reaction_ids)
    .bind(actor)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Reactions of a reactor that were pending when an older database was restored, and wait for an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestoredReactions {
    pub reactor: String,
    pub parked: i64,
    /// Events whose reactions are not enqueued yet, and will be parked.
    pub not_enqueued: i64,
}

/// Counts the reactions that wait since a restore, by reactor.
pub async fn restored(pool: &PgPool) -> Result<Vec<RestoredReactions>, sqlx::Error> {
    sqlx::query_file_as!(RestoredReactions, "src/reactors/queries/restored.sql").fetch_all(pool).await
}

/// Makes the reactions due that wait since a restore, of one reactor or of all; returns their number. Those that are
/// not enqueued yet run normally.
pub async fn retry_restored(pool: &PgPool, reactor: Option<&str>, actor: &str) -> Result<u64, sqlx::Error> {
    let retry = "update reaction
        set attempts = 0, due_at = clock_timestamp(), parked_at = null, restored_in = null
        where restored_in is not null and ($1::text is null or reactor = $1)
        returning reactor, position, target, reason";
    let enqueue = "update reactor set parked_through = 0 where $1::text is null or name = $1";
    decide_restored(pool, "retry", retry, enqueue, reactor, actor).await
}

/// Drops the reactions that wait since a restore, of one reactor or of all; returns their number. Those that are not
/// enqueued yet never will be.
pub async fn drop_restored(pool: &PgPool, reactor: Option<&str>, actor: &str) -> Result<u64, sqlx::Error> {
    let delete = "delete from reaction
        where restored_in is not null and ($1::text is null or reactor = $1)
        returning reactor, position, target, reason";
    let skip = "update reactor set position = greatest(position, parked_through), parked_through = 0
        where $1::text is null or name = $1";
    decide_restored(pool, "drop", delete, skip, reactor, actor).await
}

async fn decide_restored(
    pool: &PgPool,
    decision: &str,
    reactions: &str,
    reactors: &str,
    reactor: Option<&str>,
    actor: &str,
) -> Result<u64, sqlx::Error> {
    let mut transaction = begin_transaction(pool, "begin").await?;
    // The reactor first, as when it enqueues: so no event is between the two statements.
    sqlx::query(reactors).bind(reactor).execute(&mut *transaction).await?;
    let record = format!(
        "with decided as ({reactions})
         insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
         select clock_timestamp(), $2, $3, reactor, position, target, reason from decided"
    );
    let recorded = sqlx::query(&record).bind(reactor).bind(actor).bind(decision).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(recorded.rows_affected())
}

/// Makes the reaction to an event due again, also if it succeeded before. Returns `false` if there is no such event.
pub async fn react_again(
    connection: &mut PgConnection,
    reactor: &str,
    event_id: Uuid,
    target: &str,
    actor: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "with again as (
            insert into reaction (reactor, position, target, due_at)
            select $1, position, $3, clock_timestamp() from event_log where event_id = $2
            on conflict (reactor, position, target)
            do update set attempts = 0, due_at = clock_timestamp(), parked_at = null, restored_in = null
            returning position, reason
        )
        insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
        select clock_timestamp(), $4, 'redeliver', $1, position, $3, reason from again",
    )
    .bind(reactor)
    .bind(event_id)
    .bind(target)
    .bind(actor)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
