//! Side effects of events outside the database, retried until they succeed or an operator decides.
//!
//! This room is the machinery; it knows no kind of reaction. A [`Reactor`] is one kind: `webhooks/`, `mail/` and
//! `payments/` implement it. The work has two steps:
//!
//! 1. *Enqueue*: every event that a reactor subscribes to becomes a row in `reaction`, in the transaction that moves
//!    the reactor's position in the log. So each event is enqueued exactly once.
//! 2. *Attempt*: every node claims due rows, outside any transaction, and retries those that fail. So each reaction is
//!    attempted at least once. A reaction that keeps failing is *parked*: it waits for an operator to retry or drop it.
//!
//! The projector never calls this room, so rebuilding a read table causes no reaction.

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio::task::JoinSet;

mod claims;
mod enqueue;
mod operations;
mod options;
mod reaction_worker;
mod reactor;
mod sweep;

pub use operations::{
    Decision, ReactionState, ReactionView, ReactorStatus, RestoredReactions, awaited_streams, decisions, drop_one,
    drop_restored, drop_several, list, react_again, restored, retry, retry_all, retry_restored, retry_several, status,
    was_retried,
};
pub use options::ReactorOptions;
pub use reactor::{Failure, Reaction, Reactor, RecordedEvent};
pub use sweep::{MAX_DECISIONS, MAX_PARKED, sweep};

use crate::background::{Stopper, stop_signal};
use crate::journal::KnownLog;
use enqueue::Enqueuer;
use reaction_worker::{ReactionWorker, STOP_TIMEOUT};

/// The reactors that run on this node.
pub struct Reactors {
    stopper: Stopper,
    tasks: JoinSet<()>,
}

impl Reactors {
    /// Starts the reactors with the default options. `log` is what this node knows of the log.
    pub async fn start(
        connect: PgConnectOptions,
        pool: PgPool,
        log: KnownLog,
        reactors: Vec<Arc<dyn Reactor>>,
    ) -> Result<Self, sqlx::Error> {
        Self::start_with(connect, pool, log, reactors, &ReactorOptions::default()).await
    }

    /// Starts the reactors; `default` holds the options that a reactor may override.
    pub async fn start_with(
        connect: PgConnectOptions,
        pool: PgPool,
        log: KnownLog,
        reactors: Vec<Arc<dyn Reactor>>,
        default: &ReactorOptions,
    ) -> Result<Self, sqlx::Error> {
        let (stopper, stop) = stop_signal();
        let mut tasks = JoinSet::new();
        let mut followers = Vec::new();
        let mut workers = Vec::new();
        for reactor in reactors {
            let options = reactor.options(default.clone());
            enqueue::register_reactor(&pool, &*reactor, options.start_at_first_event).await?;
            let wake = Arc::new(Notify::new());
            followers.push((Arc::clone(&reactor), Arc::clone(&wake)));
            workers.push(ReactionWorker::new(pool.clone(), log.clone(), reactor, options, wake, stop.clone()));
        }
        tasks.spawn(Enqueuer::new(connect, log, followers, stop, default.poll_interval).run());
        tasks.spawn(claims::report_metrics(pool));
        for worker in workers {
            tasks.spawn(worker.run());
        }
        Ok(Self { stopper, tasks })
    }

    /// Starts no further attempt and waits a few seconds for those in progress. Another node retries the unfinished
    /// ones.
    pub async fn stop(mut self) {
        self.stopper.stop();
        let ended = async {
            // The task that reports metrics never ends by itself.
            while self.tasks.len() > 1 && self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_TIMEOUT * 2, ended).await.is_err() {
            tracing::warn!("cancelled reactions that did not end in time");
        }
        self.tasks.shutdown().await;
    }
}
