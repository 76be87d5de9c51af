//! Webhooks: who has subscribed is told, signed, at least once and with one id, whatever happens to the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::IntoResponse;
use cartwright::reactors::Reactors;
use cartwright::webhooks::{WebhookReactor, sweep};
use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::TestShop;
use crate::support::client::Client;
use crate::support::failpoints::{assert_killed, server_on};
use crate::support::load::Load;
use crate::support::program::{Server, ask, command, data_dir, embedded_database, run, text, wait_for};
use crate::support::reactors::{drained, eventually, start_all};
use crate::support::receiver::Receiver;

async fn start(shop: &TestShop, private_allowed: bool) -> Reactors {
    let webhooks = WebhookReactor::new(shop.pool.clone(), shop.engine.journal.clone(), private_allowed).unwrap();
    start_all(shop, vec![Arc::new(webhooks)]).await
}

/// Subscribes; returns the number and the secret.
async fn subscribe(shop: &TestShop, url: &str, event_types: &[&str]) -> (i64, String) {
    let made = shop.done("webhooks/", json!({ "url": url, "event_types": event_types })).await;
    (made["webhook_id"].as_i64().unwrap(), made["secret"].as_str().unwrap().to_owned())
}

async fn deliveries(shop: &TestShop, webhook: i64) -> Value {
    shop.read(&format!("webhook/{webhook}/deliveries/")).await
}

/// Waits until the newest delivery has this outcome, and returns it.
async fn newest(shop: &TestShop, webhook: i64, outcome: &str) -> Value {
    eventually(outcome, async || {
        let newest = deliveries(shop, webhook).await[0].clone();
        (newest["outcome"] == outcome).then_some(newest)
    })
    .await
}

#[tokio::test]
async fn a_webhook_is_told_of_the_events_it_named_since_it_was_made_with_a_good_signature() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let reactors = start(&shop, true).await;
    shop.category("Tea").await;
    let url = receiver.url("/hooks");
    let body = json!({ "url": url, "event_types": ["CategoryCreated"], "description": "the till" });
    let made = shop.send("POST", "webhooks/", body.clone(), &[("idempotency-key", "k")]).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, "/shop/api/webhook/1/"));
    let again = shop.send("POST", "webhooks/", body, &[("idempotency-key", "k")]).await;
    assert_eq!(again.body, json!({ "webhook_id": 1, "secret": null }), "the secret is shown once");
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && !shop.read("webhook/1/").await.to_string().contains(secret));

    let coffee = shop.category("Coffee").await;
    drained(&shop).await;
    let messages = receiver.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let event = shop.read("events/?type=CategoryCreated").await[1].clone();
    assert_eq!(messages[0].id(), event["event_id"]);
    let expected = json!({
        "type": "CategoryCreated",
        "timestamp": event["recorded_at"],
        "data": {
            "position": event["position"], "aggregate_type": "Category", "aggregate_id": coffee.to_string(),
            "sequence": 1, "payload": { "event": "CategoryCreated", "name": "Coffee" },
        },
    });
    assert_eq!(messages[0].body(), expected);
    assert_eq!(messages[0].headers["content-type"], "application/json");
    assert!(messages[0].is_signed_with(secret));
    assert!(!messages[0].is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let delivery = newest(&shop, 1, "delivered").await;
    assert_eq!((&delivery["last_status"], &delivery["attempts"]), (&json!(204), &json!(1)));
    assert_eq!((&delivery["event_id"], &delivery["error"]), (&event["event_id"], &Value::Null));
    reactors.stop().await;
}

#[tokio::test]
async fn the_old_secret_signs_beside_the_new_one_for_a_day() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let reactors = start(&shop, true).await;
    let (webhook, old) = subscribe(&shop, &receiver.url("/"), &["CategoryCreated"]).await;
    let path = format!("webhook/{webhook}/secret/");
    let dry = shop.done(&format!("{path}?dry_run=true"), Value::Null).await;
    assert_eq!(dry["secret"], Value::Null);
    let new = shop.done(&path, Value::Null).await["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    shop.category("Tea").await;
    drained(&shop).await;
    let first = receiver.messages()[0].clone();
    assert!(first.is_signed_with(&new) && first.is_signed_with(&old));
    let until = shop.read(&format!("webhook/{webhook}/")).await["previous_secret_until"].clone();
    let left = until.as_str().unwrap().parse::<DateTime<Utc>>().unwrap() - Utc::now();
    assert!((TimeDelta::hours(23)..=TimeDelta::hours(24)).contains(&left), "{left}");

    sqlx::query("update webhook set previous_secret_until = previous_secret_until - interval '24 hours'")
        .execute(&shop.pool)
        .await
        .unwrap();
    shop.category("Coffee").await;
    drained(&shop).await;
    let second = receiver.messages()[1].clone();
    assert!(second.is_signed_with(&new) && !second.is_signed_with(&old));
    reactors.stop().await;
}

