//! Authentication of access tokens and API keys, from memory.
//!
//! Each node keeps the valid signing keys, API keys and revocations in memory. PostgreSQL notifies every node of
//! changes; a poll every few seconds covers lost notifications.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jsonwebtoken::DecodingKey;
use lru::LruCache;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use super::access_tokens::{self, TokenError, VerifiedToken};
use super::identity::{Credential, Identity, Rejected};
use super::keys::{KeysError, TokenKeys};
use super::secret::{self, API_KEY_PREFIX, Secret};
use crate::clock::Clock;
use crate::database::listen;
use crate::domain::account::Role;
use crate::domain::ids::AccountId;

#[derive(Clone)]
pub(super) struct Authenticator(Arc<AuthenticatorInner>);

struct AuthenticatorInner {
    keys: TokenKeys,
    clock: Clock,
    valid: RwLock<Arc<ValidCredentials>>,
    /// Tokens with a valid signature, so that it is not verified again for each request.
    verified: Mutex<LruCache<String, VerifiedToken>>,
    /// Latest use of each API key that is not stored yet.
    key_uses: Mutex<HashMap<Uuid, DateTime<Utc>>>,
    refreshed_at: Mutex<Option<Instant>>,
    /// Serialises refreshes, so that an older read cannot replace a newer one.
    refreshing: AsyncMutex<()>,
}

/// Signing keys, revoked sessions and API keys, as last read from the database.
#[derive(Default)]
struct ValidCredentials {
    token_keys: HashMap<String, DecodingKey>,
    revoked_sessions: HashSet<Uuid>,
    api_keys: HashMap<[u8; 32], Identity>,
    /// Tokens that were issued before are refused: when the log's generation began, in seconds since 1970.
    issued_from: Option<i64>,
}

/// PostgreSQL channel that announces changes of keys, accounts and revocations.
const CHANNEL: &str = "access";
const MAX_VERIFIED_TOKENS: NonZeroUsize = NonZeroUsize::new(20_000).expect("it is not zero");
/// Interval of refreshes without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Shortest interval between refreshes that tokens of an unknown key cause.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// Interval at which uses of API keys are stored.
const STORE_USES_INTERVAL: Duration = Duration::from_secs(60);
/// Time that a retired signing key stays valid: longer than the life of any access token.
const RETIRED_KEY_LIFE: Duration = Duration::from_secs(3_600);

impl Authenticator {
    pub async fn start(keys: TokenKeys, pool: PgPool, clock: Clock) -> Result<Self, sqlx::Error> {
        let authenticator = Self(Arc::new(AuthenticatorInner {
            keys,
            clock,
            valid: RwLock::default(),
            verified: Mutex::new(LruCache::new(MAX_VERIFIED_TOKENS)),
            key_uses: Mutex::default(),
            refreshed_at: Mutex::default(),
            refreshing: AsyncMutex::default(),
        }));
        authenticator.refresh(&pool).await?;
        Ok(authenticator)
    }

    pub async fn identify(&self, bearer: &str, pool: &PgPool) -> Result<Identity, Rejected> {
        if bearer.starts_with(API_KEY_PREFIX) {
            return self.identify_api_key(bearer);
        }
        match self.identify_token(bearer) {
            Err(TokenError::UnknownKey) if self.may_refresh_again() => {
                let _ = self.refresh(pool).await;
                self.identify_token(bearer).map_err(Rejected::from)
            }
            identified => identified.map_err(Rejected::from),
        }
    }

    /// Signs an access token for a session with the newest key.
    pub fn sign(&self, identity: &Identity, session_id: Uuid) -> Result<Secret, jsonwebtoken::errors::Error> {
        access_tokens::sign(&self.0.keys.newest(), identity, session_id, self.0.clock.database_time())
    }

