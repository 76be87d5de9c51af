//! Products and customers for sections without HTTP.

use cartwright::domain::metadata::Metadata;
use cartwright::domain::money::Money;
use cartwright::domain::text::{Description, Email, Name};
use cartwright::journal::{Actor, Context, Journal, UseCase};
use cartwright::shop::{CategoryKey, CreateCategory, CreateProduct, RegisterCustomer};
use futures_util::{StreamExt, stream};

pub fn context() -> Context {
    Context::of(Actor { id: "bench".to_owned(), role: "admin" })
}

/// Products in 20 categories, and customers, numbered from 1.
pub async fn stock_up(journal: &Journal, products: i64, customers: i64) {
    for category in 0..20 {
        run(journal, CreateCategory { name: category_name(category), parent_id: None }).await;
    }
    let create = (0..products).map(|product| {
        let price = Money::try_from(format!("{}.{:02}", product % 90 + 1, product % 100)).expect("a price");
        let category = CategoryKey::Name(category_name(product % 20));
        CreateProduct {
            description: Description::try_from("From the best makers.".to_owned()).expect("a description"),
            stock: 1_000_000_000,
            ..CreateProduct::new(name(format!("Product {product:05}")), price, category)
        }
    });
    stream::iter(create).for_each_concurrent(32, |create| run(journal, create)).await;
    let register = (1..=customers).map(|customer| RegisterCustomer {
        first_name: name("Ada".to_owned()),
        last_name: name(format!("Number{customer}")).into(),
        email: Email::try_from(format!("customer{customer}@customer.example")).expect("an address"),
        metadata: Metadata::default(),
    });
    stream::iter(register).for_each_concurrent(32, |register| run(journal, register)).await;
}

pub async fn run<U: UseCase>(journal: &Journal, use_case: U) {
    journal.run(use_case, context()).await.expect("the shop can be stocked up");
}

pub fn category_name(category: i64) -> Name {
    name(format!("Category {category}"))
}

pub fn name(text: String) -> Name {
    Name::try_from(text).expect("a name")
}
