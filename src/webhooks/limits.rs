//! Limits of webhooks: stops deliveries to receivers that are gone, and deletes what is kept for too long.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::NAME;
use crate::domain::ids::WebhookId;
use crate::domain::webhook::DisableReason;
use crate::shop::DisableWebhook;

/// The most pending deliveries of a webhook; beyond them the shop stops its deliveries.
pub const MAX_PENDING: i64 = 100_000;
/// The most records of deliveries; beyond them the oldest are deleted.
pub const MAX_DELIVERIES: i64 = 1_000_000;
/// The most rows that one statement changes.
const BATCH: i64 = 1_000;

/// Deleted rows of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub deleted: u64,
    /// Whether more rows remain than one run deletes.
    pub more: bool,
}

/// The commands that disable webhooks that have failed since before `failing_before`, or have more than `max_pending`
/// pending deliveries. `None` disables none for failures.
pub async fn find_failing(
    pool: &PgPool,
    failing_before: Option<DateTime<Utc>>,
    max_pending: i64,
) -> Result<Vec<DisableWebhook>, sqlx::Error> {
    let rows = sqlx::query_file!("src/webhooks/queries/failing.sql", failing_before, max_pending, NAME);
    let commands = rows.fetch_all(pool).await?.into_iter().map(|row| {
        let webhook_id = WebhookId(row.webhook_id);
        if row.failing == Some(true) {
            DisableWebhook { webhook_id, reason: DisableReason::Failing, failing_since: row.failing_since }
        } else {
            DisableWebhook { webhook_id, reason: DisableReason::Backlog, failing_since: None }
        }
    });
    Ok(commands.collect())
}

/// Makes parked deliveries of webhooks that were activated again due; returns how many, at most a batch.
pub async fn retry_kept(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let retried = sqlx::query(
        "with kept as (
            select reaction_id from reaction
            join webhook on webhook_id::text = target
            where reactor = $1 and parked_at is not null and active and retry_kept
            order by reaction_id
            limit $2
        ),
        retried as (
            update reaction set attempts = 0, due_at = clock_timestamp(), parked_at = null
            where reaction_id in (select reaction_id from kept)
            returning reactor, position, target, reason
        )
        insert into reaction_decision (decided_at, actor, decision, reactor, position, target, reason)
        select clock_timestamp(), 'scheduler', 'retry', reactor, position, target, reason from retried",
    )
    .bind(NAME)
    .bind(BATCH)
    .execute(pool)
    .await?
    .rows_affected();
    // An attempt that found the webhook inactive may be parked a moment later.
    sqlx::query(
        "update webhook set retry_kept = false
         where retry_kept and changed_at < clock_timestamp() - interval '1 minute' and not exists (
            select from reaction where reactor = $1 and target = webhook_id::text and parked_at is not null
         )",
    )
    .bind(NAME)
    .execute(pool)
    .await?;
    Ok(retried)
}

/// Deletes records of deliveries that are older than a number of days or too many, parked deliveries that are older, and
/// those of deleted webhooks.
pub async fn sweep(pool: &PgPool, kept_days: u32, max_deliveries: i64) -> Result<Swept, sqlx::Error> {
    let days = i32::try_from(kept_days).unwrap_or(i32::MAX);
    let records = sqlx::query(
        "delete from webhook_delivery where (webhook_id, position) in (
            (select webhook_id, position from webhook_delivery
             where tried_at < clock_timestamp() - make_interval(days => $1)
             order by tried_at limit $2)
            union
            (select webhook_id, position from webhook_delivery order by tried_at desc offset $3 limit $2)
        )",
    )
    .bind(days)
    .bind(BATCH)
    .bind(max_deliveries)
    .execute(pool)
    .await?
    .rows_affected();
    let parked = sqlx::query(
        "with kept_too_long as (
            delete from reaction where reaction_id in (
                select reaction_id from reaction
                left join webhook on webhook_id::text = target
                where reactor = $1 and parked_at is not null
                    and (webhook_id is null or parked_at < clock_timestamp() - make_interval(days => $2))
                order by reaction_id
                limit $3
            )
            returning target
        ),
        counted as (select target, count(*) as dropped from kept_too_long group by target),
        recorded as (
            update webhook set dropped = webhook.dropped + counted.dropped
            from counted where webhook_id::text = counted.target
        )
        select coalesce(sum(dropped), 0)::bigint from counted",
    )
    .bind(NAME)
    .bind(days)
    .bind(BATCH);
    let parked: i64 = sqlx::Row::get(&parked.fetch_one(pool).await?, 0);
    let most = records.max(parked.unsigned_abs());
    Ok(Swept { deleted: records + parked.unsigned_abs(), more: most >= BATCH.unsigned_abs() })
}
