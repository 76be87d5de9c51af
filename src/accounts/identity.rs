//! The account behind a request, and the credential that proves it.

use thiserror::Error;
use uuid::Uuid;

use crate::domain::account::Role;
use crate::domain::ids::{AccountId, CustomerId};

/// Account, role and credential of an authenticated caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account_id: AccountId,
    pub role: Role,
    /// `None` for staff.
    pub customer_id: Option<CustomerId>,
    pub credential: Credential,
}

/// Session or API key that authenticated the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    Session(Uuid),
    Key(Uuid),
}

/// Reasons to reject a bearer token or an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    #[error("the access token has expired; request a new one with the refresh token")]
    Expired,
    #[error("the session has ended; log in again")]
    Revoked,
    #[error("the token or API key is not valid")]
    Invalid,
}
