//! Headers of the pages: what a browser may load, keep and frame.

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;

/// In the extensions of a response: addresses of images that the page shows.
#[derive(Clone, Debug, Default)]
pub struct ShownImages(pub Vec<String>);

/// A layer: a strict policy, no copies of pages, and the origin of a form only for this site.
pub async fn set_headers(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let images = response.extensions_mut().remove::<ShownImages>().unwrap_or_default();
    if let Ok(policy) = HeaderValue::from_str(&policy(&images)) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // The label of the request's metrics.
    if let Some(path) = path {
        response.extensions_mut().insert(path);
    }
    response
}

/// Everything comes from this server, but for images that the shop keeps elsewhere.
fn policy(images: &ShownImages) -> String {
    let mut origins: Vec<String> = images.0.iter().filter_map(|address| origin(address)).collect();
    origins.sort();
    origins.dedup();
    let origins: String = origins.iter().map(|origin| format!(" {origin}")).collect();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:{origins}; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// The origin of an address with a host.
fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
    let is_plain = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    (["http", "https"].contains(&scheme) && is_plain).then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_another_server_are_allowed_by_their_origin() {
        let images = ["/media/a.jpg", "https://cdn.example/x/a.jpg", "https://cdn.example/b.jpg", "javascript:1"];
        let policy = policy(&ShownImages(images.map(str::to_owned).to_vec()));
        assert!(policy.contains("img-src 'self' data: https://cdn.example; connect-src"), "{policy}");
        for hostile in ["https://a;script-src *", "https://a@b/", "data:x", "https://a,b/"] {
            assert_eq!(origin(hostile), None, "{hostile}");
        }
    }
}
