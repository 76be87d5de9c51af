//! Sessions: log in, refresh, log out, change the password.

use std::time::Duration;

use sqlx::FromRow;
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
const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Tokens of a new or refreshed session.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: Secret,
    pub refresh_token: Secret,
    pub identity: Identity,
}

/// Account that a client tries to log in to.
#[derive(FromRow)]
struct Candidate {
    account_id: i64,
    email: String,
    password_hash: Option<String>,
    disabled: bool,
}

#[derive(FromRow)]
struct Refreshed {
    outcome: String,
    session_id: Option<Uuid>,
    account_id: Option<i64>,
    role: Option<String>,
    customer_id: Option<i64>,
}

const CANDIDATE: &str =
    "select account_id, email, password_hash, disabled_at is not null as disabled from account where ";

impl Accounts {
    /// Begins a session. Response and timing are the same for a wrong address and a wrong password.
    pub async fn log_in(&self, email: &str, password: &str, client: &ClientInfo) -> Result<Tokens, AccountsError> {
        // An invalid address is treated like an unknown one.
        let email = Email::parse(email).ok();
        let found: Option<Candidate> = sqlx::query_as(&format!("{CANDIDATE} lower(email) = lower($1)"))
            .bind(email.as_ref().map(Email::as_str))
            .fetch_optional(self.pool())
            .await?;
        // The rate limit counts attempts per lower-case address; PostgreSQL's `lower` maps more addresses to one.
        let lower = |email: &str| email.to_lowercase();
        let found = found.filter(|found| email.is_some_and(|email| lower(email.as_str()) == lower(&found.email)));
        self.check_password(found, password, client).await
    }

    /// Exchanges a refresh token for the next tokens of its session. Each refresh token works once: a second use means
    /// that it was stolen, so the session ends.
    pub async fn refresh_session(&self, refresh_token: &str, client: &ClientInfo) -> Result<Tokens, AccountsError> {
        let next = Secret::token()?;
        let refreshed: Refreshed = sqlx::query_as(
            "select outcome, session_id, account_id, role, customer_id from refresh_session($1, $2, $3)",
        )
        .bind(&secret::hash(refresh_token)[..])
        .bind(&next.hash()[..])
        .bind(SESSION_LIFE)
        .fetch_one(self.pool())
        .await?;
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
        let found: Option<(Uuid, i64)> = sqlx::query_as(
            "select session_id, account_id from refresh_token join session using (session_id) where token_hash = $1",
        )
        .bind(&secret::hash(refresh_token)[..])
        .fetch_optional(self.pool())
        .await?;
        match found {
            Some((session_id, account_id)) => self.log_out(session_id, AccountId(account_id), client).await,
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
        let found = self.find_candidate(account_id).await?;
        let password_hash = found.and_then(|candidate| candidate.password_hash);
        if !self.passwords().verify(current, password_hash).await? {
            sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::WrongPassword, client).await?;
            return Err(AccountsError::WrongCredentials);
        }
        let password_hash = self.passwords().hash(new).await?;
        let change = ChangePassword { account_id, password_hash: password_hash.clone(), link_hash: None };
        self.journal().run(change, context).await?;
        self.refresh().await?;
        sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::PasswordChanged, client).await?;
        let candidate = self.find_candidate(account_id).await?.ok_or(AccountsError::WrongCredentials)?;
        self.begin_session(&candidate, password_hash.expose()).await
    }

    pub async fn list_sign_ins(&self, before: i64, limit: i64) -> Result<Vec<sign_ins::SignIn>, sqlx::Error> {
        sign_ins::list_sign_ins(self.pool(), before, limit).await
    }

    async fn find_candidate(&self, account_id: AccountId) -> Result<Option<Candidate>, sqlx::Error> {
        let query = format!("{CANDIDATE} account_id = $1");
        sqlx::query_as(&query).bind(account_id.0).fetch_optional(self.pool()).await
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
        let begun: Option<(String, Option<i64>)> = sqlx::query_as(
            "with holder as (
                select account_id, role, customer_id from account
                where account_id = $1 and password_hash = $2 and disabled_at is null
                for share
            ), begun as (
                insert into session (session_id, account_id, started_at, expires_at)
                select $3, account_id, clock_timestamp(), clock_timestamp() + $4 from holder
                returning session_id
            ), given as (
                insert into refresh_token (token_hash, session_id) select $5, session_id from begun
            )
            select role, customer_id from holder",
        )
        .bind(candidate.account_id)
        .bind(password_hash)
        .bind(session_id)
        .bind(SESSION_LIFE)
        .bind(&refresh_token.hash()[..])
        .fetch_optional(self.pool())
        .await?;
        let (role, customer_id) = begun.ok_or(AccountsError::WrongCredentials)?;
        self.issue_tokens(session_id, candidate.account_id, &role, customer_id, refresh_token)
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
