//! Reactions that wait for an operator, and webhooks that the shop has disabled.

use sqlx::PgPool;

use super::{Warning, WarningCode};

/// How many parked reactions of a reactor are counted.
const COUNTED: i64 = 1_000;

pub(super) async fn warnings(pool: &PgPool) -> Result<Vec<Warning>, sqlx::Error> {
    let parked: Vec<(String, i64)> = sqlx::query_as(
        "select name, parked from reactor
         cross join lateral (
            select count(*) as parked from (
                select 1 from reaction where reactor = reactor.name and parked_at is not null limit $1 + 1
            ) as counted
         ) as waiting
         where parked > 0
         order by name",
    )
    .bind(COUNTED)
    .fetch_all(pool)
    .await?;
    let disabled: Vec<(i64, String)> = sqlx::query_as(
        "select webhook_id, disabled_reason from webhook
         where not active and disabled_reason is not null
         order by webhook_id",
    )
    .fetch_all(pool)
    .await?;
    let parked = parked.into_iter().map(|(reactor, count)| {
        let count = if count > COUNTED { format!("more than {COUNTED}") } else { count.to_string() };
        let detail = format!("reactions of `{reactor}` that wait for an operator: {count}");
        Warning::new(WarningCode::ReactionsParked, detail)
    });
    let disabled = disabled.into_iter().map(|(webhook_id, reason)| {
        Warning::new(WarningCode::WebhookDisabled, format!("webhook {webhook_id} is disabled, reason: {reason}"))
    });
    Ok(parked.chain(disabled).collect())
}
