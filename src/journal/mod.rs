//! Write side of the log: one log, one order, appended by compare-and-set.
//!
//! Commands queue in front of one writer task. It takes what has queued, runs each command's use case on cached
//! aggregates, one after the other, and appends everything that they decided with one statement. All callers get their
//! answers after the commit. So there are no write conflicts inside a process, and one flush to disk serves many
//! commands; between processes the compare-and-set on `journal_head` keeps the order.
//!
//! The writer never loads: a use case that needs an uncached aggregate ends with [`Interrupt::Missing`], the
//! caller's own task loads it, and the use case is queued again.
//!
//! Nothing else in the program writes to `events`. [`archive`] alone moves events from there to `events_archive`.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::clock::Clock;
use crate::database::unavailability::Unavailability;
use crate::domain::Decider;

mod answers;
mod append;
pub mod archive;
mod batch;
mod cache;
mod check;
mod context;
mod empty_log;
mod entity_tag;
mod error;
mod identity;
mod listen;
mod load;
mod log;
mod numbers;
mod queue;
mod side_write;
mod snapshots;
mod stream;
mod unit_of_work;
mod use_case;
mod write_state;
mod writer;

pub use check::{CheckedRule, LogFinding, check_log};
pub use context::{Actor, Context, IdempotencyKey};
pub use empty_log::decide_on_empty_log;
pub use entity_tag::{EntityTag, ViewDigest};
pub use error::CommandError;
pub use identity::{
    BegunGeneration, KnownLog, LogFile, LogIdentity, LogState, MalformedPosition, StreamPosition, declare_restored,
};
pub use load::AggregateRef;
pub use side_write::SideWrite;
pub use stream::StreamId;
pub use unit_of_work::{Interrupt, NewEvent, UnitOfWork, UseCase};
pub use write_state::WriteState;

use cache::Cache;
use load::Loader;
use queue::{QueuedCommand, Verdict};
use use_case::ErasedUseCase;

/// Sends commands to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<QueuedCommand>,
    loader: Loader,
    head: watch::Receiver<i64>,
    known: KnownLog,
    identity: watch::Receiver<LogIdentity>,
    clock: Clock,
    writes: WriteState,
    options: JournalOptions,
}

/// Handle of the journal's tasks. The writer ends when every [`Journal`] is dropped and the queue is empty.
pub struct WriterHandle {
    task: JoinHandle<()>,
    listener: JoinHandle<()>,
    heartbeat: JoinHandle<()>,
    watcher: JoinHandle<()>,
    known: KnownLog,
    probe: JoinHandle<()>,
}

impl WriterHandle {
    /// Waits until every accepted command is answered. Drop every [`Journal`] before.
    pub async fn finish(self) -> Result<(), JoinError> {
        let ended = self.task.await;
        self.listener.abort();
        self.heartbeat.abort();
        self.watcher.abort();
        self.known.save().await;
        self.probe.abort();
        ended
    }
}

#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Bound of the queue; further commands are refused with [`CommandError::Busy`].
    pub queue_length: usize,
    /// Maximum number of commands in one append.
    pub batch_size: usize,
    /// Bound of the aggregate cache in entries: an aggregate counts one, plus one for each item or line.
    pub cache_entries: usize,
    /// How long a command waits for the writer; then it is withdrawn and never carried out.
    pub queue_timeout: Duration,
    /// How long a caller waits for an append of unknown outcome.
    pub outcome_timeout: Duration,
    /// Number of events between two snapshots of a stream; a read applies at most so many beyond its page.
    pub snapshot_every: i64,
    /// Where this node remembers the log, to recognise a restored older database at its next start.
    pub log_file: Option<LogFile>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            queue_length: 4_096,
            batch_size: 256,
            cache_entries: 200_000,
            queue_timeout: Duration::from_secs(5),
            outcome_timeout: Duration::from_secs(4),
            snapshot_every: 500,
            log_file: None,
        }
    }
}

/// Outcome of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt<Answer> {
    pub answer: Answer,
    /// Position of the command's last event; without events, the end of the log.
    pub position: i64,
    /// The answer was stored under the same idempotency key before.
    pub replayed: bool,
    /// Events that a dry run would have appended; empty otherwise.
    pub events: Vec<NewEvent>,
}

/// Bound on the rounds of loading for one use case: each round names all it can, so a few suffice.
const LOAD_ROUNDS: usize = 32;

impl Journal {
    /// Connects the writer and starts it. `head_sender` gets the end of the log after every append, of other nodes too.
    pub async fn start(
        connect: PgConnectOptions,
        pool: PgPool,
        head_sender: watch::Sender<i64>,
        options: JournalOptions,
    ) -> Result<(Self, WriterHandle), sqlx::Error> {
        let cache = Arc::new(Cache::new(options.cache_entries));
        let loader = Loader::new(pool.clone(), Arc::clone(&cache), options.snapshot_every);
        let head = head_sender.subscribe();
        let clock = Clock::start(&pool).await?;
        let heartbeat = clock.keep_measured(pool.clone());
        let writes = WriteState::default();
        let probe = writes.keep_probed(pool.clone());
        let snapshots = snapshots::start(pool.clone(), options.snapshot_every);
        let listener = listen::start(connect.clone(), head_sender.clone());
        let (file, of_cache, head_of_log) = (options.log_file.clone(), Arc::clone(&cache), head_sender.clone());
        let known = KnownLog::open(&mut *pool.acquire().await?, file, of_cache, head_of_log).await?;
        known.save().await;
        let (identity, watcher) = (known.identity(), identity::keep_recognised(known.clone(), pool));
        let log = writer::WriterLog { cache, head_sender, known: known.clone(), snapshots };
        let writer = writer::Writer::connect(connect, log, writes.clone(), options.batch_size).await?;
        let (queue, requests) = mpsc::channel(options.queue_length);
        let task = tokio::spawn(writer.run(requests));
        let handle = WriterHandle { task, listener, heartbeat, watcher, known: known.clone(), probe };
        Ok((Self { queue, loader, head, known, identity, clock, writes, options }, handle))
    }

