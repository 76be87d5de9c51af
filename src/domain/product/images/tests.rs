//! Rules of a product's images.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::domain::ids::CategoryId;
use crate::domain::money::Money;
use crate::domain::picture::{Extension, PictureHash};
use crate::domain::product::ProductCommand;

fn picture(digit: char) -> Picture {
    let hash = PictureHash::try_from(digit.to_string().repeat(64)).unwrap();
    Picture { hash, extension: Extension::Jpeg, width: 8, height: 6, bytes: 100 }
}

fn ids(ids: &[i64]) -> Vec<ImageId> {
    ids.iter().copied().map(ImageId).collect()
}

fn added(image_id: i64, digit: char, image_ids: &[i64]) -> ProductEvent {
    ProductEvent::ImageAdded {
        image_id: ImageId(image_id),
        picture: picture(digit),
        image_ids: ids(image_ids),
        created_at: None,
    }
}

fn given(events: impl IntoIterator<Item = ProductEvent>) -> AggregateTestExecutor<Product> {
    let created = ProductEvent::Created {
        name: "Kettle".to_owned(),
        description: String::new(),
        price: Money::parse("20.00").unwrap(),
        category_id: CategoryId(1),
        sku: None,
        details: None,
        created_at: None,
        low_stock_threshold: None,
    };
    TestFramework::with(()).given([created].into_iter().chain(events).collect())
}

fn add(image_id: i64, digit: char) -> ProductCommand {
    ProductCommand::Image(ImageCommand::Add { image_id: ImageId(image_id), picture: picture(digit), created_at: None })
}

fn reorder(image_ids: &[i64]) -> ProductCommand {
    ProductCommand::Image(ImageCommand::Reorder { image_ids: ids(image_ids) })
}

#[test]
fn an_image_is_added_after_the_others_up_to_the_bound() {
    given([]).when(add(4, 'a')).then_expect_events(vec![added(4, 'a', &[4])]);
    given([added(4, 'a', &[4])]).when(add(2, 'a')).then_expect_events(vec![added(2, 'a', &[4, 2])]);
    let full = (1..=50).map(|image_id| added(image_id, 'a', &[]));
    given(full).when(add(51, 'b')).then_expect_error(ImageError::TooMany.into());
}

#[test]
fn an_order_names_every_image_once() {
    let two = || given([added(1, 'a', &[1]), added(2, 'b', &[1, 2])]);
    let reordered = ProductEvent::ImagesReordered { image_ids: ids(&[2, 1]), previous_image_ids: ids(&[1, 2]) };
    two().when(reorder(&[2, 1])).then_expect_events(vec![reordered]);
    two().when(reorder(&[1, 2])).then_expect_events(vec![]);
    two().when(reorder(&[2])).then_expect_error(ImageError::Missing(ImageId(1)).into());
    two().when(reorder(&[1, 2, 1])).then_expect_error(ImageError::NamedTwice(ImageId(1)).into());
    two().when(reorder(&[1, 2, 3])).then_expect_error(ImageError::Unknown(ImageId(3)).into());
}

#[test]
fn a_replaced_image_keeps_its_place_and_a_removed_one_leaves_the_others_in_order() {
    let mut product = Product::default();
    let three = [added(1, 'a', &[1]), added(2, 'b', &[1, 2]), added(3, 'c', &[1, 2, 3])];
    let events = |product: &Product, command| product.decide(ProductCommand::Image(command)).unwrap();
    let created = ProductEvent::Created {
        name: "Kettle".to_owned(),
        description: String::new(),
        price: Money::parse("20.00").unwrap(),
        category_id: CategoryId(1),
        sku: None,
        details: None,
        created_at: None,
        low_stock_threshold: None,
    };
    [created].iter().chain(&three).for_each(|event| product.evolve(event));
    let replace = |digit| ImageCommand::Replace { image_id: ImageId(2), picture: picture(digit) };
    assert!(events(&product, replace('b')).is_empty(), "the same picture");
    events(&product, replace('d')).iter().for_each(|event| product.evolve(event));
    let remove = ImageCommand::Remove { image_id: ImageId(1) };
    let removed = events(&product, remove);
    let expected = ProductEvent::ImageRemoved { image_id: ImageId(1), picture: picture('a'), image_ids: ids(&[2, 3]) };
    assert_eq!(removed, [expected]);
    removed.iter().for_each(|event| product.evolve(event));
    let images = product.images().unwrap();
    assert_eq!(images.ids(), ids(&[2, 3]));
    assert_eq!(images.find(ImageId(2)).unwrap().picture, picture('d'));
    let text = serde_json::to_string(&product).unwrap();
    assert_eq!(serde_json::from_str::<Product>(&text).unwrap(), product, "as a snapshot stores it");
}

#[test]
fn a_number_of_an_image_is_used_once() {
    let take = |product_id| ImageNumberCommand::Take { product_id: ProductId(product_id) };
    let taken = ImageNumberEvent::Taken { product_id: ProductId(1) };
    let numbers = || TestFramework::<ImageNumber>::with(());
    numbers().given_no_previous_events().when(take(1)).then_expect_events(vec![taken.clone()]);
    numbers().given(vec![taken]).when(take(2)).then_expect_error(ImageNumberError::Taken(ProductId(1)));
}
