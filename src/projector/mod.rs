//! Runs `projections/`: moves all live tables together, rebuilds them, verifies them.
//!
//! One node projects at a time, the holder of a lease; the others follow its position. Every batch re-checks the lease
//! in its own transaction, so a node that was paused and wakes up late writes nothing. A hole in the log, or a
//! statement that fails, stops the projector until a rebuild or a restart: it never skips.
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

mod definition;
mod fact_schema;
mod install;
mod rebuild;
mod shadow;
mod status;
mod verify;
mod worker;

pub use definition::{PROJECTIONS, Projection};
pub use rebuild::{RebuildError, rebuild};
pub use shadow::Progress;
pub use status::{ProjectionState, ProjectionStatus, status};
pub use verify::{Difference, Verification, verify};

/// The projector of this node. Cheap to clone.
#[derive(Clone)]
pub struct Projector {
    pool: PgPool,
    position: watch::Receiver<i64>,
    leads: Arc<AtomicBool>,
    stopper: Stopper,
    worker: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// Rebuilds that may run at once: each keeps a core of the database busy.
    rebuilds: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
pub struct ProjectorOptions {
    /// How long the lease lasts when its holder is silent.
    pub lease_time_to_live: Duration,
    /// How many events one batch takes at the most.
    pub batch_limit: i64,
}

impl Default for ProjectorOptions {
    fn default() -> Self {
        Self { lease_time_to_live: Duration::from_secs(5), batch_limit: 5_000 }
    }
}

/// How many projections are rebuilt at once.
const PARALLEL_REBUILDS: usize = 2;
/// How long a rebuild that was broken off waits before it begins again.
const UPDATE_AGAIN: Duration = Duration::from_secs(1);
/// How often the remains of dead builds are looked for.
const REMOVE_EVERY: Duration = Duration::from_secs(10);
/// How often a node that does not lead looks where the tables stand, while somebody waits for them.
const FOLLOW_EVERY: Duration = Duration::from_millis(5);

impl Projector {
    /// Installs the projections of this program and begins to project. `head` tells where the log ends, as far as this
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
        let (stopper, stop) = stop_signal();
        let worker = worker::Worker::new(connect, head, position_sender, Arc::clone(&leads), stop, options);
        let worker = tokio::spawn(worker.run());
        let rebuilds = Arc::new(Semaphore::new(PARALLEL_REBUILDS));
        let worker = Arc::new(Mutex::new(Some(worker)));
        let projector = Self { pool, position, leads, stopper, worker, rebuilds };
        projector.start_removals();
        projector.install_fact_schema().await;
        for projection in outdated {
            projector.start_update(projection);
        }
        Ok(projector)
    }

    /// Where all live tables stand, at least.
    pub fn position(&self) -> i64 {
        *self.position.borrow()
    }

    /// Waits until the live tables have reached `position`; `false` when they had not within `timeout`.
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
                let followed =
                    sqlx::query_scalar::<_, i64>("select position from projector_lease").fetch_one(&self.pool).await;
                if followed.is_ok_and(|followed| followed >= position) {
                    return true;
                }
            }
        };
        tokio::time::timeout(timeout, wait).await.unwrap_or(false)
    }

    /// How every projection stands.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, sqlx::Error> {
        status(&self.pool).await
    }

    /// Rebuilds a projection in the background.
    pub fn start_rebuild(&self, projection: &'static Projection) {
        let projector = self.clone();
        self.spawn(async move { drop(projector.rebuild(projection).await) });
    }

    /// Rebuilds a projection that was built with other SQL, and again if the database goes away meanwhile, or if the
    /// process dies that does it already.
    fn start_update(&self, projection: &'static Projection) {
        let projector = self.clone();
        self.spawn(async move {
            loop {
                match projector.rebuild(projection).await {
                    Err(RebuildError::Running(_)) => {}
                    Err(RebuildError::Database(error)) if worker::is_transient(&error) => {}
                    _ => break,
                }
                tokio::time::sleep(UPDATE_AGAIN).await;
                if install::is_up_to_date(&projector.pool, projection).await.unwrap_or(false) {
                    break;
                }
            }
        });
    }

    async fn rebuild(&self, projection: &'static Projection) -> Result<(), RebuildError> {
        // Never closed.
        let _permit = self.rebuilds.acquire().await.ok();
        tracing::info!(projection.name, "rebuild begins");
        let rebuilt = rebuild(&self.pool, projection, &|_| ()).await;
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

    /// Looks from time to time for builds that are dead, of whatever process.
    fn start_removals(&self) {
        let pool = self.pool.clone();
        self.spawn(async move {
            loop {
                if let Err(error) = shadow::remove_remains(&pool).await {
                    tracing::debug!(%error, "the remains of dead builds could not be removed");
                }
                tokio::time::sleep(REMOVE_EVERY).await;
            }
        });
    }

    /// Runs something in the background that may be broken off at any time, as it is when the projector stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stop = self.stopper.signal();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = stop.wait() => {}
            }
        });
    }

    /// Ends after the batch under way, and gives the lease back.
    pub async fn stop(&self) {
        self.stopper.stop();
        if let Some(worker) = self.worker.lock().await.take()
            && let Err(error) = worker.await
        {
            tracing::error!(%error, "the projector ended badly");
        }
    }
}
