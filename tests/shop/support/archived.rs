//! Shops with an archive: what a client sees of them, and where their events are.

use std::time::Duration;

use axum::http::StatusCode;
use cartwright::archive::{self, ArchiveOptions, ArchiveReport};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::TestShop;

/// The age with which everything so far is old.
pub const AT_ONCE: Duration = Duration::ZERO;

/// Everything that a client can see of the shop.
const READS: [&str; 15] = [
    "products/",
    "bestsellers/",
    "low-stock/?threshold=1000",
    "customer-stats/",
    "category-stats/",
    "sales/?by=day",
    "orders/",
    "order/1/summary/",
    "order/1/history/",
    "customer/1/orders/",
    "customer/1/cart/",
    "cart/1/history/",
    "events/?limit=1000",
    "events/?type=OrderPlaced&limit=2",
    "events/?stream=Order/1&limit=1000",
];

pub async fn seen(shop: &TestShop) -> Vec<(StatusCode, Value)> {
    let mut seen = Vec::new();
    for path in READS {
        let answer = shop.get(path).await;
        assert!(answer.status.is_success() || path.ends_with("/cart/"), "{path}: {}", answer.body);
        seen.push((answer.status, answer.body));
    }
    seen
}

pub async fn order(shop: &TestShop, customer: i64, product: i64) -> i64 {
    shop.add(customer, product, 2).await;
    shop.check_out(customer).await.body["order_id"].as_i64().unwrap()
}

pub async fn cancel(shop: &TestShop, order: i64) {
    shop.done(&format!("order/{order}/cancel/"), json!({})).await;
}

pub async fn archive_all(shop: &TestShop) -> ArchiveReport {
    shop.settle().await;
    archive::run(&shop.pool, &ArchiveOptions::older_than(AT_ONCE)).await.unwrap()
}

/// Number of events in `events` and in `events_archive`.
pub async fn counts(pool: &PgPool) -> (i64, i64) {
    let counts = "select (select count(*) from events), (select count(*) from events_archive)";
    sqlx::query_as(counts).fetch_one(pool).await.unwrap()
}

/// Where the events of a stream are: first and last sequence in the archive, and in `events`.
pub async fn places(pool: &PgPool, kind: &str, id: i64) -> [Option<(i64, i64)>; 2] {
    let mut places = [None; 2];
    for (place, table) in ["events_archive", "events"].into_iter().enumerate() {
        let range =
            format!("select min(sequence), max(sequence) from {table} where aggregate_type = $1 and aggregate_id = $2");
        let range: (Option<i64>, Option<i64>) =
            sqlx::query_as(&range).bind(kind).bind(id.to_string()).fetch_one(pool).await.unwrap();
        places[place] = range.0.zip(range.1);
    }
    places
}
