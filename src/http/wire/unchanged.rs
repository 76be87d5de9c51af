//! Conditional reads: 304 for a client that already has what would be shown.

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::app::App;
use crate::http::wire::error::ApiError;

/// A layer: gives each finished answer to a GET an `ETag`, and answers 304 if `If-None-Match` names it.
///
/// An answer without a tag of its own gets a digest of its body. A stream gets none. From the second generation of the log
/// on, the tag begins with the generation: after a restore another state may get the version that an older tag names.
pub async fn answer_unchanged(State(app): State<App>, request: Request, next: Next) -> Response {
    // Read first: if the generation changes meanwhile, the tag is of the earlier one and matches no longer.
    let generation = app.journal.identity().generation;
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return next.run(request).await;
    }
    let known: Vec<HeaderValue> = request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect();
    let mut response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    // Lists have several formats.
    response.headers_mut().entry(VARY).or_insert(HeaderValue::from_static("accept"));
    if !response.headers().contains_key(ETAG) && response.body().size_hint().exact().is_some() {
        response = with_digest(response).await;
    }
    if let Some(tag) = response.headers().get(ETAG).and_then(|tag| with_generation(tag, generation)) {
        response.headers_mut().insert(ETAG, tag);
    }
    if names_tag(&known, response.headers()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

async fn with_digest(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(body) => {
            parts.headers.insert(ETAG, digest_tag(&body));
            Response::from_parts(parts, body.into())
        }
        Err(error) => ApiError::internal(format!("an answer cannot be read: {error}")).into_response(),
    }
}

/// A tag that follows from the body alone. Its `d` distinguishes it from the tag of a version.
pub fn digest_tag(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let tag = format!("\"d{}\"", hex::encode(&digest[..16]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
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
fn names_tag(known: &[HeaderValue], response: &HeaderMap) -> bool {
    let Some(tag) = response.get(ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let known = known.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    known.map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
