//! An older database is restored: the nodes notice, readers get 410, and no number is given twice.

use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use cartwright::journal::{JournalOptions, LogFile, LogIdentity, LogState, declare_restored};
use cartwright::reactors::{self, Reactor};
use cartwright::webhooks::WebhookReactor;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tower::ServiceExt;

use crate::support::dumps::Dump;
use crate::support::reactors::{eventually, start_all};
use crate::support::receiver::Receiver;
use crate::support::tokens::{claims, sign};
use crate::support::{Answer, TestShop, fresh_database};

/// A node that remembers the log in a data folder.
async fn node(database: &PgConnectOptions, data_dir: &Path) -> TestShop {
    let log_file = Some(LogFile::in_data_folder(data_dir));
    TestShop::with(database.clone(), JournalOptions { log_file, ..JournalOptions::default() }).await
}

async fn stop(shop: TestShop) {
    let TestShop { engine, shop, router, accounts, .. } = shop;
    drop((shop, router, accounts));
    engine.stop().await.unwrap();
}

async fn state(pool: &PgPool) -> LogState {
    LogState::read(&mut pool.acquire().await.unwrap(), None).await.unwrap()
}

/// Sends a request as an admin who logged in after the restore.
async fn send(shop: &TestShop, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
    let token = format!("Bearer {}", sign(&claims("admin", 900_001, None)));
    shop.send(method, path, body, &[headers, &[("authorization", &token)]].concat()).await
}

/// Sends a command until the node has found its database again.
async fn done(shop: &TestShop, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
    eventually(path, async || {
        let answer = send(shop, method, path, body.clone(), headers).await;
        assert!(!answer.status.is_client_error(), "{path}: {} {}", answer.status, answer.body);
        answer.status.is_success().then_some(answer)
    })
    .await
}

async fn check_out(shop: &TestShop, customer: i64, product: i64, quantity: i64, key: &str) -> Answer {
    let item = json!({ "quantity": quantity });
    done(shop, "PUT", &format!("customer/{customer}/cart/items/{product}/"), item, &[]).await;
    let path = format!("customer/{customer}/cart/checkout/");
    done(shop, "POST", &path, Value::Null, &[("idempotency-key", key)]).await
}

