//! The address that a webhook's messages are sent to.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// An absolute http or https URL with a host, without credentials.
///
/// It is in the normal form of the WHATWG URL Standard: the rooms that know URLs parse what a client sends, and this
/// type checks the rules of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WebhookUrl(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookUrlError {
    #[error("must be a URL, such as \"https://example.com/hooks\"")]
    NotAUrl,
    #[error("must begin with http:// or https://")]
    OtherScheme,
    #[error("must not contain a user name or a password")]
    HoldsCredentials,
    #[error("must have at most {} characters", WebhookUrl::MAX)]
    TooLong,
}

impl WebhookUrl {
    /// The greatest length, in characters.
    pub const MAX: usize = 2_000;

    /// Checks a URL that is in normal form.
    pub fn parse(url: &str) -> Result<Self, WebhookUrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(WebhookUrlError::NotAUrl)?;
        if !matches!(scheme, "http" | "https") {
            return Err(WebhookUrlError::OtherScheme);
        }
        let rest = rest.strip_prefix("//").ok_or(WebhookUrlError::NotAUrl)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(WebhookUrlError::HoldsCredentials);
        }
        if url.len() > Self::MAX {
            return Err(WebhookUrlError::TooLong);
        }
        if authority.is_empty() || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(WebhookUrlError::NotAUrl);
        }
        Ok(Self(url.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_url_is_absolute_http_without_credentials() {
        for url in ["http://example.com/", "https://example.com:8443/a@b?c=d", "http://[2a00:1450::1]/"] {
            assert_eq!(WebhookUrl::parse(url).unwrap().as_str(), url);
        }
        let long = format!("http://a/{}", "b".repeat(2_000));
        for (url, error) in [
            ("", WebhookUrlError::NotAUrl),
            ("/hooks", WebhookUrlError::NotAUrl),
            ("http:example.com", WebhookUrlError::NotAUrl),
            ("http:///hooks", WebhookUrlError::NotAUrl),
            ("http://example.com/a b", WebhookUrlError::NotAUrl),
            ("ftp://example.com/", WebhookUrlError::OtherScheme),
            ("https://jo:secret@example.com/", WebhookUrlError::HoldsCredentials),
            (long.as_str(), WebhookUrlError::TooLong),
        ] {
            assert_eq!(WebhookUrl::parse(url), Err(error), "{url}");
        }
    }
}
