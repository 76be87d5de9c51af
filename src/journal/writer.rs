//! The one task that appends: takes what has queued, decides it, stores it, answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::append::{self, Failure, Head};
use super::batch::{Batch, Verdict};
use super::cache::Cache;
use super::load::answer_id;
use super::numbers::Numbers;
use super::snapshots::Snapshots;
use super::stream::StreamId;
use super::{CommandError, Load, Request};
use crate::database::failure::broken_constraint;
use crate::domain::refusal::Refusal;
use crate::failpoints::failpoint;

pub(super) struct Writer {
    connect: PgConnectOptions,
    connection: PgConnection,
    log: Log,
    batch_size: usize,
}

/// What the writer knows of the log.
struct Log {
    head: Head,
    cache: Arc<Cache>,
    numbers: Numbers,
    head_sender: watch::Sender<i64>,
    snapshots: Snapshots,
}

/// Why a batch was not stored.
enum NotStored {
    /// Somebody else appended first, or the connection was lost and the batch with it: to be decided again.
    Again {
        locked: bool,
    },
    Rejected(sqlx::Error),
    Unavailable(sqlx::Error),
}

/// How long a process that stands still may hold the head: the database then ends its session, and nothing of it is
/// stored. It is far longer than a process that runs needs, and shorter than commands wait.
const STANDSTILL: &str = "2s";

impl Writer {
    pub async fn connect(
        connect: PgConnectOptions,
        cache: Arc<Cache>,
        head_sender: watch::Sender<i64>,
        snapshots: Snapshots,
        batch_size: usize,
    ) -> Result<Self, sqlx::Error> {
        // Between two statements of [`Self::append_locked`] this process holds up all other writers.
        let connect = connect.options([("idle_in_transaction_session_timeout", STANDSTILL)]);
        let mut connection = connect.connect().await?;
        let head = append::head(&mut connection).await?;
        let numbers = Numbers::read(&mut connection).await?;
        head_sender.send_replace(head.position);
        let log = Log { head, cache, numbers, head_sender, snapshots };
        Ok(Self { connect, connection, log, batch_size })
    }

