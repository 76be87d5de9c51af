//! What one append will store: the commands at the head of the queue, decided one after the other.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::cache::Cache;
use super::context::{Context, IdempotencyKey};
use super::load::{Answer, StoredAnswer, answer_id};
use super::numbers::Numbers;
use super::stream::{StreamId, Versioned};
use super::unit_of_work::StateView;
use super::{CommandError, AggregateRef, NewEvent, Profile, Request, Interrupt, UnitOfWork, UseCase};

/// A use case of any answer.
pub(super) trait ErasedUseCase: Send + Sync {
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Box<dyn AnyAnswer>, Interrupt>;
    fn subject(&self) -> Option<AggregateRef>;
}

/// What a use case answered: as itself for its caller, as JSON for the idempotency key.
pub(super) trait AnyAnswer: Send + Sync {
    fn to_json(&self) -> Result<Value, Interrupt>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<Answer: Serialize + Send + Sync + 'static> AnyAnswer for Answer {
    fn to_json(&self) -> Result<Value, Interrupt> {
        let answer = serde_json::to_value(self).map_err(|error| Interrupt::Broken(error.to_string()))?;
        // The database takes `null` for an answer that is missing.
        Ok(if answer.is_null() { Value::Object(Map::new()) } else { answer })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl<U: UseCase> ErasedUseCase for U {
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Box<dyn AnyAnswer>, Interrupt> {
        Ok(Box::new(UseCase::decide(self, work)?))
    }

    fn subject(&self) -> Option<AggregateRef> {
        UseCase::subject(self)
    }
}

/// What becomes of one command.
pub(super) enum Verdict {
    Accepted { answer: Box<dyn AnyAnswer>, position: i64, events: Vec<NewEvent> },
    Replayed { answer: Value, position: i64 },
    Missing(Vec<AggregateRef>),
    Failed(CommandError),
}

/// An answer to be stored under its idempotency key.
pub(super) struct NewAnswer {
    pub key_digest: String,
    pub fingerprint: [u8; 32],
    pub answer: Value,
    /// Where the log ends with the command.
    pub position: i64,
}

pub(super) struct Batch {
    /// One for each request decided, in their order.
    pub verdicts: Vec<Verdict>,
    pub events: Vec<(NewEvent, Arc<Context>)>,
    pub answers: Vec<NewAnswer>,
    pub profiles: Vec<Profile>,
    pub numbers: Numbers,
    pub changed: HashMap<StreamId, Versioned>,
}

/// A batch is not made longer than this many events, so that one append stays short.
const MAX_EVENTS: usize = 5_000;

/// How long an answer is kept for its idempotency key.
pub(super) const ANSWER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

impl Batch {
    /// Decides the first of `requests`, as many as one append should store, on a log that ends at `position`.
    pub fn decide(requests: &[Request], cache: &Cache, numbers: &Numbers, position: i64) -> Self {
        let mut batch = Self {
            verdicts: Vec::with_capacity(requests.len()),
            events: Vec::new(),
            answers: Vec::new(),
            profiles: Vec::new(),
            numbers: *numbers,
            changed: HashMap::new(),
        };
        for request in requests {
            if batch.events.len() >= MAX_EVENTS {
                break;
            }
            // A use case that panics fails alone; it changes the batch only by what it returns.
            let decided = catch_unwind(AssertUnwindSafe(|| batch.decide_one(request, cache, position)));
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
        self.events.is_empty() && self.answers.is_empty() && self.profiles.is_empty()
    }

    /// Whether some verdict speaks of the state of the shop, so that the state must have been the newest.
    pub fn has_answers(&self) -> bool {
        self.verdicts.iter().any(|verdict| !matches!(verdict, Verdict::Missing(_)))
    }

    /// Names for the batch's events, in their order.
    pub fn new_event_ids(&self) -> Vec<Uuid> {
        self.events.iter().map(|_| Uuid::now_v7()).collect()
    }

    fn decide_one(&mut self, request: &Request, cache: &Cache, position: i64) -> Result<Verdict, Interrupt> {
        let context = &request.context;
        let view = BatchView { changed: &self.changed, cache };
        let key = context.idempotency.as_ref().filter(|_| !context.dry_run);
        if let Some(key) = key
            && let Some(answer) = stored_answer(&view, key)?
        {
            return Ok(if answer.fingerprint == key.fingerprint {
                Verdict::Replayed { answer: answer.answer, position: answer.position }
            } else {
                Verdict::Failed(CommandError::KeyReused)
            });
        }

        let mut work = UnitOfWork::new(&view, context, self.numbers);
        if let (Some(expected), Some(subject)) = (context.if_match, request.job.subject()) {
            let current = work.version(&subject)?;
            if current != expected {
                return Ok(Verdict::Failed(CommandError::Stale { current }));
            }
        }
        let answer = request.job.decide(&mut work)?;
        let kept_answer = key.map(|_| answer.to_json()).transpose()?;
        let UnitOfWork { changed, events, profiles, numbers, .. } = work;
        let length = |events: usize| i64::try_from(events).unwrap_or(i64::MAX);
        if context.dry_run {
            return Ok(Verdict::Accepted { answer, position: position + length(self.events.len()), events });
        }

        self.changed.extend(changed);
        self.numbers = numbers;
        self.profiles.extend(profiles);
        self.events.extend(events.into_iter().map(|event| (event, Arc::clone(context))));
        let position = position + length(self.events.len());
        if let (Some(key), Some(kept_answer)) = (key, kept_answer) {
            let stored = Answer {
                fingerprint: key.fingerprint.to_vec(),
                answer: kept_answer.clone(),
                position,
                kept_until: Instant::now() + ANSWER_KEPT,
            };
            let versioned = Versioned { version: 1, state: Arc::new(StoredAnswer(Some(stored))) };
            self.changed.insert(answer_id(&key.digest), versioned);
            self.answers.push(NewAnswer {
                key_digest: key.digest.clone(),
                fingerprint: key.fingerprint,
                answer: kept_answer,
                position,
            });
        }
        Ok(Verdict::Accepted { answer, position, events: vec![] })
    }
}

/// The answer given to `key` within the time that answers are kept; a clock that is set does not change it.
fn stored_answer(view: &BatchView<'_>, key: &IdempotencyKey) -> Result<Option<Answer>, Interrupt> {
    let id = answer_id(&key.digest);
    let Some(versioned) = view.get(&id) else {
        return Err(Interrupt::Missing(vec![AggregateRef::answer(id)]));
    };
    let stored = versioned.as_type::<StoredAnswer>().and_then(|stored| stored.0.clone());
    Ok(stored.filter(|answer| Instant::now() < answer.kept_until))
}

/// What the batch decided before, over what is committed.
struct BatchView<'batch> {
    changed: &'batch HashMap<StreamId, Versioned>,
    cache: &'batch Cache,
}

impl StateView for BatchView<'_> {
    fn get(&self, stream: &StreamId) -> Option<Versioned> {
        self.changed.get(stream).cloned().or_else(|| self.cache.get(stream))
    }
}
