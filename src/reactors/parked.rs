//! What people see of reactions, and decide about them: each decision is written down in its transaction.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

/// How a reactor stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReactorStatus {
    pub name: String,
    /// Every event up to here has its reactions.
    pub position: i64,
    /// How many events it is behind the log.
    pub lag: i64,
    /// Reactions that are to be carried out, now or later.
    pub due: i64,
    /// Reactions that wait for somebody's decision.
    pub parked: i64,
    /// When the oldest event happened whose reaction is due.
    pub oldest_due: Option<DateTime<Utc>>,
}

/// What is to be done for one event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReactionRow {
    pub reaction_id: i64,
    pub reactor: String,
    /// For whom, if one event leads to several reactions: the number of a webhook.
    pub target: String,
    /// `due` or `parked`.
    pub state: String,
    pub attempts: i32,
    /// When it is tried next; null when it is parked.
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

/// What somebody decided about a reaction.
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
    /// Why the reaction had failed before.
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Due,
    Parked,
}

pub async fn status(pool: &PgPool) -> Result<Vec<ReactorStatus>, sqlx::Error> {
    sqlx::query_file_as!(ReactorStatus, "src/reactors/queries/status.sql").fetch_all(pool).await
}

/// Oldest first; those after `after`.
pub async fn list(
    pool: &PgPool,
    state: Option<State>,
    reactor: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<ReactionRow>, sqlx::Error> {
    let parked = state.map(|state| state == State::Parked);
    sqlx::query_file_as!(ReactionRow, "src/reactors/queries/list.sql", after, parked, reactor, limit)
        .fetch_all(pool)
        .await
}

/// Newest first; those before `before`.
pub async fn decisions(pool: &PgPool, before: i64, limit: i64) -> Result<Vec<Decision>, sqlx::Error> {
    sqlx::query_file_as!(Decision, "src/reactors/queries/decisions.sql", before, limit).fetch_all(pool).await
}

/// Tries a reaction again now, with all its attempts before it; `false` if there is none.
pub async fn retry(pool: &PgPool, reaction_id: i64, actor: &str) -> Result<bool, sqlx::Error> {
    Ok(try_again(pool, Some(reaction_id), None, actor).await? > 0)
}

/// Tries everything again that a reactor has parked; returns how much it was.
pub async fn retry_all(pool: &PgPool, reactor: &str, actor: &str) -> Result<u64, sqlx::Error> {
    try_again(pool, None, Some(reactor), actor).await
}

async fn try_again(
    pool: &PgPool,
    reaction_id: Option<i64>,
    parked_by: Option<&str>,
    actor: &str,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "with retried as (
            update reaction
            set attempts = 0, due_at = clock_timestamp(), parked_at = null
            where reaction_id = $1 or (reactor = $2 and parked_at is not null)
            returning reactor, position, target, reason
        )
        insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
        select clock_timestamp(), $3, 'retry', reactor, position, target, reason from retried",
    )
    .bind(reaction_id)
    .bind(parked_by)
    .bind(actor)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Gives a reaction up for good; `false` if there is none.
pub async fn drop_one(pool: &PgPool, reaction_id: i64, actor: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "with dropped as (
            delete from reaction where reaction_id = $1 returning reactor, position, target, reason
        )
        insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
        select clock_timestamp(), $2, 'drop', reactor, position, target, reason from dropped",
    )
    .bind(reaction_id)
    .bind(actor)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Carries out a reaction once more, whatever became of it; `false` if there is no such event.
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
            select $1, position, $3, clock_timestamp() from events where event_id = $2
            on conflict (reactor, position, target)
            do update set attempts = 0, due_at = clock_timestamp(), parked_at = null
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
