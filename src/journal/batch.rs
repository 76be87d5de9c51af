//! What one append stores: the commands at the head of the queue, decided one after the other.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use uuid::Uuid;

use super::answers::{ANSWER_KEPT, AnswerSlot, StoredAnswer, answer_id};
use super::cache::Cache;
use super::context::{Context, IdempotencyKey};
use super::entity_tag::EntityTag;
use super::error::CommandError;
use super::load::AggregateRef;
use super::numbers::Numbers;
use super::queue::{QueuedCommand, Verdict};
use super::side_write::PendingSideWrite;
use super::stream::{StreamId, VersionedState};
use super::unit_of_work::{Interrupt, NewEvent, StateView, UnitOfWork};
use crate::domain::refusal::Refusal;

/// An answer to be stored under its idempotency key.
pub(super) struct NewAnswer {
    pub key_digest: String,
    pub fingerprint: [u8; 32],
    pub answer: Value,
    /// Where the log ends with the command.
    pub position: i64,
}

/// Commands that are decided and not stored yet.
pub(super) struct Batch {
    /// One for each decided command, in their order.
    pub verdicts: Vec<Verdict>,
    pub events: Vec<(NewEvent, Arc<Context>)>,
    pub answers: Vec<NewAnswer>,
    pub side_writes: Vec<PendingSideWrite>,
    pub numbers: Numbers,
    pub changed: HashMap<StreamId, VersionedState>,
    /// Whether the batch is one dry run: the database does everything and undoes it.
    pub dry_run: bool,
}

/// Bound of a batch in events, so that one append stays short.
const MAX_EVENTS: usize = 5_000;

impl Batch {
    /// Decides the first of `commands`, as many as one append should store, on a log that ends at `position`. A dry run
    /// is decided alone, so that no other command sees what it decided.
    pub fn decide(commands: &[QueuedCommand], cache: &Cache, numbers: &Numbers, position: i64) -> Self {
        let mut batch = Self {
            verdicts: Vec::with_capacity(commands.len()),
            events: Vec::new(),
            answers: Vec::new(),
            side_writes: Vec::new(),
            numbers: *numbers,
            changed: HashMap::new(),
            dry_run: commands.first().is_some_and(|command| command.context.dry_run),
        };
        for command in commands {
            if batch.events.len() >= MAX_EVENTS {
                break;
            }
            // A use case that panics fails alone; it changes the batch only by what it returns.
            let decided = catch_unwind(AssertUnwindSafe(|| batch.decide_one(command, cache, position)));
            batch.verdicts.push(match decided {
                Ok(Ok(verdict)) => verdict,
                Ok(Err(Interrupt::Missing(loads))) => Verdict::Missing(loads),
                Ok(Err(Interrupt::Refused(refusal))) => Verdict::Failed(CommandError::Refused(refusal)),
                Ok(Err(Interrupt::Broken(error))) => Verdict::Failed(CommandError::Internal(error)),
                Err(_) => Verdict::Failed(CommandError::Internal("a use case panicked".to_owned())),
            });
        }
        batch
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.answers.is_empty() && self.side_writes.is_empty()
    }

    /// Whether some verdict depends on the state of the shop, so that the state must have been the newest.
    pub fn has_answers(&self) -> bool {
        self.verdicts.iter().any(|verdict| !matches!(verdict, Verdict::Missing(_)))
    }

    /// The refusal of the command whose side write broke a constraint.
    pub fn refusal(&self, constraint: &str) -> Option<Refusal> {
        self.side_writes.iter().find_map(|side_write| side_write.refusal(constraint))
    }

    /// New ids of the batch's events, in their order.
    pub fn new_event_ids(&self) -> Vec<Uuid> {
        self.events.iter().map(|_| Uuid::now_v7()).collect()
    }

    fn decide_one(&mut self, command: &QueuedCommand, cache: &Cache, position: i64) -> Result<Verdict, Interrupt> {
        let context = &command.context;
        let view = BatchView { changed: &self.changed, cache };
        let key = context.idempotency.as_ref();
        if let Some(key) = key
            && let Some(answer) = stored_answer(&view, key)?
        {
            return Ok(if answer.fingerprint == key.fingerprint {
                Verdict::Replayed { answer: answer.answer, position: answer.position }
            } else {
                Verdict::Failed(CommandError::KeyReused)
            });
        }

        let mut work = UnitOfWork::new(&view, command.received_at, self.numbers);
        if let (Some(expected), Some(subject)) = (context.if_match, command.use_case.subject()) {
            // A tag without a digest compares the version alone, which costs no digest.
            let digest = match expected.digest {
                Some(_) => command.use_case.view_digest(&work)?,
                None => None,
            };
            let current = EntityTag { version: work.version(&subject)?, digest };
            if current != expected {
                return Ok(Verdict::Failed(CommandError::Stale { current }));
            }
        }
        let answer = command.use_case.decide(&mut work)?;
        let kept_answer = key.map(|_| answer.to_json()).transpose()?;
        let UnitOfWork { changed, events, side_writes, numbers, .. } = work;
        let length = |events: usize| i64::try_from(events).unwrap_or(i64::MAX);
        let planned = if context.dry_run { events.clone() } else { vec![] };
        self.changed.extend(changed);
        self.numbers = numbers;
        self.side_writes.extend(side_writes);
        self.events.extend(events.into_iter().map(|event| (event, Arc::clone(context))));
        let position = if context.dry_run { position } else { position + length(self.events.len()) };
        if let (Some(key), Some(kept_answer)) = (key, kept_answer) {
            let stored = StoredAnswer {
                fingerprint: key.fingerprint.to_vec(),
                answer: kept_answer.clone(),
                position,
                kept_until: Instant::now() + ANSWER_KEPT,
            };
            let versioned = VersionedState { version: 1, state: Arc::new(AnswerSlot(Some(stored))) };
            self.changed.insert(answer_id(&key.digest), versioned);
            self.answers.push(NewAnswer {
                key_digest: key.digest.clone(),
                fingerprint: key.fingerprint,
                answer: kept_answer,
                position,
            });
        }
        Ok(Verdict::Accepted { answer, position, events: planned })
    }
}

/// The kept answer to `key`. Its age is measured by the monotonic clock.
fn stored_answer(view: &BatchView<'_>, key: &IdempotencyKey) -> Result<Option<StoredAnswer>, Interrupt> {
    let id = answer_id(&key.digest);
    let Some(versioned) = view.get(&id) else {
        return Err(Interrupt::Missing(vec![AggregateRef::answer(id)]));
    };
    let stored = versioned.as_type::<AnswerSlot>().and_then(|slot| slot.0.clone());
    Ok(stored.filter(|answer| Instant::now() < answer.kept_until))
}

/// States that the batch has decided, above the committed ones.
struct BatchView<'batch> {
    changed: &'batch HashMap<StreamId, VersionedState>,
    cache: &'batch Cache,
}

impl StateView for BatchView<'_> {
    fn get(&self, stream: &StreamId) -> Option<VersionedState> {
        self.changed.get(stream).cloned().or_else(|| self.cache.get(stream))
    }
}
