//! Style sheet and scripts, compiled in. Their address has a digest of all of them, so that browsers may keep them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Name, media type and content of each file.
const FILES: [(&str, &str, &str); 4] = [
    ("admin.css", "text/css; charset=utf-8", include_str!("admin.css")),
    ("admin.js", "text/javascript; charset=utf-8", include_str!("admin.js")),
    // https://htmx.org, unchanged; its licence is beside it.
    ("htmx.min.js", "text/javascript; charset=utf-8", include_str!("htmx.min.js")),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    FILES.iter().for_each(|(_, _, content)| digest.update(content));
    hex::encode(&digest.finalize()[..8])
});

/// The address of a file.
pub fn address(name: &str) -> String {
    debug_assert!(FILES.iter().any(|(found, ..)| *found == name), "there is no {name}");
    format!("/admin/assets/{}/{name}", *DIGEST)
}

/// Sends a file. During an upgrade a page of one node may ask another node for its file, so an unknown digest is no error.
pub async fn send(Path((digest, name)): Path<(String, String)>) -> Response {
    let Some((_, kind, content)) = FILES.iter().find(|(found, ..)| *found == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let is_current = digest == *DIGEST;
    let caching = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(CONTENT_TYPE, *kind), (CACHE_CONTROL, caching)], *content).into_response()
}
