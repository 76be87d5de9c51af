//! The writer's view of the log: where it ends, with the states, numbers and snapshots that follow from it.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use uuid::Uuid;

use super::answers::answer_id;
use super::append::{self, Head};
use super::batch::Batch;
use super::cache::Cache;
use super::error::CommandError;
use super::identity::{KnownLog, LogState, SeenEvent};
use super::load::AggregateRef;
use super::numbers::Numbers;
use super::queue::{QueuedCommand, Verdict};
use super::snapshots::Snapshots;
use super::stream::StreamId;
use crate::database::failure::broken_constraint;
use crate::domain::refusal::Refusal;
use crate::metrics;

/// The end of the log, with everything derived from it.
pub(super) struct Log {
    pub head: Head,
    pub cache: Arc<Cache>,
    pub numbers: Numbers,
    pub head_sender: watch::Sender<i64>,
    pub known: KnownLog,
    pub snapshots: Snapshots,
}

impl Log {
    pub fn decide(&self, commands: &[QueuedCommand]) -> Batch {
        Batch::decide(commands, &self.cache, &self.numbers, self.head.position)
    }

    /// Applies a stored batch; the log ends at `head` after it. A dry run was undone, so nothing of it is applied.
    pub fn apply(&mut self, batch: Batch, head: Head, last_event: Option<Uuid>) -> Vec<Verdict> {
        if batch.dry_run {
            return batch.verdicts;
        }
        for (event, _) in &batch.events {
            if event.sequence % self.snapshots.every == 0
                && let Some(versioned) = batch.changed.get(&event.stream)
            {
                self.snapshots.offer(head.generation(), &event.stream, versioned);
            }
        }
        metrics::JOURNAL_EVENTS.add(batch.events.len() as u64, &[]);
        self.cache.commit(batch.changed);
        self.numbers = batch.numbers;
        let seen = last_event.map(|event_id| SeenEvent { position: head.position, event_id });
        self.known.observe(head.generation(), seen, Some(&self.numbers));
        self.move_to(head);
        batch.verdicts
    }

    /// Reads what other processes have appended, up to `head`.
    pub async fn catch_up(&mut self, connection: &mut PgConnection, head: Head) -> Result<(), sqlx::Error> {
        if head.generation() != self.head.generation() || head.position < self.head.position {
            return self.begin_again(connection, head).await;
        }
        if head.epoch != self.head.epoch {
            self.numbers.raise(&Numbers::read_reserved(connection).await?);
            // Archived events may have been restored, which are below the head.
            self.cache.clear();
        }
        while self.head.position < head.position {
            let events = append::tail(connection, self.head.position).await?;
            let Some(last) = events.last() else { break };
            let last = SeenEvent { position: last.position, event_id: last.event_id };
            for event in events {
                if event.sequence == 1 {
                    self.numbers.observe(&event.aggregate_type, &event.aggregate_id);
                }
                // A cached answer to this key is out of date; it is loaded on demand.
                if let Some(key_digest) = &event.key_digest {
                    self.cache.remove(&answer_id(key_digest));
                }
                let stream =
                    StreamId { kind: event.aggregate_type.clone().into(), id: event.aggregate_id.as_str().into() };
                if let Err(error) = self.cache.apply_event(&stream, &event) {
                    tracing::error!(position = event.position, %error, "cannot read an event of another process");
                }
            }
            self.head.position = last.position;
            self.known.observe(head.generation(), Some(last), Some(&self.numbers));
        }
        self.move_to(head);
        Ok(())
    }

    /// Forgets the log of another generation. Numbers continue above all that this node may have given.
    pub async fn begin_again(&mut self, connection: &mut PgConnection, head: Head) -> Result<(), sqlx::Error> {
        let state = LogState::read(connection, None).await?;
        let mut numbers = Numbers::read(connection).await?;
        numbers.raise(&self.known.given());
        numbers.raise(&self.numbers);
        self.known.adopt(&state);
        self.cache.clear();
        self.numbers = numbers;
        self.head = head;
        self.head_sender.send_replace(head.position);
        Ok(())
    }

    fn move_to(&mut self, head: Head) {
        self.head = head;
        self.head_sender.send_if_modified(|position| {
            let moved = *position < head.position;
            *position = head.position.max(*position);
            moved
        });
    }

    /// Verdict on a command that the database refused to store.
    pub fn classify_error(&self, error: &sqlx::Error, refusal: Option<Refusal>, command: &QueuedCommand) -> Verdict {
        if let Some(refusal) = refusal {
            return Verdict::Failed(refusal.into());
        }
        match (broken_constraint(error), &command.context.idempotency) {
            // Another process answered the key first; its answer is loaded and returned.
            (Some("idempotency_pkey"), Some(idempotency)) => {
                let answer = answer_id(&idempotency.digest);
                self.cache.remove(&answer);
                Verdict::Missing(vec![AggregateRef::answer(answer)])
            }
            _ => {
                tracing::error!(%error, "the database refused to store a command");
                self.cache.clear();
                Verdict::Failed(CommandError::Internal(error.to_string()))
            }
        }
    }
}
