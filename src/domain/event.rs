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
        $variant:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }
            = $name:literal $(version $version:literal)?,
    )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
pub(crate) use {events, version};

#[cfg(test)]
mod tests {
    events! {
        pub enum KettleEvent {
            Filled { litres: i64 } = "KettleFilled" version "1.1",
            Boiled {} = "KettleBoiled",
        }
    }

    #[test]
    fn each_event_has_its_own_name_and_version() {
        let filled = KettleEvent::Filled { litres: 2 };
        assert_eq!((filled.name(), filled.version()), ("KettleFilled", "1.1"));
        assert_eq!(KettleEvent::VERSIONS, [("KettleFilled", "1.1"), ("KettleBoiled", "1.0")]);
        let stored = serde_json::to_value(KettleEvent::Boiled {}).unwrap();
        assert_eq!(stored, serde_json::json!({ "event": "KettleBoiled" }));
    }
}
