//! Scheduled tasks: each on one node at a time, also when nodes die; expiry of carts and of unpaid orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use cartwright::domain::ids::{CartId, CustomerId};
use cartwright::domain::order::PaymentMethod;
use cartwright::journal::{Actor, Context};
use cartwright::scheduler::tasks::{TaskContext, cancel_unpaid, expire_carts};
use cartwright::scheduler::{RunReport, Scheduler, SchedulerOptions, Task, TaskStatus, run_now, status};
use cartwright::shop::{Checkout, PaymentPolicy};
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::support::client::Client;
use crate::support::failpoints::{assert_killed, run_until_killed, server_on};
use crate::support::program::{Server, command, data_dir, run, text, wait_for};
use crate::support::{TestShop, fresh_database, pool};

const HOUR: Duration = Duration::from_secs(3_600);

fn options() -> SchedulerOptions {
    SchedulerOptions { poll_interval: Duration::from_millis(5), time_limit: Duration::from_secs(20) }
}

/// A task that counts its runs, and the counter.
fn counted(
    name: &'static str,
    every: Duration,
    outcome: fn(usize) -> anyhow::Result<RunReport>,
) -> (Task, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let task = Task::new(name, every, move || {
        let run = counter.fetch_add(1, Ordering::SeqCst) + 1;
        async move { outcome(run) }
    });
    (task, runs)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn more_than(runs: &AtomicUsize, count: usize) {
    until("runs", async || runs.load(Ordering::SeqCst) > count).await;
}

async fn task(pool: &PgPool, name: &str) -> TaskStatus {
    status(pool).await.unwrap().into_iter().find(|task| task.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_on_one_node_at_a_time_while_another_node_runs_the_rest() {
    let connect = fresh_database().await;
    let pool = pool(&connect).await;
    let (started, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (beat, beats) = counted("beat", Duration::ZERO, |_| Ok(RunReport::default()));
    let (other_beat, other_beats) = counted("beat", Duration::ZERO, |_| Ok(RunReport::default()));
    let held = || {
        let (started, gate) = (Arc::clone(&started), Arc::clone(&gate));
        Task::new("held", HOUR, move || {
            let (started, gate) = (Arc::clone(&started), Arc::clone(&gate));
            async move {
                started.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await?.forget();
                Ok(RunReport::of(3, false))
            }
        })
    };
    let first = Scheduler::start(connect.clone(), vec![held(), beat], options());
    let second = Scheduler::start(connect, vec![held(), other_beat], options());
    until("the task", async || started.load(Ordering::SeqCst) == 1).await;
    // One node is inside the task; the other keeps polling and runs only the rest.
    let ran = || beats.load(Ordering::SeqCst) + other_beats.load(Ordering::SeqCst);
    let before = ran();
    until("more looks", async || ran() > before + 10).await;
    assert_eq!(started.load(Ordering::SeqCst), 1);
    assert!(task(&pool, "held").await.running);

    gate.add_permits(1);
    until("the end of the run", async || task(&pool, "held").await.last_run_at.is_some()).await;
    let before = ran();
    until("more looks", async || ran() > before + 10).await;
    assert_eq!(started.load(Ordering::SeqCst), 1, "it is due in an hour");
    let done = task(&pool, "held").await;
    assert_eq!((done.running, done.last_handled, done.failures), (false, Some(3), 0));

    // A stopping node releases its tasks at once.
    assert!(run_now(&pool, "held").await.unwrap());
    until("the second run", async || started.load(Ordering::SeqCst) == 2).await;
    first.stop().await;
    second.stop().await;
    let left = task(&pool, "held").await;
    assert!(!left.running && left.due_at <= chrono::Utc::now(), "{left:?}");
    assert!(!run_now(&pool, "nothing").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_batch_is_followed_by_the_next_and_a_failure_is_shown_and_retried_later() {
    let connect = fresh_database().await;
    let pool = pool(&connect).await;
    let (full, runs) = counted("full", HOUR, |run| Ok(RunReport::of(1, run < 4)));
    let (failing, failed) = counted("failing", HOUR, |_| Err(anyhow::anyhow!("the moon is in the way")));
    let (panicking, _) = counted("panicking", HOUR, |_| panic!("oh"));
    let slow = Task::new("slow", HOUR, std::future::pending);
    let options = SchedulerOptions { time_limit: Duration::from_millis(200), ..options() };
    let scheduler = Scheduler::start(connect, vec![full, failing, panicking, slow], options);
    let ended = |task: &TaskStatus| task.last_run_at.is_some() && !task.running;
    until("all of them", async || {
        let tasks = status(&pool).await.unwrap();
        tasks.len() == 4 && tasks.iter().all(ended) && runs.load(Ordering::SeqCst) == 4
    })
    .await;
    scheduler.stop().await;
    let error = async |name: &str| task(&pool, name).await.last_error.unwrap_or_default();
    assert_eq!(error("failing").await, "the moon is in the way");
    assert!(error("panicking").await.contains("panicked"), "{}", error("panicking").await);
    assert_eq!(error("slow").await, "the run exceeded its time limit");
    assert_eq!(error("full").await, "");
    assert_eq!(failed.load(Ordering::SeqCst), 1);
    let failing = task(&pool, "failing").await;
    let wait = failing.due_at - failing.last_run_at.unwrap();
    assert!(wait <= chrono::TimeDelta::seconds(11), "soon, although its interval is an hour: {wait}");
    assert_eq!((failing.failures, task(&pool, "full").await.failures), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_released_when_its_holder_is_gone_or_its_claim_expires() {
    let connect = fresh_database().await;
    let pool = pool(&connect).await;
    let hold = async |name: &str, held_until: &str, backend: &str| {
        let held = format!(
            "insert into scheduler_task (name, due_at, holder, held_until, backend_pid, backend_start)
             select '{name}', now(), gen_random_uuid(), {held_until}, session.pid, session.backend_start
             from (select {backend} as pid, backend_start from pg_stat_activity where pid = pg_backend_pid()) as session"
        );
        sqlx::query(&held).execute(&pool).await.unwrap();
    };
    hold("gone", "now() + interval '1 hour'", "-1").await;
    hold("late", "now() - interval '1 second'", "pg_backend_pid()").await;
    // The holder of this task lives as long as the pool.
    hold("held", "now() + interval '1 hour'", "pg_backend_pid()").await;
    let (gone, gone_runs) = counted("gone", HOUR, |_| Ok(RunReport::default()));
    let (late, late_runs) = counted("late", HOUR, |_| Ok(RunReport::default()));
    let (held, held_runs) = counted("held", HOUR, |_| Ok(RunReport::default()));
    let (beat, beats) = counted("beat", Duration::ZERO, |_| Ok(RunReport::default()));
    let scheduler = Scheduler::start(connect, vec![gone, late, held, beat], options());
    more_than(&gone_runs, 0).await;
    more_than(&late_runs, 0).await;
    more_than(&beats, 10).await;
    scheduler.stop().await;
    assert_eq!(held_runs.load(Ordering::SeqCst), 0);
}

#[test]
fn a_task_of_a_killed_server_is_taken_over_at_once() {
    let folder = data_dir();
    run_until_killed(&mut server_on(folder.path(), 0, ""), "scheduler-task-taken=return(kill)");
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let port = server.port();
    let ran = || {
        let tasks = Client::new(&[port], 0).get("scheduler/").body;
        let tasks = tasks.as_array().unwrap();
        let ran = |task: &Value| task["last_run_at"].is_string() && task["failures"] == 0;
        (tasks.iter().any(|task| task["name"] == "expire_carts") && tasks.iter().all(ran)).then_some(())
    };
    let began = Instant::now();
    wait_for("every task", ran);
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for the time to be up");
    let shown = run(folder.path(), &["status"]);
    let shown = text(&shown);
    let line = shown.lines().find(|line| line.starts_with("expire_carts")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.split_whitespace().nth(2).is_some_and(|day| day.starts_with("20")), "{line}");
    server.signal(nix::sys::signal::Signal::SIGKILL);
    assert_killed(server.ended(), "no point");
    let again = Server::spawn(command(folder.path()).args(["--listen", &format!("127.0.0.1:{port}")]));
    wait_for("every task", ran);
    drop(again);
}

fn tools(shop: &TestShop) -> TaskContext {
    TaskContext {
        journal: shop.engine.journal.clone(),
        projector: shop.engine.projector.clone(),
        pool: shop.pool.clone(),
    }
}

/// Makes all carts look untouched for so many days.
async fn age(shop: &TestShop, days: i32) {
    shop.settle().await;
    sqlx::query("update live.carts set updated_at = updated_at - make_interval(days => $1)")
        .bind(days)
        .execute(&shop.pool)
        .await
        .unwrap();
}

/// A guest's cart with this quantity in it; emptied for 0.
async fn guest(shop: &TestShop, product: i64, quantity: i64) -> String {
    let token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    shop.done(&format!("carts/{token}/items/"), json!({ "product_id": product, "quantity": quantity.max(1) })).await;
    if quantity == 0 {
        shop.send("DELETE", &format!("carts/{token}/"), Value::Null, &[]).await;
    }
    format!("carts/{token}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn untouched_carts_expire_and_their_customers_can_shop_again() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (ada, bruno, carla) = (shop.customer("Ada").await, shop.customer("Bruno").await, shop.customer("Carla").await);
    shop.add(ada, product, 2).await;
    shop.add(bruno, product, 1).await;
    shop.check_out(bruno).await;
    // Carla took everything out again: there is nothing to expire.
    shop.add(carla, product, 1).await;
    shop.send("DELETE", &format!("customer/{carla}/cart/"), Value::Null, &[]).await;
    let (filled, empty) = (guest(&shop, product, 3).await, guest(&shop, product, 0).await);
    age(&shop, 29).await;
    let young = guest(&shop, product, 1).await;
    shop.settle().await;

    let expire = expire_carts(&tools(&shop), 30);
    assert_eq!(expire.run().await.unwrap(), RunReport::default(), "it is not time yet");
    age(&shop, 2).await;
    assert_eq!(expire_carts(&tools(&shop), 0).run().await.unwrap(), RunReport::default(), "0 is never");
    assert_eq!(expire.run().await.unwrap(), RunReport::of(3, false));
    assert_eq!(expire.run().await.unwrap(), RunReport::default(), "once");

    for gone in [&filled, &empty] {
        assert_eq!(shop.get(gone).await.problem(), "cart_not_found");
        let add = json!({ "product_id": product, "quantity": 1 });
        let added = shop.post(&format!("{gone}items/"), add).await;
        assert_eq!((added.status, added.problem()), (StatusCode::NOT_FOUND, "cart_not_found"));
        let token = gone.trim_end_matches('/').rsplit('/').next().unwrap();
        let merged = shop.post(&format!("customer/{ada}/cart/merge/"), json!({ "cart_token": token })).await;
        assert_eq!(merged.problem(), "cart_not_found");
    }
    assert_eq!(shop.read(&young).await["items"][0]["quantity"], 1);
    let cart = format!("customer/{ada}/cart/");
    let emptied = shop.read(&cart).await;
    assert_eq!((&emptied["items"], &emptied["total"]), (&json!([]), &json!("0.00")));
    assert_eq!(shop.check_out(ada).await.problem(), "cart_empty");
    shop.add(ada, product, 1).await;
    assert_eq!(shop.check_out(ada).await.status, StatusCode::CREATED);
    let history = shop.read(&format!("cart/{ada}/history/")).await;
    let expired = history.as_array().unwrap().iter().find(|event| event["event_type"] == "CartExpired").unwrap();
    assert_eq!((&expired["actor"], &expired["role"]), (&json!("scheduler"), &json!("system")));
    shop.settle().await;
    let rebuilt = cartwright::projector::Projection::find("cart_items").unwrap();
    assert_eq!(cartwright::projector::verify(&shop.pool, rebuilt, &|_| ()).await.unwrap().different, 0);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_changed_after_the_lookup_does_not_expire() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 2).await;
    age(&shop, 31).await;
    // The read table misses the change, as between a lookup and a command.
    shop.engine.projector.stop().await;
    shop.add(ada, product, 1).await;
    assert_eq!(expire_carts(&tools(&shop), 30).run().await.unwrap(), RunReport::default());
    let item = json!({ "product_id": product, "quantity": 1 });
    let looked = shop.post(&format!("customer/{ada}/cart/items/?dry_run=true"), item).await;
    assert_eq!(looked.body["items"][0]["quantity"], 4, "{}", looked.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_carts_than_a_batch_expire_in_several_runs() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    for _ in 0..205 {
        guest(&shop, product, 0).await;
    }
    age(&shop, 31).await;
    let expire = expire_carts(&tools(&shop), 30);
    assert_eq!(expire.run().await.unwrap(), RunReport::of(200, true));
    assert_eq!(expire.run().await.unwrap(), RunReport::of(5, false));
}

#[tokio::test]
async fn abandoned_carts_are_listed_newest_first_at_current_prices() {
    let shop = TestShop::new().await;
    let (kettle, mug) = (shop.product("Kettle", "20.00", 50).await, shop.product("Mug", "5.25", 50).await);
    let ada = shop.customer("Ada").await;
    shop.add(ada, kettle, 2).await;
    shop.add(ada, mug, 3).await;
    age(&shop, 1).await;
    guest(&shop, mug, 1).await;
    guest(&shop, mug, 0).await;
    age(&shop, 1).await;
    shop.customer("Bruno").await;
    shop.add(2, mug, 1).await;
    shop.send("PATCH", &format!("product/{mug}/"), json!({ "price": "6.00" }), &[]).await;
    shop.settle().await;

    let abandoned = shop.read("abandoned-carts/").await;
    let figures = |cart: &Value| json!([cart["customer_id"], cart["items"], cart["units"], cart["value"]]);
    let rows: Vec<Value> = abandoned.as_array().unwrap().iter().map(figures).collect();
    assert_eq!(rows, [json!([null, 1, 1, "6.00"]), json!([ada, 2, 5, "58.00"])]);
    assert_eq!(shop.read("abandoned-carts/?days=0").await.as_array().unwrap().len(), 3);
    assert_eq!(shop.read("abandoned-carts/?days=2").await.as_array().unwrap().len(), 1);
    let first = shop.get("abandoned-carts/?limit=1").await;
    assert_eq!(first.body, json!([abandoned[0]]));
    let next = first.header("link").split(['<', '>']).nth(1).unwrap().replace("/shop/api/", "");
    assert_eq!(shop.read(&next).await, json!([abandoned[1]]));
    for wrong in ["-1", "3651", "x"] {
        assert_eq!(shop.get(&format!("abandoned-carts/?days={wrong}")).await.status, StatusCode::BAD_REQUEST);
    }
}

/// An order of a unit, to be paid by invoice as the terms say; its number.
async fn order_by_invoice(shop: &TestShop, customer: i64, product: i64, invoice: TimeDelta) -> i64 {
    shop.add(customer, product, 1).await;
    let checkout = Checkout {
        payment_method: Some(PaymentMethod::Invoice),
        payment_policy: PaymentPolicy { invoice: Some(invoice), ..PaymentPolicy::default() },
        ..Checkout::of(CartId::Customer(CustomerId(customer)))
    };
    let context = Context::of(Actor { id: "test".to_owned(), role: "admin" });
    shop.engine.journal.run(checkout, context).await.unwrap().answer.order_id
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_not_paid_in_time_are_cancelled_and_release_their_stock() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    let late = order_by_invoice(&shop, ada, product, TimeDelta::days(-1)).await;
    let packed = order_by_invoice(&shop, ada, product, TimeDelta::days(-1)).await;
    let paid = order_by_invoice(&shop, ada, product, TimeDelta::days(-1)).await;
    let sent = order_by_invoice(&shop, ada, product, TimeDelta::days(-1)).await;
    let in_time = order_by_invoice(&shop, ada, product, TimeDelta::days(1)).await;
    for action in [format!("order/{packed}/process/"), format!("order/{paid}/pay/"), format!("order/{sent}/process/")] {
        shop.done(&action, json!({})).await;
    }
    shop.done(&format!("order/{sent}/ship/"), json!({ "collected": true })).await;
    shop.settle().await;
    let cancel = cancel_unpaid(&tools(&shop));
    assert_eq!(cancel.run().await.unwrap(), RunReport::of(2, false));
    assert_eq!(cancel.run().await.unwrap(), RunReport::default(), "once");
    for (order, status) in
        [(late, "cancelled"), (packed, "cancelled"), (paid, "pending"), (sent, "shipped"), (in_time, "pending")]
    {
        assert_eq!(shop.read(&format!("order/{order}/summary/")).await["status"], status, "order {order}");
    }
    let history = shop.read(&format!("order/{late}/history/")).await;
    let cancelled = history.as_array().unwrap().iter().find(|event| event["event_type"] == "OrderCancelled").unwrap();
    let reason: String = sqlx::query_scalar("select payload ->> 'reason' from events where position = $1")
        .bind(cancelled["position"].as_i64())
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(reason, "not paid in time");
    assert_eq!((&cancelled["actor"], &cancelled["role"]), (&json!("scheduler"), &json!("system")));
    assert_eq!(shop.read(&format!("product/{product}/")).await["stock"], 47);
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_paid_after_the_lookup_is_not_cancelled() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    let order = order_by_invoice(&shop, ada, product, TimeDelta::days(-1)).await;
    shop.settle().await;
    shop.engine.projector.stop().await;
    shop.done(&format!("order/{order}/pay/"), json!({})).await;
    let before = shop.engine.journal.position();
    assert_eq!(cancel_unpaid(&tools(&shop)).run().await.unwrap(), RunReport::default());
    assert_eq!(shop.engine.journal.position(), before);
}
