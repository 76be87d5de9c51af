//! Every GET has an `ETag`, and answers 304 to a client that knows it.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::support::TestShop;
use crate::support::furnished::{fill, furnished};

/// What these show changes between two requests.
const VOLATILE: [&str; 5] =
    ["/metrics", "/health/ready", "/shop/api/clock", "/shop/api/projections", "/shop/api/tasks"];
const STREAM: &str = "/shop/api/events/stream";

async fn get(shop: &TestShop, method: &str, path: &str, known: Option<&str>) -> (StatusCode, String, bool) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    let answer = shop.call(request.body(Body::empty()).unwrap()).await;
    (answer.status, answer.header("etag").to_owned(), answer.header("vary").eq_ignore_ascii_case("accept"))
}

#[tokio::test]
async fn every_read_has_a_tag_and_is_not_sent_again_to_a_client_that_knows_it() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let mut answered = 1;
    let mut refused = Vec::new();
    let described = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item.get("get").is_some());
    for path in described.map(|(path, _)| path.as_str()).chain(["/openapi.json", "/docs/", "/problems/not_found"]) {
        if path == STREAM {
            continue;
        }
        let url = fill(path, &token);
        let (status, tag, varies) = get(&shop, "GET", &url, None).await;
        if status != StatusCode::OK {
            refused.push(format!("{path}: {status}"));
            continue;
        }
        answered += 1;
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2 && varies, "GET {path}: {tag}");
        let (status, ..) = get(&shop, "GET", &url, Some("*")).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED, "GET {path} with *");
        if !VOLATILE.contains(&path) {
            for method in ["GET", "HEAD"] {
                let (status, again, _) = get(&shop, method, &url, Some(&format!("\"other\", W/{tag}"))).await;
                assert_eq!((status, &again), (StatusCode::NOT_MODIFIED, &tag), "{method} {path}");
            }
            assert_eq!(get(&shop, "HEAD", &url, None).await, (StatusCode::OK, tag, true), "HEAD {path}");
        }
    }
    assert!(answered > 55 && refused.len() < 6, "{answered} reads have a tag; refused: {refused:?}");
}

/// Reads that are kept for every caller, and those of personal data.
#[tokio::test]
async fn every_read_says_how_long_caches_may_keep_it() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let reads = document["paths"].as_object().unwrap().iter().filter_map(|(path, item)| Some((path, item.get("get")?)));
    let mut wrong = Vec::new();
    for (path, operation) in reads.filter(|(path, _)| *path != STREAM) {
        let is_public = operation["security"].as_array().unwrap().contains(&json!({}));
        let names_caller = path.contains("{cart_token}");
        let url = fill(path, &token);
        let request = |accept: &str| Request::get(&url).header("accept", accept).body(Body::empty()).unwrap();
        for accept in ["*/*", "text/csv, */*;q=0.1"] {
            let (guest, staff) = (shop.send_unchanged(request(accept)).await, shop.call(request(accept)).await);
            for (caller, answer) in [("guest", guest), ("staff", staff)] {
                let header = answer.header("cache-control").to_owned();
                let expected: &[&str] = match (answer.status, is_public && !names_caller, caller) {
                    (StatusCode::OK, true, _) if path.starts_with("/media/") => {
                        &["public, max-age=31536000, immutable"]
                    }
                    (StatusCode::OK, true, "guest") => &["no-cache"],
                    (StatusCode::OK, true, _) => &["no-cache", "private, no-cache"],
                    (StatusCode::OK, false, "staff") => &["no-store", "private, no-cache"],
                    _ => &["no-store"],
                };
                if !expected.contains(&header.as_str()) {
                    wrong.push(format!("{path} for {caller}, {accept}: {} {header:?}", answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
