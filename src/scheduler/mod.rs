//! Periodic tasks: each has a name, an interval or a schedule, and a row that says when it is due.
//!
//! The first node that finds a task due claims and runs it; no other node runs it at the same time. The rows survive a
//! restart. If a node dies, its tasks are released at once; if it hangs, when the run's time limit is over. So a run
//! may be interrupted anywhere: a task must work in steps that are all or nothing and harmless when repeated.
//!
//! Tasks act on elapsed time, so none is claimed while the clock of the database is implausible (`clock/`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::background::{StopSignal, Stopper, stop_signal};
use crate::database::failure::DatabaseFailure;
use crate::database::stale_plans;
use crate::failpoints::failpoint;
use crate::metrics;
use crate::projector::serves_other_tables;

mod cron;
mod preview;
mod settings;
mod status;
pub mod tasks;

pub use cron::{CronSchedule, CronTimes, forget_unscheduled};
pub use preview::{TaskPreview, preview};
pub use settings::{ScheduleArgs, ScheduleSetting, ScheduledTask, parse_age};
pub use status::{TaskStatus, run_now, status};

/// A periodic task.
pub struct Task {
    pub name: &'static str,
    /// Time between the end of a run and the start of the next; with a schedule, the longest delay of a retry.
    pub interval: Duration,
    /// Set times at which it runs instead.
    pub schedule: Option<CronSchedule>,
    run: Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<RunReport>> + Send + Sync>,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    /// How many things the run handled.
    pub handled: u64,
    /// Whether more remains than one run handles; the next run starts at once.
    pub more: bool,
    /// What the run did, in words.
    pub report: Option<String>,
}

/// How a node polls and limits runs.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// How often a node polls for due tasks.
    pub poll_interval: Duration,
    /// How long a run may take. After that it is aborted, and another node may claim the task.
    pub time_limit: Duration,
}

/// Runs due tasks until it is stopped.
pub struct Scheduler {
    stopper: Stopper,
    task: JoinHandle<()>,
}

/// Error of a task that waits for the rebuild of a read table.
pub const NEEDS_REBUILT_TABLE: &str = "a read table that it needs is being rebuilt";
/// Delay after the first failed run. Each later delay doubles, up to the task's interval.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// Pause before a node reconnects to the database.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// The scheduler of this node.
struct SchedulerNode {
    connect: PgConnectOptions,
    tasks: HashMap<&'static str, Task>,
    options: SchedulerOptions,
    stop: StopSignal,
    id: Uuid,
}

/// A task that this node has claimed.
struct ClaimedTask {
    name: String,
    epoch: i64,
    failures: i32,
}

/// How a run ended.
enum RunOutcome {
    Done(RunReport),
    Failed(String),
    /// The node stops.
    Interrupted,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self { poll_interval: Duration::from_secs(1), time_limit: Duration::from_secs(60) }
    }
}

impl RunReport {
    pub fn of(handled: u64, more: bool) -> Self {
        Self { handled, more, report: None }
    }
}

impl Task {
    pub fn new<F>(name: &'static str, interval: Duration, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<RunReport>> + Send + 'static,
    {
        Self { name, interval, schedule: None, run: Box::new(move || Box::pin(run())) }
    }

    /// A task whose every run gets a clone of `input`.
    pub fn with<I, F>(
        name: &'static str,
        interval: Duration,
        input: &I,
        run: impl Fn(I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        I: Clone + Send + Sync + 'static,
        F: Future<Output = anyhow::Result<RunReport>> + Send + 'static,
    {
        let input = input.clone();
        Self::new(name, interval, move || run(input.clone()))
    }

    /// The task at set times. Times that pass while no node runs are made up for by one run.
    pub fn at(self, schedule: CronSchedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    /// Runs the task once, without claiming it.
    pub fn run(&self) -> BoxFuture<'static, anyhow::Result<RunReport>> {
        (self.run)()
    }
}

/// Whether a task may have failed because a read table is of another version of the program, as after an upgrade.
fn may_be_of_other_tables(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<sqlx::Error>());
    causes.any(|cause| {
        let failure = DatabaseFailure::of(cause);
        if failure == DatabaseFailure::StalePlan {
            stale_plans::record();
        }
        failure.may_be_of_other_tables()
    })
}

impl Scheduler {
    pub fn start(connect: PgConnectOptions, tasks: Vec<Task>, options: SchedulerOptions) -> Self {
        let (stopper, stop) = stop_signal();
        let tasks = tasks.into_iter().map(|task| (task.name, task)).collect();
        let node = SchedulerNode { connect, tasks, options, stop, id: Uuid::new_v4() };
        Self { stopper, task: tokio::spawn(node.run()) }
    }

    /// Aborts the current run and releases its task.
    pub async fn stop(self) {
        self.stopper.stop();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the scheduler panicked");
        }
    }
}

impl SchedulerNode {
    async fn run(mut self) {
        while !self.stop.is_set() {
            if let Err(error) = self.run_due_tasks().await {
                self.stop.pause_after(&error, "scheduler", RECONNECT_DELAY).await;
            }
        }
    }

    /// Runs due tasks on one connection. The end of the connection releases the claims of this node.
    async fn run_due_tasks(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        self.register_tasks(&mut connection).await?;
        while !self.stop.is_set() {
            let Some(claimed) = self.claim_due(&mut connection).await? else {
                self.stop.sleep(self.options.poll_interval).await;
                continue;
            };
            failpoint!("scheduler-task-taken");
            let end = self.run_one(&claimed).await;
            self.record_outcome(&mut connection, &claimed, end).await?;
        }
        connection.close().await
    }

