//! All event types of the shop, as they are published: stored name, version, schema and sample.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::Decider;
use super::account::Account;
use super::cart::Cart;
use super::category::Category;
use super::claim::Claim;
use super::customer::Customer;
use super::discount::Discount;
use super::family::Family;
use super::order::Order;
use super::pricing::Pricing;
use super::product::{ImageNumber, Product};
use super::settings::ShopSettings;
use super::webhook::Webhook;
use super::wishlist::Wishlist;

/// The events of an aggregate; `events!` implements it.
pub trait PublishedEvents: JsonSchema {
    /// Stored name and current version of every event.
    const VERSIONS: &'static [(&'static str, &'static str)];
    /// A payload of each event in its current version, as JSON, in the same order.
    const SAMPLES: &'static [&'static str];
}

/// The events of an aggregate.
pub struct AggregateEvents {
    pub aggregate_type: &'static str,
    versions: &'static [(&'static str, &'static str)],
    samples: &'static [&'static str],
    /// JSON Schema of the payloads: `oneOf` with a schema for each event.
    schema: fn() -> Schema,
}

/// An event type. The payload has the name of the event as `event`.
pub struct EventType {
    pub name: &'static str,
    pub version: &'static str,
    /// A payload, as JSON.
    pub sample: &'static str,
}

impl AggregateEvents {
    const fn of<A: Decider>() -> Self
    where
        A::Event: PublishedEvents,
    {
        Self {
            aggregate_type: A::TYPE,
            versions: <A::Event as PublishedEvents>::VERSIONS,
            samples: <A::Event as PublishedEvents>::SAMPLES,
            schema: schema_of::<A::Event>,
        }
    }

    pub fn event_types(&self) -> impl Iterator<Item = EventType> {
        let types = self.versions.iter().zip(self.samples);
        types.map(|(&(name, version), sample)| EventType { name, version, sample })
    }

    /// JSON Schema of the payloads: `oneOf` with a schema for each event.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }
}

/// The schema of what is written now; an event of the log may lack fields that are not required.
fn schema_of<E: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<E>()
}

/// The events of every aggregate.
pub const ALL: [AggregateEvents; 14] = [
    AggregateEvents::of::<Account>(),
    AggregateEvents::of::<Cart>(),
    AggregateEvents::of::<Category>(),
    AggregateEvents::of::<Claim>(),
    AggregateEvents::of::<Customer>(),
    AggregateEvents::of::<Discount>(),
    AggregateEvents::of::<Family>(),
    AggregateEvents::of::<Order>(),
    AggregateEvents::of::<Pricing>(),
    AggregateEvents::of::<Product>(),
    AggregateEvents::of::<ImageNumber>(),
    AggregateEvents::of::<ShopSettings>(),
    AggregateEvents::of::<Webhook>(),
    AggregateEvents::of::<Wishlist>(),
];

/// Stored name and current version of every event.
pub fn versions() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.into_iter().flat_map(|events| events.versions).copied()
}

/// Whether the shop has an event with this stored name.
pub fn is_event_name(name: &str) -> bool {
    versions().any(|(stored_name, _)| stored_name == name)
}
