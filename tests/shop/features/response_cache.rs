//! The response cache: what is kept, for how long, and for which callers.
//!
//! A test changes a read table behind the projector's back: a kept answer does not show it, a new one does.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::domain::account::Role;
use cartwright::http::{AppSettings, ResponseCacheLimits};
use cartwright::projector::{Projection, rebuild};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::Executor;
use tokio::time::{sleep, timeout};

use crate::support::accounts::api_key;
use crate::support::{Answer, TestShop, fresh_database};

/// Changes what the tables of an answer hold, without an event.
async fn tamper(shop: &TestShop, statement: &str) {
    shop.pool.execute(statement).await.unwrap();
}

async fn as_guest(shop: &TestShop, path: &str) -> Answer {
    shop.send_unchanged(Request::get(format!("/shop/api/{path}")).body(Body::empty()).unwrap()).await
}

async fn with_tag(shop: &TestShop, path: &str, tag: &str) -> Answer {
    shop.send("GET", path, Value::Null, &[("if-none-match", tag)]).await
}

/// Reads until the answer is as wanted.
async fn wait_until(shop: &TestShop, path: &str, is_wanted: impl Fn(&Value) -> bool) {
    let read = async {
        while !is_wanted(&shop.get(path).await.body) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), read).await.unwrap_or_else(|_| panic!("{path} is still as before"));
}

#[tokio::test]
async fn an_answer_is_kept_until_a_table_that_it_was_read_from_changes() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let ordered = json!({ "lines": [{ "product_id": product, "quantity": 1 }] });
    shop.done("orders/", ordered.clone()).await;
    let product_path = format!("product/{product}/");
    // What is read, how its table is changed, and where the change shows.
    let reads = [
        ("products/", "update live.products set name = 'Changed'", "/0/name"),
        (product_path.as_str(), "", "/name"),
        ("low-stock/", "update live.low_stock set name = 'Changed'", "/0/name"),
        ("category-stats/", "update live.category_stats set category_name = 'Changed'", "/0/category_name"),
        ("bestsellers/?limit=3", "update live.bestsellers set units_sold = 77", "/0/total_sold"),
        ("sales/?by=month", "update live.sales set orders = 77", "/0/orders"),
    ];
    let mut first = Vec::new();
    for (path, ..) in reads {
        first.push(shop.get(path).await);
    }
    for (_, statement, _) in reads.into_iter().filter(|(_, statement, _)| !statement.is_empty()) {
        tamper(&shop, statement).await;
    }
    // Customers and carts change none of these tables.
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    let position = shop.log_position().await;
    for ((path, _, place), first) in reads.into_iter().zip(&first) {
        let again = shop.get(path).await;
        assert_eq!(again.body, first.body, "{path} was not kept");
        assert_eq!(again.header("etag"), first.header("etag"), "{path}");
        assert!(again.header("projection-position").parse::<i64>().unwrap() >= position, "{path}");
        assert_eq!(with_tag(&shop, path, first.header("etag")).await.status, StatusCode::NOT_MODIFIED, "{path}");
        assert!(again.body.pointer(place).is_some(), "{path}: {}", again.body);
    }
    shop.done("orders/", ordered).await;
    for ((path, _, place), first) in reads.into_iter().zip(&first) {
        let again = with_tag(&shop, path, first.header("etag")).await;
        assert_eq!(again.status, StatusCode::OK, "{path}");
        assert_ne!(again.body.pointer(place), first.body.pointer(place), "{path} is an answer of before the order");
    }
}

