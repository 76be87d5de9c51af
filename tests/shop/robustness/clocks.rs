//! Wrong clocks: a node's own does not matter; a database's is noticed, and tasks wait until it is accepted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use cartwright::clock::{self, ClockVerdict};
use cartwright::scheduler::{RunReport, Scheduler, SchedulerOptions, Task};
use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};

use crate::support::accounts::{PASSWORD, token_in};
use crate::support::client::Client;
use crate::support::guests::as_guest;
use crate::support::program::{Server, ask, command, data_dir, embedded_database, run, text, verify, wait_for};
use crate::support::shifted_clock::ShiftedClock;
use crate::support::tokens::{claims, sign};
use crate::support::{TestShop, fresh_database, pool};

async fn verdict(pool: &PgPool) -> ClockVerdict {
    clock::read(pool).await.unwrap().verdict
}

/// Moves what the shop knows of the clock, as if the clock had moved the other way.
async fn last_seen(pool: &PgPool, ago: &str) {
    let moved = format!("update shop_clock set seen_at = clock_timestamp() - interval '{ago}'");
    pool.execute(moved.as_str()).await.unwrap();
}

#[tokio::test]
async fn a_new_shop_and_a_quiet_one_are_not_held_up() {
    let shop = TestShop::new().await;
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible, "without any event");
    shop.category("Tea").await;
    // Off over a weekend; and on, but without an event for a year.
    last_seen(&shop.pool, "70 hours").await;
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible);
    last_seen(&shop.pool, "1 minute").await;
    shop.pool.execute("update journal_head set recorded_at = recorded_at - interval '1 year'").await.unwrap();
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible);
}

#[tokio::test]
async fn a_clock_far_from_the_last_known_time_is_implausible_until_it_is_corrected_or_accepted() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    for (ago, expected) in
        [("31 days", ClockVerdict::Ahead), ("-2 days", ClockVerdict::Behind), ("-6 minutes", ClockVerdict::Behind)]
    {
        last_seen(&shop.pool, ago).await;
        assert_eq!(verdict(&shop.pool).await, expected, "{ago}");
        let clock = shop.read("clock/").await;
        assert_eq!(clock["verdict"], json!(expected), "{clock}");
        let refused = shop.post("scheduler/cancel_unpaid/run/", Value::Null).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "clock_not_accepted"));
        clock::accept(&shop.pool).await.unwrap();
        assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible, "{ago}");
    }
    // Events of the future, which a clock that was ahead has left.
    shop.pool.execute("update journal_head set recorded_at = recorded_at + interval '31 days'").await.unwrap();
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Behind);
    clock::accept(&shop.pool).await.unwrap();
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible);
    shop.category("Coffee").await;
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible, "new events have the time of the last one");
    shop.check_log().await;
}