#[tokio::test]
async fn what_a_receiver_refuses_comes_again_with_the_same_id_and_a_redirect_is_not_followed() {
    let shop = TestShop::new().await;
    let receiver = Receiver::answering(|before, _| {
        Box::pin(async move {
            match before {
                0 => (StatusCode::FOUND, [(LOCATION, "/elsewhere")]).into_response(),
                1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                _ => StatusCode::OK.into_response(),
            }
        })
    });
    let receiver = receiver.await;
    let reactors = start(&shop, true).await;
    let (webhook, secret) = subscribe(&shop, &receiver.url("/hooks"), &["CategoryCreated"]).await;
    shop.category("Tea").await;
    let delivery = newest(&shop, webhook, "delivered").await;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(3), &json!(200)));
    let messages = receiver.messages();
    assert_eq!(messages.len(), 3);
    let same = |message: &crate::support::receiver::Message| {
        message.path == "/hooks" && message.id() == messages[0].id() && message.bytes == messages[0].bytes
    };
    assert!(messages.iter().all(same), "{messages:?}");
    assert!(messages.iter().all(|message| message.is_signed_with(&secret)));
    reactors.stop().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_given_it() {
    let shop = TestShop::new().await;
    let receiver = Receiver::answering(|_, _| {
        Box::pin(async { (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1800")]).into_response() })
    });
    let receiver = receiver.await;
    let reactors = start(&shop, true).await;
    let (webhook, _) = subscribe(&shop, &receiver.url("/"), &["CategoryCreated"]).await;
    shop.category("Tea").await;
    let wait = eventually("a failure", async || {
        let delivery = deliveries(&shop, webhook).await[0].clone();
        let due: DateTime<Utc> = delivery["due_at"].as_str()?.parse().unwrap();
        // Until the outcome is noted, it is due as an attempt that goes on.
        (due - Utc::now() > TimeDelta::minutes(1)).then_some(due - Utc::now())
    })
    .await;
    // And up to a fifth more.
    assert!((TimeDelta::minutes(29)..=TimeDelta::minutes(36)).contains(&wait), "{wait}");
    assert_eq!(receiver.messages().len(), 1);
    reactors.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more_until_somebody_says_so() {
    let shop = TestShop::new().await;
    let receiver = Receiver::answering(|before, _| {
        let status = if before == 0 { StatusCode::GONE } else { StatusCode::OK };
        Box::pin(async move { status.into_response() })
    });
    let receiver = receiver.await;
    let reactors = start(&shop, true).await;
    let (webhook, _) = subscribe(&shop, &receiver.url("/"), &["CategoryCreated"]).await;
    shop.category("Tea").await;
    let delivery = newest(&shop, webhook, "parked").await;
    assert_eq!((&delivery["last_status"], &delivery["error"]), (&json!(410), &json!("returned 410")));
    let path = format!("webhook/{webhook}/");
    assert_eq!(shop.read(&path).await["active"], false);
    let changed = shop.read("events/?type=WebhookChanged").await[0].clone();
    assert_eq!((&changed["payload"]["active"], &changed["metadata"]["actor"]), (&json!(false), &json!("webhooks")));
    shop.category("Coffee").await;
    drained(&shop).await;
    assert_eq!(receiver.messages().len(), 1);

    let activated = shop.send("PATCH", &path, json!({ "active": true }), &[]).await;
    assert_eq!(activated.status, StatusCode::OK, "{}", activated.body);
    let parked = shop.read("reactions/?state=parked&reactor=webhooks").await;
    shop.done(&format!("reactions/{}/retry/", parked[0]["reaction_id"]), Value::Null).await;
    newest(&shop, webhook, "delivered").await;
    shop.category("Cocoa").await;
    drained(&shop).await;
    let told: Vec<_> =
        receiver.messages().iter().map(|message| message.body()["data"]["payload"]["name"].clone()).collect();
    // Cocoa is new to the receiver, so it says once more that it is gone.
    assert_eq!(told, ["Tea", "Tea", "Cocoa"], "nothing of what happened in between");
    reactors.stop().await;
}

#[tokio::test]
async fn a_delivery_can_be_asked_for_again_and_a_removed_webhook_gets_none() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let reactors = start(&shop, true).await;
    let (webhook, _) = subscribe(&shop, &receiver.url("/"), &["CategoryCreated"]).await;
    shop.category("Tea").await;
    let delivery = newest(&shop, webhook, "delivered").await;
    let path = |event: &str| format!("webhook/{webhook}/deliveries/{event}/redeliver/");
    let event = delivery["event_id"].as_str().unwrap();
    assert_eq!(shop.post(&path(event), Value::Null).await.status, StatusCode::ACCEPTED);
    eventually("the second message", async || (receiver.messages().len() == 2).then_some(())).await;
    drained(&shop).await;
    assert_eq!(receiver.messages()[0].id(), receiver.messages()[1].id());
    assert_eq!(deliveries(&shop, webhook).await[0]["attempts"], 2);
    assert_eq!(shop.read("reaction-decisions/").await[0]["decision"], "redeliver");
    assert_eq!(shop.post(&path(&Uuid::nil().to_string()), Value::Null).await.problem(), "event_not_found");

    let removed = shop.send("DELETE", &format!("webhook/{webhook}/"), Value::Null, &[]).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.get(&format!("webhook/{webhook}/")).await.problem(), "webhook_not_found");
    assert_eq!(shop.post(&path(event), Value::Null).await.problem(), "webhook_not_found");
    shop.category("Coffee").await;
    drained(&shop).await;
    assert_eq!(receiver.messages().len(), 2);
    let known: i64 = sqlx::query_scalar("select count(*) from webhook").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(known, 0, "neither its URL nor its secret is kept");
    reactors.stop().await;
}

#[tokio::test]
async fn a_webhook_is_not_told_inside_the_network_of_the_shop_unless_that_is_allowed() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let reactors = start(&shop, false).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let (webhook, _) = subscribe(&shop, &format!("http://{host}:{port}/"), &["CategoryCreated"]).await;
        shop.category(&format!("Tea of {webhook}")).await;
        let delivery = newest(&shop, webhook, "parked").await;
        assert!(delivery["error"].as_str().unwrap().contains("private"), "{host}: {delivery}");
        assert_eq!(delivery["last_status"], Value::Null);
    }
    assert_eq!(receiver.messages().len(), 0);
    reactors.stop().await;
}

