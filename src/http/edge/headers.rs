//! Security headers: what browsers may do with a response.

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// API responses are data: browsers must not run, load or frame anything in them.
const API_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The pages of `/docs` load files of this server; their style sheet has images as `data:`. The hash is that of the
/// style inside their logo.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' \
     'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Which pages may embed a response, as `Cross-Origin-Resource-Policy` says.
#[derive(Clone, Copy)]
pub enum ResourcePolicy {
    SameOrigin,
    /// Pages of the allowed origins may show the shop's images.
    CrossOrigin,
}

/// A layer: browsers must keep to the content type, and other pages must not frame or embed the response.
pub async fn set_security_headers(State(resources): State<ResourcePolicy>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let policy = if path == "/docs" || path.starts_with("/docs/") { DOCS_POLICY } else { API_POLICY };
    // Pages of any origin may show the pictures of products.
    let resources = if path.starts_with("/media/") { ResourcePolicy::CrossOrigin } else { resources };
    let resource_policy = match resources {
        ResourcePolicy::SameOrigin => "same-origin",
        ResourcePolicy::CrossOrigin => "cross-origin",
    };
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    // Browsers send the origin of a form only from pages that allow it.
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), resource_policy),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