#[tokio::test]
async fn a_data_folder_from_before_the_heartbeats_knows_its_last_task() {
    let shop = TestShop::new().await;
    shop.pool.execute("update shop_clock set seen_at = null").await.unwrap();
    let ran = "insert into scheduler_task (name, due_at, last_run_at) values ('x', now(), now() - interval '31 days')";
    shop.pool.execute(ran).await.unwrap();
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Ahead);
    shop.pool.execute("update scheduler_task set last_run_at = now() - interval '1 hour'").await.unwrap();
    assert_eq!(verdict(&shop.pool).await, ClockVerdict::Plausible);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_wait_for_the_clock_on_every_node_and_run_once_it_is_accepted() {
    let connect = fresh_database().await;
    let pool = pool(&connect).await;
    last_seen(&pool, "31 days").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let task = || {
        let runs = Arc::clone(&runs);
        Task::new("counted", Duration::from_secs(3_600), move || {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(RunReport::default()) }
        })
    };
    let options = SchedulerOptions { poll_interval: Duration::from_millis(5), time_limit: Duration::from_secs(20) };
    let nodes = [(); 2].map(|()| Scheduler::start(connect.clone(), vec![task()], options.clone()));
    // Time for many polls of both nodes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    // A clock that was ahead has scheduled the next run.
    pool.execute("update scheduler_task set due_at = due_at + interval '31 days'").await.unwrap();
    clock::accept(&pool).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), async {
        while runs.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the task runs");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn tokens_links_and_sessions_from_the_future_are_refused() {
    let shop = TestShop::new().await;
    let now = Utc::now().timestamp();
    let issued = |iat: i64, exp: i64| {
        let mut claims = claims("admin", 1, None);
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        sign(&claims)
    };
    let me = async |token: &str| shop.send_with_token(token, "GET", "auth/me/", Value::Null).await.status;
    // A node whose measurement is a little off has issued it.
    assert_eq!(me(&issued(now + 5, now + 900)).await, StatusCode::OK);
    assert_eq!(me(&issued(now + 120, now + 1_020)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&issued(now + 31 * 86_400, now + 31 * 86_400 + 900)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&issued(now - 1_000, now - 100)).await, StatusCode::UNAUTHORIZED);

    shop.member("Ada").await;
    let tokens = shop.log_in("ada@example.com", PASSWORD).await;
    shop.pool.execute("update session set expires_at = expires_at + interval '31 days'").await.unwrap();
    assert_eq!(shop.refresh(&tokens.body["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
    shop.pool.execute("update session set expires_at = expires_at - interval '31 days'").await.unwrap();
    assert_eq!(shop.refresh(&tokens.body["refresh_token"]).await.status, StatusCode::OK);

    let sent = shop.post("auth/reset/", json!({ "email": "ada@example.com" })).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    let mails = shop.mails("ada@example.com", 2).await;
    let reset = json!({ "token": token_in(&mails[1]), "new_password": "another long password" });
    let shifted = "update mailed_link set requested_at = requested_at + interval '31 days',
        expires_at = expires_at + interval '31 days'";
    shop.pool.execute(shifted).await.unwrap();
    let early = shop.post("auth/reset/confirm/", reset.clone()).await;
    assert_eq!((early.status, early.problem()), (StatusCode::BAD_REQUEST, "link_invalid"));
    shop.pool.execute(shifted.replace('+', "-").as_str()).await.unwrap();
    assert_eq!(shop.post("auth/reset/confirm/", reset).await.status, StatusCode::NO_CONTENT);
}

/// Sells a kettle to a guest; returns the number of the order.
fn sell(client: &mut Client, guest: &str) -> i64 {
    let mut done = |path: &str, body: Value| {
        let reply = client.send("POST", path, "", &body).unwrap_or_else(|lost| panic!("POST {path}: {lost:?}"));
        assert!((200..300).contains(&reply.status), "POST {path}: {} {}", reply.status, reply.body);
        reply.body
    };
    let category = json!({ "category_name": format!("Kitchen of {guest}") });
    let category = done("categories/", category)["category_id"].clone();
    let product = json!({ "name": "Kettle", "price": "20.00", "category": category, "stock": 9 });
    let product = done("products/", product)["product_id"].clone();
    let token = done("carts/", Value::Null)["cart_token"].as_str().unwrap().to_owned();
    done(&format!("carts/{token}/items/"), json!({ "product_id": product, "quantity": 1 }));
    let mut checkout = as_guest(guest);
    checkout["payment_method"] = json!("invoice");
    done(&format!("carts/{token}/checkout/"), checkout)["order_id"].as_i64().unwrap()
}

/// Waits for the mail about an order, and returns its date.
fn mail_to(data_dir: &Path, guest: &str) -> DateTime<Utc> {
    let to = format!("{}@example.com", guest.to_lowercase());
    let mail = wait_for(&format!("the mail to {to}"), || {
        let files = std::fs::read_dir(data_dir.join("mail")).ok()?;
        let mut mails = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
        mails.find(|mail| mail.contains(&to) && mail.contains("Subject:"))
    });
    let date = mail.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
    DateTime::parse_from_rfc2822(date).unwrap().to_utc()
}

#[test]
fn a_node_whose_clock_is_wrong_decides_by_the_database() {
    let (clock, folder) = (ShiftedClock::new(), data_dir());
    clock.shift(TimeDelta::days(31));
    let mut serve = command(folder.path());
    clock.of_program(serve.args(["--no-seeds", "--listen", "127.0.0.1:0"]));
    let server = Server::spawn(&mut serve);
    let mut client = Client::new(&[server.port()], 0);
    // The clock jumps while the server runs, and between two heartbeats.
    for (shift, guest, expected) in [(31, "Jo", "31 days ahead of"), (-2, "Kim", "2 days behind")] {
        clock.shift(TimeDelta::days(shift));
        let order = sell(&mut client, guest);
        for task in ["cancel_unpaid", "expire_carts"] {
            let last_run = |client: &mut Client| {
                let tasks = client.get("scheduler/").body;
                let task = tasks.as_array().unwrap().iter().find(|found| found["name"] == task).cloned();
                task.and_then(|task| task["last_run_at"].as_str().map(str::to_owned))
            };
            let before = wait_for("the first run", || last_run(&mut client));
            let reply = client.send("POST", &format!("scheduler/{task}/run/"), "", &Value::Null).unwrap();
            assert_eq!(reply.status, 202, "{}", reply.body);
            wait_for("another run", || (last_run(&mut client)? > before).then_some(()));
        }
        let summary = client.get(&format!("order/{order}/summary/")).body;
        assert_eq!(summary["status"], "pending", "{summary}");
        let (placed_at, pay_by): (DateTime<Utc>, DateTime<Utc>) = {
            let time = |field: &str| summary[field].as_str().unwrap().parse().unwrap();
            (time("placed_at"), time("pay_by"))
        };
        assert!((placed_at - Utc::now()).abs() < TimeDelta::minutes(1), "{placed_at}");
        assert!((29..=30).contains(&(pay_by - Utc::now()).num_days()), "{pay_by}");
        assert!((mail_to(folder.path(), guest) - Utc::now()).abs() < TimeDelta::minutes(1));
        let offset = client.get("clock/").body["node_offset_seconds"].as_f64().unwrap();
        assert!((offset - shift as f64 * 86_400.0).abs() < 5.0, "{offset}");
        let mut status = command(folder.path());
        clock.of_program(status.arg("status"));
        let status = text(&status.output().unwrap());
        assert!(status.contains(expected), "{status}");
    }
    stop(server);
    clock.shift(TimeDelta::zero());
    verify(folder.path());
}

fn stop(server: Server) {
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

/// The folder of the programs of a running PostgreSQL.
fn programs_of_running(data_dir: &Path) -> PathBuf {
    let pid = std::fs::read_to_string(data_dir.join("pgdata/postmaster.pid")).unwrap();
    let program = std::fs::read_link(format!("/proc/{}/exe", pid.lines().next().unwrap().trim())).unwrap();
    program.parent().unwrap().to_owned()
}

#[test]
fn a_database_whose_clock_jumps_cancels_nothing_and_leaves_out_no_mail_until_an_operator_accepts_it() {
    let (clock, folder) = (ShiftedClock::new(), data_dir());
    let data = folder.path();
    let server = Server::start(data);
    let programs = clock.of_postgres(&programs_of_running(data));
    let connect = embedded_database(data);
    let order = sell(&mut Client::new(&[server.port()], 0), "Jo");
    mail_to(data, "Jo");
    stop(server);

    let started = || {
        let mut serve = command(data);
        serve.args(["--listen", "127.0.0.1:0", "--pg-bin"]).arg(&programs);
        Server::spawn(&mut serve)
    };
    let cancelled = || {
        let found = "select count(*) from events where event_type = 'OrderCancelled' and aggregate_id = $1";
        ask(&connect, async |pool| {
            sqlx::query_scalar::<_, i64>(found).bind(order.to_string()).fetch_one(pool).await.unwrap()
        })
    };
    // The machine's clock is 31 days ahead when the shop starts: the time to pay would be over.
    clock.shift(TimeDelta::days(31));
    let server = started();
    let status = text(&run(data, &["status"]));
    assert!(status.contains("31 days after the time when the shop was last seen"), "{status}");
    // Time for several polls of the scheduler.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(cancelled(), 0);
    let shown = text(&run(data, &["clock"]));
    assert!(shown.contains(&format!("unpaid orders to cancel: 1 ({order})")), "{shown}");
    assert_eq!(cancelled(), 0, "showing is not accepting");
    let accepted = text(&run(data, &["clock", "accept"]));
    assert!(accepted.contains("accepted"), "{accepted}");
    wait_for("the cancellation", || (cancelled() == 1).then_some(()));

    // It is set back while the shop runs. The log ends in the future now.
    clock.shift(TimeDelta::zero());
    let status = wait_for("the verdict", || {
        let status = text(&run(data, &["status"]));
        status.contains("before the last time that the shop knows").then_some(status)
    });
    assert!(status.contains("31 days"), "{status}");
    // The heartbeat of the node has noticed it too.
    let port = server.port();
    let mut client = Client::new(&[port], 0);
    wait_for("the heartbeat", || {
        (client.get("clock/").body["node_offset_seconds"].as_f64()?.abs() < 5.0).then_some(())
    });
    sell(&mut client, "Kim");
    mail_to(data, "Kim");
    assert!(run(data, &["clock", "accept"]).status.success());
    let behind = "select count(*) from scheduler_task where last_run_at is null or last_run_at > clock_timestamp()";
    let waiting = || ask(&connect, async |pool| sqlx::query_scalar::<_, i64>(behind).fetch_one(pool).await.unwrap());
    wait_for("every task to run again", || (waiting() == 0).then_some(()));
    stop(server);
    verify(data);
}
