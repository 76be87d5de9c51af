//! Reactions that wait for an operator, and webhooks that the shop has disabled.

use sqlx::PgPool;

use super::{Warning, WarningCode};

/// How many parked reactions of a reactor are counted.
const COUNTED: i64 = 1_000;

pub(super) async fn warnings(pool: &PgPool) -> Result<Vec<Warning>, sqlx::Error> {
    let parked = sqlx::query_file!("src/health/queries/parked.sql", COUNTED).fetch_all(pool).await?;
    let disabled = sqlx::query_file!("src/health/queries/disabled_webhooks.sql").fetch_all(pool).await?;
    let parked = parked.into_iter().map(|row| {
        let count = if row.parked > COUNTED { format!("more than {COUNTED}") } else { row.parked.to_string() };
        let detail = format!("reactions of `{}` that wait for an operator: {count}", row.name);
        Warning::new(WarningCode::ReactionsParked, detail)
    });
    let disabled = disabled.into_iter().map(|row| {
        let detail = format!("webhook {} is disabled, reason: {}", row.webhook_id, row.disabled_reason);
        Warning::new(WarningCode::WebhookDisabled, detail)
    });
    Ok(parked.chain(disabled).collect())
}
