//! Business rules, pure: no I/O, no clock, no randomness, no configuration.
//!
//! Every aggregate is a state with two functions: [`Decider::decide`] turns a command into events or an error, and
//! [`Decider::evolve`] applies an event to the state.
//! A command carries everything else that its decision needs: time, new numbers, data of other aggregates.
//!
//! The payload of an event does not repeat the id of its own stream, only ids of other streams.

use cqrs_es::Aggregate;
use serde::{Deserialize, Deserializer};

pub mod account;
pub mod cart;
pub mod category;
pub mod claim;
pub mod counted;
pub mod customer;
pub mod discount;
mod event;
pub mod event_types;
pub mod family;
pub mod ids;
pub mod metadata;
pub mod money;
pub mod order;
pub mod picture;
pub mod price_change;
pub mod pricing;
pub mod product;
pub mod quantity;
pub mod refusal;
pub mod settings;
pub mod text;
pub mod webhook;
pub mod whole;
pub mod wishlist;
mod words;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;

/// An aggregate as two pure functions; cqrs-es's `handle` and `apply` only call them.
pub trait Decider: Aggregate + Clone + 'static {
    /// Returns the events that `command` causes, in order, or the rule that forbids it.
    /// No events and no error means that the command would change nothing.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// Applies one event, decided earlier on this state.
    fn evolve(&mut self, event: &Self::Event);

    /// Reads the payload of a stored event: the seam for upcasters.
    ///
    /// The default reads the current shape. An aggregate that raises the version of an event overrides this and brings
    /// payloads of older versions up to date; everything that reads stored events calls it.
    fn read_event<'de, D: Deserializer<'de>>(_version: &str, payload: D) -> Result<Self::Event, D::Error> {
        Self::Event::deserialize(payload)
    }

    /// Number of entries in the state, the unit of the aggregate cache's bound.
    fn weight(&self) -> usize {
        1
    }
}

/// An aggregate whose ids are numbers from 1, in sequence. Gaps arise only where a command names a free number.
pub trait Numbered: Decider {}

/// The kind of every [`Numbered`] aggregate.
pub const NUMBERED_KINDS: [&str; 8] = [
    kind::<account::Account>(),
    kind::<category::Category>(),
    kind::<customer::Customer>(),
    kind::<family::Family>(),
    kind::<order::Order>(),
    kind::<product::Product>(),
    kind::<product::ImageNumber>(),
    kind::<webhook::Webhook>(),
];

const fn kind<A: Numbered>() -> &'static str {
    A::TYPE
}

/// Plugs a [`Decider`] into cqrs-es.
macro_rules! aggregate {
    ($aggregate:ty, $kind:literal, $command:ty, $event:ty, $error:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = $kind;
            type Command = $command;
            type Event = $event;
            type Error = $error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::domain::Decider::decide(self, command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::domain::Decider::evolve(self, &event);
            }
        }
    };
}
pub(crate) use aggregate;
