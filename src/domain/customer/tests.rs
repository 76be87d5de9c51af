use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use serde_json::json;

use super::*;
use crate::domain::customer::CustomerEvent::{AddressAdded, AddressChanged, AddressRemoved, Registered};

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
fn an_event_names_the_changed_fields_without_their_values() {
    let change = CustomerCommand::Change { fields: vec![ProfileField::Email] };
    given(vec![CustomerEvent::Registered {}])
        .when(change)
        .then_expect_events(vec![CustomerEvent::Changed { fields: vec![ProfileField::Email] }]);
}

#[test]
fn changing_nothing_causes_no_event() {
    given(vec![CustomerEvent::Registered {}])
        .when(CustomerCommand::Change { fields: vec![] })
        .then_expect_events(vec![]);
}

#[test]
fn an_erased_or_unknown_customer_is_not_found() {
    for events in [vec![], vec![CustomerEvent::Registered {}, CustomerEvent::Erased {}]] {
        given(events.clone()).when(CustomerCommand::CheckRegistered).then_expect_error(CustomerError::NotFound);
        given(events).when(CustomerCommand::Erase).then_expect_error(CustomerError::NotFound);
    }
}

#[test]
fn a_customer_who_is_to_be_erased_orders_nothing_until_the_erasure_is_withdrawn() {
    let requested = vec![Registered {}, CustomerEvent::ErasureRequested {}];
    let withdrawn = [requested.clone(), vec![CustomerEvent::ErasureWithdrawn {}]].concat();
    given(vec![Registered {}])
        .when(CustomerCommand::RequestErasure)
        .then_expect_events(vec![CustomerEvent::ErasureRequested {}]);
    given(requested.clone()).when(CustomerCommand::RequestErasure).then_expect_events(vec![]);
    given(requested.clone()).when(CustomerCommand::CheckMayOrder).then_expect_error(CustomerError::ErasureRequested);
    given(requested.clone()).when(CustomerCommand::CheckRegistered).then_expect_events(vec![]);
    given(requested.clone())
        .when(CustomerCommand::WithdrawErasure)
        .then_expect_events(vec![CustomerEvent::ErasureWithdrawn {}]);
    given(requested).when(CustomerCommand::Erase).then_expect_events(vec![CustomerEvent::Erased {}]);
    given(withdrawn.clone()).when(CustomerCommand::CheckMayOrder).then_expect_events(vec![]);
    given(withdrawn).when(CustomerCommand::WithdrawErasure).then_expect_events(vec![]);
}

#[test]
fn a_requested_erasure_survives_a_snapshot() {
    let customer = Customer::Registered(AddressBook { erasure_requested: true, ..AddressBook::default() });
    let written = serde_json::to_string(&customer).unwrap();
    assert_eq!(serde_json::from_str::<Customer>(&written).unwrap(), customer);
}

#[test]
fn the_number_of_an_address_is_never_reused() {
    let (first, second) = (AddressId(1), AddressId(2));
    given(vec![Registered {}])
        .when(CustomerCommand::AddAddress { marks: DefaultMarks::default() })
        .then_expect_events(vec![AddressAdded { address_id: first }]);
    given(vec![Registered {}, AddressAdded { address_id: first }, AddressRemoved { address_id: first }])
        .when(CustomerCommand::AddAddress { marks: DefaultMarks::default() })
        .then_expect_events(vec![AddressAdded { address_id: second }]);
}

#[test]
fn only_an_existing_address_can_be_changed_or_removed() {
    let address_id = AddressId(1);
    let marks = DefaultMarks::default();
    let change =
        |fields: &[AddressField]| CustomerCommand::ChangeAddress { address_id, fields: fields.to_vec(), marks };
    let there = || given(vec![Registered {}, AddressAdded { address_id }]);
    let gone = || given(vec![Registered {}, AddressAdded { address_id }, AddressRemoved { address_id }]);
    let fields = vec![AddressField::City];
    there().when(change(&fields)).then_expect_events(vec![AddressChanged { address_id, fields: fields.clone() }]);
    there().when(change(&[])).then_expect_events(vec![]);
    there().when(CustomerCommand::RemoveAddress { address_id }).then_expect_events(vec![AddressRemoved { address_id }]);
    for command in [change(&fields), change(&[]), CustomerCommand::RemoveAddress { address_id }] {
        gone().when(command).then_expect_error(CustomerError::AddressNotFound(address_id));
    }
}

#[test]
fn the_number_of_addresses_is_limited() {
    let mut events = vec![Registered {}];
    events.extend((1..=50).map(|number| AddressAdded { address_id: AddressId(number) }));
    let add = || CustomerCommand::AddAddress { marks: DefaultMarks::default() };
    given(events.clone()).when(add()).then_expect_error(CustomerError::TooManyAddresses);
    events.push(AddressRemoved { address_id: AddressId(7) });
    given(events).when(add()).then_expect_events(vec![AddressAdded { address_id: AddressId(51) }]);
}

