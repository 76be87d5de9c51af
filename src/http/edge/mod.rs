//! The edge: what happens to a request before the router, and to a response after it.
//!
//! Connections and their timeouts, client addresses, rate limits, CORS, security headers, request ids.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::watch;

pub mod client_address;
pub mod connections;
pub mod cors;
pub mod drain;
pub mod headers;
pub mod rate_limits;
pub mod request_id;
pub mod timeouts;
pub mod unread_body;

use client_address::{TrustedProxies, resolve_client_address};
use connections::ConnectionLimits;
use cors::AllowedOrigins;
use drain::close_when_stopping;
use headers::{ResourcePolicy, set_security_headers};
use rate_limits::{RateLimits, per_client};
use request_id::trace_request;
use unread_body::finish_request_body;

/// The settings of the edge. The default has no rate limits, trusts no proxy and allows no other origin.
#[derive(Clone, Default)]
pub struct Edge {
    pub rate_limits: RateLimits,
    pub trusted_proxies: TrustedProxies,
    pub allowed_origins: AllowedOrigins,
    pub connections: ConnectionLimits,
}

impl Edge {
    /// Puts the edge around a router; the last layer is the outermost.
    pub(super) fn around(&self, router: Router, stopping: watch::Receiver<bool>) -> Router {
        let mut router = router
            .layer(from_fn_with_state(self.rate_limits.clone(), per_client))
            .layer(from_fn_with_state(self.trusted_proxies.clone(), resolve_client_address));
        let mut resources = ResourcePolicy::SameOrigin;
        if !self.allowed_origins.is_empty() {
            // Outside the rate limits, because a browser may read their refusals too.
            router = router.layer(self.allowed_origins.layer());
            resources = ResourcePolicy::CrossOrigin;
        }
        router
            .layer(from_fn_with_state(resources, set_security_headers))
            .layer(from_fn(trace_request))
            .layer(from_fn_with_state(stopping, close_when_stopping))
            .layer(from_fn(finish_request_body))
    }
}
