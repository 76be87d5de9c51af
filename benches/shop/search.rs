//! Search, relevance and facets among 100,000 products, one request after the other, nothing kept.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use sqlx::PgPool;

use crate::client::Client;
use crate::in_process::{InProcess, settle, start_engine};
use crate::load::quick;
use crate::program::Database;
use crate::report::{Report, milliseconds};

/// Writes the events of the products; each name and description has words that many products share, and some of its own.
const WRITE_LOG: &str = "
with category as (
    select jsonb_build_object('event', 'CategoryCreated', 'name', 'Category ' || number) as payload, number
    from generate_series(1, 50) as number
),
words as (
    select
        '{blue,red,green,large,small,modern,classic,heavy,light,portable,electric,manual,quiet,sturdy,vintage}'::text[] as looks,
        '{steel,copper,oak,glass,ceramic,plastic,leather,cotton,linen,marble,bamboo,iron}'::text[] as materials,
        '{kettle,teapot,chair,table,lamp,phone,laptop,speaker,bottle,mug,plate,knife,pan,spoon,fork,blanket,pillow,shelf,
          desk,drill,hammer,saw,ladder,bucket,mop,brush,vacuum,heater,fan,clock,radio,camera,tripod,tent,backpack,jacket,
          boots,gloves,scarf,umbrella}'::text[] as things
),
product as (
    select
        number,
        looks[1 + number * 7919 % 15] || ' ' || materials[1 + number * 104729 % 12] || ' '
            || trim(things[1 + number * 1299709 % 40]) || ' ' || substr(md5((number / 90)::text), 1, 6) as name,
        'A ' || looks[1 + number * 31 % 15] || ' ' || trim(things[1 + number * 1299709 % 40]) || ' of '
            || materials[1 + number * 17 % 12] || ', for home and garden; lasts ' || number % 30
            || ' years and holds ' || number % 50 || ' litres. Code ' || substr(md5(number::text), 1, 10) || '.' as description
    from words, generate_series(1, $1::bigint) as number
),
payload as (
    select 'Category' as kind, number::text as id, payload, 'CategoryCreated' as type, number as place
    from category
    union all
    select 'Product', number::text,
        jsonb_build_object(
            'event', 'ProductCreated', 'name', name, 'description', description,
            'price', (number * 37 % 50000 / 100 + 1)::text || '.50', 'category_id', 1 + number % 50,
            'sku', 'SKU-' || number,
            'details', jsonb_build_object('slug', 'product-' || number, 'brand', 'Brand ' || number % 300)
        ),
        'ProductCreated', 50 + number
    from product
)
insert into events (
    aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at, event_id
)
select kind, id, 1, type, '1.0', payload, '{}', place, clock_timestamp(), gen_random_uuid()
from payload
order by place";

pub async fn measure(report: &mut Report) {
    let database = Database::start().await;
    let products: i64 = if quick() { 10_000 } else { 100_000 };
    write_log(&database.pool, products).await;
    let started = Instant::now();
    let engine = start_engine(&database).await;
    settle(&engine).await;
    println!("tables of {products} products: {:.1} s", started.elapsed().as_secs_f64());
    sqlx::raw_sql("vacuum analyze").execute(&database.pool).await.expect("tables can be vacuumed");
    let shop = InProcess::start(&database, &engine, |router| router).await;
    let mut client = Client::connect(&shop.host).await;
    for (what, path) in [
        ("`search=`, one word of many products", "products/?search=steel"),
        ("`search=`, two parts of words, by price", "products/?search=ettl+coppe&sort=price_asc"),
        ("`search=`, a code of one product", "products/?search=c4ca4238a0"),
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
    let change = cartwright::shop::ChangeSettings {
        search_language: Some(cartwright::domain::settings::SearchLanguage::German),
        low_stock_threshold: None,
    };
    engine.journal.run(change, crate::catalogue::context()).await.expect("the language can be changed");
    settle(&engine).await;
    let changed: Duration = begun.elapsed();
    report.add(format!("change of the language, {products} products"), milliseconds(changed), "–".to_owned(), "–");
    shop.stop();
    engine.stop().await.expect("the shop stops");
    database.stop().await;
}

async fn write_log(pool: &PgPool, products: i64) {
    let mut transaction = pool.begin().await.expect("a connection");
    let head = "update journal_head set position = 50 + $1, recorded_at = clock_timestamp()";
    for statement in [head, WRITE_LOG] {
        sqlx::query(statement).bind(products).execute(&mut *transaction).await.expect("events can be written");
    }
    transaction.commit().await.expect("events can be written");
}
