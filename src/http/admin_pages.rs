//! The staff's pages as this server mounts them: with the API as a service, and what a page's request brings along.

use std::collections::HashMap;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Extensions;
use axum::middleware::map_response;
use axum::response::Response;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::NormalizePath;

use super::edge::client_address::{ClientAddress, SecureTransport};
use super::edge::rate_limits::CallerCounted;
use super::edge::request_id::RequestIds;
use super::wire::fallbacks;
use super::{App, BODY_LIMIT_BYTES};
use crate::admin::{Admin, ApiService};
use crate::domain::account::Role;

pub fn router(app: &App, api: NormalizePath<Router>, roles: HashMap<String, Role>) -> Router {
    let router = Router::new()
        .fallback_service(api)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(CatchPanicLayer::custom(fallbacks::panicked))
        .layer(map_response(describe_refusal));
    let admin = Admin {
        api: ApiService { router, carry },
        accounts: app.accounts.clone(),
        least_roles: roles,
        currency: app.payments.currency,
        time_zone: app.time_zone,
        clock: app.journal.clock().clone(),
        is_secure,
    };
    crate::admin::router(admin)
}

async fn describe_refusal(response: Response) -> Response {
    fallbacks::into_problem(response)
}

/// What the API must know of the browser's request that it is called for.
///
/// The address of the client was counted by the edge, once for the page; the caller is counted with the first call.
fn carry(page: &Extensions, is_first: bool) -> Extensions {
    let mut carried = Extensions::new();
    if let Some(address) = page.get::<ClientAddress>() {
        carried.insert(*address);
    }
    if let Some(ids) = page.get::<RequestIds>() {
        carried.insert(ids.clone());
    }
    if !is_first {
        carried.insert(CallerCounted);
    }
    carried
}

fn is_secure(page: &Extensions) -> bool {
    page.get::<SecureTransport>().is_some_and(|secure| secure.0)
}
