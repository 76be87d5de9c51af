//! Access tokens: JSON Web Tokens, signed with Ed25519, that name an account and a session.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::identity::{Credential, Identity, Rejected};
use super::keys::SigningKey;
use super::secret::Secret;
use crate::clock::FUTURE_LEEWAY;
use crate::domain::account::Role;
use crate::domain::ids::CustomerId;

/// Lifetime of an access token.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
const ISSUER: &str = "cartwright";

/// Claims of an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// Number of the account.
    sub: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<i64>,
    /// Session of the token.
    sid: Uuid,
    iat: i64,
    exp: i64,
}

/// A token whose signature is valid. It may have expired since, and its session may have been revoked.
#[derive(Clone)]
pub(super) struct VerifiedToken {
    pub identity: Identity,
    pub key_id: String,
    pub session_id: Uuid,
    /// In seconds since 1970.
    pub issued_at: i64,
    /// In seconds since 1970.
    expires_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    Expired,
    /// Issued in the future: the clock was ahead then, or the issuer's is now.
    NotYetValid,
    Revoked,
    /// The signing key may belong to a node that has just started.
    UnknownKey,
    Invalid,
}

/// Signs a token for a session.
pub(super) fn sign(
    key: &SigningKey,
    identity: &Identity,
    session_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Secret, jsonwebtoken::errors::Error> {
    let now = now.timestamp();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: identity.account_id.to_string(),
        role: identity.role,
        customer_id: identity.customer_id.map(|customer_id| customer_id.0),
        sid: session_id,
        iat: now,
        exp: now + ACCESS_TOKEN_LIFE.as_secs() as i64,
    };
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, &claims, &key.encoding).map(Secret::from_token)
}

/// Verifies the signature and the claims, except for the times: see [`VerifiedToken::check_times`]. Only Ed25519 is accepted, whatever algorithm the token names.
pub(super) fn verify(token: &str, keys: &HashMap<String, DecodingKey>) -> Result<VerifiedToken, TokenError> {
    let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
    // RFC 7515 requires rejecting critical extensions that are not understood, and none is.
    if header.crit.is_some() {
        return Err(TokenError::Invalid);
    }
    let key_id = header.kid.ok_or(TokenError::Invalid)?;
    let key = keys.get(&key_id).ok_or(TokenError::UnknownKey)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    // The library would compare with the clock of the node.
    validation.validate_exp = false;
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    let claims = decode::<Claims>(token, key, &validation).map_err(|_| TokenError::Invalid)?;
    let Claims { sub, role, customer_id, sid, iat, exp, .. } = claims.claims;
    let account_id = sub.parse().map_err(|_| TokenError::Invalid)?;
    let customer_id = customer_id.map(CustomerId);
    let identity = Identity { account_id, role, customer_id, credential: Credential::Session(sid) };
    Ok(VerifiedToken { identity, key_id, session_id: sid, issued_at: iat, expires_at: exp })
}

impl VerifiedToken {
    /// Checks that the token is valid at `now`.
    pub fn check_times(&self, now: DateTime<Utc>) -> Result<(), TokenError> {
        if self.expires_at <= now.timestamp() {
            Err(TokenError::Expired)
        } else if self.issued_at > (now + FUTURE_LEEWAY).timestamp() {
            Err(TokenError::NotYetValid)
        } else {
            Ok(())
        }
    }
}

impl From<TokenError> for Rejected {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::Expired,
            TokenError::Revoked => Self::Revoked,
            TokenError::NotYetValid | TokenError::UnknownKey | TokenError::Invalid => Self::Invalid,
        }
    }
}
