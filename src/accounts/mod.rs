//! Accounts: passwords, sessions, access tokens, API keys, mailed links, and records of logins.
//!
//! Roles are events in the log (`domain/account`); personal data and secrets are in tables beside it. Verifying a token
//! or a key needs no query: every node keeps the valid credentials in memory (`authenticator`).

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::journal::{CommandError, Journal};
use crate::mail::Mailer;

mod access_tokens;
mod account_mails;
mod ascii_domains;
mod authenticator;
mod browser_sessions;
mod cart_tokens;
mod email_changes;
mod identity;
mod keys;
mod links;
mod password;
mod secret;
mod sessions;
mod sign_ins;
mod users;

pub use crate::mail::MailConfig;
pub use access_tokens::ACCESS_TOKEN_LIFE;
pub use ascii_domains::convert_stored_domains;
pub use browser_sessions::{BrowserSession, SessionView};
pub use cart_tokens::CartTokens;
pub use identity::{Credential, Identity, Rejected};
pub use keys::{KeysError, TokenKeys};
pub use links::MailRequest;
pub use password::{Password, PasswordError, Passwords};
pub use secret::Secret;
pub use sessions::{ProvenOwner, Tokens};
pub use sign_ins::{ClientInfo, SignIn, SignInOutcome};
pub use users::{ApiKey, User, find_account_by_email, list_users};

use authenticator::Authenticator;

/// Handle to the accounts of a shop, with the pool of its queries; cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<AccountsInner>, PgPool);

struct AccountsInner {
    pool: PgPool,
    journal: Journal,
    passwords: Passwords,
    authenticator: Authenticator,
    cart_tokens: CartTokens,
    /// Wakes the mail task.
    mail_requested: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// Folder of this node's signing keys.
    pub keys_dir: PathBuf,
    pub mail: MailConfig,
}

#[derive(Debug, Error)]
pub enum AccountsError {
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    #[error("the refresh token is not valid")]
    InvalidToken,
    #[error("the link is invalid, expired or already used")]
    InvalidLink,
    /// Too many passwords are being hashed at once.
    #[error("too many logins at once")]
    Busy,
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Accounts {
    pub async fn start(
        config: &AccountsConfig,
        connect: PgConnectOptions,
        pool: PgPool,
        journal: Journal,
    ) -> Result<Self, AccountsError> {
        convert_stored_domains(&pool).await?;
        let keys = TokenKeys::open(&config.keys_dir, &pool).await?;
        let authenticator = Authenticator::start(keys, pool.clone(), journal.clock().clone()).await?;
        let cart_tokens = CartTokens::open(&pool).await?;
        let mail_requested = Arc::new(Notify::new());
        let tasks = vec![
            tokio::spawn(authenticator.clone().keep_up_to_date(connect, pool.clone())),
            tokio::spawn(links::send_due_mails(
                pool.clone(),
                journal.known_log(),
                Mailer::new(&config.mail, journal.clock()),
                Arc::clone(&mail_requested),
            )),
        ];
        let passwords = Passwords::default();
        let reads = pool.clone();
        let inner = AccountsInner { pool, journal, passwords, authenticator, cart_tokens, mail_requested, tasks };
        Ok(Self(Arc::new(inner), reads))
    }

    /// The same accounts, read with another pool.
    pub fn reading_from(&self, pool: PgPool) -> Self {
        Self(Arc::clone(&self.0), pool)
    }

    /// Authenticates an access token or an API key, without a query unless the signing key is unknown.
    pub async fn identify(&self, bearer: &str) -> Result<Identity, Rejected> {
        self.0.authenticator.identify(bearer, &self.0.pool).await
    }

    /// Reads the valid credentials again, so that a change of this node takes effect immediately.
    pub async fn refresh(&self) -> Result<(), sqlx::Error> {
        self.0.authenticator.refresh(&self.0.pool).await
    }

    /// The tokens of guests' carts.
    pub fn cart_tokens(&self) -> &CartTokens {
        &self.0.cart_tokens
    }

    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Deletes expired sessions, links and keys, and old records of logins.
    pub async fn delete_expired(&self, sign_ins_kept_days: u32) -> Result<(), sqlx::Error> {
        sign_ins::delete_expired(&self.0.pool, sign_ins_kept_days).await
    }
}

impl Drop for AccountsInner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Accounts {
    fn pool(&self) -> &PgPool {
        &self.1
    }

    fn journal(&self) -> &Journal {
        &self.0.journal
    }
}
