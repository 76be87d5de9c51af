//! Rate limits, allowed origins, security headers, and settings of the edge.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::http::{Edge, RateLimits};
use cartwright::journal::JournalOptions;
use serde_json::Value;

use crate::support::program::{data_dir, run, text};
use crate::support::{Answer, TestShop, fresh_database};

async fn behind(edge: Edge) -> TestShop {
    TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await
}

async fn call(shop: &TestShop, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
    shop.send_unchanged(request.method(method).uri(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_address_above_the_rate_limit_gets_429_with_retry_after() {
    let edge = Edge {
        rate_limits: RateLimits::new(5, 0),
        trusted_proxies: "127.0.0.1".parse().unwrap(),
        allowed_origins: "https://shop.example".parse().unwrap(),
        ..Edge::default()
    };
    let shop = behind(edge).await;
    let from = |address| [("x-forwarded-for", address), ("origin", "https://shop.example")];
    let ask = async |address| call(&shop, "GET", "/shop/api/categories", &from(address)).await;
    let first = ask("203.0.113.9").await;
    assert_eq!((first.status, first.header("ratelimit-limit")), (StatusCode::OK, "5"));
    assert_eq!((first.header("ratelimit-remaining"), first.header("ratelimit-reset")), ("4", "1"));
    let mut refused = ask("203.0.113.9").await;
    for _ in 0..1_000 {
        if refused.status != StatusCode::OK {
            break;
        }
        refused = ask("203.0.113.9").await;
    }
    assert_eq!((refused.status, refused.problem()), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"));
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-remaining")), ("1", "0"));
    assert!(!refused.header("x-request-id").is_empty());
    assert_eq!(refused.header("access-control-allow-origin"), "https://shop.example", "a browser may read it");

    assert_eq!(ask("203.0.113.10").await.status, StatusCode::OK, "others are not held back");
    assert_eq!(ask("2001:db8::1").await.header("ratelimit-remaining"), "4");
    assert_eq!(ask("2001:db8::2").await.header("ratelimit-remaining"), "3", "a /64 is one client");
    for _ in 0..20 {
        let health = call(&shop, "GET", "/health/live", &from("203.0.113.9")).await;
        assert_eq!((health.status, health.header("ratelimit-limit")), (StatusCode::OK, ""));
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(ask("203.0.113.9").await.status, StatusCode::OK, "after a second there is room again");
}

#[tokio::test]
async fn without_a_rate_limit_no_limit_headers_are_sent() {
    let shop = behind(Edge::default()).await;
    for _ in 0..300 {
        let answer = shop.get("categories/").await;
        assert_eq!((answer.status, answer.header("ratelimit-limit")), (StatusCode::OK, ""));
    }
}

#[tokio::test]
async fn only_allowed_origins_may_call() {
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key,if-match"),
    ];
    let closed = behind(Edge::default()).await;
    let answer = call(&closed, "OPTIONS", "/shop/api/product/1/", &preflight).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    assert_eq!(answer.header("access-control-allow-origin"), "");

    let origins = "https://shop.example,https://other.example".parse().unwrap();
    let shop = behind(Edge { allowed_origins: origins, ..Edge::default() }).await;
    for path in ["/shop/api/product/1/", "/shop/api/product/1"] {
        let answer = call(&shop, "OPTIONS", path, &preflight).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
        assert!(answer.header("access-control-allow-methods").contains("PATCH"));
        let headers = answer.header("access-control-allow-headers").to_ascii_lowercase();
        for name in ["authorization", "content-type", "idempotency-key", "if-match", "min-position", "last-event-id"] {
            assert!(headers.contains(name), "{name} is not in {headers}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let read = call(&shop, "GET", "/shop/api/categories/", &[("origin", "https://other.example")]).await;
    assert_eq!(read.header("access-control-allow-origin"), "https://other.example");
    let exposed = read.header("access-control-expose-headers").to_ascii_lowercase();
    for name in ["etag", "link", "location", "journal-position", "projection-position", "retry-after", "x-request-id"] {
        assert!(exposed.contains(name), "{name} is not in {exposed}");
    }
    let varies = |name: &str| {
        read.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().to_ascii_lowercase().contains(name))
    };
    assert!(varies("origin") && varies("accept"), "a cache must not mix up origins");
    for origin in ["https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example"] {
        let read = call(&shop, "GET", "/shop/api/categories/", &[("origin", origin)]).await;
        assert_eq!((read.status, read.header("access-control-allow-origin")), (StatusCode::OK, ""), "{origin}");
    }
}

#[tokio::test]
async fn every_answer_carries_security_headers() {
    let shop = behind(Edge::default()).await;
    for (method, path) in [
        ("GET", "/shop/api/categories/"),
        ("GET", "/shop/api/product/99/"),
        ("PUT", "/shop/api/categories/"),
        ("GET", "/nothing"),
        ("GET", "/health/live"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/"),
        ("GET", "/docs/swagger-ui.css"),
    ] {
        let answer = call(&shop, method, path, &[]).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{method} {path}");
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(policy.contains("script-src"), path.starts_with("/docs"), "{path}: {policy}");
    }
}

#[test]
fn an_invalid_setting_is_refused_in_one_line() {
    let folder = data_dir();
    for (flag, value, named) in [
        ("--cors-origins", "https://shop.example/", "is not an origin like https://shop.example"),
        ("--cors-origins", "*", "`*` is not an origin"),
        ("--trusted-proxies", "10.0.0.0/33", "`10.0.0.0/33` is neither an address nor a block"),
        ("--max-connections", "0", "--max-connections"),
        ("--rate-limit", "-1", "--rate-limit"),
    ] {
        let started = run(folder.path(), &["serve", &format!("{flag}={value}")]);
        assert_eq!(started.status.code(), Some(2));
        let said = text(&started);
        let first = said.lines().next().unwrap_or_default();
        assert!(first.contains(named) && first.contains(flag), "{said}");
    }
}

#[tokio::test]
async fn the_docs_page_loads_nothing_that_its_policy_forbids() {
    let shop = behind(Edge::default()).await;
    let page = Request::builder().uri("/docs/").body(Body::empty()).unwrap();
    let page = tower::ServiceExt::oneshot(shop.router.clone(), page).await.unwrap();
    let page = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("swagger-ui-bundle.js"), "{page}");
    for forbidden in ["http://", "https://", "<style", " style=", "<script>", " onload=", "javascript:"] {
        assert!(!page.contains(forbidden), "{forbidden} is in the page: {page}");
    }
    assert_eq!(shop.call(Request::get("/docs").body(Body::empty()).unwrap()).await.body, Value::Null);
}
