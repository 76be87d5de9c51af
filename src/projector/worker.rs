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
use crate::background::{Backoff, StopSignal};
use crate::failpoints::failpoint;

pub(super) struct Worker {
    connect: PgConnectOptions,
    head: watch::Receiver<i64>,
    position: watch::Sender<i64>,
    leads: Arc<AtomicBool>,
    stop: StopSignal,
    options: ProjectorOptions,
    node: Uuid,
}

/// Why a connection is not used any longer.
enum End {
    /// The projector was told to stop.
    Stopped,
    /// Another node has the lease now.
    LeaseLost,
    /// The database went away, or will do better next time.
    Transient(sqlx::Error),
    /// A hole in the log, or a statement that fails: only a change helps.
    Broken(sqlx::Error),
}

/// How often the log is looked at without being told of new events.
const POLL: Duration = Duration::from_secs(1);
/// While the shop is busy the projector rests half as long as its last step took, and this long at the most: so it
/// leaves a third of a core to the appends, and its next step has more events of the same things to add up.
const LONGEST_REST: Duration = Duration::from_millis(50);
/// How often a projector that stands still looks whether a rebuild has changed something.
const RETRY_BROKEN: Duration = Duration::from_secs(1);

impl Worker {
    pub fn new(
        connect: PgConnectOptions,
        head: watch::Receiver<i64>,
        position: watch::Sender<i64>,
        leads: Arc<AtomicBool>,
        stop: StopSignal,
        options: ProjectorOptions,
    ) -> Self {
        Self { connect, head, position, leads, stop, options, node: Uuid::new_v4() }
    }

    pub async fn run(mut self) {
        let mut retries = Backoff::RECONNECT;
        while !self.stop.is_set() {
            let end = self.project().await;
            self.leads.store(false, Ordering::Relaxed);
            match end {
                End::Stopped => break,
                End::LeaseLost => tracing::info!("another node projects now"),
                End::Transient(error) => {
                    tracing::warn!(%error, "the projector lost the database");
                    self.stop.sleep(retries.next_pause()).await;
                    continue;
                }
                End::Broken(error) => {
                    tracing::error!(error = describe(&error), "the projector stands still");
                    if let Err(error) = self.stand_still(&describe(&error)).await {
                        tracing::warn!(%error, "the projector lost the database");
                    }
                }
            }
            retries.reset();
        }
    }

    /// Projects on one connection, as soon as the lease is free, until something ends it.
    async fn project(&mut self) -> End {
        let mut connection = match self.connect.connect().await {
            Ok(connection) => connection,
            Err(error) => return End::Transient(error),
        };
        let epoch = match self.acquire(&mut connection).await {
            Ok(Some(epoch)) => epoch,
            Ok(None) => return End::Stopped,
            Err(error) => return judge(error),
        };
        failpoint!("projector-lease-acquired");
        self.leads.store(true, Ordering::Relaxed);
        while !self.stop.is_set() {
            let started = Instant::now();
            let (reached, head) = match self.step(&mut connection, epoch).await {
                Ok(step) => step,
                Err(error) => return judge(error),
            };
            failpoint!("projector-step-done");
            let moved = reached - self.position.send_replace(reached);
            if moved > 0 {
                metrics::histogram!("projector_step_seconds").record(started.elapsed());
                metrics::counter!("projector_events_total").increment(moved.unsigned_abs());
            }
            if reached >= head {
                self.wait_beyond(reached).await;
            } else if head - reached < self.options.batch_limit {
                self.stop.sleep((started.elapsed() / 2).min(LONGEST_REST)).await;
            }
        }
        match self.release(connection, epoch).await {
            Ok(()) => End::Stopped,
            Err(error) => End::Transient(error),
        }
    }

    /// Waits for the lease, following the position of its holder; `None` when told to stop.
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

    async fn step(&self, connection: &mut PgConnection, epoch: i64) -> Result<(i64, i64), sqlx::Error> {
        sqlx::query_as("select reached, head from projector_step($1, $2, $3, $4)")
            .bind(self.node)
            .bind(epoch)
            .bind(self.time_to_live())
            .bind(self.options.batch_limit)
            .fetch_one(connection)
            .await
    }

    /// Waits for events after `reached`, but not longer than the lease allows.
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

    /// Shows the error to every node, and waits until a rebuild has put something else in service.
    async fn stand_still(&mut self, error: &str) -> Result<(), sqlx::Error> {
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

fn judge(error: sqlx::Error) -> End {
    if error.as_database_error().and_then(|database| database.code()).is_some_and(|code| code == "PJ001") {
        return End::LeaseLost;
    }
    if is_transient(&error) { End::Transient(error) } else { End::Broken(error) }
}

/// Whether the same statement may succeed later: anything but a refusal by the database itself.
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error.as_database_error().and_then(|database| database.code()) {
        // A session that stood still inside a transaction was ended.
        Some(code) if code == "25P03" => true,
        Some(code) => ["08", "40", "53", "55", "57"].contains(&code.get(..2).unwrap_or_default()),
        None => true,
    }
}

/// The error with the function that it came from, which names the projection.
fn describe(error: &sqlx::Error) -> String {
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
