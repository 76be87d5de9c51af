//! Read tables: the figures after a known story, rebuilds, verification, and failures of the projector.

use std::time::Duration;

use axum::http::StatusCode;
use cartwright::projector::{PROJECTIONS, Projection, rebuild};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};

use crate::support::{TestShop, fresh_database};

/// A story that touches every event: two categories, four products, two customers, a guest, orders in every state.
async fn story(shop: &TestShop) {
    let (kitchen, tea) = (shop.category("Kitchen").await, shop.category("Tea").await);
    let empty = shop.category("Empty").await;
    shop.category("Gone").await;
    shop.send("DELETE", "categories/4/", Value::Null, &[]).await;
    let product = |name: &'static str, price: &'static str, category: i64, stock: i64| {
        let product =
            json!({ "name": name, "price": price, "category": category, "stock": stock, "description": "fine" });
        async move { shop.done("products/", product).await["product_id"].as_i64().unwrap() }
    };
    let kettle = product("Kettle", "20.00", kitchen, 10).await;
    let assam = product("Assam", "8.50", tea, 12).await;
    let mug = product("Mug", "5.25", kitchen, 30).await;
    let teapot = product("Teapot", "26.40", tea, 9).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);

    shop.add(ada, kettle, 2).await;
    shop.add(ada, mug, 4).await;
    shop.add(ada, assam, 1).await;
    shop.send("PUT", &format!("customer/{ada}/cart/items/{mug}/"), json!({ "quantity": 3 }), &[]).await;
    shop.send("DELETE", &format!("customer/{ada}/cart/items/{assam}/"), Value::Null, &[]).await;
    assert_eq!(shop.check_out(ada).await.status, StatusCode::CREATED); // order 1: 2 kettles, 3 mugs = 55.75
    for (action, body) in [("process", Value::Null), ("ship", json!({ "collected": true })), ("deliver", Value::Null)] {
        shop.done(&format!("order/1/{action}/"), body).await;
    }
    let lines = json!([
        { "product_id": assam, "quantity": 2, "unit_price": "8.00" },
        { "product_id": assam, "quantity": 1 }
    ]);
    let order =
        json!({ "customer_id": bruno, "placed_at": "2026-01-31T23:30:00Z", "reference": "A-2", "lines": lines });
    shop.done("orders/", order).await; // order 2: 3 assam = 24.50, in January
    shop.done("orders/", json!({ "lines": [{ "product_id": mug, "quantity": 5 }] })).await; // order 3: a guest, 26.25
    let cancelled = json!({ "customer_id": ada, "placed_at": "2026-01-31T10:00:00Z", "lines": [{ "product_id": teapot, "quantity": 4 }] });
    shop.done("orders/", cancelled).await; // order 4: cancelled
    shop.done("order/4/cancel/", json!({ "reason": "changed mind" })).await;

    let token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    shop.done(&format!("carts/{token}/items/"), json!({ "product_id": kettle, "quantity": 1 })).await;
    shop.done(&format!("customer/{bruno}/cart/merge/"), json!({ "cart_token": token, "mode": "sum" })).await;
    shop.add(ada, kettle, 1).await;
    shop.send("DELETE", &format!("customer/{ada}/cart/"), Value::Null, &[]).await;

    for path in [format!("customer/{ada}/"), format!("customer/{ada}/cart/"), "order/1/".to_owned()] {
        shop.send("PATCH", &path, json!({ "metadata": { "a": "b" } }), &[]).await;
    }
    let patch = |path: String, body: Value| async move {
        let answer = shop.send("PATCH", &path, body, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    };
    patch(format!("product/{kettle}/"), json!({ "price": "22.00", "name": "Kettle, 1 l" })).await;
    patch(format!("product/{mug}/"), json!({ "category": "Tea" })).await;
    patch(format!("product/{teapot}/"), json!({ "discontinued": true })).await;
    patch(format!("product/{assam}/"), json!({ "brand": "Leaf", "slug": "assam", "on_sale": false })).await;
    patch(format!("product/{assam}/"), json!({ "on_sale": true, "imei": "356938035643809" })).await;
    patch(format!("categories/{tea}/"), json!({ "category_name": "Teas" })).await;
    patch(format!("customer/{bruno}/"), json!({ "last_name": "Keller" })).await;
    shop.done(&format!("product/{kettle}/stock/"), json!({ "change": -1, "reason": "broken" })).await;
    shop.done(&format!("product/{assam}/stock/"), json!({ "count": 11 })).await;
    let unwanted = product("Unwanted", "1.00", empty, 1).await;
    shop.send("DELETE", &format!("product/{unwanted}/"), Value::Null, &[]).await;
    grouping(shop, (kettle, mug, teapot), (kitchen, tea, empty)).await;
    let forgotten = shop.customer("Carla").await;
    shop.send("DELETE", &format!("customer/{forgotten}/"), Value::Null, &[]).await;
    shop.settle().await;
}

