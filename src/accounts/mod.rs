//! Who somebody is: passwords, sessions, tokens, API keys, mailed links, and who logged in when.
//!
//! What an account may do stands in the log (`domain/account`); the person and the secrets stand in tables beside it.
//! Checking a token or a key costs no query: every node holds what it needs in memory (`authenticator`), and is told of changes.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::journal::{CommandError, Journal};
use crate::mail::Mailer;

mod account_mails;
mod authenticator;
mod keys;
mod links;
mod password;
mod secret;
mod sessions;
mod sign_ins;
mod users;

pub use crate::mail::MailConfig;
pub use authenticator::{Credential, Identity, Rejected};
pub use keys::{KeysError, TokenKeys};
pub use links::MailRequest;
pub use password::{Password, PasswordError, Passwords};
pub use secret::Secret;
pub use sessions::{ACCESS_TOKEN_LIFE, Tokens};
pub use sign_ins::{ClientInfo, Outcome, SignIn};
pub use users::{ApiKey, User, find_account_by_email, list_users};

use authenticator::Authenticator;

/// Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<AccountsInner>);

struct AccountsInner {
    pool: PgPool,
    journal: Journal,
    passwords: Passwords,
    authenticator: Authenticator,
    /// Wakes the task that mails.
    mail_requested: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// Where this node's signing keys are kept.
    pub keys_dir: PathBuf,
    pub mail: MailConfig,
}

#[derive(Debug, Error)]
pub enum AccountsError {
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    #[error("the refresh token is not valid")]
    InvalidToken,
    #[error("the link was used, has expired, or never was")]
    InvalidLink,
    /// As many passwords are being checked as memory allows.
    #[error("too many log-ins at once")]
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
        let keys = TokenKeys::open(&config.keys_dir, &pool).await?;
        let authenticator = Authenticator::start(keys, pool.clone()).await?;
        let mail_requested = Arc::new(Notify::new());
        let tasks = vec![
            tokio::spawn(authenticator.clone().follow(connect, pool.clone())),
            tokio::spawn(links::send_due_mails(pool.clone(), Mailer::new(&config.mail), Arc::clone(&mail_requested))),
        ];
        let passwords = Passwords::default();
        Ok(Self(Arc::new(AccountsInner { pool, journal, passwords, authenticator, mail_requested, tasks })))
    }

    /// Whom a bearer token or an API key speaks for. No query, but for a token of a node that this one has not met.
    pub async fn identify(&self, bearer: &str) -> Result<Identity, Rejected> {
        self.0.authenticator.identify(bearer, &self.0.pool).await
    }

    /// Learns at once what this node has just changed, such as a session that it ended.
    pub async fn refresh(&self) -> Result<(), sqlx::Error> {
        self.0.authenticator.refresh(&self.0.pool).await
    }

    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Deletes what has expired.
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
        &self.0.pool
    }

    fn journal(&self) -> &Journal {
        &self.0.journal
    }
}
