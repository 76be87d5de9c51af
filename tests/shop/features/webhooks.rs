//! Webhooks: subscriptions, signatures, retries, redelivery and clean-up.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::IntoResponse;
use cartwright::reactors::Reactors;
use cartwright::webhooks::{MAX_DELIVERIES, WebhookReactor, sweep};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::TestShop;
use crate::support::client::Client;
use crate::support::program::{Server, command, data_dir, run, text, wait_for};
use crate::support::reactors::{eventually, start_all, wait_until_drained};
use crate::support::receiver::Receiver;

async fn start(shop: &TestShop, private_allowed: bool) -> Reactors {
    let webhooks = WebhookReactor::new(shop.pool.clone(), shop.engine.journal.clone(), private_allowed).unwrap();
    start_all(shop, vec![Arc::new(webhooks)]).await
}

/// Creates a webhook; returns its number and its secret.
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
async fn a_webhook_of_an_unknown_event_is_refused() {
    let shop = TestShop::new().await;
    subscribe(&shop, "https://example.com/hooks", &["OrderPlaced", "*"]).await;
    for (method, path) in [("POST", "webhooks/"), ("PATCH", "webhook/1/"), ("POST", "webhooks/?dry_run=true")] {
        let body = json!({ "url": "https://example.com/hooks", "event_types": ["OrderPlaced", "Nope"] });
        let refused = shop.send(method, path, body, &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        let error = &refused.body["errors"][0];
        assert_eq!(error, &json!({ "field": "event_types", "message": "names an unknown event: Nope" }));
    }
    assert_eq!(shop.read("webhooks/").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_webhook_receives_its_event_types_since_its_creation_with_a_valid_signature() {
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
    wait_until_drained(&shop).await;
    let messages = receiver.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let event = shop.read("events/?type=CategoryCreated").await[1].clone();
    assert_eq!(messages[0].id(), event["event_id"]);
    let expected = json!({
        "type": "CategoryCreated",
        "timestamp": event["recorded_at"],
        "data": {
            "id": event["id"], "log_id": event["log_id"], "generation": 1,
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
async fn the_old_secret_signs_along_with_the_new_one_for_a_day() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let reactors = start(&shop, true).await;
    let (webhook, old) = subscribe(&shop, &receiver.url("/"), &["CategoryCreated"]).await;
    let path = format!("webhook/{webhook}/secret/");
    let dry = shop.done(&format!("{path}?dry_run=true"), Value::Null).await;
    assert_eq!(dry["secret"], Value::Null);
    let new = shop.done(&path, Value::Null).await["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    shop.category("Tea").await;
    wait_until_drained(&shop).await;
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
    wait_until_drained(&shop).await;
    let second = receiver.messages()[1].clone();
    assert!(second.is_signed_with(&new) && !second.is_signed_with(&old));
    reactors.stop().await;
}

#[tokio::test]
async fn a_refused_delivery_is_retried_with_the_same_id_and_redirects_are_not_followed() {
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
async fn retry_after_delays_the_next_delivery() {
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
        // Until the outcome is recorded, `due_at` is the end of the running attempt's claim.
        (due - Utc::now() > TimeDelta::minutes(1)).then_some(due - Utc::now())
    })
    .await;
    // Jitter adds up to a fifth.
    assert!((TimeDelta::minutes(29)..=TimeDelta::minutes(36)).contains(&wait), "{wait}");
    assert_eq!(receiver.messages().len(), 1);
    reactors.stop().await;
}

#[tokio::test]
async fn a_receiver_that_answers_410_gets_no_deliveries_until_it_is_activated() {
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
    let disabled = shop.read("events/?type=WebhookDisabled").await[0].clone();
    assert_eq!((&disabled["payload"]["reason"], &disabled["metadata"]["actor"]), (&json!("gone"), &json!("webhooks")));
    shop.category("Coffee").await;
    wait_until_drained(&shop).await;
    assert_eq!(receiver.messages().len(), 1);

    let activated = shop.send("PATCH", &path, json!({ "active": true }), &[]).await;
    assert_eq!(activated.status, StatusCode::OK, "{}", activated.body);
    let parked = shop.read("reactions/?state=parked&reactor=webhooks").await;
    shop.done(&format!("reactions/{}/retry/", parked[0]["reaction_id"]), Value::Null).await;
    newest(&shop, webhook, "delivered").await;
    shop.category("Cocoa").await;
    wait_until_drained(&shop).await;
    let received: Vec<_> =
        receiver.messages().iter().map(|message| message.body()["data"]["payload"]["name"].clone()).collect();
    // Cocoa is a new message, so the receiver answers 410 again.
    assert_eq!(received, ["Tea", "Tea", "Cocoa"], "nothing of what happened in between");
    reactors.stop().await;
}

#[tokio::test]
async fn a_delivery_can_be_repeated_and_a_deleted_webhook_receives_none() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    let reactors = start(&shop, true).await;
    let (webhook, _) = subscribe(&shop, &receiver.url("/"), &["CategoryCreated"]).await;
    shop.category("Tea").await;
    let delivery = newest(&shop, webhook, "delivered").await;
    let path = |event: &str| format!("webhook/{webhook}/deliveries/{event}/redeliver/");
    let event = delivery["event_id"].as_str().unwrap();
    assert_eq!(shop.post(&path(event), Value::Null).await.status, StatusCode::ACCEPTED);
    eventually("the second message", async || (receiver.messages().len() == 2).then_some(())).await;
    wait_until_drained(&shop).await;
    assert_eq!(receiver.messages()[0].id(), receiver.messages()[1].id());
    assert_eq!(deliveries(&shop, webhook).await[0]["attempts"], 2);
    assert_eq!(shop.read("reaction-decisions/").await[0]["decision"], "redeliver");
    assert_eq!(shop.post(&path(&Uuid::nil().to_string()), Value::Null).await.problem(), "event_not_found");

    let removed = shop.send("DELETE", &format!("webhook/{webhook}/"), Value::Null, &[]).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.get(&format!("webhook/{webhook}/")).await.problem(), "webhook_not_found");
    assert_eq!(shop.post(&path(event), Value::Null).await.problem(), "webhook_not_found");
    shop.category("Coffee").await;
    wait_until_drained(&shop).await;
    assert_eq!(receiver.messages().len(), 2);
    let known: i64 = sqlx::query_scalar("select count(*) from webhook").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(known, 0, "neither its URL nor its secret is kept");
    reactors.stop().await;
}

#[tokio::test]
async fn deliveries_to_private_addresses_are_parked_unless_allowed() {
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
async fn a_slow_receiver_does_not_block_others() {
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
    wait_until_drained(&shop).await;
    assert_eq!((got("/fast"), got("/slow")), (30, 30));
    reactors.stop().await;
}

#[tokio::test]
async fn old_deliveries_and_parked_reactions_of_deleted_webhooks_are_deleted() {
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
    wait_until_drained(&shop).await;
    sqlx::query("update webhook_delivery set tried_at = tried_at - interval '31 days' where position < $1")
        .bind(deliveries(&shop, kept).await[0]["position"].as_i64().unwrap())
        .execute(&shop.pool)
        .await
        .unwrap();
    sweep(&shop.pool, 30, MAX_DELIVERIES).await.unwrap();
    assert_eq!(deliveries(&shop, kept).await.as_array().unwrap().len(), 1, "the older one is gone");
    assert_eq!(shop.read("reactions/?state=parked").await.as_array().unwrap().len(), 1);
    shop.send("DELETE", &format!("webhook/{gone}/"), Value::Null, &[]).await;
    sweep(&shop.pool, 30, MAX_DELIVERIES).await.unwrap();
    assert_eq!(shop.read("reactions/").await, json!([]));
    reactors.stop().await;
}

#[test]
fn parked_reactions_are_listed_retried_and_dropped_on_the_command_line() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::answering(|_, _| Box::pin(async { StatusCode::GONE.into_response() })));
    let folder = data_dir();
    // A machine without certificate authorities must work too.
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
    assert_eq!(reactions(&all), (Some(0), "1 reaction of webhooks will be retried\n".to_owned()));
    parked("the webhook is inactive");
    assert_eq!(reactions(&["drop", &id]), (Some(0), format!("reaction {id} was dropped\n")));
    let (code, listed) = reactions(&["list", "--state", "parked"]);
    assert!(code == Some(0) && listed.lines().all(|line| line.ends_with("0 due, 0 parked")), "{listed}");
    let (code, refused) = reactions(&["drop", &id]);
    assert_eq!((code, refused.contains("no reaction has the number")), (Some(1), true), "{refused}");
    for misspelt in [&["list", "--reactor", "webhook"][..], &["retry", "--all", "--reactor", "webhook"]] {
        let (code, refused) = reactions(misspelt);
        assert_eq!((code, refused.contains("no reactor has the name webhook")), (Some(1), true), "{refused}");
    }
    assert_eq!(receiver.messages().len(), 1, "an inactive webhook receives nothing");
    let decided = server.get("/shop/api/reaction-decisions/");
    assert_eq!(decided.matches("\"actor\":\"cli\"").count(), 3, "{decided}");
}