#[test]
fn a_snapshot_that_is_older_than_addresses_stays_readable() {
    for (written, customer) in [
        ("\"Unknown\"", Customer::Unknown),
        ("\"Registered\"", Customer::Registered(AddressBook::default())),
        ("\"Erased\"", Customer::Erased),
    ] {
        assert_eq!(serde_json::from_str::<Customer>(written).unwrap(), customer);
        assert_eq!(serde_json::to_string(&customer).unwrap(), written);
    }
    let customer =
        Customer::Registered(AddressBook { addresses: vec![AddressId(2)], last_address: 3, ..AddressBook::default() });
    let written = serde_json::to_string(&customer).unwrap();
    assert_eq!(serde_json::from_str::<Customer>(&written).unwrap(), customer);
}

#[test]
fn at_most_one_address_of_each_kind_is_the_default() {
    let (first, second) = (AddressId(1), AddressId(2));
    let changed = |shipping, billing| CustomerEvent::DefaultAddressesChanged { shipping, billing };
    let both = DefaultMarks { shipping: Some(true), billing: Some(true) };
    let add = |marks| CustomerCommand::AddAddress { marks };
    given(vec![Registered {}])
        .when(add(both))
        .then_expect_events(vec![AddressAdded { address_id: first }, changed(Some(first), Some(first))]);
    let events = vec![
        Registered {},
        AddressAdded { address_id: first },
        changed(Some(first), Some(first)),
        AddressAdded { address_id: second },
    ];
    let mark = |address_id, marks| CustomerCommand::ChangeAddress { address_id, fields: vec![], marks };
    let shipping = |mark| DefaultMarks { shipping: Some(mark), billing: None };
    let when = |command| given(events.clone()).when(command);
    when(mark(second, shipping(true))).then_expect_events(vec![changed(Some(second), Some(first))]);
    when(mark(first, shipping(false))).then_expect_events(vec![changed(None, Some(first))]);
    // Repeating a default changes nothing, and neither does adding an address that is not a default.
    when(mark(first, both)).then_expect_events(vec![]);
    when(mark(second, DefaultMarks::NONE)).then_expect_events(vec![]);
    when(CustomerCommand::RemoveAddress { address_id: second })
        .then_expect_events(vec![AddressRemoved { address_id: second }]);
    when(CustomerCommand::RemoveAddress { address_id: first })
        .then_expect_events(vec![AddressRemoved { address_id: first }, changed(None, None)]);
}

#[test]
fn default_addresses_survive_a_snapshot() {
    let defaults = DefaultAddresses { shipping: Some(AddressId(2)), billing: None };
    let book = AddressBook { addresses: vec![AddressId(2)], last_address: 3, defaults, ..AddressBook::default() };
    let customer = Customer::Registered(book);
    let written = serde_json::to_string(&customer).unwrap();
    assert_eq!(written, r#"{"Registered":{"addresses":[2],"last_address":3,"default_shipping":2}}"#);
    assert_eq!(serde_json::from_str::<Customer>(&written).unwrap(), customer);
}

#[test]
fn a_country_is_two_letters_in_upper_case() {
    assert_eq!(Country::try_from("DE".to_owned()).map(|country| country.to_string()), Ok("DE".to_owned()));
    for text in ["", "de", "D", "DE ", "XX", "DEU", "E ", "D AE"] {
        assert!(Country::try_from(text.to_owned()).is_err(), "{text}");
    }
}

#[test]
fn an_address_has_one_shape_on_the_wire_and_in_side_writes() {
    let written = json!({
        "name": "Jo Miller", "line1": "12 Mill Lane", "line2": null, "postal_code": "AB1 2CD",
        "city": "Milltown", "region": null, "country": "GB",
    });
    let address: Address = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&address).unwrap(), written);
    let misspelt = serde_json::from_value::<AddressChange>(json!({ "town": "Milltown" })).unwrap_err();
    assert!(misspelt.to_string().starts_with("unknown field `town`"), "{misspelt}");
}

#[test]
fn a_change_of_an_address_names_only_the_fields_that_change() {
    let written = json!({ "line1": "14 Mill Lane", "line2": "", "region": "Kent" });
    let change: AddressChange = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(change.fields(), [AddressField::Line1, AddressField::Line2, AddressField::Region]);
    assert_eq!(serde_json::to_value(&change).unwrap(), written);
    let error = serde_json::from_value::<AddressChange>(json!({ "line1": "" })).unwrap_err();
    assert_eq!(error.to_string(), "must not be empty");
}
