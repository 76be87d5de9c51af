//! Histories of long streams: every page costs as little as the first.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cartwright::domain::product::Product;
use cartwright::journal::JournalOptions;
use serde_json::{Value, json};

use crate::support::{TestShop, fresh_database};

const EVENTS: i64 = 20_000;

/// Extends the stream of a product to [`EVENTS`] events: one unit is received with each.
async fn receive_units(shop: &TestShop, product: i64) {
    let mut transaction = shop.pool.begin().await.unwrap();
    let (there, before): (i64, i64) = sqlx::query_as(
        "select count(*), (select position from journal_head) from events
         where aggregate_type = 'Product' and aggregate_id = $1",
    )
    .bind(product.to_string())
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    sqlx::query("update journal_head set position = position + $1")
        .bind(EVENTS - there)
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
         select 'Product', $1, $2 + n, 'StockReceived', '1.0',
            jsonb_build_object('event', 'StockReceived', 'quantity', 1, 'reason', null, 'on_hand', n, 'reserved', 0),
            '{}', $3 + n, head.recorded_at
         from generate_series(1, $4) as n, journal_head as head",
    )
    .bind(product.to_string())
    .bind(there)
    .bind(before)
    .bind(EVENTS - there)
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn the_last_page_of_a_long_history_is_as_fast_as_the_first() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let product = shop.product("Kettle", "24.90", 0).await;
    receive_units(&shop, product).await;
    let path = |after: i64| {
        format!("product/{product}/history/?limit=100&cursor={}", URL_SAFE_NO_PAD.encode(after.to_string()))
    };
    let fastest = async |after: i64| {
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            shop.read(&path(after)).await;
            fastest = fastest.min(began.elapsed());
        }
        fastest
    };

    let last = shop.read(&path(EVENTS - 100)).await;
    let [entries, stored] = [last.as_array().unwrap(), &snapshots(&shop).await];
    assert_eq!(
        stored.iter().map(|row| row.as_i64().unwrap()).collect::<Vec<_>>(),
        (1..EVENTS / 500).map(|n| n * 500).collect::<Vec<_>>()
    );
    assert_eq!((entries.len(), &entries[99]["sequence"]), (100, &json!(EVENTS)));
    assert_eq!(entries[0]["before"]["stock"]["on_hand"], EVENTS - 101);
    assert_eq!(entries[0]["after"]["stock"]["on_hand"], EVENTS - 100);
    let (first, last) = (fastest(0).await, fastest(EVENTS - 101).await);
    assert!(last < first * 4 + Duration::from_millis(20), "the first page takes {first:?}, the last {last:?}");

    // Pages that begin at a snapshot, beside one, and beyond the end.
    for after in [499, 500, 501, EVENTS - 1] {
        let page = shop.read(&path(after)).await;
        assert_eq!((&page[0]["sequence"], &page[0]["after"]["stock"]["on_hand"]), (&json!(after + 1), &json!(after)));
    }
    for after in [EVENTS, i64::MAX] {
        assert_eq!(shop.read(&path(after)).await, json!([]), "{after}");
    }
    assert_eq!(shop.get("product/999/history/").await.status, StatusCode::NOT_FOUND);

    // Another node loads the product from its last snapshot, and writes the next ones itself.
    let node = TestShop::with(database, JournalOptions::default()).await;
    let counted = node.done(&format!("product/{product}/stock/"), json!({ "change": 1 })).await;
    assert_eq!(counted["on_hand"], EVENTS, "{counted}");
    let (events, read) = node.engine.journal.read_upto::<Product>(product, 700).await.unwrap();
    assert_eq!((events, read.last_listing().unwrap().stock.on_hand), (700, 699));
}

async fn snapshots(shop: &TestShop) -> Vec<Value> {
    let stored = "select to_jsonb(sequence) from stream_snapshot where aggregate_type = 'Product' order by sequence";
    sqlx::query_scalar(stored).fetch_all(&shop.pool).await.unwrap()
}

#[tokio::test]
async fn a_history_is_read_from_its_end_too() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "1.00", 1).await;
    for price in 2..=9 {
        shop.send("PATCH", &format!("product/{product}/"), json!({ "price": format!("{price}.00") }), &[]).await;
    }
    let path = format!("product/{product}/history/");
    let forward = shop.read(&path).await;
    let mut expected = forward.as_array().unwrap().clone();
    expected.reverse();
    assert_eq!(shop.read(&format!("{path}?newest_first=true")).await, json!(expected));
    // Page by page.
    let (mut walked, mut next) = (Vec::new(), format!("{path}?newest_first=true&limit=4"));
    while !next.is_empty() {
        let page = shop.get(&next).await;
        walked.extend(page.body.as_array().unwrap().clone());
        let link = page.header("link").split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        next = link.strip_prefix("/shop/api/").unwrap_or_default().to_owned();
    }
    assert_eq!(walked, expected);
    assert_eq!(shop.get("product/4711/history/?newest_first=true").await.problem(), "product_not_found");
    let csv = shop.get(&format!("{path}?newest_first=perhaps")).await;
    assert_eq!(csv.status, StatusCode::BAD_REQUEST);
}