#[tokio::test]
async fn an_answer_is_kept_for_callers_who_may_read_it_and_none_that_names_people() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let customer = shop.customer("Ada").await;
    for path in ["products/?view=stock", "products/?discontinued=true"] {
        assert_eq!(shop.get(path).await.status, StatusCode::OK);
        assert_eq!(as_guest(&shop, path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(shop.get("low-stock/").await.status, StatusCode::OK);
    assert_eq!(as_guest(&shop, "low-stock/").await.status, StatusCode::UNAUTHORIZED);
    let (.., reader) = api_key(&shop, "reader", Role::Reader).await;
    let reader = format!("Bearer {reader}");
    let as_reader = shop.send("GET", "low-stock/", Value::Null, &[("authorization", &reader)]).await;
    assert_eq!((as_reader.status, as_reader.header("cache-control")), (StatusCode::OK, "private, no-cache"));
    let guest = as_guest(&shop, "products/").await;
    assert_eq!((guest.header("cache-control"), guest.header("vary")), ("no-cache", "Accept"));
    // The order of parameters does not matter, their values do.
    let sorted = shop.get("products/?in_stock=true&limit=1").await;
    tamper(&shop, "update live.products set price = 99").await;
    assert_eq!(shop.get("products/?limit=1&in_stock=true").await.body, sorted.body);
    assert_ne!(shop.get("products/?limit=2&in_stock=true").await.body, sorted.body);
    // A refusal, a stream and another format are not kept.
    assert_eq!(shop.get("products/?limit=0").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(shop.get("products/?all=true").await.body[0]["price"], "99.00");
    let lines = shop.send("GET", "products/", Value::Null, &[("accept", "application/x-ndjson")]).await;
    assert_eq!((lines.body["price"].as_str(), lines.header("etag")), (Some("99.00"), ""));
    assert_eq!(shop.get("product/17/").await.status, StatusCode::NOT_FOUND);

    shop.add(customer, product, 1).await;
    assert_eq!(shop.check_out(customer).await.status, StatusCode::CREATED);
    let spent = shop.get("customer-stats/").await;
    assert_eq!(spent.header("cache-control"), "no-store");
    tamper(&shop, "update live.customer_stats set total_spent = 77").await;
    assert_eq!(shop.get("customer-stats/").await.body[0]["total_spent"], "77.00");
    assert_eq!(with_tag(&shop, "customer-stats/", spent.header("etag")).await.status, StatusCode::OK);
    let unchanged = shop.get("customer-stats/").await;
    assert_eq!(with_tag(&shop, "customer-stats/", unchanged.header("etag")).await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn another_node_serves_no_answer_of_before_a_change_that_it_knows_of() {
    let first = TestShop::new().await;
    let product = first.product("Kettle", "20.00", 50).await;
    let second = TestShop::on((*first.pool.connect_options()).clone()).await;
    for price in 30..45 {
        let path = format!("product/{product}/");
        let price = format!("{price}.00");
        let changed = first.send("PATCH", &path, json!({ "price": price }), &[]).await;
        let position = changed.header("journal-position").to_owned();
        let read = second.send("GET", "products/", Value::Null, &[("min-position", &position)]).await;
        assert_eq!(read.body[0]["price"], price.as_str());
        assert!(read.header("projection-position").parse::<i64>().unwrap() >= position.parse().unwrap());
        assert_eq!(first.get("products/").await.body[0]["price"], price.as_str());
        assert_eq!(second.get(&path).await.body["price"], price.as_str());
    }
    first.send("PATCH", &format!("product/{product}/"), json!({ "price": "5.00" }), &[]).await;
    wait_until(&second, "products/", |list| list[0]["price"] == "5.00").await;
}

#[tokio::test]
async fn nothing_is_kept_across_a_rebuild_a_lost_connection_or_an_older_program() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 5).await;
    let is_true = |list: &Value| list[0]["name"] == "Kettle";
    assert!(is_true(&shop.get("products/").await.body));
    tamper(&shop, "update live.products set name = 'Pot'").await;
    assert!(is_true(&shop.get("products/").await.body));
    // Every session of the shop, the projector's too.
    tamper(
        &shop,
        "select pg_terminate_backend(pid) from pg_stat_activity
         where pid <> pg_backend_pid() and backend_type = 'client backend' and datname = current_database()",
    )
    .await;
    wait_until(&shop, "products/", |list| list[0]["name"] == "Pot").await;
    // As another process does it.
    rebuild(&shop.pool, Projection::find("products").unwrap(), &|_| ()).await.unwrap();
    wait_until(&shop, "products/", is_true).await;
    // An older program moves the tables without recording what it changes.
    let kept = shop.get("products/").await;
    tamper(&shop, "update live.products set name = 'Pan'; update projector_lease set changes_upto = position - 1")
        .await;
    wait_until(&shop, "products/", |list| list[0]["name"] == "Pan").await;
    assert_ne!(shop.get("products/").await.header("etag"), kept.header("etag"));
}

#[tokio::test]
async fn one_request_computes_an_answer_for_all_that_wait_for_it() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 5).await;
    shop.settle().await;
    let mut lock = shop.pool.begin().await.unwrap();
    lock.execute("lock table live.low_stock in access exclusive mode").await.unwrap();
    let reads = join_all((0..20).map(|_| shop.get("low-stock/")));
    let release = async {
        let waiting = "select count(*) from pg_stat_activity
            where wait_event_type = 'Lock' and query like '%low_stock%' and datname = current_database()";
        let count = async || sqlx::query_scalar::<_, i64>(waiting).fetch_one(&shop.pool).await.unwrap();
        while count().await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(50)).await;
        let waiting = count().await;
        lock.rollback().await.unwrap();
        waiting
    };
    let (answers, waiting) = futures_util::future::join(reads, release).await;
    assert_eq!(waiting, 1, "each request asked the database");
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK && answer.body == answers[0].body));
}

