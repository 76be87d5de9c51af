use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<CategoryEvent>) -> AggregateTestExecutor<Category> {
    TestFramework::with(()).given(events)
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn created() -> CategoryEvent {
    CategoryEvent::Created { name: "Tea".to_owned(), parent_id: None }
}

#[test]
fn a_category_is_created_once() {
    given(vec![])
        .when(CategoryCommand::Create { name: name("Tea"), parent_id: None })
        .then_expect_events(vec![created()]);
    given(vec![created()])
        .when(CategoryCommand::Create { name: name("Tea"), parent_id: None })
        .then_expect_error(CategoryError::AlreadyExists);
}

#[test]
fn renaming_to_the_same_name_causes_no_event() {
    given(vec![created()]).when(CategoryCommand::Rename { name: name("Tea") }).then_expect_events(vec![]);
    given(vec![created()]).when(CategoryCommand::Rename { name: name("Coffee") }).then_expect_events(vec![
        CategoryEvent::Renamed { name: "Coffee".to_owned(), previous_name: "Tea".to_owned() },
    ]);
}

#[test]
fn a_category_with_products_cannot_be_deleted() {
    let added = CategoryEvent::ProductAdded { product_id: ProductId(7) };
    let removed = CategoryEvent::ProductRemoved { product_id: ProductId(7) };
    given(vec![created(), added.clone()])
        .when(CategoryCommand::Delete)
        .then_expect_error(CategoryError::HasProducts { product_count: 1 });
    given(vec![created(), added, removed])
        .when(CategoryCommand::Delete)
        .then_expect_events(vec![CategoryEvent::Deleted { name: "Tea".to_owned() }]);
}

#[test]
fn a_deleted_or_unknown_category_is_not_found() {
    let deleted = CategoryEvent::Deleted { name: "Tea".to_owned() };
    for events in [vec![], vec![created(), deleted]] {
        given(events).when(CategoryCommand::Delete).then_expect_error(CategoryError::NotFound);
    }
}

#[test]
fn a_snapshot_keeps_the_stored_name_of_the_state() {
    let category =
        Category::Active { name: "Tea".to_owned(), product_count: 2, parent_id: None, children: BTreeSet::new() };
    let stored = serde_json::json!({ "Standing": { "name": "Tea", "product_count": 2 } });
    assert_eq!(serde_json::to_value(&category).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Category>(stored).unwrap(), category);
}

#[test]
fn a_category_moves_and_one_with_categories_below_cannot_be_deleted() {
    let parent = |id: i64| Some(CategoryId(id));
    let moved = |from, to| CategoryEvent::Moved { parent_id: to, previous_parent_id: from };
    given(vec![created()])
        .when(CategoryCommand::Move { parent_id: parent(2) })
        .then_expect_events(vec![moved(None, parent(2))]);
    given(vec![created(), moved(None, parent(2))])
        .when(CategoryCommand::Move { parent_id: parent(2) })
        .then_expect_events(vec![]);
    let added = CategoryEvent::ChildAdded { child_id: CategoryId(9) };
    let removed = CategoryEvent::ChildRemoved { child_id: CategoryId(9) };
    given(vec![created(), added.clone()])
        .when(CategoryCommand::Delete)
        .then_expect_error(CategoryError::HasChildren(1));
    given(vec![created(), added, removed])
        .when(CategoryCommand::Delete)
        .then_expect_events(vec![CategoryEvent::Deleted { name: "Tea".to_owned() }]);
}

#[test]
fn the_number_of_categories_below_one_is_limited() {
    let child = |id: usize| CategoryEvent::ChildAdded { child_id: CategoryId(i64::try_from(id).unwrap()) };
    let events = [created()].into_iter().chain((2..).take(MAX_CHILDREN).map(child)).collect();
    given(events)
        .when(CategoryCommand::AddChild { child_id: CategoryId(9_999) })
        .then_expect_error(CategoryError::TooManyChildren);
}
