//! Sessions: log in, refresh, log out, check and change the password.

use std::time::Duration;

use uuid::Uuid;

use super::identity::{Credential, Identity};
use super::secret::{self, Secret};
use super::sign_ins::{self, ClientInfo, SignInOutcome};
use super::{Accounts, AccountsError, Password};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::Email;
use crate::journal::Context;
use crate::shop::ChangePassword;

/// Lifetime of a session without use.
pub(super) const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The most used refresh tokens of a session that are remembered; using one of them again ends the session.
pub const MAX_USED_TOKENS: i32 = 100;
/// The most sessions of an account; a further log-in ends the oldest.
pub const MAX_SESSIONS: i64 = 100;

/// Tokens of a new or refreshed session.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: Secret,
    pub refresh_token: Secret,
    pub identity: Identity,
}

/// An account whose current password the caller has just given.
pub struct ProvenOwner {
    pub(super) account_id: AccountId,
    pub(super) password_hash: String,
    email: String,
}

/// Account that a client tries to log in to.
struct Candidate {
    account_id: i64,
    email: String,
    password_hash: Option<String>,
    disabled: bool,
}

impl ProvenOwner {
    /// The present e-mail address of the account.
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl Accounts {
    /// Begins a session. Response and timing are the same for a wrong address and a wrong password.
    pub async fn log_in(&self, email: &str, password: &str, client: &ClientInfo) -> Result<Tokens, AccountsError> {
        // An invalid address is treated like an unknown one.
        let email = Email::parse_known(email).ok();
        let typed = email.as_ref().map(Email::as_str);
        let found = sqlx::query_file_as!(Candidate, "src/accounts/queries/candidate_by_email.sql", typed);
        let found = found.fetch_optional(self.pool()).await?;
        // The rate limit counts attempts per lower-case address; PostgreSQL's `lower` may map more addresses to one.
        let same = |found: &Candidate, email: Email| Email::stored(found.email.clone()).folded() == email.folded();
        let found = found.filter(|found| email.is_some_and(|email| same(found, email)));
        self.check_password(found, password, client).await
    }

    /// Exchanges a refresh token for the next tokens of its session. Each refresh token works once: a second use means
    /// that it was stolen, so the session ends.
    pub async fn refresh_session(&self, refresh_token: &str, client: &ClientInfo) -> Result<Tokens, AccountsError> {
        let next = Secret::token()?;
        let refreshed = sqlx::query_file!(
            "src/accounts/queries/refresh_session.sql",
            &secret::hash(refresh_token)[..],
            &next.hash()[..],
            SESSION_LIFE as _,
            MAX_USED_TOKENS
        );
        let refreshed = refreshed.fetch_one(self.pool()).await?;
        if refreshed.outcome == "reused" {
            sign_ins::record_sign_in(
                self.pool(),
                refreshed.account_id.map(AccountId),
                SignInOutcome::TokenReused,
                client,
            )
            .await?;
            self.refresh().await?;
        }
        let (Some(session_id), Some(account_id), Some(role)) =
            (refreshed.session_id, refreshed.account_id, refreshed.role)
        else {
            return Err(AccountsError::InvalidToken);
        };
        self.issue_tokens(session_id, account_id, &role, refreshed.customer_id, next)
    }

    /// Ends the session of a refresh token; does nothing if the token is unknown or used.
    pub async fn log_out_by_token(&self, refresh_token: &str, client: &ClientInfo) -> Result<(), AccountsError> {
        let hash = secret::hash(refresh_token);
        let found = sqlx::query_file!("src/accounts/queries/session_of_token.sql", &hash[..]);
        match found.fetch_optional(self.pool()).await? {
            Some(found) => self.log_out(found.session_id, AccountId(found.account_id), client).await,
            None => Ok(()),
        }
    }

    pub async fn log_out(
        &self,
        session_id: Uuid,
        account_id: AccountId,
        client: &ClientInfo,
    ) -> Result<(), AccountsError> {
        sqlx::query("select end_session($1)").bind(session_id).execute(self.pool()).await?;
        sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::LoggedOut, client).await?;
        Ok(self.refresh().await?)
    }

