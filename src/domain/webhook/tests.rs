use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<WebhookEvent>) -> AggregateTestExecutor<Webhook> {
    TestFramework::with(()).given(events)
}

fn types(names: &[&str]) -> EventTypes {
    EventTypes::parse(names.iter().map(|name| (*name).to_owned()).collect()).unwrap()
}

fn created() -> WebhookEvent {
    WebhookEvent::Created { event_types: types(&["OrderPlaced"]) }
}

fn change(event_types: Option<EventTypes>, active: Option<bool>, endpoint_changed: bool) -> WebhookCommand {
    WebhookCommand::Change { event_types, active, endpoint_changed }
}

#[test]
fn a_webhook_is_created_once() {
    let create = WebhookCommand::Create { event_types: types(&["OrderPlaced"]) };
    given(vec![]).when(create.clone()).then_expect_events(vec![created()]);
    given(vec![created()]).when(create).then_expect_error(WebhookError::AlreadyExists);
}

#[test]
fn a_change_event_carries_the_whole_state_and_no_change_causes_no_event() {
    let all = types(&["*"]);
    given(vec![created()])
        .when(change(Some(all.clone()), None, false))
        .then_expect_events(vec![WebhookEvent::Changed { event_types: all, active: true }]);
    let same = types(&["OrderPlaced"]);
    given(vec![created()]).when(change(Some(same.clone()), Some(true), false)).then_expect_events(vec![]);
    given(vec![created()])
        .when(change(None, None, true))
        .then_expect_events(vec![WebhookEvent::Changed { event_types: same.clone(), active: true }]);
    given(vec![created()])
        .when(change(None, Some(false), false))
        .then_expect_events(vec![WebhookEvent::Changed { event_types: same, active: false }]);
}

#[test]
fn a_webhook_that_fails_is_disabled_once_and_can_be_activated_again() {
    let disable = WebhookCommand::Disable { reason: DisableReason::Failing };
    let disabled = WebhookEvent::Disabled { reason: DisableReason::Failing };
    given(vec![created()]).when(disable.clone()).then_expect_events(vec![disabled.clone()]);
    given(vec![created(), disabled.clone()]).when(disable).then_expect_events(vec![]);
    let active = WebhookEvent::Changed { event_types: types(&["OrderPlaced"]), active: true };
    given(vec![created(), disabled]).when(change(None, Some(true), false)).then_expect_events(vec![active]);
}

#[test]
fn a_removed_or_unknown_webhook_is_not_found() {
    for events in [vec![], vec![created(), WebhookEvent::Removed {}]] {
        let disable = WebhookCommand::Disable { reason: DisableReason::Gone };
        for command in [change(None, None, true), WebhookCommand::RotateSecret, disable, WebhookCommand::Remove] {
            given(events.clone()).when(command).then_expect_error(WebhookError::NotFound);
        }
    }
}

#[test]
fn event_types_are_event_names_or_a_star() {
    let parse = |names: &[&str]| EventTypes::parse(names.iter().map(|name| (*name).to_owned()).collect());
    assert!(parse(&["OrderPlaced", "*"]).is_ok());
    assert_eq!(parse(&[]), Err(EventTypesError::Empty));
    assert_eq!(parse(&["OrderPlaced"; EventTypes::MAX + 1]), Err(EventTypesError::TooMany));
    for name in ["", "orderPlaced", "Order Placed", "Order*", &"A".repeat(101)] {
        assert_eq!(parse(&[name]), Err(EventTypesError::NotAName), "{name}");
    }
}

#[test]
fn names_without_an_event_are_unknown() {
    assert_eq!(types(&["OrderPlaced", "CartItemAdded", "*"]).unknown_name(), None);
    assert_eq!(types(&["OrderPlaced", "OrderPlacd", "Nope"]).unknown_name(), Some("OrderPlacd"));
}

#[test]
fn a_snapshot_keeps_the_stored_name_of_the_state() {
    let webhook = Webhook::Registered { event_types: types(&["*"]), active: true };
    let stored = serde_json::json!({ "Standing": { "event_types": ["*"], "active": true } });
    assert_eq!(serde_json::to_value(&webhook).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Webhook>(stored).unwrap(), webhook);
}