    /// Reads the valid credentials from the database.
    pub async fn refresh(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let _refreshing = self.0.refreshing.lock().await;
        let token_keys =
            sqlx::query_file!("src/accounts/queries/honoured_token_keys.sql", RETIRED_KEY_LIFE.as_secs_f64())
                .fetch_all(pool)
                .await?;
        let revoked: Vec<Uuid> =
            sqlx::query_scalar("select session_id from revocation where expires_at > clock_timestamp()")
                .fetch_all(pool)
                .await?;
        // An API key never has more rights than its account has now.
        let api_keys = sqlx::query_file!("src/accounts/queries/usable_api_keys.sql").fetch_all(pool).await?;
        let api_keys = api_keys.into_iter().filter_map(|key| {
            let role = key.role.parse::<Role>().ok()?.min(key.account_role.parse().ok()?);
            let (account_id, credential) = (AccountId(key.account_id), Credential::Key(key.key_id));
            let identity = Identity { account_id, role, customer_id: None, credential };
            Some((key.secret_hash.try_into().ok()?, identity))
        });
        let began: Option<DateTime<Utc>> =
            sqlx::query_scalar("select began_at from log_identity where generation > 1").fetch_optional(pool).await?;
        let valid = ValidCredentials {
            issued_from: began.map(|began| began.timestamp()),
            token_keys: token_keys
                .into_iter()
                .map(|key| (key.key_id, DecodingKey::from_ed_der(&key.public_key)))
                .collect(),
            revoked_sessions: revoked.into_iter().collect(),
            api_keys: api_keys.collect(),
        };
        *self.0.valid.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(valid);
        *self.0.refreshed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Refreshes on every notification and every few seconds, and stores uses of API keys, until the task is aborted.
    pub async fn keep_up_to_date(self, connect: PgConnectOptions, pool: PgPool) {
        let mut listener = None;
        let mut stored_at = Instant::now();
        loop {
            if listener.is_none() {
                listener = listen(&connect, CHANNEL).await.ok();
            }
            let heard = match &mut listener {
                Some(heard) => tokio::time::timeout(POLL_INTERVAL, heard.try_recv()).await,
                None => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                    Ok(Ok(None))
                }
            };
            if matches!(heard, Ok(Ok(None) | Err(_))) {
                listener = None;
            }
            if let Err(error) = self.reload(&pool).await {
                tracing::warn!(%error, "cannot read signing keys and revocations");
            }
            if stored_at.elapsed() >= STORE_USES_INTERVAL {
                stored_at = Instant::now();
                if let Err(error) = self.store_key_uses(&pool).await {
                    tracing::warn!(%error, "cannot store the uses of API keys");
                }
            }
        }
    }

    async fn reload(&self, pool: &PgPool) -> Result<(), KeysError> {
        // Revocations must be read even if the key folder cannot be read.
        let reloaded = self.0.keys.reload(pool).await;
        self.refresh(pool).await?;
        reloaded
    }

    async fn store_key_uses(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let uses = std::mem::take(&mut *self.0.key_uses.lock().unwrap_or_else(PoisonError::into_inner));
        let (ids, times): (Vec<_>, Vec<_>) = uses.into_iter().unzip();
        sqlx::query(
            "update api_key set last_used_at = used.at
             from unnest($1::uuid[], $2::timestamptz[]) as used (key_id, at)
             where api_key.key_id = used.key_id",
        )
        .bind(&ids)
        .bind(&times)
        .execute(pool)
        .await?;
        Ok(())
    }

    /// Latest use of an API key that is not stored yet.
    pub fn last_key_use(&self, key_id: Uuid) -> Option<DateTime<Utc>> {
        self.0.key_uses.lock().unwrap_or_else(PoisonError::into_inner).get(&key_id).copied()
    }

    fn valid(&self) -> Arc<ValidCredentials> {
        Arc::clone(&self.0.valid.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn may_refresh_again(&self) -> bool {
        let refreshed_at = *self.0.refreshed_at.lock().unwrap_or_else(PoisonError::into_inner);
        refreshed_at.is_none_or(|at| at.elapsed() > MIN_REFRESH_INTERVAL)
    }

    fn identify_api_key(&self, key: &str) -> Result<Identity, Rejected> {
        // The lookup compares digests, so its timing reveals nothing about valid keys.
        let identity = self.valid().api_keys.get(&secret::hash(key)).copied().ok_or(Rejected::Invalid)?;
        if let Credential::Key(key_id) = identity.credential {
            self.0.key_uses.lock().unwrap_or_else(PoisonError::into_inner).insert(key_id, self.0.clock.database_time());
        }
        Ok(identity)
    }

    fn identify_token(&self, token: &str) -> Result<Identity, TokenError> {
        let valid = self.valid();
        let cached = self.0.verified.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
        let verified = match cached {
            Some(verified) if valid.token_keys.contains_key(&verified.key_id) => verified,
            _ => {
                let verified = access_tokens::verify(token, &valid.token_keys)?;
                self.0.verified.lock().unwrap_or_else(PoisonError::into_inner).put(token.to_owned(), verified.clone());
                verified
            }
        };
        verified.check_times(self.0.clock.database_time())?;
        // Sessions that began after a restored dump are unknown, and those that ended after it are not.
        if valid.revoked_sessions.contains(&verified.session_id) || valid.issued_from > Some(verified.issued_at) {
            Err(TokenError::Revoked)
        } else {
            Ok(verified.identity)
        }
    }
}
