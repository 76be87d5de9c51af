//! The task that compares the log with what the node knows, and keeps the node's file up to date.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::task::JoinHandle;

use super::KnownLog;

/// How often the log is compared. A lost connection of the writer is compared at once.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
/// How often the file is written at most, unless numbers run out or a generation begins.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Compares and saves until the task is aborted.
pub(in crate::journal) fn keep_recognised(known: KnownLog, pool: PgPool) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut compared_at: Option<Instant> = None;
        loop {
            let woken = tokio::time::timeout(SAVE_EVERY, known.0.wake.notified()).await.is_ok();
            if woken || compared_at.is_none_or(|compared_at| compared_at.elapsed() >= COMPARE_EVERY) {
                if let Err(error) = compare(&known, &pool).await {
                    tracing::debug!(%error, "cannot compare the log with what this node knows");
                }
                compared_at = Some(Instant::now());
            }
            if woken || known.0.unsaved.load(Ordering::Acquire) {
                known.save().await;
            }
        }
    })
}

async fn compare(known: &KnownLog, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    known.reconcile(&mut connection).await
}