    /// Adds the rows of new tasks, which are due at once, or at the next time of their schedule. A row with another
    /// schedule gets the new one.
    async fn register_tasks(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let now = database_time(connection).await?;
        let schedules = self.tasks.values().map(|task| task.schedule.as_ref());
        let next = schedules.clone().map(|schedule| schedule.map_or(Some(now), |schedule| schedule.next_after(now)));
        sqlx::query(
            "insert into scheduler_task (name, due_at, schedule)
             select name, due_at, schedule
             from unnest($1::text[], $2::timestamptz[], $3::text[]) as task (name, due_at, schedule)
             where due_at is not null
             on conflict (name) do update set due_at = excluded.due_at, schedule = excluded.schedule
             where scheduler_task.schedule is distinct from excluded.schedule",
        )
        .bind(self.tasks.values().map(|task| task.name).collect::<Vec<_>>())
        .bind(next.collect::<Vec<_>>())
        .bind(schedules.map(|schedule| schedule.map(ToString::to_string)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Claims a due task; `None` if there is none.
    async fn claim_due(&self, connection: &mut PgConnection) -> Result<Option<ClaimedTask>, sqlx::Error> {
        sqlx::query_file_as!(
            ClaimedTask,
            "src/scheduler/queries/claim_due.sql",
            self.names() as _,
            self.id,
            self.options.time_limit as _
        )
        .fetch_optional(connection)
        .await
    }

    async fn run_one(&mut self, claimed: &ClaimedTask) -> RunOutcome {
        let Some(task) = self.tasks.get(claimed.name.as_str()) else { return RunOutcome::Interrupted };
        let started = Instant::now();
        if let Some(schedule) = &task.schedule {
            tracing::info!(task = task.name, %schedule, "scheduled task begins");
        }
        // Spawned, so that a panic counts as a failed run.
        let mut run = tokio::spawn(task.run());
        let end = tokio::select! {
            ended = &mut run => match ended {
                Ok(Ok(run)) => RunOutcome::Done(run),
                Ok(Err(error)) if may_be_of_other_tables(&error) && self.serves_other_tables().await => {
                    RunOutcome::Failed(NEEDS_REBUILT_TABLE.to_owned())
                }
                Ok(Err(error)) => RunOutcome::Failed(format!("{error:#}")),
                Err(panicked) => RunOutcome::Failed(panicked.to_string()),
            },
            () = tokio::time::sleep(self.options.time_limit) => RunOutcome::Failed("the run exceeded its time limit".to_owned()),
            () = self.stop.wait() => RunOutcome::Interrupted,
        };
        run.abort();
        let outcome = match &end {
            RunOutcome::Done(run) => {
                metrics::SCHEDULER_HANDLED.add(run.handled, &[("task", task.name)]);
                if task.schedule.is_some() {
                    tracing::info!(task = task.name, handled = run.handled, more = run.more, "scheduled task is done");
                }
                "done"
            }
            RunOutcome::Failed(error) => {
                tracing::warn!(task = task.name, error, "task failed; it will be retried");
                "failed"
            }
            RunOutcome::Interrupted => "broken_off",
        };
        metrics::SCHEDULER_RUNS.add(1, &[("task", task.name), ("outcome", outcome)]);
        metrics::SCHEDULER_RUN_SECONDS.record_time(started.elapsed(), &[("task", task.name)]);
        end
    }

    async fn serves_other_tables(&self) -> bool {
        match self.connect.connect().await {
            Ok(mut connection) => serves_other_tables(&mut connection).await,
            Err(_) => true,
        }
    }

    /// Releases the task and schedules its next run.
    async fn record_outcome(
        &self,
        connection: &mut PgConnection,
        claimed: &ClaimedTask,
        end: RunOutcome,
    ) -> Result<(), sqlx::Error> {
        let task = self.tasks.get(claimed.name.as_str());
        let every = task.map_or(Duration::ZERO, |task| task.interval);
        let ends_here = !matches!(end, RunOutcome::Done(RunReport { more: true, .. }));
        let next = match task.and_then(|task| task.schedule.as_ref()).filter(|_| ends_here) {
            Some(schedule) => schedule.next_after(database_time(connection).await?),
            None => None,
        };
        let (wait, handled, report, error) = match end {
            RunOutcome::Done(RunReport { handled, more, report }) => {
                (if more { Duration::ZERO } else { every }, Some(handled), report, None)
            }
            RunOutcome::Failed(error) => {
                let doubled = FIRST_RETRY * 2_u32.pow(claimed.failures.clamp(0, 10).unsigned_abs());
                (doubled.min(every), None, None, Some(error))
            }
            RunOutcome::Interrupted => {
                let free = "update scheduler_task set holder = null where name = $1 and epoch = $2";
                sqlx::query(free).bind(&claimed.name).bind(claimed.epoch).execute(&mut *connection).await?;
                return Ok(());
            }
        };
        sqlx::query(
            "update scheduler_task as task
             set holder = null,
                 due_at = case
                     when $5 is null then coalesce($6, clock_timestamp() + $3)
                     else least($6, clock_timestamp() + $3)
                 end,
                 last_run_at = clock_timestamp(),
                 last_handled = coalesce($4, task.last_handled),
                 last_report = case when $5 is null then $7 else task.last_report end,
                 last_error = $5,
                 failures = case when $5 is null then 0 else task.failures + 1 end
             where task.name = $1 and task.epoch = $2",
        )
        .bind(&claimed.name)
        .bind(claimed.epoch)
        .bind(wait)
        .bind(handled.map(|handled| i64::try_from(handled).unwrap_or(i64::MAX)))
        .bind(error)
        .bind(next)
        .bind(report)
        .execute(connection)
        .await?;
        Ok(())
    }

    fn names(&self) -> Vec<&'static str> {
        self.tasks.keys().copied().collect()
    }
}

async fn database_time(connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(connection).await
}
