//! Streams, their stored events and their states, for aggregates of any type.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::domain::Decider;

/// One aggregate's stream of events, such as `Order` and `17`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    pub kind: Cow<'static, str>,
    pub id: Arc<str>,
}

impl StreamId {
    pub fn of<A: Decider>(id: impl fmt::Display) -> Self {
        Self { kind: Cow::Borrowed(A::TYPE), id: id.to_string().into() }
    }
}

/// An event of the log's tail.
#[derive(sqlx::FromRow)]
pub(super) struct TailEvent {
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_version: String,
    pub payload: Value,
    pub position: i64,
    pub event_id: Uuid,
    /// Digest of the idempotency key of its command.
    pub key_digest: Option<String>,
}

/// The state of a stream after `version` events.
#[derive(Clone)]
pub(super) struct VersionedState {
    pub version: i64,
    pub state: Arc<dyn AggregateState>,
}

/// An aggregate of any type, or an answer stored under an idempotency key.
pub(super) trait AggregateState: Any + Send + Sync {
    /// The state after one more stored event; `version` is that of its shape.
    fn evolved(&self, version: &str, payload: &Value) -> Result<Arc<dyn AggregateState>, serde_json::Error>;
    /// The state as a snapshot stores it.
    fn snapshot(&self) -> Result<Value, serde_json::Error>;
    fn weight(&self) -> usize;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<A: Decider> AggregateState for A {
    fn evolved(&self, version: &str, payload: &Value) -> Result<Arc<dyn AggregateState>, serde_json::Error> {
        let event = A::read_event(version, payload)?;
        let mut state = self.clone();
        state.evolve(&event);
        Ok(Arc::new(state))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }

    fn weight(&self) -> usize {
        Decider::weight(self)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl VersionedState {
    /// The state as its own type; `None` if two types share a stream, which distinct kinds rule out.
    pub fn as_type<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.state).into_any().downcast().ok()
    }
}