    pub async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(self.batch_size);
        while queue.recv_many(&mut requests, self.batch_size).await > 0 {
            requests.retain(Request::take);
            metrics::histogram!("journal_batch_commands").record(requests.len() as f64);
            self.serve(&mut requests).await;
        }
    }

    /// Decides, stores and answers `requests`, and leaves none.
    async fn serve(&mut self, requests: &mut Vec<Request>) {
        while !requests.is_empty() {
            match self.store(requests).await {
                Ok(verdicts) => {
                    for (request, verdict) in requests.drain(..verdicts.len()).zip(verdicts) {
                        request.answer(verdict);
                    }
                }
                Err(NotStored::Rejected(error)) if requests.len() == 1 => {
                    for request in requests.drain(..) {
                        let verdict = self.log.judge(&error, &request);
                        request.answer(verdict);
                    }
                }
                // Each command goes alone, so that only the one at fault fails.
                Err(NotStored::Rejected(_)) => {
                    for request in requests.drain(..) {
                        Box::pin(self.serve(&mut vec![request])).await;
                    }
                }
                Err(NotStored::Unavailable(error)) => {
                    tracing::error!(%error, "the log could not be written");
                    for request in requests.drain(..) {
                        request.answer(Verdict::Failed(append::command_error(&error)));
                    }
                }
                Err(NotStored::Again { .. }) => {}
            }
        }
    }

    /// Stores as many of `requests` as fit one append, and returns their verdicts.
    async fn store(&mut self, requests: &[Request]) -> Result<Vec<Verdict>, NotStored> {
        let mut locked = false;
        loop {
            let stored = if locked { self.append_locked(requests).await } else { self.append(requests).await };
            match stored {
                Err(NotStored::Again { locked: next }) => locked = next,
                concluded => return concluded,
            }
        }
    }

    /// One round trip, if nobody else appended since the last one.
    async fn append(&mut self, requests: &[Request]) -> Result<Vec<Verdict>, NotStored> {
        let batch = self.log.decide(requests);
        if !batch.has_answers() {
            return Ok(batch.verdicts);
        }
        let event_ids = batch.new_event_ids();
        let sent = if batch.is_empty() {
            // Even a refusal must speak of the newest state.
            append::head(&mut self.connection).await.map(|head| (head == self.log.head, head))
        } else {
            failpoint!("journal-append-decided");
            let started = Instant::now();
            let sent = append::append(&mut self.connection, self.log.head, &batch, &event_ids).await;
            metrics::histogram!("journal_append_seconds").record(started.elapsed());
            if matches!(sent, Ok((true, _))) {
                failpoint!("journal-append-stored");
            }
            sent
        };
        self.conclude(sent, batch, &event_ids).await
    }

    /// Takes the head's lock before deciding, so that nobody can come in between: after a lost race.
    async fn append_locked(&mut self, requests: &[Request]) -> Result<Vec<Verdict>, NotStored> {
        let Self { connection, log, .. } = self;
        let mut decided = None;
        let sent = async {
            let mut transaction = connection.begin().await?;
            let head = append::lock_head(&mut transaction).await?;
            log.catch_up(&mut transaction, head).await?;
            let batch = log.decide(requests);
            let event_ids = batch.new_event_ids();
            let (batch, event_ids) = decided.insert((batch, event_ids));
            if batch.is_empty() {
                transaction.rollback().await?;
                return Ok((true, head));
            }
            let sent = append::append(&mut transaction, head, batch, event_ids).await?;
            failpoint!("journal-locked-sent");
            transaction.commit().await?;
            failpoint!("journal-locked-stored");
            Ok(sent)
        }
        .await;
        let (batch, event_ids) = decided.unwrap_or_else(|| (log.decide(&[]), vec![]));
        self.conclude(sent, batch, &event_ids).await
    }

    /// What became of a batch that was sent.
    async fn conclude(
        &mut self,
        sent: Result<(bool, Head), sqlx::Error>,
        batch: Batch,
        event_ids: &[Uuid],
    ) -> Result<Vec<Verdict>, NotStored> {
        match sent.map_err(append::failure) {
            Ok((true, head)) => Ok(self.log.apply(batch, head)),
            Ok((false, _)) => {
                metrics::counter!("journal_lost_races_total").increment(1);
                Err(NotStored::Again { locked: true })
            }
            Err(Failure::Rejected(error)) => Err(NotStored::Rejected(error)),
            Err(Failure::Unavailable(error)) => Err(NotStored::Unavailable(error)),
            Err(Failure::Unknown(error)) => {
                tracing::warn!(%error, "the connection was lost during an append");
                match self.recover(event_ids).await {
                    Some(head) => Ok(self.log.apply(batch, head)),
                    None => Err(NotStored::Again { locked: false }),
                }
            }
        }
    }

    /// Connects again, however long it takes, and finds out whether the batch with these events was stored.
    /// Returns where the log ended with it; afterwards nothing that was sent earlier can be stored any more.
    async fn recover(&mut self, event_ids: &[Uuid]) -> Option<Head> {
        let mut pause = Duration::from_millis(20);
        loop {
            match self.reconnect(event_ids).await {
                Ok(stored) => {
                    tracing::info!(stored = stored.is_some(), "the connection is back");
                    return stored;
                }
                Err(error) => {
                    tracing::debug!(%error, "the database does not answer yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn reconnect(&mut self, event_ids: &[Uuid]) -> Result<Option<Head>, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        let head = append::fence(&mut connection).await?;
        failpoint!("journal-recovery-fenced");
        let first_position = match event_ids.first() {
            Some(event_id) => append::position_of(&mut connection, *event_id).await?,
            None => None,
        };
        self.connection = connection;
        self.log.head.epoch = head.epoch;
        Ok(first_position.map(|first| Head { position: first + length(event_ids) - 1, epoch: head.epoch }))
    }
}

impl Log {
    fn decide(&self, requests: &[Request]) -> Batch {
        Batch::decide(requests, &self.cache, &self.numbers, self.head.position)
    }

    /// Takes over what was stored, with the log ending at `head` after it.
    fn apply(&mut self, batch: Batch, head: Head) -> Vec<Verdict> {
        for (event, _) in &batch.events {
            if event.sequence % self.snapshots.every == 0
                && let Some(versioned) = batch.changed.get(&event.stream)
            {
                self.snapshots.offer(&event.stream, versioned);
            }
        }
        metrics::counter!("journal_events_total").increment(batch.events.len() as u64);
        self.cache.commit(batch.changed);
        self.numbers = batch.numbers;
        self.move_to(head);
        batch.verdicts
    }

    /// Reads what others have appended, up to `head`.
    async fn catch_up(&mut self, connection: &mut PgConnection, head: Head) -> Result<(), sqlx::Error> {
        while self.head.position < head.position {
            let events = append::tail(connection, self.head.position).await?;
            let Some(last) = events.last().map(|event| event.position) else { break };
            for event in events {
                if event.sequence == 1 {
                    self.numbers.notice(&event.aggregate_type, &event.aggregate_id);
                }
                // Its answer is read when it is asked for; what was read before is out of date.
                if let Some(key_digest) = &event.key_digest {
                    self.cache.forget(&answer_id(key_digest));
                }
                let stream =
                    StreamId { kind: event.aggregate_type.clone().into(), id: event.aggregate_id.as_str().into() };
                if let Err(error) = self.cache.take_over(&stream, &event) {
                    tracing::error!(position = event.position, %error, "an event of another process is unreadable");
                }
            }
            self.head.position = last;
        }
        self.move_to(head);
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

    /// What a command is told that the database refused to store.
    fn judge(&self, error: &sqlx::Error, request: &Request) -> Verdict {
        match (broken_constraint(error), &request.context.idempotency) {
            (Some("customer_profile_email_key" | "account_email_key" | "account_customer_id_key"), _) => {
                Verdict::Failed(Refusal::EmailTaken.into())
            }
            (Some("mailed_link_used_once"), _) => Verdict::Failed(Refusal::LinkInvalid.into()),
            (Some("order_address_as_known"), _) => Verdict::Failed(Refusal::AddressChanged.into()),
            // Another process answered the key first; its answer is loaded and given.
            (Some("idempotency_pkey"), Some(idempotency)) => {
                let answer = answer_id(&idempotency.digest);
                self.cache.forget(&answer);
                Verdict::Missing(vec![Load::answer(answer)])
            }
            _ => {
                tracing::error!(%error, "the database refused a command");
                self.cache.clear();
                Verdict::Failed(CommandError::Internal(error.to_string()))
            }
        }
    }
}

fn length(event_ids: &[Uuid]) -> i64 {
    i64::try_from(event_ids.len()).unwrap_or(i64::MAX)
}
