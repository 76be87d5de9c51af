//! The second step: what is due is done, on every node, at least once.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::rows::{self, CLAIM, Taken};
use super::{Failure, Reaction, Reactor, Settings};
use crate::failpoints::failpoint;

/// Carries out the reactions of one reactor, as many at once as its settings say.
pub(super) struct Worker {
    pool: PgPool,
    reactor: Arc<dyn Reactor>,
    settings: Settings,
    wake: Arc<Notify>,
    stopped: watch::Receiver<bool>,
    attempts: JoinSet<Attempt>,
    /// Target and number of each attempt that has begun and is not noted yet, by the reaction.
    under_way: HashMap<i64, (String, i32)>,
    /// Attempts that have ended, and that the database was not told of yet.
    ended: Vec<Attempt>,
    kept_at: Instant,
}

/// An attempt that has ended.
struct Attempt {
    reaction_id: i64,
    number: i32,
    outcome: Result<(), Failure>,
}

/// What ends or becomes due within so long is dealt with together, because each time costs a flush to disk.
const GATHER: Duration = Duration::from_millis(50);
/// How long attempts may go on when the node stops.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(5);

impl Worker {
    pub fn new(
        pool: PgPool,
        reactor: Arc<dyn Reactor>,
        settings: Settings,
        wake: Arc<Notify>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let (attempts, under_way, ended, kept_at) = (JoinSet::new(), HashMap::new(), Vec::new(), Instant::now());
        Self { pool, reactor, settings, wake, stopped, attempts, under_way, ended, kept_at }
    }

    pub async fn run(mut self) {
        while !*self.stopped.borrow() {
            match self.turn().await {
                // There may be more.
                Ok(taken) if taken > 0 && self.under_way.len() < self.settings.at_once => continue,
                Ok(_) => self.sleep(GATHER).await,
                Err(error) => {
                    tracing::warn!(%error, reactor = self.reactor.name(), "reactions could not be read or noted");
                    self.sleep(self.settings.poll).await;
                }
            }
            self.wait().await;
        }
        self.wind_up().await;
    }

    /// Notes what has ended and begins what is due; returns how many began.
    async fn turn(&mut self) -> Result<usize, sqlx::Error> {
        self.note().await?;
        if self.kept_at.elapsed() >= CLAIM / 4 {
            rows::keep(&self.pool, &self.claims()).await?;
            self.kept_at = Instant::now();
        }
        let free = self.settings.at_once.saturating_sub(self.under_way.len());
        if free == 0 {
            return Ok(0);
        }
        let mut busy: HashMap<String, i64> = HashMap::new();
        for (target, _) in self.under_way.values() {
            *busy.entry(target.clone()).or_default() += 1;
        }
        let busy = busy.into_iter().collect();
        let taken = rows::take(&self.pool, self.reactor.name(), &self.settings, busy, free).await?;
        let began = taken.len();
        for reaction in taken {
            self.begin(reaction).await?;
        }
        Ok(began)
    }

    async fn begin(&mut self, taken: Taken) -> Result<(), sqlx::Error> {
        let Taken { reaction_id, target, attempts: number, fact } = taken;
        if number > self.settings.max_attempts {
            let reason = "the last attempt did not end, nor did the server that made it";
            return rows::failed(&self.pool, (reaction_id, number), None, reason).await;
        }
        self.under_way.insert(reaction_id, (target.clone(), number));
        let (reactor, time_limit) = (Arc::clone(&self.reactor), self.settings.time_limit);
        let reaction = Reaction { fact, target, attempt: number };
        self.attempts.spawn(async move {
            metrics::counter!("reactor_attempts_total", "reactor" => reactor.name()).increment(1);
            let reacted = AssertUnwindSafe(async { reactor.react(&reaction).await }).catch_unwind();
            let outcome = match tokio::time::timeout(time_limit, reacted).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(Failure::Later("the reactor failed; the failure was logged".to_owned())),
                Err(_) => Err(Failure::Later(format!("took longer than {} s", time_limit.as_secs_f32()))),
            };
            failpoint!("reaction-carried-out");
            Attempt { reaction_id, number, outcome }
        });
        Ok(())
    }

    /// Tells the database what has ended. What it could not be told of is told the next time.
    async fn note(&mut self) -> Result<(), sqlx::Error> {
        while let Some(ended) = self.attempts.try_join_next() {
            self.ended.extend(ended.ok());
        }
        let done = |attempt: &&Attempt| attempt.outcome.is_ok();
        let done: Vec<i64> = self.ended.iter().filter(done).map(|attempt| attempt.reaction_id).collect();
        if !done.is_empty() {
            rows::done(&self.pool, &done).await?;
            self.ended.retain(|attempt| attempt.outcome.is_err());
            done.iter().for_each(|reaction_id| drop(self.under_way.remove(reaction_id)));
        }
        while let Some(Attempt { reaction_id, number, outcome }) = self.ended.last() {
            let (wait, reason) = match outcome {
                Ok(()) => (None, ""),
                Err(Failure::Park(reason)) => (None, reason.as_str()),
                Err(Failure::Later(reason) | Failure::After(reason, _)) if *number >= self.settings.max_attempts => {
                    (None, reason.as_str())
                }
                Err(Failure::Later(reason)) => (Some(self.settings.wait(*number)), reason.as_str()),
                Err(Failure::After(reason, wait)) => {
                    let wait = (*wait).max(self.settings.first_retry).min(self.settings.longest_retry);
                    (Some(wait), reason.as_str())
                }
            };
            let (reactor, parked) = (self.reactor.name(), wait.is_none());
            tracing::debug!(reactor, reaction_id, number, reason, parked, "a reaction failed");
            rows::failed(&self.pool, (*reaction_id, *number), wait, reason).await?;
            if parked {
                tracing::warn!(reactor, reaction_id, reason, "a reaction is parked, and waits for a decision");
                metrics::counter!("reactor_parked_total", "reactor" => reactor).increment(1);
            }
            metrics::counter!("reactor_failures_total", "reactor" => reactor).increment(1);
            self.under_way.remove(reaction_id);
            self.ended.pop();
        }
        Ok(())
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self) {
        let time = self.settings.poll.min(CLAIM / 4);
        tokio::select! {
            Some(ended) = self.attempts.join_next() => self.ended.extend(ended.ok()),
            () = self.wake.notified() => {}
            () = tokio::time::sleep(time) => {}
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Lets what is under way end, within bounds.
    async fn wind_up(mut self) {
        let ending = async {
            while let Some(ended) = self.attempts.join_next().await {
                self.ended.extend(ended.ok());
            }
        };
        let _ = tokio::time::timeout(STOP_PATIENCE, ending).await;
        self.attempts.shutdown().await;
        if let Err(error) = self.note().await {
            tracing::warn!(%error, reactor = self.reactor.name(), "the outcome of reactions could not be noted");
        }
        if let Err(error) = rows::give_back(&self.pool, &self.claims()).await {
            tracing::warn!(%error, reactor = self.reactor.name(), "reactions could not be given back");
        }
    }

    fn claims(&self) -> Vec<(i64, i32)> {
        self.under_way.iter().map(|(reaction_id, (_, number))| (*reaction_id, *number)).collect()
    }

    async fn sleep(&mut self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}
