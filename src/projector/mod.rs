//! Runs `projections/`: moves all live tables together, rebuilds them, verifies them.
//!
//! The holder of a lease projects; the other nodes follow its position. Every batch checks the lease in its own
//! transaction, so a node that resumes after a long pause writes nothing. A hole in the log or a failing statement
//! stops the projector until a rebuild or a restart; it never skips an event.
//!
//! Nothing here writes to `events`, and nothing but `projections/*/apply.sql` writes read tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::background::{Stopper, stop_signal};
use changes::TableChanges;

mod changes;
mod definition;
mod dependents;
mod fact_schema;
mod failures;
mod install;
mod layout;
mod long_reads;
mod rebuild;
mod schemas;
mod shadow;
mod status;
mod text_key;
mod verify;
mod worker;

pub use changes::TableState;
#[cfg(test)]
pub use definition::facts_that_set;
pub use definition::{PROJECTIONS, Projection, event_types_of, projections_read};
pub use dependents::{SetAsideView, forget_view, restore_view, set_aside_views};
pub use long_reads::ReadLimits;
pub use rebuild::{RebuildError, rebuild, rebuild_within};
pub use schemas::kept_relations;
pub use shadow::Progress;
pub use status::{ProjectionState, ProjectionStatus, serves_other_tables, status};
pub use text_key::text_key;
pub use verify::{Difference, Verification, Verifier, VerifyError, verify};

/// The projector of this node. Cheap to clone.
#[derive(Clone)]
pub struct Projector {
    pool: PgPool,
    position: watch::Receiver<i64>,
    changes: Arc<TableChanges>,
    leads: Arc<AtomicBool>,
    stopper: Stopper,
    worker: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// Limits concurrent rebuilds: each keeps a core of the database busy.
    rebuilds: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
pub struct ProjectorOptions {
    /// How long the lease lasts without renewal.
    pub lease_time_to_live: Duration,
    /// Largest number of events in one batch.
    pub batch_limit: i64,
}

impl Default for ProjectorOptions {
    fn default() -> Self {
        Self { lease_time_to_live: Duration::from_secs(5), batch_limit: 5_000 }
    }
}

/// Number of concurrent rebuilds.
const PARALLEL_REBUILDS: usize = 2;
/// Pause before an interrupted rebuild is started again.
const UPDATE_AGAIN: Duration = Duration::from_secs(1);
/// How often to search for failed rebuilds that are due again.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// How often to remove abandoned builds.
const REMOVE_EVERY: Duration = Duration::from_secs(10);
/// How often a node without the lease polls the position of the tables while a reader waits for them.
const FOLLOW_EVERY: Duration = Duration::from_millis(5);

impl Projector {
    /// Installs the projections of this program and starts to project. `head` is the end of the log as far as this
    /// process knows; tables that were built with other SQL are rebuilt in the background.
    pub async fn start(
        connect: PgConnectOptions,
        pool: PgPool,
        head: watch::Receiver<i64>,
        options: ProjectorOptions,
    ) -> Result<Self, sqlx::Error> {
        let outdated = install::install(&pool).await?;
        let reached: i64 = sqlx::query_scalar("select position from projector_lease").fetch_one(&pool).await?;
        let (position_sender, position) = watch::channel(reached);
        let leads = Arc::new(AtomicBool::new(false));
        let changes = Arc::new(TableChanges::default());
        let (stopper, stop) = stop_signal();
        let (known, leading) = (Arc::clone(&changes), Arc::clone(&leads));
        let worker = worker::ProjectorWorker::new(connect, head, position_sender, known, leading, stop, options);
        let worker = tokio::spawn(worker.run());
        let rebuilds = Arc::new(Semaphore::new(PARALLEL_REBUILDS));
        let worker = Arc::new(Mutex::new(Some(worker)));
        let projector = Self { pool, position, changes, leads, stopper, worker, rebuilds };
        projector.start_removing_abandoned();
        projector.start_retrying();
        projector.install_fact_schema().await;
        projector.start_adopting(&outdated);
        for projection in outdated {
            projector.start_rebuild(projection);
        }
        Ok(projector)
    }

    /// A position that all live tables have reached.
    pub fn position(&self) -> i64 {
        *self.position.borrow()
    }

    /// Where the live tables stand and last changed, as known a moment ago; `None` if that cannot be known, or if they
    /// have not reached `position`.
    pub async fn table_state(&self, position: i64) -> Option<Arc<TableState>> {
        self.changes.current(&self.pool, position.max(self.position())).await
    }

    /// Waits until the live tables have reached `position`; `false` after `timeout`.
    pub async fn wait_for(&self, position: i64, timeout: Duration) -> bool {
        let mut reached = self.position.clone();
        if *reached.borrow() >= position {
            return true;
        }
        let wait = async {
            loop {
                tokio::select! {
                    moved = reached.wait_for(|reached| *reached >= position) => return moved.is_ok(),
                    () = tokio::time::sleep(FOLLOW_EVERY), if !self.leads.load(Ordering::Relaxed) => {}
                }
                if self.changes.read(&self.pool).await.is_ok_and(|followed| followed >= position) {
                    return true;
                }
            }
        };
        tokio::time::timeout(timeout, wait).await.unwrap_or(false)
    }

