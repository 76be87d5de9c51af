//! The archive of closed orders and dead carts: everything reads and continues as before, also when runs race with commands
//! and with each other.

use std::time::Duration;

use cartwright::archive::{self, ArchiveOptions, ArchiveReport, ArchivedKind};
use cartwright::domain::ids::CustomerId;
use cartwright::domain::order::Status;
use cartwright::scheduled_tasks;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::archived::{AT_ONCE, archive_all, cancel, counts, order, places, seen};
use crate::support::guests::{address, as_guest};
use crate::support::{TestShop, fresh_database};

#[tokio::test]
async fn archived_orders_and_carts_read_and_continue_as_before() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let kettle = shop.product("Kettle", "20.00", 100).await;
    let customers = shop.customers(5).await;
    for customer in &customers[..4] {
        order(&shop, *customer, kettle).await;
    }
    shop.complete_order(1).await;
    cancel(&shop, 2).await;
    // Order 3 stays open, and order 4 is the highest number that is archived. Customer 4 waits for an erasure.
    shop.add(customers[4], kettle, 1).await;
    let waiting = shop.send("DELETE", "customer/3/?when=orders_closed", Value::Null, &[]).await;
    assert_eq!(waiting.status, 202, "{}", waiting.body);
    cancel(&shop, 4).await;
    shop.settle().await;
    let before = seen(&shop).await;
    let (total, _) = counts(&shop.pool).await;

    let hour = ArchiveOptions::older_than(Duration::from_secs(3_600));
    assert_eq!(archive::run(&shop.pool, &hour).await.unwrap(), ArchiveReport::default(), "nothing is older");
    let all = ArchiveOptions::older_than(AT_ONCE);
    let only = ArchiveOptions { kinds: vec![ArchivedKind::Order], statuses: vec![Status::Cancelled], ..all.clone() };
    for (options, orders, carts) in [
        (all.clone(), 3, 3),
        (only, 2, 0),
        (ArchiveOptions { customer: Some(CustomerId(customers[0])), ..all.clone() }, 1, 1),
        (ArchiveOptions { kinds: vec![ArchivedKind::Cart], ..all.clone() }, 0, 3),
    ] {
        let report = archive::run(&shop.pool, &ArchiveOptions { dry_run: true, ..options }).await.unwrap();
        assert_eq!((report.orders, report.carts), (orders, carts), "{report}");
    }
    assert_eq!(counts(&shop.pool).await, (total, 0), "a dry run moves nothing");

    let report = archive_all(&shop).await;
    // Kept: the open order and the cart of the customer who is to be erased, and the cart that holds something.
    assert_eq!((report.orders, report.carts, report.kept), (3, 3, 3), "{report}");
    assert_eq!(counts(&shop.pool).await, (total - report.events, report.events));
    assert_eq!(archive_all(&shop).await.events, 0, "a repeated run finds nothing");
    assert_eq!(seen(&shop).await, before);
    shop.check_log().await;
    shop.verify().await;

    // A node that starts now reads everything from the tables: numbers continue above those of the archive.
    let node = TestShop::on(database).await;
    node.settle().await;
    assert_eq!(seen(&node).await, before);
    let returned = json!({ "lines": [{ "line": 1, "quantity": 1, "restock": true }] });
    node.done("order/1/return/", returned).await;
    let again = order(&node, customers[0], kettle).await;
    assert_eq!(again, 5);
    let [archived, live] = places(&node.pool, "Order", 1).await;
    assert_eq!(archived.unwrap().1 + 1, live.unwrap().0, "the stream continues in the table of live events");
    let [archived, live] = places(&node.pool, "Cart", customers[0]).await;
    assert_eq!(archived.unwrap().1 + 1, live.unwrap().0);
    let history = node.read("order/1/history/?limit=1000").await;
    let sequences: Vec<_> = history.as_array().unwrap().iter().filter_map(|entry| entry["sequence"].as_i64()).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{sequences:?}");
    // The first node takes over what the other one appended to archived streams.
    cancel(&shop, again).await;
    assert!(archive_all(&shop).await.orders >= 1);
    shop.check_log().await;
    shop.verify().await;
}

/// Commands on closed orders: 1 is completed, 2 is cancelled, 3 is a guest's and completed. Each kind of move is among them.
fn commands_on_closed_orders() -> Vec<(&'static str, &'static str, Value)> {
    let units = |quantity: i64, refund: bool| json!({ "lines": [{ "line": 1, "quantity": quantity, "restock": true }], "refund": refund });
    let kinds = ["process", "pay", "ship", "deliver", "cancel", "return", "refund"];
    let refused = kinds.map(|kind| ("POST", kind));
    let mut commands = vec![
        ("POST", "order/1/return/", units(1, false)),
        ("POST", "order/1/refund/", json!({ "amount": "3.00", "reason": "scratched" })),
        ("POST", "order/1/return/", units(1, true)),
        ("POST", "order/1/return/", units(9, false)),
        ("PATCH", "order/1/", json!({ "metadata": { "crm": "17" } })),
        ("PUT", "order/1/addresses/", json!({ "shipping": address("Ada", "GB") })),
        ("PUT", "order/3/contact/", json!({ "name": "Grace Miller" })),
        ("POST", "order/3/refund/", json!({ "amount": "1.00" })),
        ("DELETE", "order/3/contact/", Value::Null),
        ("DELETE", "order/3/contact/erasure/", Value::Null),
    ];
    for (order, (method, kind)) in [1, 2, 3].into_iter().flat_map(|order| refused.map(|refused| (order, refused))) {
        let path: &'static str = format!("order/{order}/{kind}/").leak();
        commands.push((method, path, if kind == "return" { units(100, false) } else { Value::Null }));
    }
    commands
}

