//! Who somebody is: passwords, sessions, tokens, API keys, mailed links, and who logged in when.
//!
//! What an account may do stands in the log (`domain/account`); the person and the secrets stand in tables beside it.
//! Checking a token or a key costs no query: every node holds what it needs in memory (`gate`), and is told of changes.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::journal::{CommandError, Journal};
use crate::mail::Mailer;

mod gate;
mod keys;
mod letters;
mod links;
mod password;
mod records;
mod secret;
mod sessions;
mod users;

pub use crate::mail::MailConfig;
pub use gate::{Credential, Identity, Rejected};
pub use keys::{KeysError, TokenKeys};
pub use links::Wish;
pub use password::{Password, PasswordError, Passwords};
pub use records::{Origin, Outcome, SignIn};
pub use secret::Secret;
pub use sessions::{ACCESS_TOKEN_LIFE, Tokens};
pub use users::{ApiKey, User, users, with_address};

use gate::Gate;

/// Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Parts>);

struct Parts {
    pool: PgPool,
    journal: Journal,
    passwords: Passwords,
    gate: Gate,
    /// Wakes the task that mails.
    asked: Arc<Notify>,
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
        let gate = Gate::start(keys, pool.clone()).await?;
        let asked = Arc::new(Notify::new());
        let tasks = vec![
            tokio::spawn(gate.clone().follow(connect, pool.clone())),
            tokio::spawn(links::deliver(pool.clone(), Mailer::new(&config.mail), Arc::clone(&asked))),
        ];
        let passwords = Passwords::default();
        Ok(Self(Arc::new(Parts { pool, journal, passwords, gate, asked, tasks })))
    }

    /// Whom a bearer token or an API key speaks for. No query, but for a token of a node that this one has not met.
    pub async fn identify(&self, bearer: &str) -> Result<Identity, Rejected> {
        self.0.gate.identify(bearer, &self.0.pool).await
    }

    /// Learns at once what this node has just changed, such as a session that it ended.
    pub async fn refresh(&self) -> Result<(), sqlx::Error> {
        self.0.gate.refresh(&self.0.pool).await
    }

    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Deletes what has expired.
    pub async fn sweep(&self, sign_ins_kept_days: u32) -> Result<(), sqlx::Error> {
        records::sweep(&self.0.pool, sign_ins_kept_days).await
    }
}

impl Drop for Parts {
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
