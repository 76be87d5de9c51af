//! The cookies of the pages: the session, and a message for the next page.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// A cookie of the pages.
#[derive(Clone, Copy)]
pub enum Cookie {
    Session,
    Flash,
}

impl Cookie {
    /// Behind TLS the prefix binds the cookie to this host and to TLS.
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-staff",
            (Self::Session, false) => "staff",
            (Self::Flash, true) => "__Host-staff-message",
            (Self::Flash, false) => "staff-message",
        }
    }

    /// The value that the browser sent.
    pub fn read(self, headers: &HeaderMap, secure: bool) -> Option<String> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(name, value)| *name == self.name(secure) && !value.is_empty());
        found.next().map(|(_, value)| value.to_owned())
    }

    /// The header that sets the cookie until the browser is closed; `value` is base64url, perhaps with dots.
    pub fn set(self, value: &str, secure: bool) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.line(value, secure)).ok()
    }

    /// The header that deletes the cookie.
    pub fn delete(self, secure: bool) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}; Max-Age=0", self.line("", secure))).ok()
    }

    fn line(self, value: &str, secure: bool) -> String {
        let end = if secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{end}", self.name(secure))
    }
}
