//! The one task that appends: takes the queued commands, decides them, stores them, and replies.

use std::sync::Arc;
use std::time::Instant;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::append::{self, Head};
use super::batch::Batch;
use super::cache::Cache;
use super::error::{AppendFailure, CommandError};
use super::identity::KnownLog;
use super::log::Log;
use super::numbers::Numbers;
use super::queue::{QueuedCommand, Verdict};
use super::snapshots::Snapshots;
use super::write_state::WriteState;
use crate::background::Backoff;
use crate::database::failure::broken_constraint;
use crate::database::unavailability::Unavailability;
use crate::domain::refusal::Refusal;
use crate::failpoints::failpoint;
use crate::metrics;

pub(super) struct Writer {
    connect: PgConnectOptions,
    connection: PgConnection,
    log: Log,
    writes: WriteState,
    batch_size: usize,
}

/// What the writer's view of the log consists of, beside what it reads.
pub(super) struct WriterLog {
    pub cache: Arc<Cache>,
    pub head_sender: watch::Sender<i64>,
    pub known: KnownLog,
    pub snapshots: Snapshots,
}

/// Why a batch was not stored.
enum NotStored {
    /// Another process appended first, or the connection was lost and the batch with it: to be decided again.
    Again {
        locked: bool,
    },
    /// The database refused the batch; `refusal` is what its side writes make of the broken constraint.
    Rejected {
        error: sqlx::Error,
        refusal: Option<Refusal>,
    },
    Unavailable(sqlx::Error),
}

/// How long a paused process may hold the head; then the database ends its session and stores nothing of it.
/// It is far longer than a running process needs, and shorter than commands wait.
const MAX_PAUSE: &str = "2s";

impl Writer {
    pub async fn connect(
        connect: PgConnectOptions,
        log: WriterLog,
        writes: WriteState,
        batch_size: usize,
    ) -> Result<Self, sqlx::Error> {
        // Between two statements of [`Self::append_locked`] this process blocks all other writers.
        let connect = connect.options([("idle_in_transaction_session_timeout", MAX_PAUSE)]);
        let mut connection = connect.connect().await?;
        let head = append::head(&mut connection).await?;
        let numbers = Numbers::read(&mut connection).await?;
        let WriterLog { cache, head_sender, known, snapshots } = log;
        known.reserve(&numbers).await;
        head_sender.send_replace(head.position);
        let log = Log { head, cache, numbers, head_sender, known, snapshots };
        Ok(Self { connect, connection, log, writes, batch_size })
    }

    pub async fn run(mut self, mut queue: mpsc::Receiver<QueuedCommand>) {
        let mut commands = Vec::with_capacity(self.batch_size);
        while queue.recv_many(&mut commands, self.batch_size).await > 0 {
            commands.retain(QueuedCommand::claim);
            // Dry runs come last, so that they do not split the batches of the others.
            commands.sort_by_key(|command| command.context.dry_run);
            metrics::JOURNAL_BATCH_COMMANDS.record(commands.len() as f64, &[]);
            self.serve(&mut commands).await;
        }
    }

    /// Decides and stores `commands`, replies to all of them, and leaves none.
    async fn serve(&mut self, commands: &mut Vec<QueuedCommand>) {
        while !commands.is_empty() {
            let dry_run = commands.iter().position(|command| command.context.dry_run);
            let count = dry_run.unwrap_or(commands.len()).max(1);
            match self.store(&commands[..count]).await {
                Ok(verdicts) => {
                    for (command, verdict) in commands.drain(..verdicts.len()).zip(verdicts) {
                        command.reply(verdict);
                    }
                }
                Err(NotStored::Rejected { error, refusal }) if count == 1 => {
                    for command in commands.drain(..count) {
                        let verdict = self.log.classify_error(&error, refusal.clone(), &command);
                        command.reply(verdict);
                    }
                }
                // Each command is stored alone, so that only the faulty one fails.
                Err(NotStored::Rejected { .. }) => {
                    for command in commands.drain(..count) {
                        Box::pin(self.serve(&mut vec![command])).await;
                    }
                }
                Err(NotStored::Unavailable(error)) => {
                    tracing::error!(%error, "the log could not be written");
                    self.writes.record_refusal(Unavailability::of(&error));
                    for command in commands.drain(..count) {
                        command.reply(Verdict::Failed(CommandError::of_statement(&error)));
                    }
                }
                Err(NotStored::Again { .. }) => {}
            }
        }
    }

    /// Stores as many of `commands` as fit one append, and returns their verdicts.
    async fn store(&mut self, commands: &[QueuedCommand]) -> Result<Vec<Verdict>, NotStored> {
        let mut locked = false;
        loop {
            let stored = if locked { self.append_locked(commands).await } else { self.append(commands).await };
            match stored {
                Err(NotStored::Again { locked: next }) => locked = next,
                concluded => return concluded,
            }
        }
    }

