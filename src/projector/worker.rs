//! The loop that moves the live tables while this node holds the lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::watch;
use uuid::Uuid;

use super::ProjectorOptions;
use super::changes::{Step, TableChanges};
use crate::background::{Backoff, StopSignal};
use crate::database::failure::DatabaseFailure;
use crate::failpoints::failpoint;
use crate::metrics;

pub(super) struct ProjectorWorker {
    connect: PgConnectOptions,
    head: watch::Receiver<i64>,
    position: watch::Sender<i64>,
    changes: Arc<TableChanges>,
    leads: Arc<AtomicBool>,
    stop: StopSignal,
    options: ProjectorOptions,
    node: Uuid,
}

/// Why the worker gave up its connection.
enum ConnectionEnd {
    /// The projector is to stop.
    Stopped,
    /// Another node has acquired the lease.
    LeaseLost,
    /// The database was unavailable; a retry may succeed.
    Transient(sqlx::Error),
    /// A hole in the log, or a statement that fails again: a rebuild or a new program must change something.
    Broken(sqlx::Error),
}

/// How often to poll the log without a notification.
const POLL: Duration = Duration::from_secs(1);
/// Upper bound of the pause between two steps while the shop is busy. A pause is half as long as the last step, so it
/// leaves a third of a core to the appends, and the next step has more events of the same rows to add up.
const LONGEST_REST: Duration = Duration::from_millis(50);
/// How often a stopped projector checks whether a rebuild has changed something.
const RETRY_BROKEN: Duration = Duration::from_secs(1);

impl ProjectorWorker {
    pub fn new(
        connect: PgConnectOptions,
        head: watch::Receiver<i64>,
        position: watch::Sender<i64>,
        changes: Arc<TableChanges>,
        leads: Arc<AtomicBool>,
        stop: StopSignal,
        options: ProjectorOptions,
    ) -> Self {
        Self { connect, head, position, changes, leads, stop, options, node: Uuid::new_v4() }
    }

    pub async fn run(mut self) {
        let mut retries = Backoff::RECONNECT;
        while !self.stop.is_set() {
            let end = self.project().await;
            self.leads.store(false, Ordering::Relaxed);
            // The database may come back as an older one; until the lease is read again, no position is known.
            self.position.send_replace(0);
            self.changes.forget();
            match end {
                ConnectionEnd::Stopped => break,
                ConnectionEnd::LeaseLost => tracing::info!("another node holds the projector's lease now"),
                ConnectionEnd::Transient(error) => {
                    tracing::warn!(%error, "the projector lost the database");
                    self.stop.sleep(retries.next_pause()).await;
                    continue;
                }
                ConnectionEnd::Broken(error) => {
                    tracing::error!(error = with_function_name(&error), "the projector has stopped");
                    if let Err(error) = self.report_and_wait(&with_function_name(&error)).await {
                        tracing::warn!(%error, "the projector lost the database");
                    }
                }
            }
            retries.reset();
        }
    }

    /// Acquires the lease and projects on one connection, until an error or the stop.
    async fn project(&mut self) -> ConnectionEnd {
        let mut connection = match self.connect.connect().await {
            Ok(connection) => connection,
            Err(error) => return ConnectionEnd::Transient(error),
        };
        let epoch = match self.acquire(&mut connection).await {
            Ok(Some(epoch)) => epoch,
            Ok(None) => return ConnectionEnd::Stopped,
            Err(error) => return classify_error(error),
        };
        failpoint!("projector-lease-acquired");
        self.leads.store(true, Ordering::Relaxed);
        while !self.stop.is_set() {
            let started = Instant::now();
            let (reached, head, changed, swaps) = match self.step(&mut connection, epoch).await {
                Ok(step) => step,
                Err(error) => return classify_error(error),
            };
            failpoint!("projector-step-done");
            let before = *self.position.borrow();
            // First, so that a reader that waited for the position finds no answer of before.
            self.changes.record_step(Step { started, epoch, swaps, before, reached, changed });
            self.position.send_replace(reached);
            let moved = reached - before;
            if before > 0 && moved > 0 {
                metrics::PROJECTOR_STEP_SECONDS.record_time(started.elapsed(), &[]);
                metrics::PROJECTOR_EVENTS.add(moved.unsigned_abs(), &[]);
            }
            if reached >= head {
                self.wait_beyond(reached).await;
            } else if head - reached < self.options.batch_limit {
                self.stop.sleep((started.elapsed() / 2).min(LONGEST_REST)).await;
            }
        }
        match self.release(connection, epoch).await {
            Ok(()) => ConnectionEnd::Stopped,
            Err(error) => ConnectionEnd::Transient(error),
        }
    }