#[tokio::test]
async fn the_response_cache_can_be_disabled_and_its_answers_expire() {
    let connect = fresh_database().await;
    let node = async |bytes, milliseconds| {
        let response_cache = ResponseCacheLimits { bytes, time_to_live: Duration::from_millis(milliseconds) };
        TestShop::with_settings(connect.clone(), AppSettings { response_cache, ..AppSettings::default() }).await
    };
    let (without, brief) = (node(0, 300_000).await, node(1024 * 1024, 200).await);
    without.product("Kettle", "20.00", 5).await;
    brief.settle().await;
    let before = [without.get("products/").await, brief.get("products/").await];
    assert_eq!(before[0].header("cache-control"), "private, no-cache");
    assert_eq!(before[0].header("etag"), before[1].header("etag"));
    tamper(&without, "update live.products set name = 'Pot'").await;
    assert_eq!(without.get("products/").await.body[0]["name"], "Pot");
    wait_until(&brief, "products/", |list| list[0]["name"] == "Pot").await;
}

#[tokio::test]
async fn another_node_shows_a_change_within_100_milliseconds_and_at_once_to_a_client_that_names_its_position() {
    let connect = fresh_database().await;
    let (first, second) = (TestShop::on(connect.clone()).await, TestShop::on(connect).await);
    let path = format!("product/{}/", first.product("Kettle", "20.00", 5).await);
    second.settle().await;
    for round in 0..8 {
        let price = format!("{}.00", 30 + round);
        for path in [path.as_str(), "products/"] {
            assert_eq!(second.get(path).await.status, StatusCode::OK);
        }
        let changed = first.send("PATCH", &path, json!({ "price": price }), &[]).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        if round % 2 == 0 {
            let named = [("min-position", changed.header("journal-position"))];
            let read = second.send("GET", "products/", Value::Null, &named).await;
            assert_eq!(read.body[0]["price"], price, "{:?}", read.headers);
        } else {
            assert_eq!(first.get(&path).await.body["price"], price, "the own write on the own node");
            sleep(Duration::from_millis(100)).await;
        }
        // Once the node has shown it, it shows nothing older to any caller.
        assert_eq!(second.get("products/").await.body[0]["price"], price);
        let shown = as_guest(&second, &path).await;
        assert_eq!(shown.body["price"], price, "{:?}", shown.headers);
    }
}