/// An answer without times and random ids.
fn comparable(answer: &Value) -> Value {
    match answer {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => json!("a time"),
        Value::String(text) if text.parse::<uuid::Uuid>().is_ok() => json!("an id"),
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), comparable(value)));
            fields.collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn each_command_on_an_archived_order_answers_as_on_one_that_is_not() {
    let shops = [TestShop::new().await, TestShop::new().await];
    for shop in &shops {
        let kettle = shop.product("Kettle", "20.00", 100).await;
        let customers = shop.customers(2).await;
        order(shop, customers[0], kettle).await;
        shop.complete_order(1).await;
        cancel(shop, order(shop, customers[1], kettle).await).await;
        let cart = shop.guest_cart(kettle).await;
        let placed = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Grace")).await;
        assert_eq!(placed.body["order_id"], 3, "{}", placed.body);
        shop.complete_order(3).await;
        shop.settle().await;
    }
    let [archived, other] = &shops;
    let mut done = 0;
    for (method, path, body) in commands_on_closed_orders() {
        archive_all(archived).await;
        let number = path.split('/').nth(1).unwrap().parse().unwrap();
        assert!(places(&archived.pool, "Order", number).await[1].is_none(), "{path}: the whole order is archived");
        let answers =
            [archived.send(method, path, body.clone(), &[]).await, other.send(method, path, body.clone(), &[]).await];
        let [first, second] = answers.map(|answer| (answer.status, comparable(&answer.body)));
        assert_eq!(first, second, "{method} {path} {body}");
        done += i32::from(first.0.is_success());
    }
    assert!(done >= 6, "only {done} commands were carried out");
    for shop in &shops {
        shop.settle().await;
    }
    for ((_, first), (_, second)) in seen(archived).await.iter().zip(seen(other).await) {
        assert_eq!(comparable(first), comparable(&second));
    }
    archived.check_log().await;
    archived.verify().await;
}

