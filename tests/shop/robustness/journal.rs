//! The log: gapless, append-only, compatible with a stock postgres-es, and resolved after a lost connection.

use std::time::Duration;

use axum::http::StatusCode;
use cartwright::domain::cart::{Cart, CartChange, CartCommand, CartError};
use cartwright::domain::ids::ProductId;
use cartwright::domain::quantity::Quantity;
use cartwright::domain::text::Name;
use cartwright::journal::{Actor, CommandError, Context, Interrupt, JournalOptions, UnitOfWork, UseCase};
use cartwright::shop::CreateCategory;
use cqrs_es::{AggregateError, EventStore};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::{TestShop, fresh_database};

fn add(product: i64, units: i64) -> CartCommand {
    CartCommand::Change(CartChange::Add { product_id: ProductId(product), quantity: Quantity::new(units).unwrap() })
}

#[tokio::test]
async fn a_stock_postgres_es_framework_loads_from_the_log_and_appends_to_it() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 2).await;

    let stock = postgres_es::postgres_cqrs::<Cart>(shop.pool.clone(), vec![], ());
    stock.execute(&customer.to_string(), add(product, 3)).await.unwrap();
    let refused = stock.execute(&customer.to_string(), CartCommand::Open).await.unwrap_err();
    assert!(matches!(refused, AggregateError::UserError(CartError::AlreadyExists)), "it saw what the shop wrote");

    // The journal notices, although its cache knew only the first event, and so do the read tables.
    let cart =
        shop.done(&format!("customer/{customer}/cart/items/"), json!({ "product_id": product, "quantity": 1 })).await;
    assert_eq!(cart["items"][0]["quantity"], 6);
    let cart = shop.read(&format!("customer/{customer}/cart/")).await;
    assert_eq!((&cart["items"][0]["quantity"], &cart["total"]), (&json!(6), &json!("149.40")));

    let store = postgres_es::PostgresEventRepository::new(shop.pool.clone());
    let store = cqrs_es::persist::PersistedEventStore::<_, Cart>::new_event_store(store);
    assert_eq!(store.load_events(&customer.to_string()).await.unwrap().len(), 3);
    shop.check_log().await;
    shop.settle().await;
    shop.verify().await;
}

