//! Request and correlation ids, and the log line and metrics of each request.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::http::wire::fallbacks;
use crate::metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The ids of a request. [`trace_request`] puts them into its extensions.
#[derive(Clone, Debug)]
pub struct RequestIds {
    pub request_id: String,
    /// The trace id of `traceparent`, or the request id.
    pub correlation_id: String,
}

impl RequestIds {
    pub fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self::read(request))
    }

    fn read(request: &Request) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        // The log keeps it for ever, so it must look like an id: no e-mail address, no sentence.
        let given = header("x-request-id").filter(|id| is_id(id));
        let request_id = given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let correlation_id = header("traceparent").and_then(trace_id).unwrap_or_else(|| request_id.clone());
        Self { request_id, correlation_id }
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

/// The trace id in a W3C `traceparent`: `00-<32 hex digits>-<16 hex digits>-<flags>`.
fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (_version, trace_id) = (parts.next()?, parts.next()?);
    let valid = trace_id.len() == 32
        && trace_id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && trace_id.bytes().any(|byte| byte != b'0');
    valid.then(|| trace_id.to_ascii_lowercase())
}

/// A layer: gives each request its ids, logs and counts it, and turns the refusals of layers into problem documents.
pub async fn trace_request(mut request: Request, next: Next) -> Response {
    let ids = RequestIds::read(&request);
    let request_id = HeaderValue::from_str(&ids.request_id);
    let method = request.method().clone();
    request.extensions_mut().insert(ids);
    let started = Instant::now();
    let mut response = fallbacks::into_problem(next.run(request).await);
    tracing::debug!(%method, status = response.status().as_u16(), elapsed = ?started.elapsed(), "request");
    count_request(method_label(&method), &response, started.elapsed());
    if let Ok(request_id) = request_id {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
}

fn count_request(method: &'static str, response: &Response, time: Duration) {
    // The access check knows the route; pages and refusals of the edge have none.
    let route = response.extensions().get::<MatchedPath>();
    let route = [("method", method), ("route", route.map_or("other", MatchedPath::as_str))];
    metrics::HTTP_REQUEST_SECONDS.record_time(time, &route);
    metrics::HTTP_REQUESTS.add(1, &[route[0], route[1], ("status", response.status().as_str())]);
}

/// Methods are a label, so clients must not make up new ones.
fn method_label(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_no_address_and_no_sentence() {
        for id in ["abc", "0199f3b2-7c1e-4d6a-9b5e-3f2a1c0d8e77", "web:7/3", "Zm9v+/=="] {
            assert!(is_id(id), "{id}");
        }
        for text in ["", "jo@example.com", "Jo Miller", "a\tb", "é", &"x".repeat(129)] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn the_trace_id_comes_from_a_valid_traceparent_only() {
        let traced = trace_id("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01");
        assert_eq!(traced.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for invalid in ["", "00-short-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(trace_id(invalid), None, "{invalid}");
        }
    }
}