    /// See [`serves_other_tables()`].
    pub async fn serves_other_tables(&self) -> bool {
        serves_other_tables(&self.pool).await
    }

    /// See [`status()`].
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, sqlx::Error> {
        status(&self.pool).await
    }

    /// Rebuilds a projection in the background.
    ///
    /// Repeats it at once if the database went away, or if another process that rebuilds an outdated table dies. Any
    /// other failure is recorded, and tried again later.
    pub fn start_rebuild(&self, projection: &'static Projection) {
        let projector = self.clone();
        self.spawn(async move {
            let was_current = projector.is_current(projection).await;
            loop {
                match projector.rebuild(projection).await {
                    Err(RebuildError::Running(_)) => {}
                    Err(RebuildError::Database(error)) if failures::is_repeated_at_once(&error) => {}
                    _ => break,
                }
                tokio::time::sleep(UPDATE_AGAIN).await;
                if !was_current && projector.is_current(projection).await {
                    break;
                }
            }
        });
    }

    async fn is_current(&self, projection: &Projection) -> bool {
        install::is_up_to_date(&self.pool, projection).await.unwrap_or(false)
    }

    /// Moves the tables that an earlier version built in `live` itself, except those that are rebuilt anyway.
    fn start_adopting(&self, outdated: &[&'static Projection]) {
        let outdated: Vec<_> = outdated.iter().map(|projection| projection.name).collect();
        let pool = self.pool.clone();
        self.spawn(async move {
            let names: Result<Vec<String>, _> =
                sqlx::query_scalar("select name from projection where schema is null order by name")
                    .fetch_all(&pool)
                    .await;
            let names = names.unwrap_or_default();
            let mut projections: Vec<_> = names.iter().filter_map(|name| Projection::find(name)).collect();
            projections.retain(|projection| !outdated.contains(&projection.name));
            for projection in projections {
                if let Err(error) = rebuild::adopt_when_unread(&pool, projection).await {
                    tracing::warn!(projection.name, %error, "a table stays in schema `live` until its next rebuild");
                }
            }
        });
    }

    /// Repeats failed rebuilds when they are due, and makes missing views again.
    fn start_retrying(&self) {
        let projector = self.clone();
        self.spawn(async move {
            loop {
                tokio::time::sleep(RETRY_EVERY).await;
                if let Err(error) = failures::record_missing_views(&projector.pool).await {
                    tracing::debug!(%error, "missing views cannot be searched for");
                }
                match failures::claim_due(&projector.pool).await {
                    Ok(due) => due.into_iter().for_each(|projection| projector.start_rebuild(projection)),
                    Err(error) => tracing::debug!(%error, "failed rebuilds cannot be read"),
                }
            }
        });
    }

    async fn rebuild(&self, projection: &'static Projection) -> Result<(), RebuildError> {
        // Never closed.
        let _permit = self.rebuilds.acquire().await.ok();
        tracing::info!(projection.name, "rebuild started");
        let rebuilt = rebuild(&self.pool, projection, &|_| ()).await;
        self.changes.forget();
        match &rebuilt {
            Ok(()) => tracing::info!(projection.name, "rebuild is in service"),
            Err(error) => tracing::error!(projection.name, %error, "rebuild failed"),
        }
        rebuilt
    }

    /// Installs schema `fact`; in the background while queries of others hold its views.
    async fn install_fact_schema(&self) {
        if fact_schema::is_installed_or_refused(&self.pool).await {
            return;
        }
        let pool = self.pool.clone();
        self.spawn(async move {
            loop {
                tokio::time::sleep(REMOVE_EVERY).await;
                if fact_schema::is_installed_or_refused(&pool).await {
                    break;
                }
            }
        });
    }

    /// Removes abandoned builds of any process, from time to time.
    fn start_removing_abandoned(&self) {
        let pool = self.pool.clone();
        self.spawn(async move {
            loop {
                if let Err(error) = shadow::remove_abandoned(&pool).await {
                    tracing::debug!(%error, "abandoned builds cannot be removed");
                }
                tokio::time::sleep(REMOVE_EVERY).await;
            }
        });
    }

    /// Runs background work that is cancelled when the projector stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stop = self.stopper.signal();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = stop.wait() => {}
            }
        });
    }

    /// Stops after the current batch and releases the lease.
    pub async fn stop(&self) {
        self.stopper.stop();
        if let Some(worker) = self.worker.lock().await.take()
            && let Err(error) = worker.await
        {
            tracing::error!(%error, "the projector panicked");
        }
    }
}
