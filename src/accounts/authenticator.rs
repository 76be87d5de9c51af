//! Whom a token or a key speaks for, from memory.
//!
//! The database tells every node when keys or revocations change; a node that was not told looks every few seconds.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, encode};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use thiserror::Error;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use super::keys::{KeysError, TokenKeys};
use super::secret;
use super::sessions::ACCESS_TOKEN_LIFE;
use crate::domain::account::Role;
use crate::domain::ids::{AccountId, CustomerId};

/// Who sends a request, as far as the account goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account_id: AccountId,
    pub role: Role,
    pub customer_id: Option<CustomerId>,
    pub credential: Credential,
}

/// What proved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    Session(Uuid),
    Key(Uuid),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    #[error("the access token has expired; get another with the refresh token")]
    Expired,
    #[error("the session was ended; log in again")]
    Revoked,
    #[error("the token or API key is not valid")]
    Invalid,
}

/// What stands in an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// The number of the account.
    sub: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<i64>,
    /// The session that it belongs to.
    sid: Uuid,
    iat: i64,
    exp: i64,
}

#[derive(Clone)]
pub(super) struct Authenticator(Arc<Parts>);

struct Parts {
    keys: TokenKeys,
    known: RwLock<Arc<Known>>,
    /// Tokens whose signature was found right, so that it is not computed at each request.
    verified: Mutex<LruCache<String, Verified>>,
    /// When each API key was last used, as far as the database does not know it yet.
    used: Mutex<HashMap<Uuid, DateTime<Utc>>>,
    looked_at: Mutex<Option<Instant>>,
    /// Held while the tables are read, so that what was read earlier never takes the place of what was read later.
    looking: AsyncMutex<()>,
}

/// What the tables of keys and revocations hold.
#[derive(Default)]
struct Known {
    token_keys: HashMap<String, DecodingKey>,
    revoked: HashSet<Uuid>,
    api_keys: HashMap<[u8; 32], Identity>,
}

#[derive(Clone)]
struct Verified {
    identity: Identity,
    key_id: String,
    session_id: Uuid,
    expires_at: i64,
}

/// Of what API keys begin with; anything else is a token.
pub(super) const KEY_PREFIX: &str = "shop_";
const ISSUER: &str = "cartwright";
const VERIFIED: NonZeroUsize = NonZeroUsize::new(20_000).expect("it is not zero");
/// How often a node looks although it was not told.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often, at the most, a token of an unknown key makes a node look.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often uses of API keys are written down.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// How long keys are honoured after they were retired: longer than any token lives.
const HONOURED: Duration = Duration::from_secs(3_600);

impl Authenticator {
    pub async fn start(keys: TokenKeys, pool: PgPool) -> Result<Self, sqlx::Error> {
        let authenticator = Self(Arc::new(Parts {
            keys,
            known: RwLock::default(),
            verified: Mutex::new(LruCache::new(VERIFIED)),
            used: Mutex::default(),
            looked_at: Mutex::default(),
            looking: AsyncMutex::default(),
        }));
        authenticator.refresh(&pool).await?;
        Ok(authenticator)
    }

    pub async fn identify(&self, bearer: &str, pool: &PgPool) -> Result<Identity, Rejected> {
        if bearer.starts_with(KEY_PREFIX) {
            return self.identify_key(bearer);
        }
        match self.identify_token(bearer) {
            // It may be the key of a node that has only just started.
            Err(Unverified::UnknownKey) if self.may_look_again() => {
                let _ = self.refresh(pool).await;
                self.identify_token(bearer).map_err(Rejected::from)
            }
            identified => identified.map_err(Rejected::from),
        }
    }

