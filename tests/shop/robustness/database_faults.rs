//! Faults of the database: clear errors meanwhile, nothing half done, and recovery without help.

use std::time::Duration;

use axum::http::StatusCode;
use cartwright::domain::ids::{CartId, CustomerId};
use cartwright::journal::{Actor, Context, IdempotencyKey};
use cartwright::shop::Checkout;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Executor};
use uuid::Uuid;

use crate::support::{Answer, POOL_SIZE, TestShop, fresh_database};

fn unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
}

async fn add(shop: &TestShop, customer: i64, product: i64, key: &str) -> Answer {
    let (path, item) = (format!("customer/{customer}/cart/items/"), json!({ "product_id": product, "quantity": 1 }));
    shop.send("POST", &path, item, &[("idempotency-key", key)]).await
}

#[tokio::test]
async fn an_exhausted_pool_delays_requests_and_then_answers_503() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    shop.add(ada, product, 1).await;
    shop.settle().await;
    let before = shop.engine.journal.position();

    let take_all = || join_all((0..POOL_SIZE).map(|_| shop.pool.acquire()));
    let held = take_all().await;
    // Bruno's cart is not cached, so loading it needs the pool.
    let (read, command) = tokio::join!(shop.get("products/"), add(&shop, bruno, product, "bruno"));
    unavailable(&read);
    unavailable(&command);
    assert_eq!(shop.engine.journal.position(), before, "nothing was done");
    // A cached cart needs no pool.
    shop.add(ada, product, 1).await;
    drop(held);

    // A waiting request gets a connection as soon as one is released.
    let held = take_all().await;
    let (read, command, ()) =
        tokio::join!(shop.get("products/"), add(&shop, bruno, product, "bruno"), async { drop(held) });
    assert_eq!((read.status, command.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(command.header("idempotent-replayed"), "", "the refused command had left nothing");
    assert_eq!(command.body["items"][0]["quantity"], 1);
    shop.settle().await;
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_timeout_is_a_clear_error_and_the_shop_continues() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone().options([("statement_timeout", "200ms")])).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    shop.settle().await;

    let mut session = database.connect().await.unwrap();
    for (place, lock) in [
        "select from journal_head for update",
        "lock table events in exclusive mode",
        "lock table idempotency in access exclusive mode",
        "select from projector_lease for update",
        "lock table events in access exclusive mode",
    ]
    .into_iter()
    .enumerate()
    {
        let (before, key) = (shop.engine.journal.position(), format!("{place}"));
        let mut transaction = session.begin().await.unwrap();
        transaction.execute(lock).await.unwrap();
        let answers = join_all([0, 1].map(|_| add(&shop, customer, product, &key))).await;
        let appends = lock.contains("projector_lease");
        for answer in &answers {
            if appends {
                assert_eq!(answer.status, StatusCode::OK, "{lock}: {}", answer.body);
            } else {
                unavailable(answer);
                assert_eq!(shop.engine.journal.position(), before, "{lock}");
            }
        }
        if lock.contains("events in access") {
            unavailable(&shop.get("events/").await);
        }
        transaction.rollback().await.unwrap();

        let answer = add(&shop, customer, product, &key).await;
        assert_eq!(
            (answer.status, answer.header("idempotent-replayed") == "true"),
            (StatusCode::OK, appends),
            "{lock}"
        );
        assert_eq!(answer.body["items"][0]["quantity"], place + 2, "{lock}: done once");
        shop.settle().await;
        assert_eq!(shop.get("events/").await.status, StatusCode::OK);
    }
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn recorded_times_never_decrease_with_the_databases_clock() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    // As if the clock had been an hour ahead until now.
    shop.pool.execute("update journal_head set recorded_at = recorded_at + interval '1 hour'").await.unwrap();
    let first = add(&shop, customer, product, "same").await;
    shop.check_out(customer).await;
    let ahead: DateTime<Utc> =
        sqlx::query_scalar("select max(recorded_at) from events").fetch_one(&shop.pool).await.unwrap();
    assert!(ahead > Utc::now() + TimeDelta::minutes(59));
    assert_eq!(shop.engine.journal.forget_answers(1_000_000).await.unwrap(), (0, false));
    for node in [&shop, &TestShop::on((*shop.pool.connect_options()).clone()).await] {
        let again = add(node, customer, product, "same").await;
        assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    }
    shop.settle().await;
    shop.check_log().await;
    shop.verify().await;
}

