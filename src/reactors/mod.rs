//! What happens after the fact, outside of the database: webhooks, mails, payments.
//!
//! A [`Reactor`] is told of events after their commit. It is done in two steps. *Enqueueing* gives every event that
//! concerns a reactor a row in `reaction`, in the transaction that moves the reactor's position in the log, so each
//! event is enqueued exactly once. *Carrying out* takes the rows that are due, on every node, outside of any
//! transaction, and tries again what fails: so each reaction is carried out at least once. A reactor that must not do a
//! thing twice tells its other side the id of the event and the target, which are the same at every attempt.
//!
//! Nothing here is called by the projector: a rebuild of a read table leads to no reaction.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

mod carry_out;
mod enqueue;
mod parked;
mod rows;

pub use parked::{
    Decision, ReactionRow, ReactorStatus, State, decisions, drop_one, list, react_again, retry, retry_all, status,
};

/// Something that follows from events. Its name is where it stands in the log, so it never changes.
pub trait Reactor: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// The events that concern it; none for every event.
    fn event_types(&self) -> &[&'static str];

    /// Does what follows from one event. It runs outside of any transaction, perhaps several times, and several at once.
    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>>;

    /// For whom each event is, as positions and targets: a reactor that fans out has a reaction for each target, each
    /// with attempts of its own. It runs in the transaction that enqueues. By default each event is for one, called "".
    fn targets<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
        facts: &'a [Fact],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        Box::pin(async move { Ok(facts.iter().map(|fact| (fact.position, String::new())).collect()) })
    }

    /// The events that concern it at present, if that changes while it runs; `*` stands for all of them.
    fn wanted<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, sqlx::Error>> {
        Box::pin(async { Ok(None) })
    }

    /// How it is run, from how reactors are run by default.
    fn settings(&self, default: Settings) -> Settings {
        default
    }
}

/// One event that a reactor asked for.
#[derive(Clone, Debug)]
pub struct Fact {
    pub position: i64,
    pub event_id: Uuid,
    pub event_type: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub recorded_at: DateTime<Utc>,
    pub payload: Value,
    pub metadata: Value,
}

/// What is to be done for one event.
#[derive(Clone, Debug)]
pub struct Reaction {
    pub fact: Fact,
    /// Empty, unless the reactor fans out.
    pub target: String,
    /// From 1.
    pub attempt: i32,
}

/// Why a reaction did not succeed. The texts are shown to people: no personal data, no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Tried again, after a time that grows from attempt to attempt.
    Later(String),
    /// Tried again when this time is over, because the other side said so.
    After(String, Duration),
    /// Cannot succeed by itself: parked at once.
    Park(String),
}

/// How a reactor is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A reaction that failed as often is parked.
    pub max_attempts: i32,
    /// How long the second attempt waits for; each later one waits three times as long as the one before.
    pub first_retry: Duration,
    pub longest_retry: Duration,
    /// An attempt that takes longer has failed.
    pub time_limit: Duration,
    /// How many attempts are under way at once on each node.
    pub at_once: usize,
    /// The same, for one target: one that is slow must not hold up the others.
    pub at_once_per_target: usize,
    /// A reactor that is new begins with the first event of the log, instead of the next.
    pub from_the_beginning: bool,
    /// How often it is looked for what this node was not told of.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            first_retry: Duration::from_secs(10),
            longest_retry: Duration::from_secs(12 * 60 * 60),
            time_limit: Duration::from_secs(30),
            at_once: 64,
            at_once_per_target: 8,
            from_the_beginning: false,
            poll: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// How long is waited after this many attempts.
    fn wait(&self, attempts: i32) -> Duration {
        let times = u32::try_from(attempts - 1).unwrap_or(0).min(20);
        self.first_retry.saturating_mul(3_u32.saturating_pow(times)).min(self.longest_retry)
    }
}

/// The reactors of this node.
pub struct Reactors {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Reactors {
    /// Runs the reactors. `head` tells where the log ends, as far as this process knows.
    pub async fn start(
        connect: PgConnectOptions,
        pool: PgPool,
        head: watch::Receiver<i64>,
        reactors: Vec<Arc<dyn Reactor>>,
    ) -> Result<Self, sqlx::Error> {
        Self::start_with(connect, pool, head, reactors, &Settings::default()).await
    }

    /// The same, with other settings for all that do not choose their own.
    pub async fn start_with(
        connect: PgConnectOptions,
        pool: PgPool,
        head: watch::Receiver<i64>,
        reactors: Vec<Arc<dyn Reactor>>,
        default: &Settings,
    ) -> Result<Self, sqlx::Error> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut followers = Vec::new();
        let mut workers = Vec::new();
        for reactor in reactors {
            let settings = reactor.settings(default.clone());
            enqueue::register(&pool, &*reactor, settings.from_the_beginning).await?;
            let wake = Arc::new(Notify::new());
            followers.push((Arc::clone(&reactor), Arc::clone(&wake)));
            workers.push(carry_out::Worker::new(pool.clone(), reactor, settings, wake, stopped.clone()));
        }
        let enqueuer = enqueue::Enqueuer::new(connect, head, followers, stopped, default.poll);
        tasks.spawn(enqueuer.run());
        tasks.spawn(rows::measure(pool));
        for worker in workers {
            tasks.spawn(worker.run());
        }
        Ok(Self { stop, tasks })
    }

    /// Begins nothing more; what is under way has a few seconds to end, and is tried again by the next node otherwise.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = async {
            // The task that measures never ends by itself.
            while self.tasks.len() > 1 && self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(carry_out::STOP_PATIENCE * 2, ended).await.is_err() {
            tracing::warn!("reactions that did not end were cut off");
        }
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_take_most_of_a_day() {
        let settings = Settings::default();
        assert_eq!(settings.wait(1), Duration::from_secs(10));
        assert_eq!(settings.wait(2), Duration::from_secs(30));
        assert_eq!(settings.wait(i32::MAX), settings.longest_retry);
        let all: Duration = (1..settings.max_attempts).map(|attempts| settings.wait(attempts)).sum();
        let hours = all.as_secs() / 3_600;
        assert!((16..=24).contains(&hours), "{hours} hours");
    }
}
