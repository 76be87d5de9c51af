//! Accounts: sign-up, sign-in and passwords for their owners, accounts and API keys for staff.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::accounts::ClientInfo;
use crate::http::edge::client_address::ClientAddress;

pub mod auth;
pub mod users;

/// The part of the client's address and user agent that a sign-in record keeps.
impl<S: Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let network = parts.extensions.get::<ClientAddress>().map(|client| client.shortened().to_string());
        let network = network.unwrap_or_default();
        Ok(Self { network, user_agent: agent.chars().take(200).collect() })
    }
}