    /// Changes the password after checking the current one; all sessions end, and a new one begins.
    pub async fn change_password(
        &self,
        account_id: AccountId,
        current: &str,
        new: &Password,
        context: Context,
        client: &ClientInfo,
    ) -> Result<Tokens, AccountsError> {
        self.prove_owner(account_id, current, client).await?;
        let password_hash = self.passwords().hash(new).await?;
        let change = ChangePassword { account_id, password_hash: password_hash.clone(), link_hash: None };
        self.journal().run(change, context).await?;
        self.refresh().await?;
        sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::PasswordChanged, client).await?;
        let candidate = self.find_candidate(account_id).await?.ok_or(AccountsError::WrongCredentials)?;
        self.begin_session(&candidate, password_hash.expose()).await
    }

    /// Checks the password of a logged-in account, and records a wrong one.
    pub async fn prove_owner(
        &self,
        account_id: AccountId,
        password: &str,
        client: &ClientInfo,
    ) -> Result<ProvenOwner, AccountsError> {
        let found = self.find_candidate(account_id).await?;
        let (email, hash) = found.map(|candidate| (candidate.email, candidate.password_hash)).unzip();
        let hash = hash.flatten();
        let matches = self.passwords().verify(password, hash.clone()).await?;
        match (email, hash) {
            (Some(email), Some(password_hash)) if matches => Ok(ProvenOwner { account_id, password_hash, email }),
            _ => {
                sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::WrongPassword, client).await?;
                Err(AccountsError::WrongCredentials)
            }
        }
    }

    pub async fn list_sign_ins(&self, before: i64, limit: i64) -> Result<Vec<sign_ins::SignIn>, sqlx::Error> {
        sign_ins::list_sign_ins(self.pool(), before, limit).await
    }

    async fn find_candidate(&self, account_id: AccountId) -> Result<Option<Candidate>, sqlx::Error> {
        sqlx::query_file_as!(Candidate, "src/accounts/queries/candidate_by_id.sql", account_id.0)
            .fetch_optional(self.pool())
            .await
    }

    async fn check_password(
        &self,
        found: Option<Candidate>,
        password: &str,
        client: &ClientInfo,
    ) -> Result<Tokens, AccountsError> {
        let hash = found.as_ref().and_then(|candidate| candidate.password_hash.clone());
        let is_right = self.passwords().verify(password, hash.clone()).await?;
        let account_id = found.as_ref().map(|candidate| AccountId(candidate.account_id));
        let (outcome, tokens) = match (found, hash) {
            (None, _) => (SignInOutcome::UnknownAddress, Err(AccountsError::WrongCredentials)),
            (Some(candidate), _) if candidate.disabled => {
                (SignInOutcome::AccountDisabled, Err(AccountsError::WrongCredentials))
            }
            (Some(candidate), Some(hash)) if is_right => {
                (SignInOutcome::LoggedIn, self.begin_session(&candidate, &hash).await)
            }
            (Some(_), _) => (SignInOutcome::WrongPassword, Err(AccountsError::WrongCredentials)),
        };
        sign_ins::record_sign_in(self.pool(), account_id, outcome, client).await?;
        tokens
    }

    /// Begins a session if the account still has this password and is enabled. Reads the role again, because it may have
    /// changed while the password was checked.
    async fn begin_session(&self, candidate: &Candidate, password_hash: &str) -> Result<Tokens, AccountsError> {
        let (session_id, refresh_token) = (Uuid::now_v7(), Secret::token()?);
        let begun = sqlx::query_file!(
            "src/accounts/queries/begin_session.sql",
            candidate.account_id,
            password_hash,
            session_id,
            SESSION_LIFE as _,
            &refresh_token.hash()[..],
            MAX_SESSIONS
        );
        let begun = begun.fetch_optional(self.pool()).await?.ok_or(AccountsError::WrongCredentials)?;
        self.issue_tokens(session_id, candidate.account_id, &begun.role, begun.customer_id, refresh_token)
    }

    fn issue_tokens(
        &self,
        session_id: Uuid,
        account_id: i64,
        role: &str,
        customer_id: Option<i64>,
        refresh_token: Secret,
    ) -> Result<Tokens, AccountsError> {
        let identity = Identity {
            account_id: AccountId(account_id),
            role: role.parse().map_err(|_| AccountsError::InvalidToken)?,
            customer_id: customer_id.map(CustomerId),
            credential: Credential::Session(session_id),
        };
        let access_token = self.0.authenticator.sign(&identity, session_id).map_err(|_| AccountsError::InvalidToken)?;
        Ok(Tokens { access_token, refresh_token, identity })
    }

    /// Finds the account of a customer.
    pub async fn account_of_customer(&self, customer_id: CustomerId) -> Result<Option<AccountId>, sqlx::Error> {
        let query = "select account_id from account where customer_id = $1";
        let found: Option<i64> = sqlx::query_scalar(query).bind(customer_id.0).fetch_optional(self.pool()).await?;
        Ok(found.map(AccountId))
    }
}