#[tokio::test]
async fn only_the_archive_function_moves_events_and_nothing_is_in_the_log_twice() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 100).await;
    let customer = shop.customers(1).await[0];
    cancel(&shop, order(&shop, customer, kettle).await).await;
    archive_all(&shop).await;
    let own = "begin; select set_config('journal.archiving', pg_current_xact_id()::text, true);";
    let copy = "select 'Order', '1', 1, 'X', '1.0', '{}', '{}'";
    for statement in [
        "delete from events".to_owned(),
        "delete from events where false".to_owned(),
        "set journal.archiving = '1'; delete from events".to_owned(),
        format!("{own} delete from events"),
        "truncate events cascade".to_owned(),
        "insert into events_archive select * from events".to_owned(),
        "update events_archive set payload = '{}'".to_owned(),
        "delete from events_archive".to_owned(),
        format!("{own} delete from events_archive"),
        "truncate events_archive".to_owned(),
        "insert into events select * from events_archive".to_owned(),
        format!(
            "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) {copy}"
        ),
    ] {
        let mut connection = shop.pool.acquire().await.unwrap().detach();
        let error = connection.execute(statement.as_str()).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert!(["23000", "23505"].contains(&code.as_str()), "{statement}: {error}");
    }
    // A stock postgres-es reads an archived stream from the view, and appends to it through the view.
    use cqrs_es::EventStore;
    use cqrs_es::persist::PersistedEventStore;
    let repository = postgres_es::PostgresEventRepository::new(shop.pool.clone()).with_tables("event_log", "snapshots");
    let store = PersistedEventStore::<_, cartwright::domain::cart::Cart>::new_event_store(repository);
    let loaded = store.load_events(&customer.to_string()).await.unwrap().len();
    let framework = cqrs_es::CqrsFramework::new(store, vec![], ());
    let add = cartwright::domain::cart::CartChange::Add {
        product_id: cartwright::domain::ids::ProductId(kettle),
        quantity: cartwright::domain::quantity::Quantity::new(3).unwrap(),
    };
    framework.execute(&customer.to_string(), cartwright::domain::cart::CartCommand::Change(add)).await.unwrap();
    let [archived, live] = places(&shop.pool, "Cart", customer).await;
    assert_eq!((archived.unwrap().1, live.unwrap().0), (loaded as i64, loaded as i64 + 1));
    shop.settle().await;
    let cart = shop.read(&format!("customer/{customer}/cart/")).await;
    assert_eq!(cart["items"][0]["quantity"], 3);
    shop.check_log().await;

    // Not while something still waits for the events.
    archive_all(&shop).await;
    cancel(&shop, order(&shop, customer, kettle).await).await;
    shop.settle().await;
    shop.pool.execute("insert into reactor (name, position, started_at) values ('slow', 3, now())").await.unwrap();
    let report = archive_all(&shop).await;
    assert_eq!((report.events, report.limited_by.as_deref()), (0, Some("reactor slow")));
    let parked = "update reactor set position = (select position from journal_head);
        insert into reaction (reactor, position, target, parked_at, reason)
        select 'slow', position, '', now(), 'x' from events where aggregate_type = 'Order' limit 1";
    shop.pool.execute(parked).await.unwrap();
    assert_eq!(archive_all(&shop).await.orders, 0);
    let other = "select pg_advisory_lock_shared($1, hashtext('functions_000000000000'))";
    let mut node = shop.pool.acquire().await.unwrap().detach();
    sqlx::query(other).bind(cartwright::database::locks::FUNCTION_SCHEMA).execute(&mut node).await.unwrap();
    let refused = archive::run(&shop.pool, &ArchiveOptions::older_than(AT_ONCE)).await.unwrap_err().to_string();
    assert!(refused.starts_with("a node of another version"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_commanded_while_two_archivers_run_lose_nothing() {
    const BUYERS: usize = 4;
    const ROUNDS: usize = 6;
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let kettle = nodes[0].product("Kettle", "20.00", 10_000).await;
    let customers = nodes[0].customers(BUYERS).await;
    nodes[1].settle().await;
    let buyers = customers.iter().enumerate().map(|(number, customer)| {
        let (shop, other) = (&nodes[number % 2], &nodes[(number + 1) % 2]);
        let customer = *customer;
        async move {
            for _ in 0..ROUNDS {
                let order = order(shop, customer, kettle).await;
                shop.complete_order(order).await;
                // The other node changes an order that may be in the archive by now.
                let lines = json!({ "lines": [{ "line": 1, "quantity": 1, "restock": true }] });
                other.done(&format!("order/{order}/return/"), lines).await;
            }
        }
    });
    let (done, ended) = tokio::sync::watch::channel(false);
    let archiver = |shop: &TestShop| {
        let (pool, ended) = (shop.pool.clone(), ended.clone());
        tokio::spawn(async move {
            let mut events = 0;
            while !*ended.borrow() {
                events += archive::run(&pool, &ArchiveOptions::older_than(AT_ONCE)).await.unwrap().events;
            }
            events
        })
    };
    let archivers = [archiver(&nodes[0]), archiver(&nodes[1])];
    let pool = nodes[0].pool.clone();
    let reader_ended = ended.clone();
    // Every read of the log sees each event once, also while a slice moves.
    let reader = tokio::spawn(async move {
        let mut reads = 0;
        while !*reader_ended.borrow() {
            let (count, last): (i64, i64) =
                sqlx::query_as("select count(*), max(position) from event_log").fetch_one(&pool).await.unwrap();
            assert_eq!(count, last);
            reads += 1;
        }
        reads
    });
    futures_util::future::join_all(buyers).await;
    done.send(true).unwrap();
    let mut moved = 0;
    for archiver in archivers {
        moved += archiver.await.unwrap();
    }
    assert!(reader.await.unwrap() > 0);
    moved += archive_all(&nodes[0]).await.events;
    assert_eq!(counts(&nodes[0].pool).await.1, moved, "each event is moved once");
    nodes[0].check_log().await;
    nodes[0].verify().await;
    let sold = nodes[0].read("bestsellers/").await;
    assert_eq!(sold[0]["total_sold"], (BUYERS * ROUNDS) as i64, "one of two units of each order came back");
}

#[tokio::test]
async fn the_scheduled_task_archives_and_a_long_stream_moves_in_slices() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 100).await;
    let customer = shop.customers(1).await[0];
    shop.add(customer, kettle, 1).await;
    // 1,500 changes of a cart, which is emptied then.
    let changes = "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
        select 'Cart', $1, 1 + number, 'CartItemQuantityChanged', '1.0',
            jsonb_build_object('event', 'CartItemQuantityChanged', 'product_id', $2::bigint, 'new_quantity', number), '{}'
        from generate_series(1, 1500) as number order by number";
    sqlx::query(changes).bind(customer.to_string()).bind(kettle).execute(&shop.pool).await.unwrap();
    let emptied = shop.send("DELETE", &format!("customer/{customer}/cart/"), Value::Null, &[]).await;
    assert!(emptied.status.is_success(), "{}", emptied.body);
    shop.settle().await;
    let task = scheduled_tasks::archive(&shop.pool, AT_ONCE);
    let run = task.run().await.unwrap();
    assert_eq!((run.handled, run.more), (1, false));
    assert_eq!(places(&shop.pool, "Cart", customer).await, [Some((1, 1_502)), None]);
    shop.add(customer, kettle, 2).await;
    assert_eq!(places(&shop.pool, "Cart", customer).await, [Some((1, 1_502)), Some((1_503, 1_503))]);
    shop.check_log().await;
    shop.settle().await;
    shop.verify().await;
}
