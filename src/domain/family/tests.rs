use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<FamilyEvent>) -> AggregateTestExecutor<Family> {
    TestFramework::with(()).given(events)
}

fn names(names: &[&str]) -> OptionNames {
    names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().try_into().unwrap()
}

fn values(values: &[(&str, &str)]) -> OptionValues {
    let values: BTreeMap<_, _> = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    values.try_into().unwrap()
}

fn created() -> FamilyEvent {
    FamilyEvent::Created { name: "Phone X".to_owned(), options: names(&["storage", "color"]) }
}

fn put(product: i64, given: &[(&str, &str)]) -> FamilyCommand {
    FamilyCommand::PutProduct { product_id: ProductId(product), options: values(given) }
}

fn added(product: i64, given: &[(&str, &str)]) -> FamilyEvent {
    FamilyEvent::ProductAdded { product_id: ProductId(product), options: values(given) }
}

const BLACK: [(&str, &str); 2] = [("storage", "128 GB"), ("color", "Black")];

#[test]
fn each_combination_belongs_to_one_product() {
    given(vec![created()]).when(put(7, &BLACK)).then_expect_events(vec![added(7, &BLACK)]);
    // Case and the order of the options make no other combination.
    given(vec![created(), added(7, &BLACK)])
        .when(put(8, &[("Color", "BLACK"), ("storage", "128 gb")]))
        .then_expect_error(FamilyError::CombinationTaken { product_id: ProductId(7) });
    let white = [("color", "White"), ("storage", "128 GB")];
    given(vec![created(), added(7, &BLACK)]).when(put(8, &white)).then_expect_events(vec![added(8, &white)]);
    let removed = FamilyEvent::ProductRemoved { product_id: ProductId(7) };
    given(vec![created(), added(7, &BLACK), removed]).when(put(8, &BLACK)).then_expect_events(vec![added(8, &BLACK)]);
}

#[test]
fn a_product_may_change_its_own_combination_and_its_spelling() {
    given(vec![created(), added(7, &BLACK)]).when(put(7, &BLACK)).then_expect_events(vec![]);
    let spelled = [("storage", "128 GB"), ("color", "black")];
    given(vec![created(), added(7, &BLACK)])
        .when(put(7, &spelled))
        .then_expect_events(vec![FamilyEvent::ProductChanged { product_id: ProductId(7), options: values(&spelled) }]);
}

#[test]
fn a_product_has_a_value_for_each_option_of_its_family_and_no_other() {
    let difference = OptionDifference {
        expected: vec!["storage".to_owned(), "color".to_owned()],
        missing: vec!["storage".to_owned()],
        unknown: vec!["size".to_owned()],
    };
    let error = FamilyError::OptionsDiffer(difference);
    assert_eq!(error.to_string(), "the options of the family are storage, color; missing: storage; unknown: size");
    given(vec![created()]).when(put(7, &[("color", "Black"), ("size", "M")])).then_expect_error(error);
}

#[test]
fn a_family_with_products_keeps_its_options_but_may_reorder_them() {
    let change = |options: &[&str]| FamilyCommand::Change { name: None, options: Some(names(options)) };
    let changed = |options: &[&str]| vec![FamilyEvent::Changed { name: "Phone X".to_owned(), options: names(options) }];
    given(vec![created()]).when(change(&["size"])).then_expect_events(changed(&["size"]));
    given(vec![created()]).when(change(&["storage", "color"])).then_expect_events(vec![]);
    let filled = || given(vec![created(), added(7, &BLACK)]);
    filled().when(change(&["color", "storage"])).then_expect_events(changed(&["color", "storage"]));
    for options in [&["color"][..], &["color", "storage", "size"], &["color", "size"]] {
        filled().when(change(options)).then_expect_error(FamilyError::HasProducts(1));
    }
    filled().when(FamilyCommand::Delete).then_expect_error(FamilyError::HasProducts(1));
}

#[test]
fn a_deleted_or_unknown_family_is_not_found() {
    let deleted = FamilyEvent::Deleted { name: "Phone X".to_owned() };
    given(vec![created()]).when(FamilyCommand::Delete).then_expect_events(vec![deleted.clone()]);
    for events in [vec![], vec![created(), deleted]] {
        given(events).when(put(7, &BLACK)).then_expect_error(FamilyError::NotFound);
    }
    let remove = FamilyCommand::RemoveProduct { product_id: ProductId(7) };
    given(vec![created()]).when(remove).then_expect_error(FamilyError::ProductNotFound);
}

#[test]
fn a_family_is_bounded() {
    let sizes = |product: usize| FamilyEvent::ProductAdded {
        product_id: ProductId(i64::try_from(product).unwrap()),
        options: values(&[("storage", &product.to_string()), ("color", "Black")]),
    };
    let mut events = vec![created()];
    events.extend((1..=MAX_PRODUCTS).map(sizes));
    given(events).when(put(1_000, &BLACK)).then_expect_error(FamilyError::TooManyProducts);
}

#[test]
fn options_are_different_names() {
    let parse = |names: &[&str]| {
        OptionNames::try_from(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    assert_eq!(parse(&[]), Err("must name at least one option".to_owned()));
    assert_eq!(parse(&["a", "b", "c", "d", "e", "f"]), Err("must name at most 5 options".to_owned()));
    assert_eq!(parse(&["Size", "size"]), Err("names the option \"size\" twice".to_owned()));
    assert_eq!(parse(&[""]), Err("\"\" must not be empty".to_owned()));
    let twice = BTreeMap::from([("Size".to_owned(), "M".to_owned()), ("size".to_owned(), "L".to_owned())]);
    assert_eq!(OptionValues::try_from(twice), Err(OptionsError::Duplicate("size".to_owned())));
}
