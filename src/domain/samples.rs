//! A stored sample of every event, kept for ever: what was written once must always be readable.
//!
//! The folder `samples/` holds one file for each name and version, `<name>.<version>.json`, with the payload as it is
//! stored. A sample is never edited; another shape of an event is another version and another file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cqrs_es::DomainEvent;
use serde_json::Value;

use super::cart::CartEvent;
use super::category::CategoryEvent;
use super::claim::ClaimEvent;
use super::customer::CustomerEvent;
use super::order::OrderEvent;
use super::product::ProductEvent;

/// One variant of an event, and how its stored payload is read and written again.
struct Known {
    variant: &'static str,
    read: fn(&str) -> Result<Reread, serde_json::Error>,
}

struct Reread {
    /// The enum and the variant that the payload was read as.
    variant: &'static str,
    name: String,
    version: String,
    written: String,
}

/// Lists every variant of every event. A variant that is not listed here does not compile: the match lacks it.
macro_rules! events {
    ($($event:ident { $($variant:ident)* })*) => {
        fn known_events() -> Vec<Known> {
            vec![$($(Known { variant: concat!(stringify!($event), "::", stringify!($variant)), read: $event::reread }),*),*]
        }

        trait RereadEvent: Sized {
            fn reread(payload: &str) -> Result<Reread, serde_json::Error>;
        }

        $(impl RereadEvent for $event {
            fn reread(payload: &str) -> Result<Reread, serde_json::Error> {
                let event: Self = serde_json::from_str(payload)?;
                let variant = match &event {
                    $(Self::$variant { .. } => concat!(stringify!($event), "::", stringify!($variant)),)*
                };
                let written = serde_json::to_string_pretty(&event)? + "\n";
                assert_eq!(event.event_type(), event.name());
                Ok(Reread { variant, name: event.event_type(), version: event.event_version(), written })
            }
        })*
    };
}

events! {
    CartEvent { Opened ItemAdded ItemQuantityChanged ItemRemoved Emptied Merged CheckedOut }
    CategoryEvent { Created Renamed Deleted ProductAdded ProductRemoved }
    ClaimEvent { Taken Released }
    CustomerEvent { Registered Changed Erased }
    OrderEvent { Placed ProcessingStarted Shipped Completed Cancelled }
    ProductEvent {
        Created Changed Repriced Discontinued Deleted
        StockReceived StockCorrected StockReserved StockReleased StockShipped
    }
}

/// The payloads by file name without its ending, `CartItemAdded.1.0`.
fn samples() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/samples");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|file| {
            assert_eq!(file.extension().unwrap(), "json", "{file:?} is no sample");
            (file.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&file).unwrap())
        })
        .collect()
}

/// Every way in which the payload can be read, once for each enum: exactly one, as names are unique in the whole shop.
fn rereadings(payload: &str) -> Vec<Reread> {
    let readings = known_events().into_iter().filter_map(|known| {
        let reread = (known.read)(payload).ok()?;
        (reread.variant == known.variant).then_some(reread)
    });
    readings.collect()
}

#[test]
fn every_sample_is_read_by_one_event_and_written_again_as_it_is_stored() {
    for (file, payload) in samples() {
        let mut rereadings = rereadings(&payload);
        assert_eq!(rereadings.len(), 1, "{file} must be read by exactly one event");
        let reread = rereadings.remove(0);
        let tag = serde_json::from_str::<Value>(&payload).unwrap()["event"].take();
        assert_eq!(tag, reread.name, "the tag of {file}");
        assert_eq!(file, format!("{}.{}", reread.name, reread.version));
        assert_eq!(payload, reread.written, "{file}");
    }
}

#[test]
fn every_event_has_a_sample() {
    let sampled: BTreeSet<_> =
        samples().values().flat_map(|payload| rereadings(payload)).map(|reread| reread.variant).collect();
    let known: BTreeSet<_> = known_events().iter().map(|known| known.variant).collect();
    assert_eq!(known.difference(&sampled).collect::<Vec<_>>(), Vec::<&&str>::new(), "events without a sample");
}

#[test]
fn names_are_unique_in_the_whole_shop() {
    let rereadings = samples().into_values().flat_map(|payload| rereadings(&payload));
    let names: BTreeMap<_, _> = rereadings.map(|reread| (reread.variant, reread.name)).collect();
    let distinct: BTreeSet<_> = names.values().collect();
    assert_eq!(distinct.len(), known_events().len());
}
