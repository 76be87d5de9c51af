//! What is shown of webhooks, and of what became of their messages.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::NAME;
use crate::reactors::{self, Failure};

/// A webhook, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookRow {
    pub webhook_id: i64,
    pub url: String,
    pub description: Option<String>,
    /// Names of events; `*` for all.
    pub event_types: Vec<String>,
    /// Whether it is told of events at present.
    pub active: bool,
    /// Until when the secret before signs beside the present one.
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// What became of a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The `webhook-id` of the message.
    pub event_id: Uuid,
    pub position: i64,
    pub event_type: String,
    /// `delivered`; `due`, when it is tried again; `parked`, when it waits for a decision; `dropped`.
    pub outcome: String,
    pub attempts: i32,
    /// Status of the last answer; null if there was none.
    pub last_status: Option<i32>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub tried_at: DateTime<Utc>,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
}

/// In the order of their numbers; those after `after`.
pub async fn list(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<WebhookRow>, sqlx::Error> {
    sqlx::query_file_as!(WebhookRow, "src/webhooks/queries/list.sql", after, limit).fetch_all(pool).await
}

pub async fn find(pool: &PgPool, webhook_id: i64) -> Result<Option<WebhookRow>, sqlx::Error> {
    sqlx::query_file_as!(WebhookRow, "src/webhooks/queries/find.sql", webhook_id).fetch_optional(pool).await
}

/// Those with at least one attempt, newest event first; those before `before`.
pub async fn deliveries(pool: &PgPool, webhook_id: i64, before: i64, limit: i64) -> Result<Vec<Delivery>, sqlx::Error> {
    sqlx::query_file_as!(Delivery, "src/webhooks/queries/deliveries.sql", webhook_id, before, limit, NAME)
        .fetch_all(pool)
        .await
}

/// Tells a webhook of an event once more, or for the first time; `false` if there is no such event.
pub async fn redeliver(pool: &PgPool, webhook_id: i64, event_id: Uuid, actor: &str) -> Result<bool, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    reactors::react_again(&mut connection, NAME, event_id, &webhook_id.to_string(), actor).await
}

/// Notes an attempt.
pub(super) async fn note(
    pool: &PgPool,
    webhook_id: i64,
    position: i64,
    status: Option<u16>,
    outcome: &Result<(), Failure>,
) -> Result<(), sqlx::Error> {
    let error = match outcome {
        Ok(()) => None,
        Err(Failure::Later(reason) | Failure::After(reason, _) | Failure::Park(reason)) => Some(reason),
    };
    sqlx::query(
        "insert into webhook_delivery (webhook_id, position, attempts, status, error, tried_at, delivered_at)
         values ($1, $2, 1, $3, $4, clock_timestamp(), case when $4 is null then clock_timestamp() end)
         on conflict (webhook_id, position) do update
         set attempts = webhook_delivery.attempts + 1,
             status = excluded.status,
             error = excluded.error,
             tried_at = excluded.tried_at,
             delivered_at = coalesce(excluded.delivered_at, webhook_delivery.delivered_at)",
    )
    .bind(webhook_id)
    .bind(position)
    .bind(status.map(i32::from))
    .bind(error)
    .execute(pool)
    .await?;
    Ok(())
}

/// Deletes what is older than a number of days, and what waits for a decision about a webhook that was removed.
pub async fn sweep(pool: &PgPool, kept_days: u32) -> Result<(), sqlx::Error> {
    sqlx::query("delete from webhook_delivery where tried_at < now() - make_interval(days => $1)")
        .bind(i32::try_from(kept_days).unwrap_or(i32::MAX))
        .execute(pool)
        .await?;
    sqlx::query(
        "delete from reaction
         where reactor = $1 and parked_at is not null
            and not exists (select from webhook where webhook_id::text = target)",
    )
    .bind(NAME)
    .execute(pool)
    .await?;
    Ok(())
}
