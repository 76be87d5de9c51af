//! The log's write side: one log, one order, appended by compare-and-set.
//!
//! Commands queue in front of one writer task. It takes what has queued, runs each command's use case on cached
//! aggregates, one after the other, and appends everything that they decided with one statement. Everybody is answered
//! after the commit. So there are no write conflicts inside a process, and one flush to disk serves many commands;
//! between processes the compare-and-set on `journal_head` keeps the order.
//!
//! The writer never loads: a use case that needs an aggregate which is not cached stops with [`Interrupt::Missing`], the
//! caller's own task loads it, and the use case is queued again.
//!
//! Nothing else in the program writes to `events`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::domain::refusal::Refusal;

mod append;
mod batch;
mod cache;
mod check;
mod context;
mod listen;
mod load;
mod numbers;
mod snapshots;
mod stream;
mod unit_of_work;
mod writer;

pub use check::{CheckedRule, LogFinding, check_log};
pub use context::{Actor, Context, IdempotencyKey};
pub use stream::StreamId;
pub use unit_of_work::{AddressKind, AggregateRef, NewEvent, Profile, Interrupt, UnitOfWork, UseCase};

use batch::{ErasedUseCase, Verdict};
use cache::Cache;
use load::Loader;

/// Sends commands to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<Request>,
    loader: Loader,
    head: watch::Receiver<i64>,
    options: JournalOptions,
}

/// The tasks behind the journal. The writer ends when every [`Journal`] is dropped and the queue is empty.
pub struct Writer {
    task: JoinHandle<()>,
    listener: JoinHandle<()>,
}

impl Writer {
    /// Waits until every command that was accepted is answered. Drop every [`Journal`] before.
    pub async fn finish(self) -> Result<(), JoinError> {
        let ended = self.task.await;
        self.listener.abort();
        ended
    }
}

#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// How many commands may wait; one more is refused with [`CommandError::Busy`].
    pub queue_length: usize,
    /// How many commands one append serves at the most.
    pub batch_size: usize,
    /// The bound of the aggregate cache, in entries: an aggregate counts one, and one more for each item or line.
    pub cache_entries: usize,
    /// How long a command may wait for the writer; then it is withdrawn and never carried out.
    pub queue_timeout: Duration,
    /// How long a caller waits for an append whose outcome is not known yet.
    pub outcome_timeout: Duration,
    /// A snapshot is taken each time a stream has grown by this many events.
    pub snapshot_every: i64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            queue_length: 4_096,
            batch_size: 256,
            cache_entries: 200_000,
            queue_timeout: Duration::from_secs(5),
            outcome_timeout: Duration::from_secs(4),
            snapshot_every: 250,
        }
    }
}

/// What a command led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt<Answer> {
    pub answer: Answer,
    /// Where the log ended with the command's last event, or where it stood if there was none.
    pub position: i64,
    /// The answer was given before, to the same idempotency key.
    pub replayed: bool,
    /// What a dry run would have appended; empty for a real one.
    pub events: Vec<NewEvent>,
}

/// Why a command has no receipt. Except for [`CommandError::OutcomeUnknown`], it left no trace.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the resource has version {current}")]
    Stale { current: i64 },
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("too many commands are waiting")]
    Busy,
    #[error("the database is not available: {0}")]
    Unavailable(String),
    #[error("the connection to the database was lost, and it is not known yet whether the command was carried out")]
    OutcomeUnknown,
    #[error("{0}")]
    Internal(String),
}

/// A command on its way to the writer.
pub(crate) struct Request {
    job: Arc<dyn ErasedUseCase>,
    context: Arc<Context>,
    reply: oneshot::Sender<Verdict>,
    state: Arc<AtomicU8>,
}

const QUEUED: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// How often a use case may ask for more aggregates before it is given up: each round names all it can, so a few do.
const LOAD_ROUNDS: usize = 32;

impl Journal {
    /// Connects the writer and starts it. `head_sender` is told where the log ends, after every append, also of others.
    pub async fn start(
        connect: PgConnectOptions,
        pool: PgPool,
        head_sender: watch::Sender<i64>,
        options: JournalOptions,
    ) -> Result<(Self, Writer), sqlx::Error> {
        let cache = Arc::new(Cache::new(options.cache_entries));
        let loader = Loader::new(pool.clone(), Arc::clone(&cache));
        let head = head_sender.subscribe();
        let snapshots = snapshots::start(pool, options.snapshot_every);
        let listener = listen::start(connect.clone(), head_sender.clone());
        let writer = writer::Writer::connect(connect, cache, head_sender, snapshots, options.batch_size).await?;
        let (queue, requests) = mpsc::channel(options.queue_length);
        let task = tokio::spawn(writer.run(requests));
        Ok((Self { queue, loader, head, options }, Writer { task, listener }))
    }

    /// Carries out one use case, all of it or nothing.
    pub async fn run<U: UseCase>(&self, use_case: U, context: Context) -> Result<Receipt<U::Answer>, CommandError> {
        let job: Arc<dyn ErasedUseCase> = Arc::new(use_case);
        let context = Arc::new(context);
        for _ in 0..LOAD_ROUNDS {
            match self.ask(Arc::clone(&job), Arc::clone(&context)).await? {
                Verdict::Missing(loads) => self.loader.load_all(loads).await?,
                Verdict::Accepted { answer, position, events } => {
                    let answer = answer
                        .into_any()
                        .downcast()
                        .map_err(|_| CommandError::Internal("a use case was given the answer of another".to_owned()))?;
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

    /// Tells where the log ends, whenever it grows.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// Where the log ends, as far as this process knows.
    pub fn position(&self) -> i64 {
        *self.head.borrow()
    }

    /// Deletes the answers whose idempotency keys are forgotten by now; returns how many.
    pub async fn forget_answers(&self) -> Result<u64, sqlx::Error> {
        append::forget_answers(self.loader.pool()).await
    }

    async fn ask(&self, job: Arc<dyn ErasedUseCase>, context: Arc<Context>) -> Result<Verdict, CommandError> {
        let (reply, mut verdict) = oneshot::channel();
        let state = Arc::new(AtomicU8::new(QUEUED));
        let request = Request { job, context, reply, state: Arc::clone(&state) };
        self.queue.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::Unavailable("the shop is stopping".to_owned()),
        })?;
        let stopped = |_| CommandError::Internal("the writer stopped without an answer".to_owned());
        if let Ok(verdict) = tokio::time::timeout(self.options.queue_timeout, &mut verdict).await {
            return verdict.map_err(stopped);
        }
        if state.compare_exchange(QUEUED, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return Err(CommandError::Unavailable("the log could not be written in time".to_owned()));
        }
        match tokio::time::timeout(self.options.outcome_timeout, verdict).await {
            Ok(verdict) => verdict.map_err(stopped),
            Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }
}

impl Request {
    /// Takes the request from its caller, unless the caller withdrew it or is gone.
    fn take(&self) -> bool {
        !self.reply.is_closed()
            && self.state.compare_exchange(QUEUED, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn answer(self, verdict: Verdict) {
        // A caller that has gone away needs no answer.
        let _ = self.reply.send(verdict);
    }
}

fn read_answer<Answer: serde::de::DeserializeOwned>(answer: Value) -> Result<Answer, CommandError> {
    // A command that answers nothing is kept as an empty object.
    let nothing = size_of::<Answer>() == 0 && answer.as_object().is_some_and(serde_json::Map::is_empty);
    let answer = if nothing { Value::Null } else { answer };
    serde_json::from_value(answer).map_err(|error| CommandError::Internal(format!("unreadable answer: {error}")))
}
