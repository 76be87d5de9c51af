//! Declaration of events: variant, stored name and version in one place.

/// Declares the event type of an aggregate: variants with stored name and, above `"1.0"`, version.
///
/// ```text
/// Opened {} = "CartOpened",
/// ItemAdded { product_id: ProductId, quantity: Quantity } = "CartItemAdded" version "1.1",
/// ```
///
/// The name is unique in the whole shop and never changes; it is also the tag of the stored payload.
/// To change the shape of an event: raise its version here, read older versions in the aggregate's
/// [`Decider::read_event`](crate::domain::Decider::read_event) and in `projections/facts.sql`, and keep the sample of the
/// old version in `samples/`.
macro_rules! events {
    ($(#[$meta:meta])* pub enum $event:ident { $(
        $(#[$variant_meta:meta])*
        $variant:ident $fields:tt = $name:literal $(version $version:literal)?,
    )* }) => {
        $crate::domain::event::event_enum! {
            $(#[$meta])*
            pub enum $event { $($(#[$variant_meta])* $variant $fields = $name $(version $version)?,)* }
        }

        impl $crate::domain::event_types::PublishedEvents for $event {
            const VERSIONS: &'static [(&'static str, &'static str)] = Self::VERSIONS;
            const SAMPLES: &'static [&'static str] = &[$(include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/domain/samples/",
                $name,
                ".",
                $crate::domain::event::version!($($version)?),
                ".json"
            )),)*];
        }
    };
}

/// The enum of [`events!`], without the samples.
macro_rules! event_enum {
    ($(#[$meta:meta])* pub enum $event:ident { $(
        $(#[$variant_meta:meta])*
        $variant:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }
            = $name:literal $(version $version:literal)?,
    )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "event")]
        pub enum $event { $(
            $(#[$variant_meta])*
            #[serde(rename = $name)]
            $variant { $($(#[$field_meta])* $field: $type),* },
        )* }

        impl $event {
            /// Stored name and current version of every event.
            pub const VERSIONS: &'static [(&'static str, &'static str)] =
                &[$(($name, $crate::domain::event::version!($($version)?)),)*];

            /// Stored name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }

            /// Version of the shape in which new events are stored.
            pub fn version(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $crate::domain::event::version!($($version)?),)* }
            }
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                self.name().to_owned()
            }

            fn event_version(&self) -> String {
                self.version().to_owned()
            }
        }
    };
}

/// Defaults a version to the first.
macro_rules! version {
    () => {
        "1.0"
    };
    ($version:literal) => {
        $version
    };
}
pub(crate) use {event_enum, events, version};

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde::{Deserialize, Deserializer, Serialize};
    use serde_json::json;

    use crate::domain::{Decider, aggregate};

    event_enum! {
        pub enum KettleEvent {
            Filled { millilitres: i64 } = "KettleFilled" version "2.0",
            Boiled {} = "KettleBoiled",
        }
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Kettle;

    /// Events as they were at 1.0.
    #[derive(Deserialize)]
    #[serde(tag = "event")]
    enum OldKettleEvent {
        #[serde(rename = "KettleFilled")]
        Filled { litres: i64 },
        #[serde(untagged)]
        Unchanged(KettleEvent),
    }

    impl Decider for Kettle {
        fn decide(&self, (): ()) -> Result<Vec<KettleEvent>, Infallible> {
            Ok(vec![])
        }

        fn evolve(&mut self, _event: &KettleEvent) {}

        fn read_event<'de, D: Deserializer<'de>>(version: &str, payload: D) -> Result<KettleEvent, D::Error> {
            match version {
                "1.0" => OldKettleEvent::deserialize(payload).map(|event| match event {
                    OldKettleEvent::Filled { litres } => KettleEvent::Filled { millilitres: 1_000 * litres },
                    OldKettleEvent::Unchanged(event) => event,
                }),
                _ => KettleEvent::deserialize(payload),
            }
        }
    }

    aggregate!(Kettle, "Kettle", (), KettleEvent, Infallible);

    #[test]
    fn each_event_has_its_own_name_and_version() {
        let filled = KettleEvent::Filled { millilitres: 500 };
        assert_eq!((filled.name(), filled.version()), ("KettleFilled", "2.0"));
        assert_eq!(KettleEvent::VERSIONS, [("KettleFilled", "2.0"), ("KettleBoiled", "1.0")]);
        assert_eq!(serde_json::to_value(KettleEvent::Boiled {}).unwrap(), json!({ "event": "KettleBoiled" }));
    }

    #[test]
    fn an_aggregate_reads_events_of_older_versions() {
        let read = |version: &str, payload| Kettle::read_event(version, payload).unwrap();
        let old = json!({ "event": "KettleFilled", "litres": 2 });
        assert_eq!(read("1.0", old), KettleEvent::Filled { millilitres: 2_000 });
        assert_eq!(read("1.0", json!({ "event": "KettleBoiled" })), KettleEvent::Boiled {});
        let new = json!({ "event": "KettleFilled", "millilitres": 500 });
        assert_eq!(read("2.0", new), KettleEvent::Filled { millilitres: 500 });
    }
}
