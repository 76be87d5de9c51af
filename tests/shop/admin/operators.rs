//! Users, API keys, webhooks and the settings of the shop.

use axum::http::StatusCode;
use cartwright::domain::account::Role;

use crate::support::TestShop;
use crate::support::visitor::{VisitedPage, Visitor};

/// The text that a page shows once.
fn secret(page: &VisitedPage) -> String {
    let begin = page.html.split("class=\"code secret\"").nth(1).unwrap_or_else(|| panic!("{}", page.html));
    begin.split('>').nth(1).unwrap().split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_admin_creates_changes_and_disables_a_user() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    let page = visitor.visit("/admin/users").await;
    let refused = visitor.submit(&page, "/admin/users/new", &[("email", "nonsense"), ("role", "editor")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.form("/admin/users/new").value("email"), "nonsense");
    assert!(refused.html.contains("id=\"email-error\""), "{}", refused.html);
    let made = visitor.submit(&page, "/admin/users/new", &[("email", "ed@example.com"), ("role", "reader")]).await;
    let address = made.header("location").to_owned();
    let detail = visitor.follow(&made).await;
    assert!(
        detail.html.contains("A mail to ed@example.com") && detail.html.contains("no password yet"),
        "{}",
        detail.html
    );
    let changed = visitor.submit(&detail, &format!("{address}/role"), &[("role", "editor")]).await;
    let detail = visitor.follow(&changed).await;
    assert!(
        detail.html.contains("Account role changed") && detail.html.contains("<ins>editor</ins>"),
        "{}",
        detail.html
    );
    assert!(detail.html.contains("data-confirm=\"Disable ed@example.com?\""), "{}", detail.html);
    let disabled = visitor.submit(&detail, &format!("{address}/disable"), &[]).await;
    let detail = visitor.follow(&disabled).await;
    let enabled = visitor.submit(&detail, &format!("{address}/enable"), &[]).await;
    let detail = visitor.follow(&enabled).await;
    let mailed = visitor.submit(&detail, &format!("{address}/mail"), &[]).await;
    assert!(visitor.follow(&mailed).await.html.contains("has a link to set a password"));
    let found = visitor.visit("/admin/users?email=ED@example.com").await;
    assert!(found.html.contains(&address), "{}", found.html);
    // The own account has no such buttons: an admin cannot lock the last door.
    let own = visitor.visit(&format!("/admin/users?email={}", visitor.email)).await;
    let own = own.links().into_iter().find(|link| link.starts_with("/admin/users/") && !link.contains("csv"));
    let own = visitor.visit(&own.unwrap()).await;
    assert!(own.html.contains("This is your own account") && !own.html.contains("/disable\""), "{}", own.html);
    let csv = visitor.visit("/admin/users/csv").await;
    assert!(csv.html.contains("ed@example.com") && !csv.html.contains("password_hash"), "{}", csv.html);
}

#[tokio::test]
async fn a_key_is_shown_once_and_revoked() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let page = visitor.visit("/admin/keys").await;
    assert!(!page.html.contains("value=\"admin\""), "a reader creates no key of an admin: {}", page.html);
    let refused = visitor.submit(&page, "/admin/keys", &[("name", ""), ("role", "reader")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
    let fields = [("name", "order <i>export</i>"), ("role", "reader")];
    let made = visitor.submit(&page, "/admin/keys", &fields).await;
    let key = secret(&made);
    assert_eq!(made.header("cache-control"), "no-store");
    let answer =
        shop.send("GET", "products/", serde_json::Value::Null, &[("authorization", &format!("Bearer {key}"))]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let again = visitor.submit(&page, "/admin/keys", &fields).await;
    assert!(again.html.contains("was sent before") && !again.html.contains(&key), "{}", again.html);
    let list = visitor.visit("/admin/keys").await;
    assert!(list.html.contains("order &#60;i&#62;export") && !list.html.contains(&key), "{}", list.html);
    let revoke = list.forms().into_iter().find(|form| form.action.ends_with("/revoke")).unwrap().action;
    let revoked = visitor.submit(&list, &revoke, &[]).await;
    assert!(visitor.follow(&revoked).await.html.contains("The key was revoked."));
    let answer =
        shop.send("GET", "orders/", serde_json::Value::Null, &[("authorization", &format!("Bearer {key}"))]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_webhook_is_created_edited_paused_and_deleted() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    let page = visitor.visit("/admin/webhooks").await;
    assert!(page.html.contains("There are no webhooks yet."), "{}", page.html);
    let refused = visitor
        .submit(
            &page,
            "/admin/webhooks",
            &[("url", "ftp://x"), ("description", "export"), ("event_types", "OrderPaid")],
        )
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let form = refused.form("/admin/webhooks");
    assert_eq!(
        (form.value("url"), form.value("description"), form.value("event_types")),
        ("ftp://x", "export", "OrderPaid")
    );
    assert!(refused.html.contains("id=\"url-error\""), "{}", refused.html);
    let url = "https://example.com/hooks";
    let made = visitor.submit(&page, "/admin/webhooks", &[("url", url), ("event_types", "OrderPlaced")]).await;
    assert!(secret(&made).starts_with("whsec_"));
    let detail = visitor.visit("/admin/webhooks/1").await;
    let edited =
        visitor.submit(&detail, "/admin/webhooks/1", &[("all_events", "true"), ("description", "export")]).await;
    let detail = visitor.follow(&edited).await;
    assert!(detail.html.contains("value=\"export\""), "{}", detail.html);
    assert_eq!(shop.read("webhook/1/").await["event_types"], serde_json::json!(["*"]));
    let none = visitor.submit(&detail, "/admin/webhooks/1", &[("all_events", ""), ("event_types", "Nope")]).await;
    assert!(none.html.contains("id=\"event_types-error\"") && none.status == StatusCode::BAD_REQUEST, "{}", none.html);
    let paused = visitor.submit(&detail, "/admin/webhooks/1/pause", &[]).await;
    let detail = visitor.follow(&paused).await;
    assert!(detail.html.contains(">paused<"), "{}", detail.html);
    let resumed = visitor.submit(&detail, "/admin/webhooks/1/resume", &[]).await;
    let detail = visitor.follow(&resumed).await;
    assert!(secret(&visitor.submit(&detail, "/admin/webhooks/1/rotate", &[]).await).starts_with("whsec_"));
    // A delivery that failed can be sent again.
    let delivery = "insert into webhook_delivery (webhook_id, position, attempts, status, error, tried_at)
        values (1, 1, 3, 500, 'the receiver answered 500', clock_timestamp())";
    sqlx::raw_sql(delivery).execute(&shop.pool).await.unwrap();
    let detail = visitor.visit("/admin/webhooks/1").await;
    assert!(detail.html.contains("the receiver answered 500"), "{}", detail.html);
    let events = shop.read("events/?limit=1").await;
    let event = events[0]["event_id"].as_str().unwrap();
    let sent = visitor.submit(&detail, "/admin/webhooks/1/redeliver", &[("event_id", event)]).await;
    assert!(visitor.follow(&sent).await.html.contains("delivered again"));
    let deleted = visitor.submit(&detail, "/admin/webhooks/1/delete", &[]).await;
    assert!(visitor.follow(&deleted).await.html.contains("The webhook was deleted"));
    assert_eq!(visitor.get("/admin/webhooks/1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_settings_are_saved_and_two_admins_are_warned() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    let page = visitor.visit("/admin/settings").await;
    let other = visitor.visit("/admin/settings").await;
    let fields = [("search_language", "german"), ("low_stock_threshold", "5")];
    let saved = visitor.submit(&page, "/admin/settings", &fields).await;
    let now = visitor.follow(&saved).await;
    assert_eq!(now.form("/admin/settings").value("search_language"), "german");
    let refused = visitor.submit(&now, "/admin/settings", &[("low_stock_threshold", "few")]).await;
    assert_eq!(refused.form("/admin/settings").value("low_stock_threshold"), "few");
    assert!(refused.html.contains("id=\"low_stock_threshold-error\""), "{}", refused.html);
    let again = visitor.submit(&page, "/admin/settings", &[("low_stock_threshold", "8")]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", again.html);
    assert!(again.html.contains("already sent once"), "{}", again.html);
    let stale = visitor.submit(&other, "/admin/settings", &[("low_stock_threshold", "7")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.html);
    assert!(stale.html.contains("Stored now: 5"), "{}", stale.html);
    let reader = Visitor::logged_in(&shop, Role::Reader).await;
    let page = reader.visit("/admin/settings").await;
    assert!(page.html.contains("German") && !page.html.contains("action=\"/admin/settings\""), "{}", page.html);
}
