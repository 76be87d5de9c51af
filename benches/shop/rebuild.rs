//! Rebuilds from a log of one million events, against a `copy` of the log to `/dev/null`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use cartwright::domain::ids::{CartId, CustomerId, ProductId};
use cartwright::domain::quantity::Quantity;
use cartwright::journal::{Journal, JournalOptions};
use cartwright::projector::{PROJECTIONS, Projection, ProjectorOptions, rebuild};
use cartwright::server::Engine;
use cartwright::shop::{CartChange, ChangeCart, Checkout};
use futures_util::{StreamExt, TryStreamExt, stream};
use sqlx::{Executor, PgPool};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalogue::{self, context};
use crate::load::{quick, rounds};
use crate::program::Database;
use crate::report::{Report, Spread, number};

const PRODUCTS: i64 = 4_000;
const CUSTOMERS: i64 = 5_000;

pub async fn measure(report: &mut Report) {
    let database = Database::start().await;
    write_log(&database).await;

    let started = Instant::now();
    let engine =
        Engine::start(&database.connect, &database.pool, JournalOptions::default(), ProjectorOptions::default())
            .await
            .expect("the shop starts");
    let position = engine.journal.position();
    assert!(engine.projector.wait_for(position, Duration::from_secs(600)).await, "the projector is stuck");
    let rate = position as f64 / started.elapsed().as_secs_f64();
    report.add("fill the live tables from position 0, events/s", number(rate), "–".to_owned(), "–");
    (&database.pool).execute("vacuum analyze").await.expect("tables can be vacuumed");

    let bestsellers = Projection::find("bestsellers").expect("it is one of the projections");
    let (mut copies, mut rebuilds, mut ratios) = (vec![], vec![], vec![]);
    for place in 0..=rounds() {
        let copy = seconds(async { database.pool.execute("copy events to '/dev/null'").await.map(drop) }).await;
        let alone = seconds(rebuild(&database.pool, bestsellers, &|_| ())).await;
        if place > 0 {
            copies.push(copy);
            rebuilds.push(alone);
            ratios.push(alone / copy * 100.0);
        }
    }
    report.add(
        format!("rebuild `bestsellers` from {} events, s", number(position as f64)),
        format!("{}: **{} %**", Spread::of(rebuilds), Spread::of(ratios)),
        format!("`copy` of the log to /dev/null: {}", Spread::of(copies)),
        "≤ 100 %",
    );

    let mut rates = vec![];
    for _ in 0..3 {
        let all = seconds(rebuild_all(&database.pool)).await;
        rates.push(position as f64 / all);
    }
    report.add("rebuild all tables, events/s", Spread::of(rates).to_string(), "–".to_owned(), "≥ 200,000");
    for projection in PROJECTIONS {
        let alone = seconds(rebuild(&database.pool, projection, &|_| ())).await;
        println!("  {:16} {alone:.2} s alone", projection.name);
    }
    engine.stop().await.expect("the shop stops");
    database.check().await;
    database.stop().await;
}

/// Rebuilds two tables at a time, as `cartwright replay` does.
async fn rebuild_all(pool: &PgPool) -> Result<(), cartwright::projector::RebuildError> {
    stream::iter(PROJECTIONS)
        .map(|projection| rebuild(pool, projection, &|_| ()))
        .buffer_unordered(2)
        .try_collect()
        .await
}

async fn seconds<E: std::fmt::Debug>(work: impl Future<Output = Result<(), E>>) -> f64 {
    let started = Instant::now();
    work.await.expect("it works");
    started.elapsed().as_secs_f64()
}

/// Fills the log with carts and orders through the journal, without a projector.
async fn write_log(database: &Database) {
    let (head, _) = watch::channel(0);
    let (journal, writer) =
        Journal::start(database.connect.clone(), database.pool.clone(), head, JournalOptions::default())
            .await
            .expect("the journal starts");
    catalogue::stock_up(&journal, PRODUCTS, CUSTOMERS).await;
    let started = Instant::now();
    let next = Arc::new(AtomicI64::new(0));
    let events = if quick() { 100_000 } else { 1_000_000 };
    let mut shoppers = JoinSet::new();
    for _ in 0..128 {
        let (journal, next) = (journal.clone(), Arc::clone(&next));
        shoppers.spawn(async move {
            while journal.position() < events {
                shop_once(&journal, next.fetch_add(1, Ordering::Relaxed)).await;
            }
        });
    }
    shoppers.join_all().await;
    let position = journal.position();
    println!(
        "{} events written, {}/s",
        number(position as f64),
        number(position as f64 / started.elapsed().as_secs_f64())
    );
    drop(journal);
    writer.finish().await.expect("the writer ends");
}

async fn shop_once(journal: &Journal, number: i64) {
    let cart_id = CartId::Customer(CustomerId(number % CUSTOMERS + 1));
    for place in 0..3 {
        let product_id = ProductId((number * 7 + place * 1_301) % PRODUCTS + 1);
        let quantity = Quantity::new(number % 5 + 1).expect("a quantity");
        let change = CartChange::Add { product_id, quantity };
        journal.run(ChangeCart { cart: cart_id.into(), change }, context()).await.expect("an item can be added");
    }
    journal.run(Checkout::of(cart_id), context()).await.expect("the cart can be checked out");
}
