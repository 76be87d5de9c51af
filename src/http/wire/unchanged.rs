//! Conditional reads: 304 for a client that already has what would be shown.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// A layer: answers 304 to a GET whose `If-None-Match` names the `ETag` of the response.
pub async fn answer_unchanged(request: Request, next: Next) -> Response {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let known: Vec<HeaderValue> = match is_read {
        true => request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect(),
        false => vec![],
    };
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK && names_tag(&known, response.headers()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// Whether a value of `If-None-Match` names the tag of the response: a list, or `*`. A weak tag counts like a strong one.
fn names_tag(known: &[HeaderValue], response: &HeaderMap) -> bool {
    let Some(tag) = response.get(ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let known = known.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    known.map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
