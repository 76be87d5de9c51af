//! The pages for people: the start page, and those of mailed links. Files compiled into the program, with nothing
//! inline, so that a strict policy is possible.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

pub(super) fn router() -> Router {
    [
        ("/", "text/html; charset=utf-8", include_str!("pages/start.html")),
        ("/account/confirm", "text/html; charset=utf-8", include_str!("pages/confirm.html")),
        ("/account/email", "text/html; charset=utf-8", include_str!("pages/email.html")),
        ("/account/reset", "text/html; charset=utf-8", include_str!("pages/reset.html")),
        ("/account/account.js", "text/javascript; charset=utf-8", include_str!("pages/account.js")),
        ("/account/account.css", "text/css; charset=utf-8", include_str!("pages/account.css")),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, kind, text)| router.route(path, get(move || page(kind, text))))
}

async fn page(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let kind = HeaderValue::from_static(kind);
    let no_cache = HeaderValue::from_static("no-cache");
    ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, no_cache)], text)
}