/// Products enter, change and leave families; categories move.
async fn grouping(shop: &TestShop, (kettle, mug, teapot): (i64, i64, i64), (kitchen, tea, empty): (i64, i64, i64)) {
    let put = async |product: i64, family: i64, size: &str| {
        let place = json!({ "family_id": family, "options": { "size": size } });
        let answer = shop.send("PUT", &format!("product/{product}/family/"), place, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    };
    for name in ["Vessels", "Pots", "None"] {
        shop.done("families/", json!({ "name": name, "options": ["size"] })).await;
    }
    put(kettle, 1, "M").await;
    put(mug, 1, "S").await;
    put(teapot, 1, "L").await;
    put(teapot, 2, "L").await;
    put(kettle, 1, "XL").await;
    shop.send("DELETE", &format!("product/{mug}/family/"), Value::Null, &[]).await;
    shop.send("PATCH", "family/1/", json!({ "name": "Kettles" }), &[]).await;
    shop.send("DELETE", "family/3/", Value::Null, &[]).await;
    for parent in [json!(kitchen), Value::Null, json!(tea)] {
        let moved = shop.send("PATCH", &format!("categories/{empty}/"), json!({ "parent_id": parent }), &[]).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
    }
}

/// Units are cancelled, and counts find fewer units than are reserved.
async fn shortage(shop: &TestShop) {
    let (lamp, shade) = (shop.product("Lamp", "30.00", 10).await, shop.product("Shade", "9.00", 10).await);
    let lines = json!([{ "product_id": lamp, "quantity": 3 }, { "product_id": shade, "quantity": 2 }]);
    let order = shop.done("orders/", json!({ "lines": lines })).await["order_id"].as_i64().unwrap();
    shop.address_order(order).await;
    let later = shop.done("orders/", json!({ "lines": lines })).await["order_id"].clone();
    let units = |line: i64| json!({ "lines": [{ "line": line, "quantity": 1 }] });
    let step = async |action: &str, body: Value| shop.done(&format!("order/{order}/{action}/"), body).await;
    let count = async |product: i64, count: i64| {
        shop.done(&format!("product/{product}/stock/"), json!({ "count": count })).await;
    };
    step("process", Value::Null).await;
    step("ship", units(1)).await;
    step("cancel", units(1)).await;
    for units in [1, 0, 2] {
        count(lamp, units).await;
    }
    step("ship", units(1)).await;
    step("return", units(1)).await;
    step("cancel", units(2)).await;
    count(shade, 0).await;
    count(shade, 9).await;
    assert_eq!(shop.read("orders/short/").await[0]["order_id"], later);
}

#[tokio::test]
async fn the_figures_after_a_known_story() {
    let shop = TestShop::new().await;
    story(&shop).await;
    assert_eq!(
        shop.read("bestsellers/").await,
        json!([
            { "product_id": 3, "name": "Mug", "price": "5.25", "total_sold": 8, "total_revenue": "42.00" },
            { "product_id": 2, "name": "Assam", "price": "8.50", "total_sold": 3, "total_revenue": "24.50" },
            { "product_id": 1, "name": "Kettle, 1 l", "price": "22.00", "total_sold": 2, "total_revenue": "40.00" }
        ])
    );
    assert_eq!(
        shop.read("bestsellers/?from=2026-01-31&to=2026-01-31").await,
        json!([
            { "product_id": 2, "name": "Assam", "price": "8.50", "total_sold": 3, "total_revenue": "24.50" }
        ])
    );
    assert_eq!(shop.read("bestsellers/?category=teas&limit=1").await[0]["product_id"], 3);
    assert_eq!(
        shop.read("low-stock/").await,
        json!([
            { "product_id": 1, "name": "Kettle, 1 l", "price": "22.00", "stock": 7, "category": "Kitchen" },
            { "product_id": 2, "name": "Assam", "price": "8.50", "stock": 8, "category": "Teas" }
        ])
    );
    assert_eq!(
        shop.read("customer-stats/").await,
        json!([
            { "customer_id": 1, "name": "Ada Miller", "email": "ada@example.com", "total_orders": 1, "total_spent": "55.75" },
            { "customer_id": 2, "name": "Bruno Keller", "email": "bruno@example.com", "total_orders": 1, "total_spent": "24.50" },
            { "customer_id": 3, "name": "Erased customer", "email": "", "total_orders": 0, "total_spent": "0.00" }
        ])
    );
    assert_eq!(
        shop.read("category-stats/").await,
        json!([
            { "category_name": "Teas", "product_count": 2, "total_stock": 30, "avg_price": "6.88" },
            { "category_name": "Kitchen", "product_count": 1, "total_stock": 7, "avg_price": "22.00" },
            { "category_name": "Empty", "product_count": 0, "total_stock": 0, "avg_price": "0.00" }
        ])
    );
    let sales = shop.read("sales/?by=month&to=2026-01-31").await;
    let january = json!({ "period": "2026-01-01", "orders": 1, "units": 3, "revenue": "24.50", "from": "2026-01-01",
        "to": "2026-01-31", "complete": true });
    assert_eq!(sales, json!([january]));
    let all = shop.read("sales/?limit=1000").await;
    assert_eq!(all.as_array().unwrap().iter().map(|day| day["orders"].as_i64().unwrap()).sum::<i64>(), 3);
    assert_eq!(
        shop.read("categories/").await,
        json!([
            { "category_id": 3, "category_name": "Empty", "product_count": 0, "parent_id": 2 },
            { "category_id": 1, "category_name": "Kitchen", "product_count": 1, "parent_id": null },
            { "category_id": 2, "category_name": "Teas", "product_count": 3, "parent_id": null }
        ])
    );
    let families = shop.read("families/").await;
    let family =
        |id: i64, name: &str| json!({ "family_id": id, "name": name, "options": ["size"], "product_count": 1 });
    assert_eq!(families, json!([family(1, "Kettles"), family(2, "Pots")]));
    let never: Vec<_> = shop.read("never-ordered/").await.as_array().unwrap().clone();
    assert!(never.is_empty(), "{never:?}");
    let statuses: Vec<_> = shop
        .read("orders/")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (o["order_id"].as_i64().unwrap(), o["status"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [(3, "pending"), (1, "completed"), (2, "pending"), (4, "cancelled")];
    assert_eq!(statuses, expected.map(|(id, status)| (id, status.to_owned())));
    assert_eq!(shop.read("customer/2/cart/").await["total"], "22.00");
    assert_eq!(shop.read("customer/1/cart/").await["items"], json!([]));
    shop.check_log().await;
}

#[tokio::test]
async fn a_rebuild_gives_the_same_rows_and_readers_never_miss_the_table() {
    let shop = TestShop::new().await;
    story(&shop).await;
    let before = tables(&shop.pool).await;
    for projection in PROJECTIONS {
        rebuild(&shop.pool, projection, &|_| ()).await.unwrap();
    }
    assert_eq!(tables(&shop.pool).await, before);
    shop.verify().await;
    // The rebuilt tables follow the log like the others.
    shop.product("Saucer", "2.00", 1).await;
    shop.settle().await;
    shop.verify().await;
    let leftovers: i64 = sqlx::query_scalar("select count(*) from pg_namespace where nspname ~ '^(rebuild|verify)_'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(leftovers, 0);
}

#[tokio::test]
async fn a_rebuild_waits_for_a_long_query_without_blocking_others() {
    let shop = TestShop::new().await;
    story(&shop).await;
    let mut query = shop.pool.begin().await.unwrap();
    query.execute("select * from live.categories").await.unwrap();
    let pool = shop.pool.clone();
    let categories = Projection::find("categories").unwrap();
    let rebuilt = tokio::spawn(async move { rebuild(&pool, categories, &|_| ()).await });
    // The shop writes and reads while the query holds its table.
    for number in 0..5 {
        shop.category(&format!("More {number}")).await;
        assert_eq!(shop.read("categories/").await.as_array().unwrap().len(), 4 + number);
    }
    query.rollback().await.unwrap();
    rebuilt.await.unwrap().unwrap();
    assert_eq!(shop.read("categories/").await.as_array().unwrap().len(), 8);
    shop.verify().await;
}

#[tokio::test]
async fn verification_finds_a_row_that_does_not_follow_from_the_log() {
    let shop = TestShop::new().await;
    story(&shop).await;
    shop.pool.execute("update live.bestsellers set units_sold = units_sold + 1 where product_id = 3").await.unwrap();
    let bestsellers = Projection::find("bestsellers").unwrap();
    let found = cartwright::projector::verify(&shop.pool, bestsellers, &|_| ()).await.unwrap();
    assert_eq!(found.different, 2);
    let sides: Vec<_> = found.examples.iter().map(|row| (row.live, row.row["units_sold"].as_i64().unwrap())).collect();
    assert_eq!(sides, [(true, 9), (false, 8)]);
    rebuild(&shop.pool, bestsellers, &|_| ()).await.unwrap();
    shop.verify().await;
}

/// Every row of every read table, as JSON.
async fn tables(pool: &PgPool) -> Vec<(String, Value)> {
    let mut tables = Vec::new();
    for table in PROJECTIONS.iter().flat_map(Projection::tables) {
        let rows: Value = sqlx::query_scalar(&format!(
            "select coalesce(jsonb_agg(to_jsonb(row) order by to_jsonb(row)), '[]') from live.{table} as row"
        ))
        .fetch_one(pool)
        .await
        .unwrap();
        tables.push((table.to_owned(), rows));
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn any_split_of_the_log_into_batches_gives_the_same_tables() {
    let shop = TestShop::new().await;
    story(&shop).await;
    crate::support::pricing::story(&shop, 1, 3).await;
    for settings in
        [json!({ "low_stock_threshold": 4, "search_language": "german" }), json!({ "low_stock_threshold": 7 })]
    {
        assert!(shop.send("PATCH", "settings/", settings, &[]).await.status.is_success());
    }
    for threshold in [json!(3), json!(5), Value::Null, json!(2)] {
        let change = json!({ "low_stock_threshold": threshold });
        assert!(shop.send("PATCH", "product/1/", change, &[]).await.status.is_success());
    }
    shortage(&shop).await;
    let expected = tables(&shop.pool).await;
    let end = shop.engine.journal.position();
    shop.engine.projector.stop().await;
    let runtime = tokio::runtime::Handle::current();
    let splits = prop::collection::vec(1..60_i64, 1..40);
    let pool = shop.pool.clone();
    tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&splits, |lengths| {
            runtime.block_on(async {
                begin_again(&pool).await;
                let mut lengths = lengths.into_iter().cycle();
                while step(&pool, lengths.next().unwrap()).await < end {}
                prop_assert_eq!(&tables(&pool).await, &expected);
                Ok(())
            })
        });
        outcome.unwrap();
    })
    .await
    .unwrap();
}

const NODE: &str = "00000000-0000-0000-0000-000000000001";

/// Empties every read table and takes the lease.
async fn begin_again(pool: &PgPool) {
    for table in PROJECTIONS.iter().flat_map(Projection::tables) {
        pool.execute(format!("delete from live.{table}").as_str()).await.unwrap();
    }
    let take =
        format!("update projector_lease set position = 0, node = '{NODE}', epoch = 100, expires_at = 'infinity'");
    pool.execute(take.as_str()).await.unwrap();
}

async fn step(pool: &PgPool, limit: i64) -> i64 {
    sqlx::query_scalar("select reached from projector_step($1::uuid, 100, '1 hour', $2)")
        .bind(NODE.parse::<uuid::Uuid>().unwrap())
        .bind(limit)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_node_whose_lease_was_taken_over_writes_nothing() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    shop.settle().await;
    shop.engine.projector.stop().await;
    begin_again(&shop.pool).await;
    let late = sqlx::query("select * from projector_step($1::uuid, 99, '1 hour', 100)")
        .bind(NODE.parse::<uuid::Uuid>().unwrap())
        .execute(&shop.pool)
        .await
        .unwrap_err();
    assert_eq!(late.as_database_error().unwrap().code().unwrap(), "PJ001");
    let rows: i64 = sqlx::query_scalar("select count(*) from live.categories").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(rows, 0);
}

/// Polls until the projector has stopped, and returns its error.
async fn standstill(shop: &TestShop) -> String {
    let stopped = async {
        loop {
            // Not `read`, which would wait for the stopped projector.
            let status = shop.get("projections/").await.body;
            if let Some(error) = status[0]["last_error"].as_str() {
                assert_eq!(status[0]["state"], "stopped");
                return error.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), stopped).await.expect("the projector does not stop")
}

#[tokio::test]
async fn a_gap_in_the_log_stops_the_projector_with_an_error() {
    let shop = TestShop::on(fresh_database().await).await;
    shop.category("Tea").await;
    shop.settle().await;
    // Only disabled triggers allow a gap.
    shop.pool
        .execute(
            "begin;
             alter table events disable trigger user;
             update journal_head set position = position + 2;
             insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
             select 'Category', '9', 1, 'CategoryCreated', '1.0', '{\"name\": \"X\"}', '{}', position, now() from journal_head;
             alter table events enable trigger user;
             commit;",
        )
        .await
        .unwrap();
    let error = standstill(&shop).await;
    assert!(error.contains("hole"), "{error}");
    let ready = shop.call(axum::http::Request::get("/health/ready").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((ready.status, ready.problem()), (StatusCode::SERVICE_UNAVAILABLE, "projector_stopped"));
}

#[tokio::test]
async fn a_failing_statement_stops_all_tables_and_a_rebuild_restarts_them() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    shop.settle().await;
    let schema = "select schema from projection where name = 'categories'";
    let schema: String = sqlx::query_scalar(schema).fetch_one(&shop.pool).await.unwrap();
    let damage = format!("alter table {schema}.categories add constraint no_coffee check (name <> 'Coffee')");
    shop.pool.execute(damage.as_str()).await.unwrap();
    shop.category("Coffee").await;
    let error = standstill(&shop).await;
    assert!(error.contains("no_coffee") && error.contains("apply_categories"), "{error}");
    let waited = shop.get("categories/").await;
    assert_eq!((waited.status, waited.problem()), (StatusCode::SERVICE_UNAVAILABLE, "position_not_reached"));
    rebuild(&shop.pool, Projection::find("categories").unwrap(), &|_| ()).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.read("categories/").await.as_array().unwrap().len(), 2);
    shop.verify().await;
}
