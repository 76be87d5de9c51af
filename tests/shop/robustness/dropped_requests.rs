//! Requests whose clients disconnect: whatever their handler waits for, it leaves nothing behind.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use sqlx::{Connection, PgConnection};
use tower::ServiceExt;

use crate::support::furnished::{fill, furnished};
use crate::support::tokens;

/// Drops a future that is pending after so many polls. Returns whether it ended before.
async fn poll_at_most<F: Future>(polls: usize, future: F) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits until no connection is idle inside a transaction, as one that a dropped handler left there would stay.
async fn wait_for_the_end_of_transactions(observer: &mut PgConnection, what: &str) {
    let count = "select count(*) from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'";
    let deadline = Instant::now() + Duration::from_secs(10);
    while sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *observer).await.unwrap() > 0 {
        assert!(Instant::now() < deadline, "a connection stays inside a transaction after {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_dropped_at_any_await_leaves_no_transaction_open() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let paths = document["paths"].as_object().unwrap().iter();
    let reads = paths.filter(|(path, item)| item.get("get").is_some() && !path.contains("stream"));
    let mut requests: Vec<_> = reads.map(|(path, _)| ("GET", fill(path, &token))).collect();
    assert!(requests.len() > 40, "{requests:?}");
    requests.push(("POST", "/shop/api/reactions/retry/".to_owned()));
    let mut observer = PgConnection::connect_with(&shop.pool.connect_options()).await.unwrap();
    let mut dropped = 0;
    for (method, path) in &requests {
        for polls in 1.. {
            let request = Request::builder().method(*method).uri(path).header("cache-control", "no-cache");
            let request = request.header("authorization", format!("Bearer {}", *tokens::ADMIN));
            let request = request.header("content-type", "application/json").body(Body::from("{}")).unwrap();
            if poll_at_most(polls, shop.router.clone().oneshot(request)).await {
                break;
            }
            dropped += 1;
            let what = format!("{method} {path}, dropped after {polls} polls");
            wait_for_the_end_of_transactions(&mut observer, &what).await;
        }
    }
    assert!(dropped > requests.len(), "only {dropped} requests were dropped");
    for (_, path) in requests.iter().filter(|(method, _)| *method == "GET") {
        let answer = shop.call(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {}", answer.body);
    }
    shop.product("A command after all that", "1.00", 1).await;
}
