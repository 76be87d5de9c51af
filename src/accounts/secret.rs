//! Random values that only their holder knows. Tables keep their SHA-256: they are too long to be guessed from it.

use std::fmt;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::authenticator::KEY_PREFIX;
use crate::domain::account::ApiKeyHash;

/// 256 random bits, as base64url behind a prefix that tells what they are for. Shown once, and never logged.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A fresh one. Fails only where the system has no randomness to give.
    pub(super) fn new(prefix: &str) -> Result<Self, sqlx::Error> {
        Ok(Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random()?))))
    }

    /// What the messages of a webhook are signed with, as Standard Webhooks writes it. It is kept as it is.
    pub fn webhook() -> Result<Self, sqlx::Error> {
        Ok(Self(format!("whsec_{}", STANDARD.encode(random()?))))
    }

    /// For a machine; it can be told from an access token by its beginning.
    pub fn api_key() -> Result<Self, sqlx::Error> {
        Self::new(KEY_PREFIX)
    }

    /// A password for a person, who may choose another.
    pub fn password() -> Result<Self, sqlx::Error> {
        Self::new("")
    }

    /// To be told to its holder.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    /// The hash under which an API key is stored.
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
    rand::fill(&mut bytes).map_err(|_| sqlx::Error::Io(std::io::Error::other("the system gives no randomness")))?;
    Ok(bytes)
}