#[tokio::test]
async fn the_log_refuses_update_delete_truncate_and_positions_from_outside() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    for statement in [
        "update events set payload = '{}'",
        "delete from events",
        "truncate events",
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
         values ('X', '1', 1, 'X', '1.0', '{}', '{}', 1000, now())",
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
         values ('X', '1', 1, 'X', '1.0', '{}', '{}', 0, now())",
    ] {
        let error = shop.pool.execute(statement).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "23000", "{statement}: {error}");
    }
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_on_two_nodes_leave_no_gap_and_a_naive_reader_sees_every_event() {
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let product = nodes[0].product("Kettle", "24.90", 9).await;
    let customers = nodes[0].customers(16).await;
    let began = nodes[0].engine.journal.position();

    let pool = nodes[0].pool.clone();
    let expected = began + 16 * 10;
    let reader = tokio::spawn(async move {
        let mut checkpoint = began;
        let mut seen = Vec::new();
        while checkpoint < expected {
            let tail: Vec<i64> =
                sqlx::query_scalar("select position from events where position > $1 order by position")
                    .bind(checkpoint)
                    .fetch_all(&pool)
                    .await
                    .unwrap();
            checkpoint = tail.last().copied().unwrap_or(checkpoint);
            seen.extend(tail);
        }
        seen
    });
    let writers = customers.iter().enumerate().map(|(place, customer)| {
        let node = &nodes[place % 2];
        async move {
            for _ in 0..10 {
                node.add(*customer, product, 1).await;
            }
        }
    });
    join_all(writers).await;
    let seen = tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap().unwrap();
    assert_eq!(seen, (began + 1..=expected).collect::<Vec<_>>());
    nodes[0].check_log().await;
    for node in &nodes {
        node.settle().await;
    }
    nodes[0].verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_survive_writers_that_lose_their_connections() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customers = shop.customers(8).await;
    let pool = shop.pool.clone();
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let killer = tokio::spawn(async move {
        let mut killed = 0_i64;
        while !*stopped.borrow_and_update() {
            // Sessions that run an append are terminated at any moment.
            killed += sqlx::query_scalar::<_, i64>(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid() and query like '%from journal_' || 'append%'",
            )
            .fetch_one(&pool)
            .await
            .unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        killed
    });
    let node = &shop;
    let added = join_all(customers.iter().map(|customer| async move {
        let path = format!("customer/{customer}/cart/items/");
        let mut added = 0;
        for _ in 0..40 {
            let answer = node.post(&path, json!({ "product_id": product, "quantity": 1 })).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            added += 1;
            assert_eq!(answer.body["items"][0]["quantity"], added, "an acknowledged command is there, once");
        }
        added
    }))
    .await;
    stop.send_replace(true);
    assert!(killer.await.unwrap() > 0, "no connection was ever lost");
    for (customer, added) in customers.iter().zip(added) {
        let cart = shop.read(&format!("customer/{customer}/cart/")).await;
        assert_eq!(cart["items"][0]["quantity"], added);
    }
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_long_stream_is_loaded_from_its_snapshot() {
    let database = fresh_database().await;
    let options = JournalOptions { snapshot_every: 10, ..JournalOptions::default() };
    let shop = TestShop::with(database.clone(), options.clone()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    for _ in 0..25 {
        shop.add(customer, product, 1).await;
    }
    let stored = async {
        loop {
            let sequence: Option<i64> =
                sqlx::query_scalar("select max(sequence) from stream_snapshot where aggregate_type = 'Cart'")
                    .fetch_one(&shop.pool)
                    .await
                    .unwrap();
            if sequence == Some(20) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stored).await.expect("the snapshot was not written");

    // A state that only the snapshot holds shows that the snapshot was read.
    sqlx::query("update stream_snapshot set state = jsonb_set(state, array['Open', 'items', $1], '500')")
        .bind(product.to_string())
        .execute(&shop.pool)
        .await
        .unwrap();
    let other = TestShop::on(database.clone()).await;
    let dry = format!("customer/{customer}/cart/items/?dry_run=true");
    let cart = other.done(&dry, json!({ "product_id": product, "quantity": 1 })).await;
    assert_eq!(cart["items"][0]["quantity"], 26, "events after the snapshot carry the quantity");
    let nothing = other.read(&format!("customer/{customer}/cart/")).await;
    assert_eq!(nothing["items"][0]["quantity"], 25);

    // A snapshot of other rules is ignored and replaced, and so is one that ends with an event of another log.
    for spoil in ["fingerprint = 'other'", "event_id = gen_random_uuid()"] {
        let falsify =
            format!("update stream_snapshot set state = jsonb_set(state, array['Open', 'items', $1], '500'), {spoil}");
        sqlx::query(&falsify).bind(product.to_string()).execute(&shop.pool).await.unwrap();
        let other = TestShop::with(database.clone(), options.clone()).await;
        let cart = other.done(&dry, json!({ "product_id": product, "quantity": 1 })).await;
        assert_eq!(cart["items"][0]["quantity"], 26, "{spoil}");
        let kept: Vec<Value> =
            sqlx::query_scalar("select state -> 'Open' -> 'items' from stream_snapshot order by sequence")
                .fetch_all(&shop.pool)
                .await
                .unwrap();
        let units = product.to_string();
        assert_eq!(kept, [json!({ (&units): 10 }), json!({ (&units): 20 })], "{spoil}");
    }
}

/// A use case that panics after it has recorded events.
struct Defect;

impl UseCase for Defect {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        CreateCategory { name: Name::parse("Half").unwrap(), parent_id: None }.decide(work)?;
        panic!("a defect");
    }
}

#[tokio::test]
async fn a_use_case_that_panics_fails_alone_and_stores_nothing() {
    let shop = TestShop::new().await;
    let context = || Context::of(Actor { id: "test".to_owned(), role: "admin" });
    let (defect, tea) = tokio::join!(shop.engine.journal.run(Defect, context()), shop.category("Tea"));
    assert!(matches!(defect, Err(CommandError::Internal(_))));
    assert_eq!((tea, shop.category("Half").await), (1, 2));
    shop.check_log().await;
}

#[tokio::test]
async fn numbers_have_no_gaps_when_commands_are_refused() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 2).await;
    let order = json!({ "lines": [{ "product_id": product, "quantity": 1 }] });
    let too_many = json!({ "lines": [{ "product_id": product, "quantity": 9 }] });
    let first = shop.done("orders/", order.clone()).await["order_id"].clone();
    assert_eq!(shop.post("orders/", too_many).await.status, StatusCode::CONFLICT);
    let dry: Value = shop.done("orders/?dry_run=true", order.clone()).await;
    let second = shop.done("orders/", order).await["order_id"].clone();
    assert_eq!((first, dry["order_id"].clone(), second), (json!(1), json!(2), json!(2)));
}