    /// Waits for the lease while following the position of its holder; `None` when the projector is to stop.
    async fn acquire(&mut self, connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
        while !self.stop.is_set() {
            let epoch: Option<i64> = sqlx::query_scalar("select projector_acquire($1, $2)")
                .bind(self.node)
                .bind(self.time_to_live())
                .fetch_one(&mut *connection)
                .await?;
            if epoch.is_some() {
                return Ok(epoch);
            }
            let reached: i64 =
                sqlx::query_scalar("select position from projector_lease").fetch_one(&mut *connection).await?;
            self.position.send_replace(reached);
            self.stop.sleep(self.options.lease_time_to_live / 3).await;
        }
        Ok(None)
    }

    /// Position of the tables, end of the log, changed projections, number of swaps.
    async fn step(
        &self,
        connection: &mut PgConnection,
        epoch: i64,
    ) -> Result<(i64, i64, Vec<String>, i64), sqlx::Error> {
        sqlx::query_as("select reached, head, changed, swap_count from projector_step($1, $2, $3, $4)")
            .bind(self.node)
            .bind(epoch)
            .bind(self.time_to_live())
            .bind(self.options.batch_limit)
            .fetch_one(connection)
            .await
    }

    /// Waits for events after `reached`, at most until the lease must be renewed.
    async fn wait_beyond(&mut self, reached: i64) {
        let wait = POLL.min(self.options.lease_time_to_live / 4);
        tokio::select! {
            _ = self.head.wait_for(|head| *head > reached) => {}
            () = self.stop.sleep(wait) => {}
        }
    }

    async fn release(&self, mut connection: PgConnection, epoch: i64) -> Result<(), sqlx::Error> {
        sqlx::query("update projector_lease set expires_at = '-infinity' where node = $1 and epoch = $2")
            .bind(self.node)
            .bind(epoch)
            .execute(&mut connection)
            .await?;
        connection.close().await
    }

    /// Stores the error for every node to show, and waits until a rebuild puts another table in service.
    async fn report_and_wait(&mut self, error: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        sqlx::query("update projector_lease set last_error = $1").bind(error).execute(&mut connection).await?;
        let in_service = "select md5(string_agg(name || fingerprint || built_at, ',' order by name)) from projection";
        let before: Option<String> = sqlx::query_scalar(in_service).fetch_one(&mut connection).await?;
        while !self.stop.is_set() {
            self.stop.sleep(RETRY_BROKEN).await;
            let now: Option<String> = sqlx::query_scalar(in_service).fetch_one(&mut connection).await?;
            if now != before {
                break;
            }
        }
        Ok(())
    }

    fn time_to_live(&self) -> PgInterval {
        let microseconds = i64::try_from(self.options.lease_time_to_live.as_micros()).unwrap_or(i64::MAX);
        PgInterval { months: 0, days: 0, microseconds }
    }
}

/// Decides whether to retry on another connection, or to stop.
fn classify_error(error: sqlx::Error) -> ConnectionEnd {
    match DatabaseFailure::of(&error) {
        DatabaseFailure::LeaseLost => ConnectionEnd::LeaseLost,
        failure if failure.is_transient() => ConnectionEnd::Transient(error),
        _ => ConnectionEnd::Broken(error),
    }
}

/// The error text with the function that failed, which names the projection.
fn with_function_name(error: &sqlx::Error) -> String {
    let context = error
        .as_database_error()
        .and_then(|database| database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>())
        .and_then(|database| database.r#where())
        .and_then(|context| context.lines().find(|line| line.contains("apply_")));
    match context {
        Some(context) => format!("{error}, in {context}"),
        None => error.to_string(),
    }
}
