//! What one use case reads and decides, across aggregates, before any of it is stored.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entity_tag::ViewDigest;
use super::load::AggregateRef;
use super::numbers::Numbers;
use super::side_write::{PendingSideWrite, SideWrite};
use super::stream::{StreamId, VersionedState};
use crate::domain::refusal::Refusal;
use crate::domain::{Decider, Numbered};

/// One command of a client across aggregates, carried out completely or not at all.
///
/// `decide` may be called several times, on newer states each time, until what it decided is stored.
/// It must depend on nothing but itself and the unit of work.
pub trait UseCase: Send + Sync + 'static {
    type Answer: Serialize + DeserializeOwned + Send + Sync + 'static;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Self::Answer, Interrupt>;

    /// The aggregate whose version `If-Match` names.
    fn subject(&self) -> Option<AggregateRef> {
        None
    }

    /// Digest of what a read of the subject shows beyond its stream: the digest in the read's `ETag`.
    ///
    /// Called only for an `If-Match` with a digest.
    fn view_digest(&self, _work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        Ok(None)
    }
}

/// Why a use case cannot continue.
#[derive(Debug)]
pub enum Interrupt {
    /// These aggregates are not cached; the use case runs again when they are.
    Missing(Vec<AggregateRef>),
    Refused(Refusal),
    /// A defect, such as an event that cannot be serialised.
    Broken(String),
}

impl<E: Into<Refusal>> From<E> for Interrupt {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// A decided event that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub stream: StreamId,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    /// JSON.
    pub payload: String,
}

/// The states that a unit of work begins with.
pub(super) trait StateView {
    fn get(&self, stream: &StreamId) -> Option<VersionedState>;
}

/// What one use case has read and decided so far.
pub struct UnitOfWork<'view> {
    view: &'view dyn StateView,
    now: DateTime<Utc>,
    pub(super) changed: HashMap<StreamId, VersionedState>,
    pub(super) events: Vec<NewEvent>,
    pub(super) side_writes: Vec<PendingSideWrite>,
    pub(super) numbers: Numbers,
}

impl<'view> UnitOfWork<'view> {
    pub(super) fn new(view: &'view dyn StateView, now: DateTime<Utc>, numbers: Numbers) -> Self {
        Self { view, now, changed: HashMap::new(), events: Vec::new(), side_writes: Vec::new(), numbers }
    }

    /// When the command arrived, by the database's clock. Running the use case again decides the same.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The aggregate as it is now, with everything decided so far.
    pub fn get<A: Decider>(&self, id: impl Display) -> Result<Arc<A>, Interrupt> {
        self.typed(&AggregateRef::of::<A>(id)).map(|(_, aggregate)| aggregate)
    }

    /// Several aggregates of one type; missing ones are loaded together.
    pub fn get_all<A: Decider, Id: Display>(
        &self,
        ids: impl IntoIterator<Item = Id>,
    ) -> Result<Vec<Arc<A>>, Interrupt> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for id in ids {
            match self.get::<A>(id) {
                Ok(aggregate) => found.push(aggregate),
                Err(Interrupt::Missing(references)) => missing.extend(references),
                Err(interrupt) => return Err(interrupt),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(Interrupt::Missing(missing)) }
    }

    /// Lets the aggregate decide `command`, and records its events.
    pub fn execute<A: Decider>(&mut self, id: impl Display, command: A::Command) -> Result<(), Interrupt>
    where
        Refusal: From<A::Error>,
    {
        let reference = AggregateRef::of::<A>(id);
        let (mut version, aggregate) = self.typed::<A>(&reference)?;
        let events = aggregate.decide(command).map_err(|error| Interrupt::Refused(error.into()))?;
        if events.is_empty() {
            return Ok(());
        }
        let mut state = Arc::unwrap_or_clone(aggregate);
        for event in &events {
            state.evolve(event);
            version += 1;
            self.events.push(NewEvent {
                stream: reference.stream.clone(),
                sequence: version,
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: serde_json::to_string(event).map_err(|error| Interrupt::Broken(error.to_string()))?,
            });
        }
        self.changed.insert(reference.stream, VersionedState { version, state: Arc::new(state) });
        Ok(())
    }

    /// The number of a new aggregate. It needs no load: a stream above the highest number is empty.
    pub fn next_number<A: Numbered>(&mut self) -> Result<i64, Interrupt> {
        let number =
            self.numbers.take_next(A::TYPE).ok_or_else(|| Interrupt::Broken(format!("{} has no numbers", A::TYPE)))?;
        self.changed.insert(StreamId::of::<A>(number), VersionedState { version: 0, state: Arc::new(A::default()) });
        Ok(number)
    }

    /// Takes a number that the caller chose, and lets later numbers follow it; `false` if it was ever taken.
    pub fn take_number<A: Numbered>(&mut self, number: i64) -> Result<bool, Interrupt> {
        if self.version(&AggregateRef::of::<A>(number))? > 0 {
            return Ok(false);
        }
        self.numbers.observe(A::TYPE, &number.to_string());
        Ok(true)
    }

    /// Adds a side write, stored in the commit of the events.
    pub fn add_side_write<W: SideWrite>(&mut self, side_write: &W) -> Result<(), Interrupt> {
        let pending = PendingSideWrite::new(side_write).map_err(|error| Interrupt::Broken(error.to_string()))?;
        self.side_writes.push(pending);
        Ok(())
    }

    /// Runs a part that may be refused. If it fails, nothing that it decided stays.
    pub fn attempt<T>(
        &mut self,
        part: impl FnOnce(&mut UnitOfWork<'_>) -> Result<T, Interrupt>,
    ) -> Result<T, Interrupt> {
        let mut attempted = UnitOfWork::new(&*self, self.now, self.numbers);
        let outcome = part(&mut attempted)?;
        let UnitOfWork { changed, events, side_writes, numbers, .. } = attempted;
        self.changed.extend(changed);
        self.events.extend(events);
        self.side_writes.extend(side_writes);
        self.numbers = numbers;
        Ok(outcome)
    }

    /// Number of events decided so far.
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// Runs a part, and keeps nothing that it decided.
    pub fn rehearse<T>(&self, part: impl FnOnce(&mut UnitOfWork<'_>) -> Result<T, Interrupt>) -> Result<T, Interrupt> {
        part(&mut UnitOfWork::new(self, self.now, self.numbers))
    }

    /// Version of an aggregate: the number of its events.
    pub fn version(&self, reference: &AggregateRef) -> Result<i64, Interrupt> {
        self.find(reference).map(|versioned| versioned.version)
    }

    fn typed<A: Decider>(&self, reference: &AggregateRef) -> Result<(i64, Arc<A>), Interrupt> {
        let versioned = self.find(reference)?;
        let aggregate =
            versioned.as_type().ok_or_else(|| Interrupt::Broken(format!("{reference:?} is cached as another type")))?;
        Ok((versioned.version, aggregate))
    }

    fn find(&self, reference: &AggregateRef) -> Result<VersionedState, Interrupt> {
        StateView::get(self, &reference.stream).ok_or_else(|| Interrupt::Missing(vec![reference.clone()]))
    }
}

/// What an attempted part begins with: everything decided before it.
impl StateView for UnitOfWork<'_> {
    fn get(&self, stream: &StreamId) -> Option<VersionedState> {
        self.changed.get(stream).cloned().or_else(|| self.view.get(stream))
    }
}
