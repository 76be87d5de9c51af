//! What every page sends along: a strict policy, no copies, its assets for ever.

use axum::http::StatusCode;
use cartwright::domain::account::Role;

use crate::support::TestShop;
use crate::support::visitor::{VisitedPage, Visitor};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

fn check(page: &VisitedPage) {
    assert_eq!(page.header("content-security-policy"), POLICY, "{}", page.path);
    assert_eq!(page.header("cache-control"), "no-store", "{}", page.path);
    assert_eq!(page.header("referrer-policy"), "same-origin", "{}", page.path);
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{}", page.path);
    assert_eq!(page.header("x-frame-options"), "DENY", "{}", page.path);
    for inline in [" style=", "<style", " onclick=", " onload=", "javascript:", "<script>"] {
        assert!(!page.html.contains(inline), "{} has {inline}: {}", page.path, page.html);
    }
}

#[tokio::test]
async fn every_page_has_a_strict_policy_and_its_assets_are_kept() {
    let shop = TestShop::new().await;
    let category = shop.category("Kitchen").await;
    let product = shop.product("Kettle", "24.90", 3).await;
    let visitor = Visitor::new(&shop, Role::Admin).await;
    check(&visitor.get("/admin/log-in").await);
    check(&visitor.get("/admin/products").await);
    check(&visitor.log_in("").await);
    for path in [
        "/admin/".to_owned(),
        "/admin/account".to_owned(),
        "/admin/products".to_owned(),
        format!("/admin/products/{product}/price"),
        "/admin/categories".to_owned(),
        format!("/admin/categories/{category}"),
    ] {
        let page = visitor.visit(&path).await;
        check(&page);
        assert!(page.html.starts_with("<!doctype html>") && page.html.contains("<h1"), "{path}: {}", page.html);
        assert!(page.html.contains("lang=\"en\"") && page.html.contains("href=\"#main\""), "{path}");
    }
    let unknown = visitor.get("/admin/nonsense").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.html.contains("<nav aria-label=\"Pages\">"), "{}", unknown.html);
    check(&unknown);
    assert_eq!(visitor.get("/admin/categories/4711").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/admin/categories/nonsense").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/admin/categories/1%2F..%2F2").await.status, StatusCode::NOT_FOUND);

    let page = visitor.visit("/admin/account").await;
    let assets = page.html.split('"').filter(|text| text.starts_with("/admin/assets/")).map(str::to_owned);
    let assets: Vec<String> = assets.collect();
    assert_eq!(assets.len(), 4, "{assets:?}");
    let stranger = Visitor::with_account(&shop, "", "");
    for asset in &assets {
        let file = stranger.visit(asset).await;
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable", "{asset}");
        assert!(!file.html.is_empty() && !file.header("content-type").is_empty(), "{asset}");
    }
    let (start, name) = assets[0].rsplit_once('/').unwrap();
    let other = stranger.visit(&format!("{}/0000/{name}", start.rsplit_once('/').unwrap().0)).await;
    assert_eq!(other.header("cache-control"), "no-cache", "a file of another version is not kept");
    assert_eq!(stranger.get(&format!("{start}/nonsense.js")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.get(&format!("{start}/..%2fmod.rs")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn times_of_a_page_are_in_the_zone_of_the_shop() {
    use cartwright::http::AppSettings;

    use crate::support::fresh_database;

    let settings = AppSettings { time_zone: "Asia/Tokyo".parse().unwrap(), ..AppSettings::default() };
    let shop = TestShop::with_settings(fresh_database().await, settings).await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let page = visitor.visit("/admin/account").await;
    assert!(page.html.contains("Times are in Asia/Tokyo. Amounts are in EUR."), "{}", page.html);
    assert!(page.html.contains(" Asia/Tokyo\">"), "{}", page.html);
}
