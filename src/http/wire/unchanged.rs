//! Conditional reads: 304 for a client that already has what would be shown.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::app::App;

/// A layer: answers 304 to a GET whose `If-None-Match` names the `ETag` of the response.
///
/// From the second generation of the log on, the tag begins with the generation: after a restore another state may get
/// the version that an older tag names.
pub async fn answer_unchanged(State(app): State<App>, request: Request, next: Next) -> Response {
    // Read first: if the generation changes meanwhile, the tag is of the earlier one and matches no longer.
    let generation = app.journal.identity().generation;
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let known: Vec<HeaderValue> = match is_read {
        true => request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect(),
        false => vec![],
    };
    let mut response = next.run(request).await;
    if let Some(tag) = response.headers().get(ETAG).and_then(|tag| with_generation(tag, generation)) {
        response.headers_mut().insert(ETAG, tag);
    }
    if response.status() == StatusCode::OK && names_tag(&known, response.headers()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// The tag with its generation; `None` in the first, which has none.
fn with_generation(tag: &HeaderValue, generation: i64) -> Option<HeaderValue> {
    let tag = tag.to_str().ok()?.strip_prefix('"')?;
    (generation > 1).then(|| HeaderValue::from_str(&format!("\"{generation}.{tag}")).ok()).flatten()
}

/// The generation of a tag without its quotes, and the rest; a tag without a generation is of the first.
pub fn split_generation(tag: &str) -> (Option<i64>, &str) {
    match tag.split_once('.') {
        Some((generation, tag)) => (generation.parse().ok(), tag),
        None => (Some(1), tag),
    }
}

/// Whether a value of `If-None-Match` names the tag of the response: a list, or `*`. A weak tag counts like a strong one.
pub fn names_tag(known: &[HeaderValue], response: &HeaderMap) -> bool {
    let Some(tag) = response.get(ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let known = known.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    known.map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
