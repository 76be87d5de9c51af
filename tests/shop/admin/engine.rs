//! The engine room: events, tables, deliveries, tasks and sign-ins.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::TestShop;
use crate::support::reactors::eventually;
use crate::support::visitor::Visitor;
use crate::support::waiting::park_deliveries;

#[tokio::test]
async fn events_are_listed_filtered_and_shown_with_their_payload() {
    let shop = TestShop::new().await;
    let hostile = "</pre><script>alert(1)</script>";
    let category = shop.category(hostile).await;
    shop.send("PATCH", &format!("categories/{category}/"), json!({ "category_name": "Tea" }), &[]).await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let page = visitor.visit("/admin/events").await;
    let (renamed, created) = (page.html.find("Category renamed").unwrap(), page.html.find("Category created").unwrap());
    assert!(renamed < created, "the newest event comes first");
    assert!(page.html.contains("href=\"/admin/categories/1\""), "{}", page.html);
    let page = visitor.visit("/admin/events?type=CategoryCreated").await;
    assert!(page.html.contains("Category created") && !page.html.contains(">Category renamed<"), "{}", page.html);
    let page = visitor.visit("/admin/events?stream=Category/1&order=oldest").await;
    assert!(page.html.find("Category created").unwrap() < page.html.find("Category renamed").unwrap());
    for (query, text) in [
        ("?stream=Nonsense/1", "names an unknown aggregate"),
        ("?type=Nonsense", "names an unknown event"),
        ("?after=999999", "ends at"),
        ("?stream=Category/99", "Nothing matches the filters."),
    ] {
        let page = visitor.visit(&format!("/admin/events{query}")).await;
        assert!(page.html.contains(text), "{query}: {}", page.html);
    }
    let events = shop.read("events/?type=CategoryCreated").await;
    let position = events[0]["position"].as_i64().unwrap();
    let page = visitor.visit(&format!("/admin/events/{position}")).await;
    assert!(page.html.contains("CategoryCreated") && page.html.contains("rel=\"next\""), "{}", page.html);
    assert!(!page.html.contains("<script>alert"), "{}", page.html);
    for path in ["/admin/events/0", "/admin/events/999999", "/admin/events/x"] {
        assert_eq!(visitor.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let csv = visitor.visit("/admin/events/csv?type=CategoryCreated").await;
    assert!(csv.html.contains("CategoryCreated") && csv.header("content-type").starts_with("text/csv"));
    // What a reader may not decide has no button.
    let page = visitor.visit("/admin/projections").await;
    assert!(page.html.contains("bestsellers") && !page.html.contains("Rebuild</button>"), "{}", page.html);
    let page = visitor.visit("/admin/engine").await;
    assert!(
        page.html.contains("Nothing needs your attention") && !page.html.contains("/admin/reactions"),
        "{}",
        page.html
    );
    assert_eq!(visitor.get("/admin/reactions").await.status, StatusCode::FORBIDDEN);
    assert!(visitor.visit("/admin/tasks").await.html.contains("<h1>Tasks</h1>"));
}

#[tokio::test]
async fn an_admin_rebuilds_and_verifies_a_table_and_sees_the_progress() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 3).await;
    shop.settle().await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    let page = visitor.visit("/admin/projections").await;
    assert!(
        page.html.contains("data-confirm=\"Rebuild this table?\"") && !page.html.contains("every 1s"),
        "{}",
        page.html
    );
    let begun = visitor.submit(&page, "/admin/projections/rebuild", &[("name", "products")]).await;
    let watch = begun.header("location").to_owned();
    assert!(visitor.follow(&begun).await.html.contains("The rebuild of products has begun."));
    // A script asks for the table until the new one is in service.
    eventually("the rebuild", async || {
        let part = visitor.get_part(&watch).await;
        assert!(part.html.starts_with("<div class=\"table-box\"") && !part.html.contains("<nav"), "{}", part.html);
        (!part.html.contains("every 1s")).then_some(())
    })
    .await;
    let begun = visitor.submit(&page, "/admin/projections/verify", &[("name", "products")]).await;
    visitor.follow(&begun).await;
    eventually("the verification", async || {
        visitor.get_part("/admin/projections").await.html.contains("rows equal the log").then_some(())
    })
    .await;
    let unknown = visitor.submit(&page, "/admin/projections/rebuild", &[("name", "../../settings")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    sqlx::raw_sql("insert into finding values ('products', 3, clock_timestamp())").execute(&shop.pool).await.unwrap();
    let page = visitor.visit("/admin/engine").await;
    assert!(page.html.contains("Verification failed.") && page.html.contains("3 rows"), "{}", page.html);
    let page = visitor.visit("/admin/sign-ins").await;
    assert!(page.html.contains("Logged in") && page.html.contains("href=\"/admin/users/"), "{}", page.html);
}

#[tokio::test]
async fn parked_deliveries_are_retried_and_dropped_alone_and_together() {
    let shop = TestShop::new().await;
    shop.category("Garden").await;
    park_deliveries(&shop, 5, "the receiver answered <b>500</b>").await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    let page = visitor.visit("/admin/reactions").await;
    assert!(page.html.contains("the receiver answered &#60;b&#62;500"), "{}", page.html);
    assert!(page.html.contains("data-confirm=\"Drop this delivery?\""), "{}", page.html);
    let form = page.form("/admin/reactions/drop-preview");
    let csrf = form.value("csrf");
    let send = async |path: &str, ids: &[&str]| {
        let fields: Vec<_> = ids
            .iter()
            .map(|id| ("ids", *id))
            .chain([("csrf", csrf), ("back", "/admin/reactions?state=parked")])
            .collect();
        visitor.post(path, &fields).await
    };
    let retried = send("/admin/reactions/retry", &["1"]).await;
    assert_eq!(retried.header("location"), "/admin/reactions?state=parked");
    assert!(visitor.follow(&retried).await.html.contains("Retried: 1."));
    let dropped = send("/admin/reactions/drop", &["2"]).await;
    assert!(visitor.follow(&dropped).await.html.contains("Dropped: 1."));
    let preview = send("/admin/reactions/drop-preview", &["3", "4"]).await;
    assert!(preview.html.contains("2 deliveries will be dropped."), "{}", preview.html);
    assert_eq!(shop.read("reactions/?state=parked").await.as_array().unwrap().len(), 3, "a preview drops nothing");
    visitor.submit(&preview, "/admin/reactions/drop", &[]).await;
    assert_eq!(shop.read("reactions/?state=parked").await.as_array().unwrap().len(), 1);
    let none = send("/admin/reactions/retry", &[]).await;
    assert!(none.html.contains("choose at least one delivery"), "{}", none.html);
    let due = visitor.visit("/admin/reactions?state=due&reactor=webhooks").await;
    assert!(due.html.contains("Waiting for an attempt"), "{}", due.html);
    let decisions = visitor.visit("/admin/reactions/decisions").await;
    assert!(decisions.html.contains("drop") && decisions.html.contains(">you</a>"), "{}", decisions.html);
}