    /// Carries out one use case completely or not at all.
    pub async fn run<U: UseCase>(&self, use_case: U, context: Context) -> Result<Receipt<U::Answer>, CommandError> {
        let use_case: Arc<dyn ErasedUseCase> = Arc::new(use_case);
        let received_at = context.received_at.unwrap_or_else(|| self.clock.now());
        let context = Arc::new(context);
        for _ in 0..LOAD_ROUNDS {
            match self.submit(Arc::clone(&use_case), Arc::clone(&context), received_at).await? {
                Verdict::Missing(references) => self.loader.load_all(references).await?,
                Verdict::Accepted { answer, position, events } => {
                    let answer = answer
                        .into_any()
                        .downcast()
                        .map_err(|_| CommandError::Internal("a use case got the answer of another".to_owned()))?;
                    return Ok(Receipt { answer: *answer, position, replayed: false, events });
                }
                Verdict::Replayed { answer, position } => {
                    return Ok(Receipt { answer: read_answer(answer)?, position, replayed: true, events: vec![] });
                }
                Verdict::Failed(error) => return Err(error),
            }
        }
        Err(CommandError::Internal(format!("a use case still missed aggregates after {LOAD_ROUNDS} rounds")))
    }

    /// Reads an aggregate as the log in the database has it now, without the cache and the queue.
    pub async fn read<A: Decider>(&self, id: impl Display) -> Result<A, CommandError> {
        self.read_upto(id, i64::MAX).await.map(|(_, aggregate)| aggregate)
    }

    /// Reads an aggregate as it was after its first `events` events, or after all if there are fewer, and their number.
    /// No events give the default.
    pub async fn read_upto<A: Decider>(&self, id: impl Display, events: i64) -> Result<(i64, A), CommandError> {
        self.loader.reader.read(&StreamId::of::<A>(id), events).await
    }

    /// The shop's time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether the database accepts what the writer stores.
    pub fn write_state(&self) -> &WriteState {
        &self.writes
    }

    /// Watches where the log ends.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// End of the log, as far as this process knows.
    pub fn position(&self) -> i64 {
        *self.head.borrow()
    }

    /// Log id and generation, as far as this process knows.
    pub fn identity(&self) -> LogIdentity {
        *self.identity.borrow()
    }

    /// Reads identity and end of the log from the database.
    pub async fn log_state(&self) -> Result<LogState, sqlx::Error> {
        LogState::read(&mut *self.loader.reader.pool.acquire().await?, None).await
    }

    /// Watches for another generation of the log.
    pub fn identity_changes(&self) -> watch::Receiver<LogIdentity> {
        self.identity.clone()
    }

    /// What this node knows of the log, for tasks that follow it.
    pub fn known_log(&self) -> KnownLog {
        self.known.clone()
    }

    /// Deletes answers to expired idempotency keys, and the oldest beyond `most`; returns how many, and whether there
    /// are more.
    pub async fn forget_answers(&self, most: u32) -> Result<(u64, bool), sqlx::Error> {
        let deleted = answers::delete_old_answers(&self.loader.reader.pool, most).await?;
        Ok((deleted, deleted >= answers::DELETED_AT_ONCE.unsigned_abs()))
    }

    async fn submit(
        &self,
        use_case: Arc<dyn ErasedUseCase>,
        context: Arc<Context>,
        received_at: DateTime<Utc>,
    ) -> Result<Verdict, CommandError> {
        let (command, mut pending) = QueuedCommand::new(use_case, context, received_at);
        self.queue.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => {
                let reason = Unavailability::Stopping;
                CommandError::Unavailable { reason, error: "the writer has ended".to_owned() }
            }
        })?;
        let stopped = |_| CommandError::Internal("the writer stopped without an answer".to_owned());
        if let Ok(verdict) = tokio::time::timeout(self.options.queue_timeout, &mut pending.verdict).await {
            return verdict.map_err(stopped);
        }
        if pending.withdraw() {
            let reason = self.writes.refused().unwrap_or(Unavailability::WriterBusy);
            return Err(CommandError::Unavailable { reason, error: "the command was withdrawn".to_owned() });
        }
        match tokio::time::timeout(self.options.outcome_timeout, pending.verdict).await {
            Ok(verdict) => verdict.map_err(stopped),
            Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }
}

fn read_answer<Answer: serde::de::DeserializeOwned>(answer: Value) -> Result<Answer, CommandError> {
    // The answer of a command without an answer is stored as an empty object.
    let nothing = size_of::<Answer>() == 0 && answer.as_object().is_some_and(serde_json::Map::is_empty);
    let answer = if nothing { Value::Null } else { answer };
    serde_json::from_value(answer).map_err(|error| CommandError::Internal(format!("unreadable answer: {error}")))
}
