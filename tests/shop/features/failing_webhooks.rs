//! Webhooks whose receivers are gone: the shop stops their deliveries, mails the admins, and resumes on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use cartwright::journal::{Actor, Context};
use cartwright::mail::{MailConfig, Mailer, StaffMails};
use cartwright::reactors::Reactors;
use cartwright::scheduler::tasks::{TaskContext, sweep_deliveries, tend_webhooks};
use cartwright::webhooks::{WebhookReactor, find_failing};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::reactors::{eventually, start_all};
use crate::support::receiver::Receiver;

async fn start(shop: &TestShop) -> Reactors {
    let config = MailConfig {
        smtp_url: None,
        folder: shop.mail_dir.clone(),
        folder_max: 0,
        from: "shop@example.com".to_owned(),
        public_url: "https://shop.example.com".to_owned(),
    };
    let journal = shop.engine.journal.clone();
    let mails = StaffMails::new(shop.pool.clone(), Mailer::new(&config, journal.clock()));
    let webhooks = WebhookReactor::new(shop.pool.clone(), journal, true).unwrap();
    start_all(shop, vec![Arc::new(webhooks), Arc::new(mails)]).await
}

fn context(shop: &TestShop) -> TaskContext {
    let (journal, projector) = (shop.engine.journal.clone(), shop.engine.projector.clone());
    TaskContext { journal, projector, pool: shop.pool.clone() }
}

fn as_staff() -> Context {
    Context::of(Actor { id: "test".to_owned(), role: "admin" })
}

/// Waits until no event is unread and no reaction is due.
async fn drain(shop: &TestShop) {
    eventually("the reactions", async || {
        let reactors = shop.read("reactors/").await;
        let idle = |reactor: &Value| reactor["lag"] == 0 && reactor["due"] == 0;
        reactors.as_array().unwrap().iter().all(idle).then_some(())
    })
    .await;
}

fn names(receiver: &Receiver) -> Vec<String> {
    let name = |message: &crate::support::receiver::Message| {
        message.body()["data"]["payload"]["name"].as_str().unwrap().to_owned()
    };
    receiver.messages().iter().map(name).collect()
}

