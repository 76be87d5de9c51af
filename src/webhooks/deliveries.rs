//! Reads webhooks and their deliveries, and records attempts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::NAME;
use crate::reactors::{self, Failure};

/// A webhook, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookView {
    pub webhook_id: i64,
    pub url: String,
    pub description: Option<String>,
    /// Names of events; `*` means all.
    pub event_types: Vec<String>,
    /// Whether it receives events.
    pub active: bool,
    /// When the first attempt failed after the last successful one; null if the last attempt succeeded.
    pub failing_since: Option<DateTime<Utc>>,
    /// When the shop stopped the deliveries because the receiver does not accept them; null if it did not.
    pub disabled_at: Option<DateTime<Utc>>,
    /// `gone`, `failing` or `backlog`; null if the shop did not stop the deliveries.
    pub disabled_reason: Option<String>,
    /// Events after this position were not delivered, because the webhook was inactive; null if it never was.
    pub missed_after: Option<i64>,
    /// Last position of these events; null while the webhook is inactive.
    pub missed_upto: Option<i64>,
    /// Deliveries from before the last pause that were kept for too long and dropped.
    pub dropped_deliveries: i64,
    /// Messages are also signed with the previous secret until this time.
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// Outcome of a delivery.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
enum DeliveryOutcome {
    Delivered,
    Due,
    Parked,
    Dropped,
}

/// The delivery of one event to a webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The `webhook-id` of the message.
    pub event_id: Uuid,
    pub position: i64,
    pub event_type: String,
    /// `delivered`; `due` if another attempt is scheduled; `parked` if an operator must decide; `dropped`.
    #[schema(value_type = DeliveryOutcome)]
    pub outcome: String,
    pub attempts: i32,
    /// HTTP status of the last attempt; null if there was no response.
    pub last_status: Option<i32>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub tried_at: DateTime<Utc>,
    /// When the next attempt is due.
    pub due_at: Option<DateTime<Utc>>,
}

/// Lists webhooks after the number `after`, by number.
pub async fn list(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<WebhookView>, sqlx::Error> {
    sqlx::query_file_as!(WebhookView, "src/webhooks/queries/list.sql", after, limit).fetch_all(pool).await
}

pub async fn find(pool: &PgPool, webhook_id: i64) -> Result<Option<WebhookView>, sqlx::Error> {
    sqlx::query_file_as!(WebhookView, "src/webhooks/queries/find.sql", webhook_id).fetch_optional(pool).await
}

/// Lists attempted deliveries of events before the position `before`, newest event first.
pub async fn deliveries(
    pool: &PgPool,
    webhook_id: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<DeliveryView>, sqlx::Error> {
    sqlx::query_file_as!(DeliveryView, "src/webhooks/queries/deliveries.sql", webhook_id, before, limit, NAME)
        .fetch_all(pool)
        .await
}

/// Schedules a delivery of an event, also if it was delivered before. Returns `false` if there is no such event.
pub async fn redeliver(pool: &PgPool, webhook_id: i64, event_id: Uuid, actor: &str) -> Result<bool, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    reactors::react_again(&mut connection, NAME, event_id, &webhook_id.to_string(), actor).await
}

/// Records an attempt.
pub(super) async fn record_attempt(
    pool: &PgPool,
    webhook_id: i64,
    position: i64,
    status: Option<u16>,
    outcome: &Result<(), Failure>,
) -> Result<(), sqlx::Error> {
    let error = match outcome {
        Ok(()) => None,
        Err(Failure::Retry(reason) | Failure::RetryAfter(reason, _) | Failure::Park(reason)) => Some(reason),
    };
    sqlx::query(
        "with health as (
            update webhook
            set failing_since = case when $4::text is not null then clock_timestamp() end
            where webhook_id = $1 and (failing_since is null) = ($4 is not null)
         )
         insert into webhook_delivery (webhook_id, position, attempts, status, error, tried_at, delivered_at)
         values ($1, $2, 1, $3, $4::text, clock_timestamp(), case when $4 is null then clock_timestamp() end)
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