    /// One round trip, if no other process appended since the last one.
    async fn append(&mut self, commands: &[QueuedCommand]) -> Result<Vec<Verdict>, NotStored> {
        let batch = self.log.decide(commands);
        if !batch.has_answers() {
            return Ok(batch.verdicts);
        }
        let event_ids = batch.new_event_ids();
        let sent = if batch.is_empty() {
            // Even a refusal must be based on the newest state.
            append::head(&mut self.connection).await.map(|head| (head == self.log.head, head))
        } else {
            self.log.known.reserve(&batch.numbers).await;
            failpoint!("journal-append-decided");
            let started = Instant::now();
            let sent = append::append(&mut self.connection, self.log.head, &batch, &event_ids).await;
            metrics::JOURNAL_APPEND_SECONDS.record_time(started.elapsed(), &[]);
            if matches!(sent, Ok((true, _))) {
                failpoint!("journal-append-stored");
            }
            sent
        };
        self.conclude(sent, batch, &event_ids).await
    }

    /// Locks the head before deciding, after a lost race, so that no other process can append in between.
    async fn append_locked(&mut self, commands: &[QueuedCommand]) -> Result<Vec<Verdict>, NotStored> {
        let Self { connection, log, .. } = self;
        let mut decided = None;
        let sent = async {
            let mut transaction = connection.begin().await?;
            let head = append::lock_head(&mut transaction).await?;
            log.catch_up(&mut transaction, head).await?;
            let batch = log.decide(commands);
            let event_ids = batch.new_event_ids();
            let (batch, event_ids) = decided.insert((batch, event_ids));
            if batch.is_empty() {
                transaction.rollback().await?;
                return Ok((true, head));
            }
            log.known.reserve(&batch.numbers).await;
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

    /// Applies a batch that was stored; otherwise says why it was not.
    async fn conclude(
        &mut self,
        sent: Result<(bool, Head), sqlx::Error>,
        batch: Batch,
        event_ids: &[Uuid],
    ) -> Result<Vec<Verdict>, NotStored> {
        match sent.map_err(AppendFailure::classify) {
            Ok((true, head)) => {
                if !batch.is_empty() {
                    self.writes.record_success();
                }
                Ok(self.log.apply(batch, head, event_ids.last().copied()))
            }
            Ok((false, _)) => {
                metrics::JOURNAL_LOST_RACES.add(1, &[]);
                Err(NotStored::Again { locked: true })
            }
            Err(AppendFailure::Rejected(error)) => {
                let refusal = broken_constraint(&error).and_then(|constraint| batch.refusal(constraint));
                Err(NotStored::Rejected { error, refusal })
            }
            Err(AppendFailure::Unavailable(error)) => Err(NotStored::Unavailable(error)),
            Err(AppendFailure::Unknown(error)) => {
                tracing::warn!(%error, "lost the database connection during an append");
                match self.recover(event_ids).await {
                    Some(head) => Ok(self.log.apply(batch, head, event_ids.last().copied())),
                    None => Err(NotStored::Again { locked: false }),
                }
            }
        }
    }

    /// Reconnects, however long it takes, and finds out whether the batch with these events was stored.
    /// Returns where the log ended with it. Nothing sent earlier can be stored afterwards.
    async fn recover(&mut self, event_ids: &[Uuid]) -> Option<Head> {
        let mut retries = Backoff::RECONNECT;
        self.writes.record_refusal(Unavailability::Disconnected);
        loop {
            match self.reconnect(event_ids).await {
                Ok(stored) => {
                    self.writes.record_success();
                    tracing::info!(stored = stored.is_some(), "reconnected to the database");
                    return stored;
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot reconnect to the database yet");
                    tokio::time::sleep(retries.next_pause()).await;
                }
            }
        }
    }

    async fn reconnect(&mut self, event_ids: &[Uuid]) -> Result<Option<Head>, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        append::fence(&mut connection).await?;
        failpoint!("journal-recovery-fenced");
        // The database may be an older one, restored meanwhile.
        self.log.known.reconcile(&mut connection).await?;
        let head = append::head(&mut connection).await?;
        if head.generation() != self.log.head.generation() {
            self.log.begin_again(&mut connection, head).await?;
        }
        let first_position = match event_ids.first() {
            Some(event_id) => append::position_of(&mut connection, *event_id).await?,
            None => None,
        };
        self.connection = connection;
        self.log.head.epoch = head.epoch;
        Ok(first_position.map(|first| Head { position: first + length(event_ids) - 1, epoch: head.epoch }))
    }
}

fn length(event_ids: &[Uuid]) -> i64 {
    i64::try_from(event_ids.len()).unwrap_or(i64::MAX)
}
