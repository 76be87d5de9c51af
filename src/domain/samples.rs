//! A stored sample of every event and version: what was written once must be readable for ever.

use std::collections::BTreeMap;

use cqrs_es::DomainEvent;
use serde_json::Value;

use super::account::AccountEvent;
use super::cart::CartEvent;
use super::category::CategoryEvent;
use super::claim::ClaimEvent;
use super::customer::CustomerEvent;
use super::discount::DiscountEvent;
use super::order::OrderEvent;
use super::pricing::PricingEvent;
use super::product::ProductEvent;
use super::webhook::WebhookEvent;

/// Every sample by its name and version, as the files are called.
fn samples() -> BTreeMap<String, Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/samples");
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let sample = serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
        (name.strip_suffix(".json").unwrap().to_owned(), sample)
    };
    std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// The name and version of a payload that is an event of this type, if it is one and is written as it was read.
fn read_back<E: DomainEvent>(payload: &Value) -> Option<String> {
    let event: E = serde_json::from_value(payload.clone()).ok()?;
    assert_eq!(serde_json::to_value(&event).unwrap(), *payload, "written otherwise than read");
    assert_eq!(payload["event"], event.event_type(), "the tag is not the name");
    Some(format!("{}.{}", event.event_type(), event.event_version()))
}

#[test]
fn every_sample_is_read_by_exactly_one_aggregate_and_written_back_the_same() {
    for (name, payload) in samples() {
        let readers = [
            read_back::<AccountEvent>(&payload),
            read_back::<CartEvent>(&payload),
            read_back::<CategoryEvent>(&payload),
            read_back::<ClaimEvent>(&payload),
            read_back::<CustomerEvent>(&payload),
            read_back::<DiscountEvent>(&payload),
            read_back::<OrderEvent>(&payload),
            read_back::<PricingEvent>(&payload),
            read_back::<ProductEvent>(&payload),
            read_back::<WebhookEvent>(&payload),
        ];
        let readers: Vec<_> = readers.into_iter().flatten().collect();
        // A dash and some words tell samples of one version apart, where it has grown a field.
        assert_eq!(readers, [name.split('-').next().unwrap()], "{payload}");
    }
}

/// The tag of an unknown event makes serde list all the tags that it knows.
fn names<E: DomainEvent>() -> Vec<String> {
    let error = serde_json::from_value::<E>(serde_json::json!({ "event": "?" })).unwrap_err().to_string();
    let names: Vec<_> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(!names.is_empty(), "{error}");
    names
}

#[test]
fn every_event_has_a_sample_and_a_name_of_its_own() {
    let mut names: Vec<String> = [
        names::<AccountEvent>(),
        names::<CartEvent>(),
        names::<CategoryEvent>(),
        names::<ClaimEvent>(),
        names::<CustomerEvent>(),
        names::<DiscountEvent>(),
        names::<OrderEvent>(),
        names::<PricingEvent>(),
        names::<ProductEvent>(),
        names::<WebhookEvent>(),
    ]
    .concat();
    let mut sampled: Vec<String> =
        samples().into_keys().map(|name| name.split('.').next().unwrap().to_owned()).collect();
    sampled.dedup();
    names.sort();
    assert_eq!(names, sampled);
}