/// Whether a reader is refused with the identity of the log.
fn assert_gone(answer: &Answer, now: &LogState) {
    assert_eq!((answer.status, answer.problem()), (StatusCode::GONE, "position_gone"), "{}", answer.body);
    let LogIdentity { log_id, generation } = now.identity;
    assert_eq!(answer.body["log_id"], json!(log_id));
    assert_eq!(
        (&answer.body["generation"], &answer.body["began_after"]),
        (&json!(generation), &json!(now.began_after))
    );
    assert!(answer.body["head"].as_i64().unwrap() >= now.began_after);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pg_dump and psql"]
async fn running_nodes_begin_one_generation_and_serve_nothing_of_the_lost_log() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().unwrap());
    let first = node(&database, folder.path()).await;
    let second = TestShop::on(database.clone()).await;
    let kettle = first.product("Kettle", "20.00", 10).await;
    let ada = first.customer("Ada").await;
    let known = check_out(&first, ada, kettle, 1, "known").await;
    first.settle().await;
    let dump = Dump::of(&database);
    let (log, common) = (state(&first.pool).await.identity, first.engine.journal.position());
    assert_eq!(log.generation, 1);

    // What the restore loses, on both nodes.
    check_out(&first, ada, kettle, 4, "lost").await;
    check_out(&second, ada, kettle, 4, "lost too").await;
    let lost_product = second.product("Teapot", "9.00", 1).await;
    let lost_customer = first.customer("Bruno").await;
    let tag = first.get(&format!("product/{kettle}/")).await.header("etag").to_owned();
    let events = first.get("events/?limit=2").await;
    assert_eq!((events.header("log-id"), events.header("log-generation")), (log.log_id.to_string().as_str(), "1"));
    assert_eq!((&events.body[1]["id"], &events.body[1]["log_id"]), (&json!("1-2"), &json!(log.log_id)));
    let next_page =
        events.header("link").split(['<', '>']).nth(1).unwrap().strip_prefix("/shop/api/").unwrap().to_owned();
    let head = first.log_position().await;
    let token = format!("Bearer {}", sign(&claims("reader", 900_001, None)));
    let stream = Request::get(format!("/shop/api/events/stream/?after={}", head - 1)).header("authorization", token);
    let stream = first.router.clone().oneshot(stream.body(Body::empty()).unwrap()).await.unwrap();

    dump.replace(&database).await;
    let (one, other) = tokio::join!(
        check_out(&first, ada, kettle, 4, "lost"),
        done(&second, "POST", "categories/", json!({ "category_name": "Tea" }), &[])
    );
    assert_eq!((one.status, other.status), (StatusCode::CREATED, StatusCode::CREATED));
    let now = state(&first.pool).await;
    assert_eq!((now.identity, now.began_after), (LogIdentity { generation: 2, ..log }, common));
    for shop in [&first, &second] {
        eventually("the generation", async || (shop.engine.journal.identity() == now.identity).then_some(())).await;
    }

    // Neither cached aggregates nor kept answers are those of the lost log, and numbers continue above it.
    assert_eq!(one.header("idempotent-replayed"), "", "the first command with this key is lost");
    let order = one.body["order_id"].as_i64().unwrap();
    assert!(order > 1_000, "order {order}");
    let all = check_out(&second, ada, kettle, 5, "the rest").await;
    assert!(all.body["order_id"].as_i64() > Some(order), "{}", all.body);
    let again = check_out(&first, ada, kettle, 1, "known").await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &known.body));
    let teapot = json!({ "name": "Teapot", "price": "9.00", "category": "Kitchen" });
    let product = done(&first, "POST", "products/", teapot, &[]).await.body["product_id"].as_i64();
    assert!(product > Some(lost_product + 900), "{product:?}");
    let customer = json!({ "first_name": "Bruno", "last_name": "Miller", "email": "bruno@example.com" });
    let customer = done(&second, "POST", "customers/", customer, &[]).await.body["customer_id"].as_i64();
    assert!(customer > Some(lost_customer + 900), "{customer:?}");

    // Readers of the lost log are refused, also where it overlaps with this one.
    let place = format!("1-{common}");
    for path in ["events/?after=100000", &format!("events/?after={place}"), &next_page] {
        assert_gone(&send(&first, "GET", path, Value::Null, &[]).await, &now);
    }
    for after in [place.as_str(), "2-100000", "100000"] {
        assert_gone(&send(&second, "GET", "events/stream/", Value::Null, &[("last-event-id", after)]).await, &now);
    }
    for demanded in [place.as_str(), "2-100000"] {
        assert_gone(&send(&first, "GET", "categories/", Value::Null, &[("min-position", demanded)]).await, &now);
    }
    let page = send(&first, "GET", &format!("events/?after={common}"), Value::Null, &[]).await;
    assert_eq!(page.body[0]["id"], json!(format!("2-{}", common + 1)), "{}", page.body);
    let sent = String::from_utf8(to_bytes(stream.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
    assert!(
        sent.contains(&format!("id: 1-{head}\n")) && !sent.contains("id: 2-") && sent.matches("id: ").count() == 1,
        "{sent}"
    );

    // An entity tag of the lost log names another state; a token of before is refused, as is its session.
    let path = format!("product/{kettle}/");
    let read = send(&first, "GET", &path, Value::Null, &[("if-none-match", &tag)]).await;
    assert_eq!(read.status, StatusCode::OK);
    assert!(read.header("etag").starts_with("\"2."), "{:?}", read.headers);
    let price = json!({ "price": "21.00" });
    let stale = send(&first, "PATCH", &path, price.clone(), &[("if-match", &tag)]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let changed = send(&first, "PATCH", &path, price, &[("if-match", read.header("etag"))]).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    eventually("the refusal of earlier tokens", async || {
        let mut old = claims("admin", 900_001, None);
        old["iat"] = json!(now.began_at.timestamp() - 5);
        let token = format!("Bearer {}", sign(&old));
        let answer = first.send("GET", "categories/", Value::Null, &[("authorization", &token)]).await;
        (answer.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    first.settle().await;
    first.check_log().await;
    first.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pg_dump and psql"]
async fn nodes_that_start_after_a_restore_begin_one_generation_however_many_they_are() {
    let database = fresh_database().await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let shop = node(&database, folders[0].path()).await;
    shop.category("Tea").await;
    let (dump, common) = (Dump::of(&database), shop.engine.journal.position());
    shop.category("Coffee").await;
    stop(shop).await;
    for folder in &folders[1..] {
        stop(node(&database, folder.path()).await).await;
    }
    // What a node had written when it died after the generation had begun, and before it wrote its file again.
    let earlier = tempfile::tempdir().unwrap();
    copy_folder(&folders[0].path().join("log"), &earlier.path().join("log"));

    dump.replace(&database).await;
    let nodes = futures_util::future::join_all(folders.iter().map(|folder| node(&database, folder.path()))).await;
    let now = state(&nodes[0].pool).await;
    assert_eq!((now.identity.generation, now.began_after), (2, common));
    for shop in nodes {
        assert_eq!(shop.engine.journal.identity(), now.identity);
        stop(shop).await;
    }
    let newcomer = tempfile::tempdir().unwrap();
    for folder in [earlier.path(), folders[1].path(), newcomer.path()] {
        let shop = node(&database, folder).await;
        assert_eq!(shop.engine.journal.identity(), now.identity, "it is adopted, also by a node without a file");
        stop(shop).await;
    }

    // The log grows beyond the seen position, on a node that cannot know: another event is there.
    let shop = node(&database, newcomer.path()).await;
    let dump = Dump::of(&database);
    for name in ["Milk", "Sugar"] {
        let body = json!({ "category_name": name });
        done(&shop, "POST", "categories/", body, &[]).await;
    }
    stop(shop).await;
    dump.replace(&database).await;
    let shop = TestShop::on(database.clone()).await;
    for name in ["Bread", "Salt", "Oil"] {
        done(&shop, "POST", "categories/", json!({ "category_name": name }), &[]).await;
    }
    assert_eq!(shop.engine.journal.identity().generation, 2);
    let knowing = node(&database, newcomer.path()).await;
    assert_eq!(knowing.engine.journal.identity().generation, 3);
    eventually("the running node", async || (shop.engine.journal.identity().generation == 3).then_some(())).await;
    assert!(done(&shop, "POST", "categories/", json!({ "category_name": "Rice" }), &[]).await.status.is_success());
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The time of the last event of such a log is minus infinity.
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_an_event_is_declared_restored_and_sells() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().unwrap());
    let shop = node(&database, folder.path()).await;
    assert_eq!(shop.engine.journal.position(), 0);
    let begun = declare_restored(&shop.pool, &LogFile::in_data_folder(folder.path())).await.unwrap();
    assert_eq!((begun.begun, begun.state.identity.generation, begun.state.began_after), (true, 2, 0));
    stop(shop).await;

    let shop = node(&database, folder.path()).await;
    let answer = done(&shop, "POST", "categories/", json!({ "category_name": "Tea" }), &[]).await;
    assert!(answer.body["category_id"].as_i64() > Some(1_000), "{}", answer.body);
    shop.settle().await;
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pending_at_a_restore_waits_for_the_operator() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let webhooks = || -> Vec<Arc<dyn Reactor>> {
        vec![Arc::new(WebhookReactor::new(shop.pool.clone(), shop.engine.journal.clone(), true).unwrap())]
    };
    let reactors = start_all(&shop, webhooks()).await;
    let hook = json!({ "url": receiver.url("/"), "event_types": ["CategoryCreated"] });
    shop.done("webhooks/", hook).await;
    reactors.stop().await;
    // One reaction is enqueued, and one event is not.
    shop.category("Tea").await;
    sqlx::query(
        "with enqueued as (
            insert into reaction (reactor, position, target, due_at)
            select 'webhooks', position, '1', clock_timestamp() from events
            where event_type = 'CategoryCreated'
         )
         update reactor set position = (select position from journal_head)",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    shop.category("Coffee").await;

    let folder = tempfile::tempdir().unwrap();
    let file = LogFile::in_data_folder(folder.path());
    let begun = declare_restored(&shop.pool, &file).await.unwrap();
    assert_eq!((begun.begun, begun.state.identity.generation), (true, 2));
    let repeated = declare_restored(&shop.pool, &file).await.unwrap();
    assert_eq!((repeated.begun, repeated.state.identity.generation), (false, 2), "nothing has happened since");
    let waiting = async || {
        let waiting = reactors::restored(&shop.pool).await.unwrap();
        waiting.first().map(|waiting| (waiting.parked, waiting.not_enqueued))
    };
    assert_eq!(waiting().await, Some((1, 2)), "a category is an event, and the claim of its name another");

    eventually("the node to adopt it", async || (shop.engine.journal.identity().generation == 2).then_some(())).await;
    let running = start_all(&shop, webhooks()).await;
    eventually("the event to be parked", async || (waiting().await == Some((2, 0))).then_some(())).await;
    done(&shop, "POST", "categories/", json!({ "category_name": "Milk" }), &[]).await;
    eventually("the new event", async || (receiver.messages().len() == 1).then_some(())).await;
    let data = receiver.messages()[0].body()["data"].clone();
    assert_eq!((&data["payload"]["name"], &data["generation"]), (&json!("Milk"), &json!(2)));
    assert_eq!(data["id"], json!(format!("2-{}", data["position"])));
    let listed = send(&shop, "GET", "reactions/?state=parked", Value::Null, &[]).await.body;
    assert_eq!(listed[0]["reason"], "pending when an older database was restored");

    assert_eq!(reactors::retry_restored(&shop.pool, Some("mails"), "ops").await.unwrap(), 0);
    assert_eq!(reactors::retry_restored(&shop.pool, None, "ops").await.unwrap(), 2);
    eventually("the released reactions", async || (receiver.messages().len() == 3).then_some(())).await;
    running.stop().await;

    // Again, and now they are dropped, with the event that is not enqueued.
    done(&shop, "POST", "categories/", json!({ "category_name": "Sugar" }), &[]).await;
    declare_restored(&shop.pool, &file).await.unwrap();
    assert_eq!(waiting().await, Some((0, 2)));
    assert_eq!(reactors::drop_restored(&shop.pool, None, "ops").await.unwrap(), 0);
    assert_eq!(waiting().await, None);
    eventually("the node to adopt it", async || (shop.engine.journal.identity().generation == 3).then_some(())).await;
    let running = start_all(&shop, webhooks()).await;
    done(&shop, "POST", "categories/", json!({ "category_name": "Salt" }), &[]).await;
    eventually("the new event", async || (receiver.messages().len() == 4).then_some(())).await;
    assert_eq!(receiver.messages()[3].body()["data"]["payload"]["name"], "Salt");
    let decisions = reactors::decisions(&shop.pool, i64::MAX, 10).await.unwrap();
    assert_eq!(decisions.iter().map(|decision| decision.decision.as_str()).collect::<Vec<_>>(), ["retry", "retry"]);
    running.stop().await;
}
