//! What the shop does by the clock: named tasks, each with an interval and a row that says when it is due.
//!
//! Of several nodes the first that looks runs a due task, and no other runs it meanwhile; all of it survives a restart.
//! A node that dies is replaced at once, and one that stands still when the time of its run is up. So a run may end
//! anywhere, and a task must do its work in steps of which each is all or nothing and does no harm when it comes twice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::failpoints::failpoint;

mod status;
pub mod tasks;

pub use status::{TaskStatus, run_now, status};

/// A thing to be done again and again.
pub struct Task {
    pub name: &'static str,
    /// From the end of a run to the beginning of the next.
    pub every: Duration,
    run: Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<Run>> + Send + Sync>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub handled: u64,
    /// There is more than a run deals with: the next follows at once.
    pub more: bool,
}

#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// How often a node looks for what is due.
    pub look_every: Duration,
    /// How long a run may take; then it is broken off, and another node may begin.
    pub longest_run: Duration,
}

/// Runs what is due until it is stopped.
pub struct Scheduler {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The first wait after a run that failed; each is twice as long as the one before, up to the task's interval.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// How long a node waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);

struct Node {
    connect: PgConnectOptions,
    tasks: HashMap<&'static str, Task>,
    options: SchedulerOptions,
    stopped: watch::Receiver<bool>,
    id: Uuid,
}

/// A task that this node holds.
struct Held {
    name: String,
    epoch: i64,
    failures: i32,
}

/// How a run ended.
enum End {
    Done(Run),
    Failed(String),
    /// The node is to stop.
    BrokenOff,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self { look_every: Duration::from_secs(1), longest_run: Duration::from_secs(60) }
    }
}

impl Task {
    pub fn new<F>(name: &'static str, every: Duration, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<Run>> + Send + 'static,
    {
        Self { name, every, run: Box::new(move || Box::pin(run())) }
    }

    /// Runs it once, whoever holds it.
    pub fn run(&self) -> BoxFuture<'static, anyhow::Result<Run>> {
        (self.run)()
    }
}

impl Scheduler {
    pub fn start(connect: PgConnectOptions, tasks: Vec<Task>, options: SchedulerOptions) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tasks = tasks.into_iter().map(|task| (task.name, task)).collect();
        let node = Node { connect, tasks, options, stopped, id: Uuid::new_v4() };
        Self { stop, task: tokio::spawn(node.run()) }
    }

    /// Breaks off what is being run, and lets another node have it.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the scheduler ended badly");
        }
    }
}

impl Node {
    async fn run(mut self) {
        while !*self.stopped.borrow() {
            if let Err(error) = self.work().await {
                tracing::warn!(%error, "the scheduler lost the database");
                self.rest(RECONNECT).await;
            }
        }
    }

    /// Runs what is due on one connection, whose end frees what this node holds.
    async fn work(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        self.enter(&mut connection).await?;
        while !*self.stopped.borrow() {
            let Some(held) = self.take(&mut connection).await? else {
                self.rest(self.options.look_every).await;
                continue;
            };
            failpoint!("scheduler-task-taken");
            let end = self.run_one(&held).await;
            self.put_back(&mut connection, &held, end).await?;
        }
        connection.close().await
    }

    /// Tasks that are new are due at once.
    async fn enter(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into scheduler_task (name, due_at)
             select name, clock_timestamp() from unnest($1::text[]) as name
             on conflict (name) do nothing",
        )
        .bind(self.names())
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn take(&self, connection: &mut PgConnection) -> Result<Option<Held>, sqlx::Error> {
        sqlx::query_file_as!(
            Held,
            "src/scheduler/queries/take.sql",
            self.names() as _,
            self.id,
            self.options.longest_run as _
        )
        .fetch_optional(connection)
        .await
    }

    async fn run_one(&mut self, held: &Held) -> End {
        let Some(task) = self.tasks.get(held.name.as_str()) else { return End::BrokenOff };
        let started = Instant::now();
        // A task of its own, so that one that panics is one that fails.
        let mut run = tokio::spawn(task.run());
        let end = tokio::select! {
            ended = &mut run => match ended {
                Ok(Ok(run)) => End::Done(run),
                Ok(Err(error)) => End::Failed(format!("{error:#}")),
                Err(panicked) => End::Failed(panicked.to_string()),
            },
            () = tokio::time::sleep(self.options.longest_run) => End::Failed("it took too long".to_owned()),
            _ = self.stopped.wait_for(|stopped| *stopped) => End::BrokenOff,
        };
        run.abort();
        let outcome = match &end {
            End::Done(run) => {
                metrics::counter!("scheduler_handled_total", "task" => task.name).increment(run.handled);
                "done"
            }
            End::Failed(error) => {
                tracing::warn!(task = task.name, error, "a task failed; it will be tried again");
                "failed"
            }
            End::BrokenOff => "broken_off",
        };
        metrics::counter!("scheduler_runs_total", "task" => task.name, "outcome" => outcome).increment(1);
        metrics::histogram!("scheduler_run_seconds", "task" => task.name).record(started.elapsed());
        end
    }

    async fn put_back(&self, connection: &mut PgConnection, held: &Held, end: End) -> Result<(), sqlx::Error> {
        let every = self.tasks.get(held.name.as_str()).map_or(Duration::ZERO, |task| task.every);
        let (wait, handled, error) = match end {
            End::Done(Run { handled, more }) => (if more { Duration::ZERO } else { every }, Some(handled), None),
            End::Failed(error) => {
                let doubled = FIRST_RETRY * 2_u32.pow(held.failures.clamp(0, 10).unsigned_abs());
                (doubled.min(every), None, Some(error))
            }
            End::BrokenOff => {
                let free = "update scheduler_task set holder = null where name = $1 and epoch = $2";
                sqlx::query(free).bind(&held.name).bind(held.epoch).execute(connection).await?;
                return Ok(());
            }
        };
        sqlx::query(
            "update scheduler_task as task
             set holder = null,
                 due_at = clock_timestamp() + $3,
                 last_run_at = clock_timestamp(),
                 last_handled = coalesce($4, task.last_handled),
                 last_error = $5,
                 failures = case when $5 is null then 0 else task.failures + 1 end
             where task.name = $1 and task.epoch = $2",
        )
        .bind(&held.name)
        .bind(held.epoch)
        .bind(wait)
        .bind(handled.map(|handled| i64::try_from(handled).unwrap_or(i64::MAX)))
        .bind(error)
        .execute(connection)
        .await?;
        Ok(())
    }

    fn names(&self) -> Vec<&'static str> {
        self.tasks.keys().copied().collect()
    }

    async fn rest(&mut self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}