#[tokio::test]
async fn a_webhook_that_fails_for_days_is_disabled_mailed_about_and_resumed() {
    let shop = TestShop::new().await;
    let works = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&works);
    let receiver = Receiver::answering(move |_, _| {
        let status = if answers.load(Ordering::SeqCst) { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        Box::pin(async move { status.into_response() })
    });
    let receiver = receiver.await;
    let reactors = start(&shop).await;
    for (email, role) in [("ops@example.com", "admin"), ("editor@example.com", "editor")] {
        shop.done("users/", json!({ "email": email, "role": role })).await;
    }
    shop.mails("ops@example.com", 1).await;
    let body = json!({ "url": receiver.url("/"), "event_types": ["CategoryCreated"], "description": "the till" });
    shop.done("webhooks/", body).await;
    let webhook = async || shop.read("webhook/1/").await;
    let tend = tend_webhooks(&context(&shop), 3);

    shop.category("Tea").await;
    drain(&shop).await;
    assert_eq!(shop.read("reactions/?state=parked").await[0]["reason"], "returned 502");
    let failing_since = webhook().await["failing_since"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    tend.run().await.unwrap();
    assert_eq!(webhook().await["active"], true, "it has failed for a moment only");

    // A delivery that succeeds meanwhile keeps the webhook active.
    let candidates = find_failing(&shop.pool, Some(Utc::now()), 1_000).await.unwrap();
    assert_eq!((candidates.len(), candidates[0].failing_since), (1, Some(failing_since)));
    sqlx::query("update webhook set failing_since = failing_since - interval '73 hours'")
        .execute(&shop.pool)
        .await
        .unwrap();
    let refused = shop.engine.journal.run(candidates.into_iter().next().unwrap(), as_staff()).await;
    assert!(refused.unwrap_err().to_string().contains("succeeded in the meantime"));
    assert_eq!(webhook().await["active"], true);

    let run = tend.run().await.unwrap();
    assert_eq!(run.handled, 1);
    let events = shop.read("events/?type=WebhookDisabled").await;
    let (event, off_after) = (&events[0], events[0]["position"].as_i64().unwrap());
    assert_eq!(event["payload"], json!({ "event": "WebhookDisabled", "reason": "failing" }));
    let disabled = webhook().await;
    assert_eq!((&disabled["active"], &disabled["disabled_reason"]), (&json!(false), &json!("failing")));
    assert_eq!((&disabled["missed_after"], &disabled["missed_upto"]), (&json!(off_after), &Value::Null));
    let mail = &shop.mails("ops@example.com", 2).await[1];
    assert!(
        mail.contains("Webhook 1 has been disabled") && mail.contains("webhook 1 (the till): no delivery"),
        "{mail}"
    );
    assert_eq!(tend.run().await.unwrap().handled, 0, "it is disabled once");

    let ready = shop.call(Request::get("/health/ready").body(Body::empty()).unwrap()).await.body;
    let codes: Vec<_> = ready["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
    assert_eq!(json!(codes), json!(["reactions_parked", "webhook_disabled"]), "{ready}");

    // What happens now is missed, and said to be.
    shop.category("Coffee").await;
    drain(&shop).await;
    assert_eq!(shop.mails("editor@example.com", 1).await.len(), 1, "the invitation only");
    works.store(true, Ordering::SeqCst);
    let activated = shop.send("PATCH", "webhook/1/", json!({ "active": true }), &[]).await;
    let off_upto: i64 = activated.header("journal-position").parse().unwrap();
    let active = webhook().await;
    assert_eq!((&active["failing_since"], &active["disabled_at"]), (&Value::Null, &Value::Null));
    assert_eq!((&active["missed_after"], &active["missed_upto"]), (&json!(off_after), &json!(off_upto)));
    tend.run().await.unwrap();
    drain(&shop).await;
    shop.category("Cocoa").await;
    drain(&shop).await;
    assert_eq!(names(&receiver), ["Tea", "Tea", "Tea", "Tea", "Cocoa"], "three attempts, then what was kept");
    let missed = shop.read(&format!("events/?type=CategoryCreated&after={off_after}&limit=1")).await;
    assert_eq!(missed[0]["payload"]["name"], "Coffee");
    reactors.stop().await;
}

#[tokio::test]
async fn a_lagging_reactor_delivers_what_happened_before_a_pause_and_nothing_of_the_pause() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    start(&shop).await.stop().await;
    shop.done("webhooks/", json!({ "url": receiver.url("/"), "event_types": ["CategoryCreated"] })).await;
    let set_active = async |active: bool| {
        let changed = shop.send("PATCH", "webhook/1/", json!({ "active": active }), &[]).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    };
    shop.category("before").await;
    set_active(false).await;
    shop.category("during").await;
    set_active(true).await;
    shop.category("after").await;
    let reactors = start(&shop).await;
    drain(&shop).await;
    let mut received = names(&receiver);
    received.sort();
    assert_eq!(received, ["after", "before"]);
    reactors.stop().await;
}

#[tokio::test]
async fn pending_deliveries_are_bounded_in_number_and_in_time() {
    let (shop, receiver) = (TestShop::new().await, Receiver::start().await);
    shop.done("webhooks/", json!({ "url": receiver.url("/"), "event_types": ["*"] })).await;
    for number in 0..3 {
        shop.category(&format!("Tea {number}")).await;
    }
    sqlx::query(
        "insert into reaction (reactor, position, target, parked_at)
         select 'webhooks', position, '1', clock_timestamp() - make_interval(days => position::integer % 2 * 31)
         from events order by position desc limit 3",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    assert!(find_failing(&shop.pool, None, 3).await.unwrap().is_empty());
    let disable = find_failing(&shop.pool, None, 2).await.unwrap().remove(0);
    shop.engine.journal.run(disable, as_staff()).await.unwrap();
    let webhook = shop.read("webhook/1/").await;
    assert_eq!((&webhook["active"], &webhook["disabled_reason"]), (&json!(false), &json!("backlog")));

    let swept = sweep_deliveries(&context(&shop), 30).run().await.unwrap();
    let kept = shop.read("reactions/").await.as_array().unwrap().len() as u64;
    assert!(kept > 0 && kept < 3 && swept.handled == 3 - kept, "{swept:?}");
    assert_eq!(shop.read("webhook/1/").await["dropped_deliveries"], 3 - kept);
}

#[tokio::test]
async fn a_shop_has_at_most_a_hundred_webhooks() {
    let shop = TestShop::new().await;
    let body = json!({ "url": "https://example.com/hooks", "event_types": ["OrderPlaced"] });
    shop.done("webhooks/", body.clone()).await;
    sqlx::query(
        "insert into webhook (webhook_id, url, event_types, active, since, secret, created_at, changed_at)
         select 1000 + n, url, event_types, active, since, secret, created_at, changed_at
         from webhook, generate_series(1, 99) as n",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    let refused = shop.post("webhooks/", body.clone()).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "too_many_webhooks"));
    sqlx::query("delete from webhook where webhook_id = 1099").execute(&shop.pool).await.unwrap();
    shop.done("webhooks/", body).await;
}
