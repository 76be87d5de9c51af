//! Attempts due reactions on every node, each at least once.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::claims::{self, CLAIM_DURATION, ClaimedReaction};
use super::{Failure, Reaction, Reactor, ReactorOptions};
use crate::background::StopSignal;
use crate::failpoints::failpoint;
use crate::journal::KnownLog;
use crate::metrics;

/// Runs the attempts of one reactor on this node.
pub(super) struct ReactionWorker {
    pool: PgPool,
    log: KnownLog,
    reactor: Arc<dyn Reactor>,
    options: ReactorOptions,
    wake: Arc<Notify>,
    stop: StopSignal,
    attempts: JoinSet<Attempt>,
    /// Target and number of each attempt whose outcome is not recorded yet, by reaction.
    in_progress: HashMap<i64, (String, i32)>,
    /// Attempts that have ended, and whose outcome is not recorded yet.
    ended: Vec<Attempt>,
    claims_extended_at: Instant,
}

/// The outcome of an attempt.
struct Attempt {
    reaction_id: i64,
    event_id: Uuid,
    number: i32,
    outcome: Result<(), Failure>,
}

/// Outcomes and due reactions of this interval are handled together, because each commit costs a flush to disk.
const GATHER_INTERVAL: Duration = Duration::from_millis(50);
/// How long attempts in progress may run on when the node stops.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

impl ReactionWorker {
    pub fn new(
        pool: PgPool,
        log: KnownLog,
        reactor: Arc<dyn Reactor>,
        options: ReactorOptions,
        wake: Arc<Notify>,
        stop: StopSignal,
    ) -> Self {
        let (attempts, in_progress, ended, claims_extended_at) =
            (JoinSet::new(), HashMap::new(), Vec::new(), Instant::now());
        Self { pool, log, reactor, options, wake, stop, attempts, in_progress, ended, claims_extended_at }
    }

    pub async fn run(mut self) {
        while !self.stop.is_set() {
            match self.run_once().await {
                // There may be more.
                Ok(claimed) if claimed > 0 && self.in_progress.len() < self.options.concurrency => continue,
                Ok(_) => self.stop.sleep(GATHER_INTERVAL).await,
                Err(error) => {
                    tracing::warn!(%error, reactor = self.reactor.name(), "cannot claim reactions or record their outcomes");
                    self.stop.sleep(self.options.poll_interval).await;
                }
            }
            self.wait_for_work().await;
        }
        self.drain().await;
    }

    /// Records outcomes and starts due attempts; returns how many started.
    async fn run_once(&mut self) -> Result<usize, sqlx::Error> {
        self.record_outcomes().await?;
        if self.claims_extended_at.elapsed() >= CLAIM_DURATION / 4 {
            claims::extend_claims(&self.pool, &self.claims()).await?;
            self.claims_extended_at = Instant::now();
        }
        let free = self.options.concurrency.saturating_sub(self.in_progress.len());
        if free == 0 {
            return Ok(0);
        }
        let mut busy: HashMap<String, i64> = HashMap::new();
        for (target, _) in self.in_progress.values() {
            *busy.entry(target.clone()).or_default() += 1;
        }
        let busy = busy.into_iter().collect();
        let (name, seen) = (self.reactor.name(), self.log.seen());
        let claimed = claims::claim_due(&self.pool, name, &self.options, busy, free, seen).await?;
        let started = claimed.len();
        for reaction in claimed {
            self.start_attempt(reaction).await?;
        }
        Ok(started)
    }

