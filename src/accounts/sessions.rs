//! Logging in, staying in, and leaving.

use std::time::Duration;

use uuid::Uuid;

use super::authenticator::{Credential, Identity};
use super::secret::{self, Secret};
use super::sign_ins::{self, ClientInfo, Outcome};
use super::{Accounts, AccountsError, Password};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::Email;
use crate::journal::Context;
use crate::shop::ChangePassword;

/// How long an access token is good for.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a session lasts without being used.
const SESSION_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a client that logged in is given.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: Secret,
    pub identity: Identity,
}

struct Candidate {
    account_id: i64,
    email: String,
    password_hash: Option<String>,
    disabled: bool,
}

impl Accounts {
    /// Begins a session. Takes as long, and says the same, whether the address or the password is wrong.
    pub async fn log_in(&self, email: &str, password: &str, client: &ClientInfo) -> Result<Tokens, AccountsError> {
        // What is no address is treated like one that nobody has.
        let email = Email::parse(email).ok();
        let typed = email.as_ref().map(Email::as_str);
        let found = sqlx::query_file_as!(Candidate, "src/accounts/queries/candidate_by_email.sql", typed);
        let found = found.fetch_optional(self.pool()).await?;
        // Guesses are counted by the address in lower case, and the database takes more addresses for the same.
        let lower = |email: &str| email.to_lowercase();
        let found = found.filter(|found| email.is_some_and(|email| lower(email.as_str()) == lower(&found.email)));
        self.check_password(found, password, client).await
    }

    /// The next tokens of a session, for its refresh token, which is used up by this. One that was used up before was
    /// stolen, by whoever sent it then or now: the session ends.
    pub async fn refresh_session(&self, refresh_token: &str, client: &ClientInfo) -> Result<Tokens, AccountsError> {
        let next = Secret::new("")?;
        let refreshed = sqlx::query_file!(
            "src/accounts/queries/refresh_session.sql",
            &secret::hash(refresh_token)[..],
            &next.hash()[..],
            SESSION_KEPT as _
        );
        let refreshed = refreshed.fetch_one(self.pool()).await?;
        if refreshed.outcome == "reused" {
            sign_ins::record_sign_in(self.pool(), refreshed.account_id.map(AccountId), Outcome::TokenReused, client)
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

    /// Ends the session of a refresh token; none, if the token is unknown or was used up.
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
        sign_ins::record_sign_in(self.pool(), Some(account_id), Outcome::LoggedOut, client).await?;
        Ok(self.refresh().await?)
    }

    /// Takes another password from who knows the present one; every session ends, and a new one begins.
    pub async fn change_password(
        &self,
        account_id: AccountId,
        current: &str,
        new: &Password,
        context: Context,
        client: &ClientInfo,
    ) -> Result<Tokens, AccountsError> {
        let found = self.find_candidate(account_id).await?;
        let known = found.and_then(|candidate| candidate.password_hash);
        if !self.passwords().verify(current, known).await? {
            sign_ins::record_sign_in(self.pool(), Some(account_id), Outcome::WrongPassword, client).await?;
            return Err(AccountsError::WrongCredentials);
        }
        let password_hash = self.passwords().hash(new).await?;
        let change = ChangePassword { account_id, password_hash: password_hash.clone(), link_hash: None };
        self.journal().run(change, context).await?;
        self.refresh().await?;
        sign_ins::record_sign_in(self.pool(), Some(account_id), Outcome::PasswordChanged, client).await?;
        let candidate = self.find_candidate(account_id).await?.ok_or(AccountsError::WrongCredentials)?;
        self.begin_session(&candidate, password_hash.expose()).await
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
        let right = self.passwords().verify(password, hash.clone()).await?;
        let account_id = found.as_ref().map(|candidate| AccountId(candidate.account_id));
        let (outcome, tokens) = match (found, hash) {
            (None, _) => (Outcome::UnknownAddress, Err(AccountsError::WrongCredentials)),
            (Some(candidate), _) if candidate.disabled => {
                (Outcome::AccountDisabled, Err(AccountsError::WrongCredentials))
            }
            (Some(candidate), Some(hash)) if right => (Outcome::LoggedIn, self.begin_session(&candidate, &hash).await),
            (Some(_), _) => (Outcome::WrongPassword, Err(AccountsError::WrongCredentials)),
        };
        sign_ins::record_sign_in(self.pool(), account_id, outcome, client).await?;
        tokens
    }

    /// Begins a session, if the account still has this password and is not disabled. What the account may do is read
    /// again: it may have changed while the password was checked.
    async fn begin_session(&self, candidate: &Candidate, password_hash: &str) -> Result<Tokens, AccountsError> {
        let (session_id, refresh_token) = (Uuid::now_v7(), Secret::new("")?);
        let begun = sqlx::query_file!(
            "src/accounts/queries/begin_session.sql",
            candidate.account_id,
            password_hash,
            session_id,
            SESSION_KEPT as _,
            &refresh_token.hash()[..]
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

    /// The number of the account that belongs to a customer.
    pub async fn account_of_customer(&self, customer_id: CustomerId) -> Result<Option<AccountId>, sqlx::Error> {
        let query = "select account_id from account where customer_id = $1";
        let found: Option<i64> = sqlx::query_scalar(query).bind(customer_id.0).fetch_optional(self.pool()).await?;
        Ok(found.map(AccountId))
    }
}
