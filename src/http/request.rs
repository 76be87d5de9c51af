//! Who sends a request, and the ids under which it can be followed.

use std::convert::Infallible;
use std::time::Instant;

use axum::extract::{FromRequestParts, Request};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::access::Caller;
use super::address::ClientAddress;
use super::fallbacks;
use crate::accounts::ClientInfo;
use crate::journal::Context;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The ids of one request, put there by [`trace`].
#[derive(Clone, Debug)]
pub(super) struct RequestIds {
    request_id: String,
    /// The trace id of `traceparent`, or the request id.
    correlation_id: String,
}

impl RequestIds {
    pub fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self::read(request))
    }

    fn read(request: &Request) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        // It stands in the log for ever, so it is taken over only if it looks like an id: no address, no sentence.
        let given = header("x-request-id").filter(|id| is_id(id));
        let request_id = given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let correlation_id = header("traceparent").and_then(trace_id).unwrap_or_else(|| request_id.clone());
        Self { request_id, correlation_id }
    }

    pub fn context(&self, caller: &Caller) -> Context {
        Context {
            request_id: self.request_id.clone(),
            correlation_id: self.correlation_id.clone(),
            principal: caller.principal().to_owned(),
            ..Context::of(caller.actor())
        }
    }
}

/// As much of the client as is kept with a log-in.
impl<S: Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let network = parts.extensions.get::<ClientAddress>().map(|client| client.shortened().to_string());
        let network = network.unwrap_or_default();
        Ok(Self { network, user_agent: agent.chars().take(200).collect() })
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

/// Gives every request its ids, every response the request's, and every answer that a layer made the form of a problem.
pub(super) async fn trace(mut request: Request, next: Next) -> Response {
    let ids = RequestIds::read(&request);
    let request_id = HeaderValue::from_str(&ids.request_id);
    let method = request.method().clone();
    request.extensions_mut().insert(ids);
    let started = Instant::now();
    let mut response = fallbacks::complete(next.run(request).await);
    tracing::debug!(%method, status = response.status().as_u16(), elapsed = ?started.elapsed(), "request");
    metrics::counter!("http_requests_total", "status" => response.status().as_str().to_owned()).increment(1);
    metrics::histogram!("http_request_seconds").record(started.elapsed());
    if let Ok(request_id) = request_id {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
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
    fn the_trace_id_is_taken_from_a_valid_traceparent_only() {
        let traced = trace_id("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01");
        assert_eq!(traced.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for invalid in ["", "00-short-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(trace_id(invalid), None, "{invalid}");
        }
    }
}