#[tokio::test]
async fn a_slow_receiver_does_not_hold_up_the_others() {
    let shop = TestShop::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let receiver = Receiver::answering(move |_, message| {
        let held = Arc::clone(&held);
        Box::pin(async move {
            if message.path == "/slow" {
                held.acquire().await.unwrap().forget();
            }
            StatusCode::OK.into_response()
        })
    });
    let receiver = receiver.await;
    let reactors = start(&shop, true).await;
    subscribe(&shop, &receiver.url("/slow"), &["CategoryCreated"]).await;
    subscribe(&shop, &receiver.url("/fast"), &["CategoryCreated"]).await;
    for number in 0..30 {
        shop.category(&format!("Tea {number}")).await;
    }
    let got = |path: &str| receiver.messages().iter().filter(|message| message.path == path).count();
    eventually("the fast receiver", async || (got("/fast") == 30).then_some(())).await;
    assert!(got("/slow") <= 8, "more than may be under way");
    gate.add_permits(30);
    drained(&shop).await;
    assert_eq!((got("/fast"), got("/slow")), (30, 30));
    reactors.stop().await;
}

#[tokio::test]
async fn old_deliveries_and_what_is_parked_for_a_removed_webhook_are_swept_away() {
    let shop = TestShop::new().await;
    let receiver = Receiver::answering(|_, message| {
        let status = if message.path == "/gone" { StatusCode::GONE } else { StatusCode::OK };
        Box::pin(async move { status.into_response() })
    });
    let receiver = receiver.await;
    let reactors = start(&shop, true).await;
    let (gone, _) = subscribe(&shop, &receiver.url("/gone"), &["CategoryCreated"]).await;
    let (kept, _) = subscribe(&shop, &receiver.url("/kept"), &["CategoryCreated"]).await;
    shop.category("Tea").await;
    newest(&shop, gone, "parked").await;
    newest(&shop, kept, "delivered").await;
    shop.category("Coffee").await;
    drained(&shop).await;
    sqlx::query("update webhook_delivery set tried_at = tried_at - interval '31 days' where position < $1")
        .bind(deliveries(&shop, kept).await[0]["position"].as_i64().unwrap())
        .execute(&shop.pool)
        .await
        .unwrap();
    sweep(&shop.pool, 30).await.unwrap();
    assert_eq!(deliveries(&shop, kept).await.as_array().unwrap().len(), 1, "the older one is gone");
    assert_eq!(shop.read("reactions/?state=parked").await.as_array().unwrap().len(), 1);
    shop.send("DELETE", &format!("webhook/{gone}/"), Value::Null, &[]).await;
    sweep(&shop.pool, 30).await.unwrap();
    assert_eq!(shop.read("reactions/").await, json!([]));
    reactors.stop().await;
}

