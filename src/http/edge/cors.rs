//! CORS: which web pages of other origins may call the shop from a browser; none unless allowed.

use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::CorsLayer;

/// Allowed origins, each as a browser sends it: `https://shop.example`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<HeaderValue>);

/// How long a browser may cache the answer to a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

impl FromStr for AllowedOrigins {
    type Err = String;

    /// Separated by commas.
    fn from_str(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let origin = |entry: &str| {
            let refused = || format!("`{entry}` is not an origin like https://shop.example");
            let uri: Uri = entry.parse().map_err(|_| refused())?;
            let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(refused()) };
            let sent = format!("{scheme}://{authority}").to_ascii_lowercase();
            let plain = ["http", "https"].contains(&scheme) && !authority.as_str().contains('@') && sent == entry;
            if plain { HeaderValue::from_str(entry).map_err(|_| refused()) } else { Err(refused()) }
        };
        entries.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

impl AllowedOrigins {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Pages may send the headers of the shop's clients, but no cookies: a caller sends a token.
    pub fn layer(&self) -> CorsLayer {
        let own = HeaderName::from_static;
        CorsLayer::new()
            .allow_origin(self.0.clone())
            .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                IF_MATCH,
                IF_NONE_MATCH,
                own("idempotency-key"),
                own("last-event-id"),
                own("min-position"),
                own("traceparent"),
                own("x-request-id"),
            ])
            .expose_headers([
                ETAG,
                LINK,
                LOCATION,
                RETRY_AFTER,
                own("idempotent-replayed"),
                own("journal-position"),
                own("log-generation"),
                own("log-id"),
                own("projection-position"),
                own("ratelimit-limit"),
                own("ratelimit-remaining"),
                own("ratelimit-reset"),
                own("walk-moved"),
                own("x-request-id"),
            ])
            .max_age(PREFLIGHT_MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_are_accepted() {
        let two = AllowedOrigins::from_str("https://shop.example, http://localhost:5173").unwrap();
        assert_eq!(two.0, ["https://shop.example", "http://localhost:5173"]);
        assert!(AllowedOrigins::from_str("").unwrap().is_empty());
        for list in [
            "*",
            "null",
            "shop.example",
            "https://shop.example/",
            "https://shop.example/page",
            "https://Shop.example",
            "https://user@shop.example",
            "ftp://shop.example",
            "https://",
            "https://shop.example https://other.example",
        ] {
            assert!(AllowedOrigins::from_str(list).is_err(), "{list}");
        }
    }
}
