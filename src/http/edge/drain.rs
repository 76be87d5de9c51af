//! Graceful shutdown: clients learn that their connection closes before it does.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;

/// How long requests are still accepted when the server begins to stop, so that requests already sent are answered.
pub const DRAIN_DELAY: Duration = Duration::from_millis(250);

/// A layer: when the server begins to stop, each response closes its connection.
pub async fn close_when_stopping(
    State(stopping): State<watch::Receiver<bool>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if *stopping.borrow() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