    /// A token for a session, signed with the newest key.
    pub fn sign(&self, identity: &Identity, session_id: Uuid) -> Result<String, jsonwebtoken::errors::Error> {
        let now = Utc::now().timestamp();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: identity.account_id.to_string(),
            role: identity.role,
            customer_id: identity.customer_id.map(|customer_id| customer_id.0),
            sid: session_id,
            iat: now,
            exp: now + ACCESS_TOKEN_LIFE.as_secs() as i64,
        };
        let key = self.0.keys.newest();
        encode(&Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) }, &claims, &key.encoding)
    }

    /// Reads what changed.
    pub async fn refresh(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let _looking = self.0.looking.lock().await;
        let token_keys = sqlx::query_file!("src/accounts/queries/honoured_token_keys.sql", HONOURED.as_secs_f64())
            .fetch_all(pool)
            .await?;
        let revoked: Vec<Uuid> =
            sqlx::query_scalar("select session_id from revocation where expires_at > clock_timestamp()")
                .fetch_all(pool)
                .await?;
        // A key never has more rights than its account has now.
        let api_keys = sqlx::query_file!("src/accounts/queries/usable_api_keys.sql").fetch_all(pool).await?;
        let api_keys = api_keys.into_iter().filter_map(|key| {
            let role = key.role.parse::<Role>().ok()?.min(key.account_role.parse().ok()?);
            let (account_id, credential) = (AccountId(key.account_id), Credential::Key(key.key_id));
            let identity = Identity { account_id, role, customer_id: None, credential };
            Some((key.secret_hash.try_into().ok()?, identity))
        });
        let known = Known {
            token_keys: token_keys
                .into_iter()
                .map(|key| (key.key_id, DecodingKey::from_ed_der(&key.public_key)))
                .collect(),
            revoked: revoked.into_iter().collect(),
            api_keys: api_keys.collect(),
        };
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        *self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Keeps up with the database, for as long as the node runs.
    pub async fn follow(self, connect: PgConnectOptions, pool: PgPool) {
        let mut listener = None;
        let mut noted = Instant::now();
        loop {
            if listener.is_none() {
                listener = listen(&connect).await.ok();
            }
            let heard = match &mut listener {
                Some(heard) => tokio::time::timeout(LOOK_EVERY, heard.try_recv()).await,
                None => {
                    tokio::time::sleep(LOOK_EVERY).await;
                    Ok(Ok(None))
                }
            };
            if matches!(heard, Ok(Ok(None) | Err(_))) {
                listener = None;
            }
            if let Err(error) = self.keep_up(&pool).await {
                tracing::warn!(%error, "keys and revocations could not be read");
            }
            if noted.elapsed() >= NOTE_EVERY {
                noted = Instant::now();
                if let Err(error) = self.note_uses(&pool).await {
                    tracing::warn!(%error, "the uses of API keys could not be noted");
                }
            }
        }
    }

    async fn keep_up(&self, pool: &PgPool) -> Result<(), KeysError> {
        // A folder that cannot be read must not keep the node from learning whom it is to refuse.
        let taken = self.0.keys.reload(pool).await;
        self.refresh(pool).await?;
        taken
    }

    async fn note_uses(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let used = std::mem::take(&mut *self.0.used.lock().unwrap_or_else(PoisonError::into_inner));
        let (ids, times): (Vec<_>, Vec<_>) = used.into_iter().unzip();
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

    /// When an API key was last used, as far as this node knows and the database does not.
    pub fn last_key_use(&self, key_id: Uuid) -> Option<DateTime<Utc>> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner).get(&key_id).copied()
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn may_look_again(&self) -> bool {
        let looked_at = *self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        looked_at.is_none_or(|at| at.elapsed() > LOOK_AGAIN)
    }

    fn identify_key(&self, key: &str) -> Result<Identity, Rejected> {
        // A digest is looked up, so the time that it takes tells nothing about the secrets.
        let identity = self.known().api_keys.get(&secret::hash(key)).copied().ok_or(Rejected::Invalid)?;
        if let Credential::Key(key_id) = identity.credential {
            self.0.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key_id, Utc::now());
        }
        Ok(identity)
    }

    fn identify_token(&self, token: &str) -> Result<Identity, Unverified> {
        let known = self.known();
        let remembered = self.0.verified.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
        let verified = match remembered {
            Some(verified) if known.token_keys.contains_key(&verified.key_id) => verified,
            _ => {
                let verified = verify(token, &known)?;
                self.0.verified.lock().unwrap_or_else(PoisonError::into_inner).put(token.to_owned(), verified.clone());
                verified
            }
        };
        if verified.expires_at <= Utc::now().timestamp() {
            Err(Unverified::Expired)
        } else if known.revoked.contains(&verified.session_id) {
            Err(Unverified::Revoked)
        } else {
            Ok(verified.identity)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unverified {
    Expired,
    Revoked,
    UnknownKey,
    Invalid,
}

impl From<Unverified> for Rejected {
    fn from(unverified: Unverified) -> Self {
        match unverified {
            Unverified::Expired => Self::Expired,
            Unverified::Revoked => Self::Revoked,
            Unverified::UnknownKey | Unverified::Invalid => Self::Invalid,
        }
    }
}

/// Checks the signature, with the one algorithm that there is, whatever the token says of itself.
fn verify(token: &str, known: &Known) -> Result<Verified, Unverified> {
    let header = decode_header(token).map_err(|_| Unverified::Invalid)?;
    // What a token says must be understood, and is not.
    if header.crit.is_some() {
        return Err(Unverified::Invalid);
    }
    let key_id = header.kid.ok_or(Unverified::Invalid)?;
    let key = known.token_keys.get(&key_id).ok_or(Unverified::UnknownKey)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = 0;
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    let claims = decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
        ErrorKind::ExpiredSignature => Unverified::Expired,
        _ => Unverified::Invalid,
    })?;
    let Claims { sub, role, customer_id, sid, exp, .. } = claims.claims;
    let account_id = sub.parse().map_err(|_| Unverified::Invalid)?;
    let customer_id = customer_id.map(CustomerId);
    let identity = Identity { account_id, role, customer_id, credential: Credential::Session(sid) };
    Ok(Verified { identity, key_id, session_id: sid, expires_at: exp })
}

async fn listen(connect: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let connect = connect.clone().disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(connect).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen("access").await?;
    Ok(listener)
}
