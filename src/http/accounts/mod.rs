//! Accounts: registration, login and passwords for their owners, accounts and API keys for staff.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::accounts::{ClientInfo, Credential};
use crate::domain::ids::AccountId;
use crate::http::edge::client_address::ClientAddress;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::ApiError;

pub mod auth;
pub mod email_changes;
pub mod keys;
pub mod sessions;
pub mod users;

/// The part of the client's address and user agent that a login record keeps.
impl<S: Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let network = parts.extensions.get::<ClientAddress>().map(|client| client.shortened().to_string());
        let network = network.unwrap_or_default();
        Ok(Self { network, user_agent: agent.chars().take(200).collect() })
    }
}

/// Why an API key is refused.
pub const NO_KEY: &str = "an API key cannot change accounts, passwords or keys; log in, and send the access token";

/// Refuses API keys: a stolen key must not create keys or manage accounts, which would outlive its revocation.
pub fn require_session(caller: &Caller) -> Result<AccountId, ApiError> {
    let identity = caller.identity()?;
    match identity.credential {
        Credential::Session(_) => Ok(identity.account_id),
        Credential::Key(_) => Err(ApiError::forbidden(NO_KEY)),
    }
}
