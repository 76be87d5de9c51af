//! Passwords: rules for new ones, and their hashes.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::{AccountsError, Secret};
use crate::domain::account;

/// A password that meets the rules. `Debug` does not show it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordError {
    #[error("must have at least {} characters", Password::MIN)]
    TooShort,
    #[error("must have at most {} characters", Password::MAX)]
    TooLong,
    #[error("is among the most common passwords; choose one that is hard to guess")]
    Common,
}

/// Common passwords of ten characters and more, in lower case, one per line.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

impl Password {
    pub const MIN: usize = 10;
    pub const MAX: usize = 1_000;

    pub fn parse(text: String) -> Result<Self, PasswordError> {
        let length = text.chars().count();
        if length < Self::MIN {
            Err(PasswordError::TooShort)
        } else if length > Self::MAX {
            Err(PasswordError::TooLong)
        } else if COMMON.contains(text.to_lowercase().as_str()) || count_distinct(&text) < 3 {
            Err(PasswordError::Common)
        } else {
            Ok(Self(text))
        }
    }
}

impl Password {
    /// A generated password.
    pub fn from_secret(secret: &Secret) -> Self {
        Self(secret.expose().to_owned())
    }
}

fn count_distinct(text: &str) -> usize {
    text.chars().collect::<HashSet<_>>().len()
}

impl TryFrom<String> for Password {
    type Error = PasswordError;

    fn try_from(text: String) -> Result<Self, PasswordError> {
        Self::parse(text)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Hashes passwords on blocking threads, one per core at a time, because each needs 19 MiB.
///
/// A limited number of requests may wait; further ones get `Busy`, so that a flood of logins cannot exhaust memory.
pub struct Passwords {
    working: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

/// Number of requests that may wait for a thread.
const WAITING: usize = 32;

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { working: Arc::new(Semaphore::new(cores)), admitted: Arc::new(Semaphore::new(cores + WAITING)) }
    }
}

impl Passwords {
    /// Hashes a password; returns a PHC string.
    pub async fn hash(&self, password: &Password) -> Result<account::PasswordHash, AccountsError> {
        let password = password.0.clone();
        self.run_on_blocking_thread(move || hash(password.as_bytes())).await.map(account::PasswordHash::new)
    }

    /// Returns whether a password matches a hash. Without a hash it returns `false` after the same time.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, AccountsError> {
        // No accepted password is longer, so hashing more characters would be wasted work.
        let password = password.chars().take(Password::MAX + 1).collect::<String>();
        self.run_on_blocking_thread(move || {
            let has_hash = hash.is_some();
            let hash = hash.unwrap_or_else(|| DECOY.clone());
            let matches = PasswordHash::new(&hash)
                .is_ok_and(|hash| argon2id().verify_password(password.as_bytes(), &hash).is_ok());
            matches && has_hash
        })
        .await
    }

    async fn run_on_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountsError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| AccountsError::Busy)?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| AccountsError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            // The permits are released when the work is done, even if the caller no longer waits.
            let _permits = (admitted, working);
            work()
        });
        done.await.map_err(|_| AccountsError::Busy)
    }
}

/// Hash to verify against when there is no account, so that the response time does not reveal it.
static DECOY: LazyLock<String> = LazyLock::new(|| hash(b"no account has this password"));

fn hash(password: &[u8]) -> String {
    // It fails only for lengths out of range, which cannot occur here.
    argon2id().hash_password(password).map(|hash| hash.to_string()).unwrap_or_default()
}

/// argon2id with 19 MiB, two passes and one lane, as OWASP's Password Storage Cheat Sheet recommends.
///
/// It is the default of the crate; a test checks it.
fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_common_passwords_are_refused() {
        let parse = |text: &str| Password::parse(text.to_owned()).map(|_| ());
        assert_eq!(parse("too short"), Err(PasswordError::TooShort));
        assert_eq!(parse("Password123"), Err(PasswordError::Common));
        assert_eq!(parse("aaaaaaaaaaaaaaaa"), Err(PasswordError::Common));
        assert_eq!(parse(&"long ".repeat(201)), Err(PasswordError::TooLong));
        assert_eq!(parse("brown teapot, no lid"), Ok(()));
    }

    #[test]
    fn the_list_of_common_passwords_is_lower_case_and_long_enough() {
        for common in COMMON.iter() {
            assert!(common.chars().count() >= Password::MIN && common.to_lowercase() == **common, "{common}");
        }
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::default();
        let password = Password::parse("brown teapot, no lid".to_owned()).unwrap();
        let hash = passwords.hash(&password).await.unwrap().expose().to_owned();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("brown teapot, no lid", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("brown teapot, no lib", Some(hash)).await.unwrap());
        assert!(!passwords.verify("no account has this password", None).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_of_log_ins_is_rejected() {
        let passwords = Passwords::default();
        let tries = (0..500).map(|_| passwords.verify("brown teapot, no lid", None));
        let answers = futures_util::future::join_all(tries).await;
        let busy = answers.iter().filter(|answer| matches!(answer, Err(AccountsError::Busy))).count();
        assert!(busy > 0 && busy < 500, "{busy} of 500");
        assert!(!passwords.verify("brown teapot, no lid", None).await.unwrap(), "later requests are served again");
    }
}
