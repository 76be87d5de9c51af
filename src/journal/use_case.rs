//! Use cases of any type, with answers of any type, as the queue carries them.

use std::any::Any;

use serde::Serialize;
use serde_json::{Map, Value};

use super::entity_tag::ViewDigest;
use super::load::AggregateRef;
use super::unit_of_work::{Interrupt, UnitOfWork, UseCase};

/// A use case of any type.
pub(super) trait ErasedUseCase: Send + Sync {
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Box<dyn AnyAnswer>, Interrupt>;
    fn subject(&self) -> Option<AggregateRef>;
    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt>;
}

/// The answer of a use case: as itself for its caller, as JSON for the idempotency key.
pub(super) trait AnyAnswer: Send + Sync {
    fn to_json(&self) -> Result<Value, Interrupt>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<Answer: Serialize + Send + Sync + 'static> AnyAnswer for Answer {
    fn to_json(&self) -> Result<Value, Interrupt> {
        let answer = serde_json::to_value(self).map_err(|error| Interrupt::Broken(error.to_string()))?;
        // The database takes `null` for a missing answer.
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

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        UseCase::view_digest(self, work)
    }
}
