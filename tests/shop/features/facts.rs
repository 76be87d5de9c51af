//! Every stored sample of an event is read back through its fact, column by column.

use std::path::Path;

use serde_json::{Map, Value};
use sqlx::PgPool;

use crate::support::TestShop;

fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/samples");
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let payload = serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
        (name.split('.').next().unwrap().to_owned(), payload)
    };
    std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// `CartItemAdded` is read by the view `cart_item_added`.
fn view(event_type: &str) -> String {
    let snake = event_type.chars().map(|letter| match letter.is_ascii_uppercase() {
        true => format!("_{}", letter.to_ascii_lowercase()),
        false => letter.to_string(),
    });
    snake.collect::<String>().trim_start_matches('_').to_owned()
}

async fn store(pool: &PgPool, id: i64, event_type: &str, payload: &Value) {
    sqlx::query(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         values ('Sample', $1, 1, $2, '1.0', $3, '{}')",
    )
    .bind(id.to_string())
    .bind(event_type)
    .bind(payload)
    .execute(pool)
    .await
    .unwrap();
}

async fn rows(pool: &PgPool, schema: &str, view: &str) -> Vec<Map<String, Value>> {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("select set_config('projector.after', '0', true), set_config('projector.upto', '1000000', true)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let rows: Vec<Value> = sqlx::query_scalar(&format!(
        // As text, so that a price keeps its decimals.
        "select (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(fact))) from {schema}.{view} as fact"
    ))
    .fetch_all(&mut *transaction)
    .await
    .unwrap();
    rows.into_iter().map(|row| row.as_object().unwrap().clone()).collect()
}

/// Equal, whether a number or a time is written as text or not.
fn same(column: &Value, stored: &Value) -> bool {
    if let (Value::String(text), Value::Array(_) | Value::Object(_)) = (column, stored) {
        return serde_json::from_str::<Value>(text).unwrap() == *stored;
    }
    let plain = |value: &Value| match value {
        Value::String(text) => text.replace("+00:00", "Z").replace(", ", ","),
        other => other.to_string(),
    };
    plain(column) == plain(stored)
}

fn check(view: &str, row: &Map<String, Value>, payload: &Map<String, Value>) {
    let mut compared = 0;
    for (column, value) in row {
        if let Some(stored) = payload.get(column) {
            assert!(same(value, stored), "{view}.{column} is {value}, not {stored}");
            compared += 1;
        }
    }
    let fields = payload.keys().filter(|key| *key != "event" && *key != "lines").count();
    assert_eq!(compared, fields, "{view} lacks a field of {payload:?}");
}

#[tokio::test]
async fn every_sample_is_read_back_through_its_fact() {
    let shop = TestShop::new().await;
    shop.engine.projector.stop().await;
    let schema: String = sqlx::query_scalar("select nspname::text from pg_namespace where nspname ~ '^fact_'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    let samples = samples();
    assert!(samples.len() > 30);
    for (id, (event_type, payload)) in (1..).zip(&samples) {
        store(&shop.pool, id, event_type, payload).await;
    }
    for (event_type, payload) in &samples {
        let view = view(event_type);
        let mut rows = rows(&shop.pool, &schema, &view).await;
        let of_type = samples.iter().filter(|(name, _)| name == event_type);
        assert_eq!(rows.len(), of_type.clone().count(), "{view}");
        // Every field is filled in some sample, so a column that is null in all of them has a misspelt key.
        for column in rows[0].keys() {
            assert!(rows.iter().any(|row| !row[column].is_null()), "{view}.{column} is null");
        }
        rows.sort_by_key(|row| row["position"].as_str().unwrap().parse::<i64>().unwrap());
        let place = of_type.take_while(|(_, other)| !std::ptr::eq(other, payload)).count();
        check(&view, &rows[place], payload.as_object().unwrap());
    }
    for (view, event_types) in [
        ("order_line_placed", &["OrderPlaced"][..]),
        ("order_line_sent", &["OrderShipmentSent"]),
        ("order_line_returned", &["OrderReturned"]),
        ("order_line_cancelled", &["OrderUnitsCancelled"]),
        ("order_line_taken_back", &["OrderCancelled", "OrderReturned", "OrderUnitsCancelled"]),
    ] {
        let payloads = samples.iter().filter(|(name, _)| event_types.contains(&name.as_str()));
        let lines = payloads.clone().map(|(_, payload)| payload["lines"].as_array().unwrap().len());
        let rows = rows(&shop.pool, &schema, view).await;
        assert_eq!(rows.len(), lines.sum::<usize>(), "{view}");
        for column in rows[0].keys() {
            assert!(rows.iter().any(|row| !row[column].is_null()), "{view}.{column} is null");
        }
        if let [event_type] = event_types {
            let payload = &payloads.clone().find(|(name, _)| name == event_type).unwrap().1;
            check(view, &rows[0], payload["lines"][0].as_object().unwrap());
        }
    }
    // Views over several types have rows of each of them.
    for (view, expected) in [
        ("stock_level", 6),
        ("product_facet_event", 12),
        ("cart_change", 9),
        ("wishlist_change", 3),
        ("order_step", 27),
        ("order_credited", 4),
        ("family_place", 3),
        ("family_event", 6),
        ("product_event", 26),
        ("product_offer", 2),
    ] {
        assert_eq!(rows(&shop.pool, &schema, view).await.len(), expected, "{view}");
    }
}

#[tokio::test]
async fn both_spellings_of_a_cancelled_payment_are_one_reason() {
    let shop = TestShop::new().await;
    shop.engine.projector.stop().await;
    let schema: String = sqlx::query_scalar("select nspname::text from pg_namespace where nspname ~ '^fact_'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    for (id, reason) in [(1, "cancelled"), (2, "canceled")] {
        let payload = serde_json::json!({ "event": "OrderPaymentFailed", "attempt": 1, "reason": reason });
        store(&shop.pool, id, "OrderPaymentFailed", &payload).await;
    }
    for row in rows(&shop.pool, &schema, "order_payment_failed").await {
        assert_eq!(row["reason"], "cancelled");
    }
}
