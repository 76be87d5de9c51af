//! Commands on their way to the writer, and the verdicts on their way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::oneshot;

use super::context::Context;
use super::error::CommandError;
use super::load::AggregateRef;
use super::unit_of_work::NewEvent;
use super::use_case::{AnyAnswer, ErasedUseCase};

/// A command that waits for the writer.
pub(super) struct QueuedCommand {
    pub use_case: Arc<dyn ErasedUseCase>,
    pub context: Arc<Context>,
    pub received_at: DateTime<Utc>,
    reply: oneshot::Sender<Verdict>,
    progress: Arc<AtomicU8>,
}

/// The caller's side of a queued command.
pub(super) struct PendingReply {
    pub verdict: oneshot::Receiver<Verdict>,
    progress: Arc<AtomicU8>,
}

/// What becomes of one command.
pub(super) enum Verdict {
    Accepted { answer: Box<dyn AnyAnswer>, position: i64, events: Vec<NewEvent> },
    Replayed { answer: Value, position: i64 },
    Missing(Vec<AggregateRef>),
    Failed(CommandError),
}

const QUEUED: u8 = 0;
const CLAIMED: u8 = 1;
const WITHDRAWN: u8 = 2;

impl QueuedCommand {
    pub fn new(
        use_case: Arc<dyn ErasedUseCase>,
        context: Arc<Context>,
        received_at: DateTime<Utc>,
    ) -> (Self, PendingReply) {
        let (reply, verdict) = oneshot::channel();
        let progress = Arc::new(AtomicU8::new(QUEUED));
        (
            Self { use_case, context, received_at, reply, progress: Arc::clone(&progress) },
            PendingReply { verdict, progress },
        )
    }

    /// Claims the command for the writer; `false` if the caller withdrew it or is gone.
    pub fn claim(&self) -> bool {
        !self.reply.is_closed()
            && self.progress.compare_exchange(QUEUED, CLAIMED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub fn reply(self, verdict: Verdict) {
        // A caller that is gone needs no answer.
        let _ = self.reply.send(verdict);
    }
}

impl PendingReply {
    /// Withdraws the command; `false` if the writer has claimed it.
    pub fn withdraw(&self) -> bool {
        self.progress.compare_exchange(QUEUED, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
