//! Forged requests: a page of another site must not make a browser change anything.
//!
//! Every change needs two things. The browser must say that a page of this site sent it, which it does with
//! `Sec-Fetch-Site` or `Origin`; and the form carries a token that only this site's pages know.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::api::Problem;
use super::errors;
use super::form::{self, Upload};
use super::session::{is_signed, sign};

/// Name of the field of a form that carries the token.
pub const FIELD: &str = "csrf";
/// Header that scripts send instead of the field.
const HEADER: &str = "x-csrf-token";
const PURPOSE: &str = "csrf";

/// The token of a session's forms.
pub fn token(cookie: &str) -> String {
    sign(cookie, PURPOSE, "")
}

/// Whether a request only reads.
pub fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

/// A layer for forms without a session: the form must come from this site.
pub async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if is_read(request.method()) || is_same_site(request.headers()) {
        return next.run(request).await;
    }
    errors::plain(&forged())
}

/// Refuses a change unless it comes from a form of this session; `body` is the whole body.
pub async fn check(cookie: &str, headers: &HeaderMap, body: &axum::body::Bytes) -> Result<(), Problem> {
    if !is_same_site(headers) {
        return Err(forged());
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let given = match headers.get(HEADER) {
        Some(header) => header.to_str().ok().map(str::to_owned),
        None if kind.starts_with("multipart/form-data") => Upload::read(headers, body.clone()).await?.field(FIELD),
        None => form::field_of(body, FIELD),
    };
    if is_signed(cookie, PURPOSE, "", &given.unwrap_or_default()) { Ok(()) } else { Err(forged()) }
}

/// Whether a page of this site sent the request. Clients that are no browser send neither header, and have no cookie
/// that another site could use.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(|authority| authority.as_str());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}

fn forged() -> Problem {
    let detail = "The form does not belong to this session, or another site sent it. Nothing was changed. \
                  Go back, load the page again, and send the form once more.";
    Problem::new(StatusCode::FORBIDDEN, "forged_form", "The form was not accepted", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_site(pairs: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        is_same_site(&headers)
    }

    #[test]
    fn only_pages_of_this_site_may_send_forms() {
        let host = ("host", "shop.example");
        assert!(same_site(&[host]) && same_site(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(same_site(&[host, ("origin", "https://shop.example")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!same_site(&[host, ("sec-fetch-site", site)]), "{site}");
            assert!(!same_site(&[host, ("sec-fetch-site", site), ("origin", "https://shop.example")]), "{site}");
        }
        for origin in ["https://evil.example", "null", "https://shop.example:8443", "https://shop.example.evil.example"]
        {
            assert!(!same_site(&[host, ("origin", origin)]), "{origin}");
        }
    }
}
