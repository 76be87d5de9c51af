//! Search, relevance and facets among 100,000 products, one request after the other, nothing kept.

use std::time::Instant;

use cartwright::domain::money::Money;
use cartwright::domain::product::{Brand, DetailsChange};
use cartwright::domain::settings::SearchLanguage;
use cartwright::domain::text::Description;
use cartwright::http::{AppSettings, ResponseCacheLimits};
use cartwright::journal::Journal;
use cartwright::shop::{CategoryKey, ChangeSettings, CreateProduct};
use futures_util::{StreamExt, stream};
use hyper::StatusCode;

use crate::catalogue;
use crate::client::Client;
use crate::in_process::{InProcess, settle, start_engine};
use crate::load::quick;
use crate::program::Database;
use crate::report::{Report, milliseconds};

const LOOKS: &str =
    "blue red green large small modern classic heavy light portable electric manual quiet sturdy vintage";
const MATERIALS: &str = "steel copper oak glass ceramic plastic leather cotton linen marble bamboo iron";
const THINGS: &str = "kettle teapot chair table lamp phone laptop speaker bottle mug plate knife pan spoon fork blanket \
    pillow shelf desk drill hammer saw ladder bucket mop brush vacuum heater fan clock radio camera tripod tent \
    backpack jacket boots gloves scarf umbrella";

pub async fn measure(report: &mut Report) {
    let database = Database::start().await;
    let products: i64 = if quick() { 10_000 } else { 100_000 };
    let engine = start_engine(&database).await;
    create_products(&engine.journal, products).await;
    settle(&engine).await;
    sqlx::raw_sql("vacuum analyze").execute(&database.pool).await.expect("tables can be vacuumed");
    let response_cache = ResponseCacheLimits { bytes: 0, ..ResponseCacheLimits::default() };
    let settings = AppSettings { response_cache, ..AppSettings::default() };
    let shop = InProcess::start(&database, &engine, settings, |router| router).await;
    let mut client = Client::connect(&shop.host).await;
    for (what, path) in [
        ("`search=`, one word of many products", "products/?search=steel"),
        ("`search=`, two parts of words, by price", "products/?search=ettl+coppe&sort=price_asc"),
        ("`search=`, a code of one product", "products/?search=x4711x"),
        ("`search=`, no product", "products/?search=zzzzz"),
        ("`sort=relevance`, two words", "products/?search=copper+kettles&sort=relevance"),
        ("`sort=relevance`, a typing error", "products/?search=umbrelas&sort=relevance"),
        ("`sort=relevance`, a word of all products", "products/?search=garden&sort=relevance"),
        ("`facets/` of a search", "products/facets/?search=copper+kettle"),
        ("`facets/` of a typing error", "products/facets/?search=umbrelas&sort=relevance"),
        ("`facets/` of a category", "products/facets/?category_id=7"),
        ("`facets/` of all products", "products/facets/"),
    ] {
        let path = format!("/shop/api/{path}");
        let mut times = Vec::new();
        for _ in 0..if quick() { 30 } else { 300 } {
            let begun = Instant::now();
            let answer = client.get(&path, None).await;
            times.push(begun.elapsed());
            assert_eq!(answer.status, StatusCode::OK, "{path}");
        }
        times.sort_unstable();
        let at = |percent: usize| milliseconds(times[times.len() * percent / 100]);
        report.add(
            format!("{what}, {products} products"),
            format!("p50 {}, p99 {}", at(50), at(99)),
            "–".to_owned(),
            "< 20 ms",
        );
    }
    let begun = Instant::now();
    let change = ChangeSettings { search_language: Some(SearchLanguage::German), low_stock_threshold: None };
    engine.journal.run(change, catalogue::context()).await.expect("the language can be changed");
    settle(&engine).await;
    let changed = begun.elapsed();
    report.add(format!("change of the language, {products} products"), milliseconds(changed), "–".to_owned(), "–");
    shop.stop();
    engine.stop().await.expect("the shop stops");
    database.stop().await;
}

/// Creates products in 20 categories; each name and description has words that many products share, and some of its own.
async fn create_products(journal: &Journal, products: i64) {
    catalogue::stock_up(journal, 0, 0).await;
    let word = |words: &'static str, place: i64| {
        let words: Vec<&str> = words.split_whitespace().collect();
        words[place.unsigned_abs() as usize % words.len()]
    };
    let create = (0..products).map(|number| {
        let thing = word(THINGS, number * 1_299_709);
        let name = format!("{} {} {thing} {:x}", word(LOOKS, number * 7_919), word(MATERIALS, number), number / 90);
        let description = format!(
            "A {} {thing} of {}, for home and garden; lasts {} years and holds {} litres. Code x{number}x.",
            word(LOOKS, number * 31),
            word(MATERIALS, number * 17),
            number % 30,
            number % 50,
        );
        let price = Money::try_from(format!("{}.50", number * 37 % 500 + 1)).expect("a price");
        let category = CategoryKey::Name(catalogue::category_name(number % 20));
        let brand = Brand::try_from(format!("Brand {}", number % 300)).expect("a brand");
        CreateProduct {
            description: Description::try_from(description).expect("a description"),
            details: DetailsChange { brand: Some(Some(brand)), ..DetailsChange::default() },
            ..CreateProduct::new(catalogue::name(name), price, category)
        }
    });
    stream::iter(create).for_each_concurrent(32, |create| catalogue::run(journal, create)).await;
}
