//! Random secrets: tokens, API keys, generated passwords. Tables store only their SHA-256.
//!
//! A plain digest is enough: 256 random bits cannot be guessed from it.

use std::fmt;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::domain::account::ApiKeyHash;

/// A secret that is shown once and never logged: usually 256 random bits as base64url, after a prefix for their purpose.
#[derive(Clone)]
pub struct Secret(String);

/// Prefix of API keys; any other bearer value is parsed as an access token.
pub(super) const API_KEY_PREFIX: &str = "shop_";

impl Secret {
    /// Generates a secret. Fails only if the system has no randomness.
    fn generate(prefix: &str) -> Result<Self, sqlx::Error> {
        Ok(Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random()?))))
    }

    /// Generates the signing secret of a webhook, in the form of Standard Webhooks. It is stored in plain text.
    pub fn webhook() -> Result<Self, sqlx::Error> {
        Ok(Self(format!("whsec_{}", STANDARD.encode(random()?))))
    }

    /// Generates an API key. Its prefix tells it from an access token.
    pub fn api_key() -> Result<Self, sqlx::Error> {
        Self::generate(API_KEY_PREFIX)
    }

    /// Generates a password.
    pub fn password() -> Result<Self, sqlx::Error> {
        Self::generate("")
    }

    /// Generates a token for a session or for a mailed link.
    pub(super) fn token() -> Result<Self, sqlx::Error> {
        Self::generate("")
    }

    /// Wraps a signed access token.
    pub(super) fn from_token(token: String) -> Self {
        Self(token)
    }

    /// Returns the plain text, to show it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    /// Hash under which an API key is stored.
    pub fn api_key_hash(&self) -> ApiKeyHash {
        ApiKeyHash::new(self.hash())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn random() -> Result<[u8; 32], sqlx::Error> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| sqlx::Error::Io(std::io::Error::other("the system has no randomness")))?;
    Ok(bytes)
}
