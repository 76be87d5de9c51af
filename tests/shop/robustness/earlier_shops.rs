//! Shops that earlier programs left start under this one, show the figures of then, and pass every check.
//!
//! `earlier_shops/record` made the files: the database of a shop as SQL, and what its program answered.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use cartwright::database::migrate;
use cartwright::projector::ProjectionState;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Executor};

use crate::support::{TestShop, bare_database};

/// The commit of the program, and what it was the first to have.
const SHOPS: [(&str, &str); 5] = [
    ("73107a0", "the log and its read tables"),
    ("6b12b0a", "accounts, addresses, payments, discounts, and reactions"),
    ("e1ec4c0", "functions in schemas of their own"),
    ("62374c0", "single cancelled units, and the clock of the database"),
    ("cd4042b", "wishlists, default addresses, and snapshots of streams"),
];

/// Whether `found` holds what was recorded; rows may have become longer, and names may be sorted differently.
fn agree(recorded: &Value, found: &Value) -> bool {
    match (recorded, found) {
        (Value::Array(recorded), Value::Array(found)) => {
            recorded.len() == found.len()
                && sorted(recorded).iter().zip(sorted(found)).all(|(recorded, found)| agree(recorded, found))
        }
        (Value::Object(recorded), Value::Object(found)) => {
            recorded.iter().all(|(name, recorded)| found.get(name).is_some_and(|found| agree(recorded, found)))
        }
        _ => recorded == found,
    }
}

fn sorted(rows: &[Value]) -> Vec<&Value> {
    let mut rows: Vec<&Value> = rows.iter().collect();
    rows.sort_by_key(|row| (row["product_id"].as_i64(), row["customer_id"].as_i64(), row.to_string()));
    rows
}

/// Waits until each read table is in service as this version builds it.
async fn wait_for_rebuilds(shop: &TestShop) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let tables = shop.engine.projector.status().await.unwrap();
        if tables.iter().all(|table| table.is_current && table.state == ProjectionState::Live) {
            return;
        }
        assert!(Instant::now() < deadline, "{tables:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Earlier versions left out periods without an order, and this one pages.
async fn periods_with_orders(shop: &TestShop, grain: &str) -> Value {
    let mut periods = shop.read(&format!("sales/?{grain}&limit=1000")).await;
    periods.as_array_mut().unwrap().retain(|period| period["orders"] != 0);
    periods
}

async fn earlier_shop(name: &str) -> TestShop {
    let database = bare_database().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shop/robustness/earlier_shops");
    let mut sql = String::new();
    GzDecoder::new(File::open(folder.join(format!("{name}.sql.gz"))).unwrap()).read_to_string(&mut sql).unwrap();
    let mut connection = database.connect().await.unwrap();
    connection.execute(sqlx::raw_sql(&sql)).await.unwrap();
    migrate(&database).await.unwrap();
    let shop = TestShop::on(database).await;
    wait_for_rebuilds(&shop).await;

    let figures = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let figures: BTreeMap<String, Value> = serde_json::from_str(&figures).unwrap();
    assert!(figures.len() > 20, "{name}");
    for (path, mut recorded) in figures {
        if path.starts_with("sales/?") {
            recorded.as_array_mut().unwrap().retain(|period| period["orders"] != 0);
        }
        let found = match path.strip_prefix("sales/?") {
            Some(grain) => periods_with_orders(&shop, grain).await,
            None => shop.read(&path).await,
        };
        assert!(agree(&recorded, &found), "{name}: {path} was\n{recorded}\nand is\n{found}");
    }
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn shops_of_earlier_versions_keep_their_figures_and_sell() {
    for (name, _) in SHOPS {
        let shop = earlier_shop(name).await;
        shop.check_log().await;
        shop.verify().await;

        let (customer, product) = (shop.customer("Zora").await, shop.product("Late arrival", "5.00", 3).await);
        shop.add(customer, product, 2).await;
        let order = shop.check_out(customer).await;
        assert_eq!((order.status, &order.body["total_amount"]), (StatusCode::CREATED, &json!("10.00")), "{name}");
        shop.complete_order(order.body["order_id"].as_i64().unwrap()).await;
        assert_eq!(shop.read(&format!("product/{product}/")).await["stock"], 1, "{name}");
        shop.check_log().await;
        shop.verify().await;
    }
}
