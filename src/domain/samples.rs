//! A stored sample of every event and version: events of old logs stay readable.

use std::collections::BTreeMap;

use cqrs_es::DomainEvent;
use serde_json::Value;

use super::Decider;
use super::account::Account;
use super::cart::Cart;
use super::category::Category;
use super::claim::Claim;
use super::customer::Customer;
use super::discount::Discount;
use super::event_types::versions;
use super::family::Family;
use super::order::Order;
use super::pricing::Pricing;
use super::product::{ImageNumber, Product};
use super::settings::ShopSettings;
use super::webhook::Webhook;
use super::wishlist::Wishlist;

struct Sample {
    /// Name of the file.
    file: String,
    name: String,
    version: String,
    payload: Value,
}

/// Every sample. Files are called `<name>.<version>.json`, or `<name>.<version>-<words>.json` where a version has grown
/// a field.
fn samples() -> Vec<Sample> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/samples");
    let read = |entry: std::fs::DirEntry| {
        let file = entry.file_name().into_string().unwrap();
        let payload = serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
        let (name, version) = file.strip_suffix(".json").unwrap().split_once('.').unwrap();
        let version = version.split('-').next().unwrap();
        Sample { name: name.to_owned(), version: version.to_owned(), payload, file }
    };
    std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// Name of the event, if the aggregate reads the sample. A sample of the current version is written back the same.
fn read_back<A: Decider>(sample: &Sample) -> Option<String> {
    let event = A::read_event(&sample.version, &sample.payload).ok()?;
    if event.event_version() == sample.version {
        assert_eq!(serde_json::to_value(&event).unwrap(), sample.payload, "{} is written otherwise", sample.file);
        assert_eq!(sample.payload["event"], event.event_type(), "the tag of {} is not the name", sample.file);
    }
    Some(event.event_type())
}

#[test]
fn every_sample_is_read_by_exactly_one_aggregate_and_written_back_the_same() {
    for sample in samples() {
        let readers = [
            read_back::<Account>(&sample),
            read_back::<Cart>(&sample),
            read_back::<Category>(&sample),
            read_back::<Claim>(&sample),
            read_back::<Customer>(&sample),
            read_back::<Discount>(&sample),
            read_back::<Family>(&sample),
            read_back::<Order>(&sample),
            read_back::<Pricing>(&sample),
            read_back::<Product>(&sample),
            read_back::<ImageNumber>(&sample),
            read_back::<ShopSettings>(&sample),
            read_back::<Webhook>(&sample),
            read_back::<Wishlist>(&sample),
        ];
        let readers: Vec<_> = readers.into_iter().flatten().collect();
        assert_eq!(readers, [sample.name], "{}", sample.file);
    }
}

#[test]
fn every_event_has_a_name_of_its_own_and_a_sample_of_its_version() {
    let mut by_name = BTreeMap::new();
    for (name, version) in versions() {
        assert_eq!(by_name.insert(name, version), None, "two events are called {name}");
    }
    let samples = samples();
    for (name, version) in by_name {
        let mut sampled = samples.iter().filter(|sample| sample.name == name);
        assert!(sampled.any(|sample| sample.version == version), "{name} {version} has no sample");
    }
}
