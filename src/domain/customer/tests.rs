use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<CustomerEvent>) -> AggregateTestExecutor<Customer> {
    TestFramework::with(()).given(events)
}

#[test]
fn a_customer_registers_once() {
    given(vec![]).when(CustomerCommand::Register).then_expect_events(vec![CustomerEvent::Registered {}]);
    given(vec![CustomerEvent::Registered {}])
        .when(CustomerCommand::Register)
        .then_expect_error(CustomerError::AlreadyRegistered);
}

#[test]
fn an_event_names_the_changed_fields_and_not_their_values() {
    let change = CustomerCommand::Change { fields: vec![ProfileField::Email] };
    given(vec![CustomerEvent::Registered {}])
        .when(change)
        .then_expect_events(vec![CustomerEvent::Changed { fields: vec![ProfileField::Email] }]);
}

#[test]
fn changing_nothing_leaves_no_event() {
    given(vec![CustomerEvent::Registered {}])
        .when(CustomerCommand::Change { fields: vec![] })
        .then_expect_events(vec![]);
}

#[test]
fn an_erased_or_unknown_customer_is_not_found() {
    for events in [vec![], vec![CustomerEvent::Registered {}, CustomerEvent::Erased {}]] {
        given(events.clone()).when(CustomerCommand::Check).then_expect_error(CustomerError::NotFound);
        given(events).when(CustomerCommand::Erase).then_expect_error(CustomerError::NotFound);
    }
}