/// Waits longer than attempts that were cut off, and others that failed, take to come again.
fn wait_long<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_receiver_has_every_event_once_by_its_id_although_the_server_is_killed_under_load() {
    const ROUNDS: usize = 6;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // One event in a hundred is refused at first.
    let receiver = runtime.block_on(Receiver::answering(|before, message| {
        let position = message.body()["data"]["position"].as_i64().unwrap();
        let refused = before == 0 && position % 100 == 0;
        let status = if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        Box::pin(async move { status.into_response() })
    }));
    let folder = data_dir();
    let mut server = Server::spawn(command(folder.path()).args(["--no-seeds", "--listen", "127.0.0.1:0"]));
    let port = server.port();
    let load = Load::prepare(&[port]);
    let subscription = json!({ "url": receiver.url("/"), "event_types": ["*"] });
    let made = Client::new(&[port], 0).send("POST", "webhooks/", "", &subscription).unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    let (mut told_before_a_kill, mut left_by_a_kill) = (Vec::new(), 0);
    load.run(|progress| {
        for round in 0..ROUNDS {
            progress.more(40 + 17 * round);
            let listen = format!("127.0.0.1:{}", server.port());
            server.signal(Signal::SIGKILL);
            server.ended();
            told_before_a_kill.push(receiver.messages().len());
            server = Server::start_on(folder.path(), &listen);
            // What the dead server had begun waits out its claim.
            left_by_a_kill += ask(&embedded_database(folder.path()), async |pool| {
                let begun = "select count(*) from reaction where attempts > 0 and reason is null";
                sqlx::query_scalar::<_, i64>(begun).fetch_one(pool).await.unwrap()
            });
        }
        progress.more(40);
    });
    let expected: BTreeSet<String> = ask(&embedded_database(folder.path()), async |pool| {
        let events = "select event_id::text from events where position > (select since from webhook)";
        sqlx::query_scalar(events).fetch_all(pool).await.unwrap().into_iter().collect()
    });
    let told = || receiver.messages().iter().map(|message| message.id().to_owned()).collect::<BTreeSet<_>>();
    wait_long("every event", || (told().len() >= expected.len()).then_some(()));
    wait_long("the end of the reactions", || {
        ask(&embedded_database(folder.path()), async |pool| {
            let left = "select count(*) from reaction";
            (sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap() == 0).then_some(())
        })
    });
    assert_eq!(told(), expected);
    let mut by_id: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for message in receiver.messages() {
        by_id.entry(message.id().to_owned()).or_default().push(message);
    }
    for (id, messages) in &by_id {
        assert!(messages.iter().all(|message| message.bytes == messages[0].bytes), "{id} says two things");
    }
    assert!(receiver.messages().last().unwrap().is_signed_with(&secret));
    let twice = by_id.values().filter(|messages| messages.len() > 1).count();
    eprintln!("{} events, {twice} of them told more than once, {left_by_a_kill} begun by killed servers", by_id.len());
    let told_before = told_before_a_kill.iter().any(|told| *told > 0);
    assert!(told_before && left_by_a_kill > 0, "no server was killed while it told somebody");
    assert!(expected.len() > 500, "only {} events", expected.len());
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_server_that_dies_between_two_steps_tells_everything_and_only_what_it_had_not_noted_twice() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start());
    let folder = data_dir();
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let port = server.port();
    let subscription = json!({ "url": receiver.url("/"), "event_types": ["CategoryCreated"] });
    assert_eq!(Client::new(&[port], 0).send("POST", "webhooks/", "", &subscription).unwrap().status, 201);
    let told = |name: &str| {
        let told = receiver.messages().into_iter().filter(|message| message.body()["data"]["payload"]["name"] == name);
        told.map(|message| message.id().to_owned()).collect::<Vec<_>>()
    };
    for (point, times) in [("reactions-written", 1), ("reactions-enqueued", 1), ("reaction-carried-out", 2)] {
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait(), Some(0));
        server = Server::spawn(&mut server_on(folder.path(), port, &format!("{point}=return(kill)")));
        let category = json!({ "category_name": point });
        // The server may die before it answers, but not before the category is stored.
        let mut staff = Client::new(&[port], 0);
        let _ = staff.send("POST", "categories/", point, &category);
        assert_killed(server.ended(), point);
        assert_eq!(told(point).len(), times - 1, "{point}");
        server = Server::spawn(&mut server_on(folder.path(), port, ""));
        let again = Client::new(&[port], 0).send("POST", "categories/", point, &category).unwrap();
        assert_eq!((again.status, again.replayed), (201, true), "{point}");
        wait_long("the message", || (told(point).len() == times).then_some(()));
        wait_long("the end of the reactions", || {
            ask(&embedded_database(folder.path()), async |pool| {
                let left = "select count(*) from reaction";
                (sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap() == 0).then_some(())
            })
        });
        let ids = told(point);
        assert_eq!(ids.len(), times, "{point}");
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[test]
fn parked_reactions_are_listed_retried_and_dropped_on_the_command_line() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::answering(|_, _| Box::pin(async { StatusCode::GONE.into_response() })));
    let folder = data_dir();
    // On a machine without certificate authorities, where a shop must work too.
    let mut program = command(folder.path());
    let server = Server::spawn(
        program
            .args(["--no-seeds", "--listen", "127.0.0.1:0"])
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", ""),
    );
    let mut staff = Client::new(&[server.port()], 0);
    let subscription = json!({ "url": receiver.url("/"), "event_types": ["CategoryCreated"] });
    assert_eq!(staff.send("POST", "webhooks/", "", &subscription).unwrap().status, 201);
    assert_eq!(staff.send("POST", "categories/", "", &json!({ "category_name": "Tea" })).unwrap().status, 201);
    let reactions = |args: &[&str]| {
        let output = run(folder.path(), &[&["reactions"], args].concat());
        (output.status.code(), text(&output))
    };
    let parked = |reason: &str| {
        wait_for("a parked reaction", || {
            let (code, listed) = reactions(&["list"]);
            assert_eq!(code, Some(0), "{listed}");
            let line = listed.lines().find(|line| line.contains(reason))?;
            assert!(line.contains("webhooks for 1: CategoryCreated at"), "{line}");
            Some(line.split_whitespace().next().unwrap().to_owned())
        })
    };
    let id = parked("returned 410");
    assert_eq!(reactions(&["retry", &id]), (Some(0), format!("reaction {id} will be retried\n")));
    parked("the webhook is inactive");
    let all = ["retry", "--all", "--reactor", "webhooks"];
    assert_eq!(reactions(&all), (Some(0), "1 reactions of webhooks will be retried\n".to_owned()));
    parked("the webhook is inactive");
    assert_eq!(reactions(&["drop", &id]), (Some(0), format!("reaction {id} was dropped\n")));
    let (code, listed) = reactions(&["list", "--state", "parked"]);
    assert!(code == Some(0) && listed.lines().all(|line| line.ends_with("0 due, 0 parked")), "{listed}");
    let (code, refused) = reactions(&["drop", &id]);
    assert_eq!((code, refused.contains("no reaction has the number")), (Some(1), true), "{refused}");
    assert_eq!(receiver.messages().len(), 1, "a webhook that is not active is told nothing");
    let decided = server.get("/shop/api/reaction-decisions/");
    assert_eq!(decided.matches("\"actor\":\"cli\"").count(), 3, "{decided}");
}