    async fn start_attempt(&mut self, claimed: ClaimedReaction) -> Result<(), sqlx::Error> {
        let ClaimedReaction { reaction_id, target, attempts: number, event } = claimed;
        if number > self.options.max_attempts {
            let reason = "the last attempt did not finish: its server stopped or crashed";
            return claims::record_failure(&self.pool, (reaction_id, event.event_id, number), None, reason).await;
        }
        self.in_progress.insert(reaction_id, (target.clone(), number));
        let (reactor, time_limit) = (Arc::clone(&self.reactor), self.options.time_limit);
        let reaction = Reaction { event, target, attempt: number };
        self.attempts.spawn(async move {
            metrics::REACTOR_ATTEMPTS.add(1, &[("reactor", reactor.name())]);
            let reacted = AssertUnwindSafe(async { reactor.react(&reaction).await }).catch_unwind();
            let outcome = match tokio::time::timeout(time_limit, reacted).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(Failure::Retry("the reactor panicked; see the log".to_owned())),
                Err(_) => Err(Failure::Retry(format!("no result within {} s", time_limit.as_secs_f32()))),
            };
            failpoint!("reaction-carried-out");
            Attempt { reaction_id, event_id: reaction.event.event_id, number, outcome }
        });
        Ok(())
    }

    /// Records the outcomes of attempts that have ended. On an error the rest is recorded the next time.
    async fn record_outcomes(&mut self) -> Result<(), sqlx::Error> {
        while let Some(ended) = self.attempts.try_join_next() {
            self.ended.extend(ended.ok());
        }
        let done = |attempt: &&Attempt| attempt.outcome.is_ok();
        let done: Vec<_> =
            self.ended.iter().filter(done).map(|attempt| (attempt.reaction_id, attempt.event_id)).collect();
        if !done.is_empty() {
            claims::delete_done(&self.pool, &done).await?;
            self.ended.retain(|attempt| attempt.outcome.is_err());
            done.iter().for_each(|(reaction_id, _)| drop(self.in_progress.remove(reaction_id)));
        }
        while let Some(Attempt { reaction_id, event_id, number, outcome }) = self.ended.last() {
            let (wait, reason) = match outcome {
                Ok(()) => (None, ""),
                Err(Failure::Park(reason)) => (None, reason.as_str()),
                Err(Failure::Retry(reason) | Failure::RetryAfter(reason, _))
                    if *number >= self.options.max_attempts =>
                {
                    (None, reason.as_str())
                }
                Err(Failure::Retry(reason)) => (Some(self.options.retry_delay(*number)), reason.as_str()),
                Err(Failure::RetryAfter(reason, wait)) => {
                    let wait = (*wait).max(self.options.first_retry).min(self.options.longest_retry);
                    (Some(wait), reason.as_str())
                }
            };
            let (reactor, parked) = (self.reactor.name(), wait.is_none());
            tracing::debug!(reactor, reaction_id, number, reason, parked, "reaction failed");
            claims::record_failure(&self.pool, (*reaction_id, *event_id, *number), wait, reason).await?;
            if parked {
                tracing::warn!(reactor, reaction_id, reason, "parked a reaction; an operator must retry or drop it");
                metrics::REACTOR_PARKINGS.add(1, &[("reactor", reactor)]);
            }
            metrics::REACTOR_FAILURES.add(1, &[("reactor", reactor)]);
            self.in_progress.remove(reaction_id);
            self.ended.pop();
        }
        Ok(())
    }

    /// Waits until an attempt ends, or until a reaction may be due.
    async fn wait_for_work(&mut self) {
        let time = self.options.poll_interval.min(CLAIM_DURATION / 4);
        tokio::select! {
            Some(ended) = self.attempts.join_next() => self.ended.extend(ended.ok()),
            () = self.wake.notified() => {}
            () = self.stop.sleep(time) => {}
        }
    }

    /// Waits for attempts in progress, records their outcomes and releases the rest.
    async fn drain(mut self) {
        let ending = async {
            while let Some(ended) = self.attempts.join_next().await {
                self.ended.extend(ended.ok());
            }
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, ending).await;
        self.attempts.shutdown().await;
        if let Err(error) = self.record_outcomes().await {
            tracing::warn!(%error, reactor = self.reactor.name(), "cannot record the outcomes of reactions");
        }
        if let Err(error) = claims::release_claims(&self.pool, &self.claims()).await {
            tracing::warn!(%error, reactor = self.reactor.name(), "cannot release claims on reactions");
        }
    }

    fn claims(&self) -> Vec<(i64, i32)> {
        self.in_progress.iter().map(|(reaction_id, (_, number))| (*reaction_id, *number)).collect()
    }
}
