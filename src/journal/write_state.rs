//! Whether the database accepts what the writer stores, for health checks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Executor;
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::database::begin_transaction;
use crate::database::unavailability::Unavailability;

/// Whether commands are stored. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WriteState(Arc<Mutex<Option<RefusedWrites>>>);

#[derive(Clone, Copy, Debug)]
struct RefusedWrites {
    reason: Unavailability,
    last: Instant,
}

/// How long after the last refused command the database is probed, and how often.
const PROBE_EVERY: Duration = Duration::from_secs(1);

impl WriteState {
    /// Why the last command was not stored; `None` if commands are stored.
    pub fn refused(&self) -> Option<Unavailability> {
        self.lock().map(|refused| refused.reason)
    }

    pub(super) fn record_success(&self) {
        *self.lock() = None;
    }

    /// A refusal for a moment, such as a lock timeout, does not count.
    pub(super) fn record_refusal(&self, reason: Unavailability) {
        if reason.lasts() {
            *self.lock() = Some(RefusedWrites { reason, last: Instant::now() });
        }
    }

    /// Finds out when writes are possible again, although no command arrives meanwhile.
    pub(super) fn keep_probed(&self, pool: PgPool) -> JoinHandle<()> {
        let state = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PROBE_EVERY).await;
                let Some(refused) = *state.lock() else { continue };
                // The writer itself reports a new connection.
                if refused.reason == Unavailability::Disconnected || refused.last.elapsed() < PROBE_EVERY {
                    continue;
                }
                match probe(&pool).await {
                    Ok(()) => state.record_success(),
                    Err(error) => tracing::debug!(%error, "the database still refuses writes"),
                }
            }
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<RefusedWrites>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a few pages of a table and of the write-ahead log, and undoes it.
async fn probe(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = begin_transaction(pool, "begin").await?;
    transaction
        .execute(
            "create temporary table write_probe on commit drop as
                 select repeat(md5(number::text), 250) as text from generate_series(1, 64) as number;
             select pg_logical_emit_message(false, 'write_probe', repeat('x', 65536))",
        )
        .await?;
    transaction.rollback().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lasting_refusals_count_until_a_command_is_stored() {
        let state = WriteState::default();
        state.record_refusal(Unavailability::LockTimeout);
        assert_eq!(state.refused(), None);
        state.record_refusal(Unavailability::DiskFull);
        assert_eq!(state.clone().refused(), Some(Unavailability::DiskFull));
        state.record_success();
        assert_eq!(state.refused(), None);
    }
}
