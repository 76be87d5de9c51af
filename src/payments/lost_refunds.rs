//! Refunds that the provider has made and the log does not have, because a restore has lost their events.

use sqlx::PgPool;
use uuid::Uuid;

use super::order_payments::PaymentFault;
use super::provider::{MadeRefund, PaymentProvider, RefundRequest};
use crate::reactors;

/// Shown to the operator who decides.
const ANOTHER_WAS_MADE: &str = "the provider has made another refund of this order, which a restore has lost from the \
    log; a retry makes this one as well";

/// Looks up whether the provider made this refund for a lost request; returns its reference.
///
/// A lost refund with the same number and amount is the same refund, because staff request it again. Another one parks
/// the reaction, until an operator retries it. `position` is that of the request.
pub(super) async fn find_lost_refund(
    pool: &PgPool,
    provider: &dyn PaymentProvider,
    request: &RefundRequest,
    position: i64,
) -> Result<Option<String>, PaymentFault> {
    let made = provider.find_refunds(&request.reference).await?;
    let made = made.into_iter().filter(|made| made.order_id == request.order_id && made.request != request.request);
    let lost = without_known(pool, request.order_id, made.collect()).await?;
    let is_same = |lost: &&MadeRefund| lost.refund == request.refund && lost.amount == request.amount;
    if let Some(same) = lost.iter().find(is_same) {
        tracing::warn!(
            order_id = request.order_id,
            refund = request.refund,
            "the provider has made this refund before the restore"
        );
        return Ok(Some(same.reference.clone()));
    }
    if lost.is_empty() || reactors::was_retried(pool, "payments", position, ANOTHER_WAS_MADE).await? {
        return Ok(None);
    }
    Err(PaymentFault::defect(ANOTHER_WAS_MADE))
}

/// Leaves out refunds that the order's events request or record.
async fn without_known(pool: &PgPool, order_id: i64, made: Vec<MadeRefund>) -> Result<Vec<MadeRefund>, sqlx::Error> {
    if made.is_empty() {
        return Ok(made);
    }
    let requests: Vec<Uuid> = made.iter().map(|made| made.request).collect();
    let references: Vec<String> = made.iter().map(|made| made.reference.clone()).collect();
    let id = order_id.to_string();
    let known = sqlx::query_file!("src/payments/queries/known_refunds.sql", id, &requests, &references);
    let known = known.fetch_all(pool).await?;
    let is_known = |made: &MadeRefund| {
        known.iter().any(|known| known.event_id == made.request || known.reference.as_ref() == Some(&made.reference))
    };
    Ok(made.into_iter().filter(|made| !is_known(made)).collect())
}
