//! What stands between the network and the handlers: how much may come in, from where, and what every answer forbids.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

pub mod client_address;
pub mod connections;
pub mod cors;
pub mod rate_limits;
pub mod request_id;
pub mod timeouts;

use client_address::{self, TrustedProxies};
use connections::ConnectionLimits;
use cors::Origins;
use rate_limits::{self, Limits};

/// The settings of the edge. The default limits no rates, trusts no proxy and admits no other origin.
#[derive(Clone, Default)]
pub struct Edge {
    pub limits: Limits,
    pub trusted_proxies: TrustedProxies,
    pub origins: Origins,
    pub connections: ConnectionLimits,
}

impl Edge {
    /// Puts the edge around a router. A browser may read a refusal too, so the limits are inside of CORS.
    pub(super) fn around(&self, router: Router) -> Router {
        let mut router = router
            .layer(from_fn_with_state(self.limits.clone(), rate_limits::general))
            .layer(from_fn_with_state(self.clone(), client_address::learn));
        if !self.origins.are_none() {
            router = router.layer(self.origins.layer());
        }
        router.layer(from_fn_with_state(self.clone(), protect))
    }
}

/// The API's answers are data: nothing in them is to be run, loaded or framed.
const API_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The page of the description is made of files from here; its style sheet holds images as `data:`. The hash is that of
/// the style inside of its logo.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' \
     'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Tells browsers to take an answer for what it says it is, and to let no other page make use of it.
async fn protect(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let policy = if path == "/docs" || path.starts_with("/docs/") { PAGE_POLICY } else { API_POLICY };
    // Pages of the named origins may show the shop's images.
    let embedded = if edge.origins.are_none() { "same-origin" } else { "cross-origin" };
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), embedded),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