/// A checkout on a server whose clock is wrong by `wrong`.
async fn check_out(shop: &TestShop, customer: i64, key: &str, wrong: TimeDelta) -> (i64, DateTime<Utc>, bool) {
    let mut context = Context::of(Actor { id: "clock".to_owned(), role: "admin" });
    let received_at = shop.engine.journal.clock().now() + wrong;
    context.received_at = Some(received_at);
    context.idempotency = Some(IdempotencyKey::new("clock", key, &[b"checkout"]));
    let cart_id = CartId::Customer(CustomerId(customer));
    let receipt = shop.engine.journal.run(Checkout::of(cart_id), context).await.unwrap();
    (receipt.answer.order_id, received_at, receipt.replayed)
}

#[tokio::test]
async fn an_idempotency_key_executes_once_a_day_whatever_the_servers_clock() {
    let shop = TestShop::new().await;
    let other = TestShop::on((*shop.pool.connect_options()).clone()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    let mut placed = Vec::new();
    for (place, wrong) in [TimeDelta::zero(), TimeDelta::days(-400), TimeDelta::hours(25)].into_iter().enumerate() {
        let key = format!("order {place}");
        shop.add(customer, product, 1).await;
        let (order_id, received_at, replayed) = check_out(&shop, customer, &key, wrong).await;
        assert!(!replayed);
        placed.push((order_id, received_at));
        for node in [&shop, &other] {
            for again in [0, -30, -24, 24, 30].map(TimeDelta::hours) {
                let (same, _, replayed) = check_out(node, customer, &key, wrong + again).await;
                assert_eq!((same, replayed), (order_id, true), "wrong by {wrong} and then by {again} more");
            }
        }
        assert_eq!(shop.engine.journal.forget_answers(1_000_000).await.unwrap(), (0, false));
    }
    // The shop's own clock decides what an order's time is; the log's times go forward all the same.
    let times: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(
        "select aggregate_id::bigint, (payload ->> 'placed_at')::timestamptz from events
         where event_type = 'OrderPlaced' order by position",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    assert_eq!(times, placed);
    shop.settle().await;
    let newest: Vec<_> =
        shop.read("orders/").await.as_array().unwrap().iter().map(|order| order["order_id"].clone()).collect();
    assert_eq!(newest, [3, 1, 2]);
    shop.check_log().await;
    shop.verify().await;
}

/// Takes the lease for a day, as if the database's clock had gone back a day since.
async fn take_lease(session: &mut PgConnection) -> Option<i64> {
    let take = "select projector_acquire($1, interval '1 day')";
    sqlx::query_scalar(take).bind(Uuid::new_v4()).fetch_one(session).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_with_a_far_future_expiry_is_free_only_when_its_holder_is_gone() {
    let database = fresh_database().await;
    let TestShop { engine, pool, .. } = TestShop::on(database.clone()).await;
    engine.stop().await.unwrap();
    let mut holder = database.connect().await.unwrap();
    let mut other = database.connect().await.unwrap();
    let epoch = take_lease(&mut holder).await.expect("the lease was released");
    assert_eq!(take_lease(&mut other).await, None, "its holder is there");

    let shop = TestShop::on(database).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let demanded = [("min-position", "1")];
    let early = shop.send("GET", "products/", Value::Null, &demanded).await;
    assert_eq!((early.status, early.problem()), (StatusCode::SERVICE_UNAVAILABLE, "position_not_reached"));
    assert_eq!(shop.engine.projector.position(), 0);

    holder.close().await.unwrap();
    shop.settle().await;
    let (taken, expires_at): (i64, DateTime<Utc>) =
        sqlx::query_as("select epoch, expires_at from projector_lease").fetch_one(&pool).await.unwrap();
    assert!(taken > epoch && expires_at < Utc::now() + Duration::from_secs(60));
    assert_eq!(shop.read(&format!("product/{product}/")).await["stock"], 9);
    shop.verify().await;
}
