//! Records of logins and failed logins, for staff. They are deleted after a configured time.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::domain::ids::AccountId;

/// The most records of logins; beyond them the oldest are deleted.
pub const MAX_SIGN_INS: i64 = 1_000_000;

/// Network and user agent of a client, as stored with its logins.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// The network of the client's address: `203.0.113.0/24`.
    pub network: String,
    pub user_agent: String,
}

/// Outcome of a login or of another change to sessions and passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignInOutcome {
    LoggedIn,
    WrongPassword,
    UnknownAddress,
    AccountDisabled,
    LoggedOut,
    /// A refresh token was used twice: its session has ended.
    TokenReused,
    PasswordChanged,
    ResetRequested,
    EmailChangeRequested,
    EmailChanged,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SignIn {
    pub sign_in_id: i64,
    pub happened_at: DateTime<Utc>,
    /// Null if no account has the e-mail address.
    pub account_id: Option<i64>,
    #[schema(value_type = SignInOutcome)]
    pub outcome: String,
    /// Network of the client's IP address: `203.0.113.0/24`.
    pub address: String,
    pub user_agent: String,
}

impl SignInOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::LoggedIn => "logged_in",
            Self::WrongPassword => "wrong_password",
            Self::UnknownAddress => "unknown_address",
            Self::AccountDisabled => "account_disabled",
            Self::LoggedOut => "logged_out",
            Self::TokenReused => "token_reused",
            Self::PasswordChanged => "password_changed",
            Self::ResetRequested => "reset_requested",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailChanged => "email_changed",
        }
    }
}

pub(super) async fn record_sign_in(
    pool: &PgPool,
    account_id: Option<AccountId>,
    outcome: SignInOutcome,
    client: &ClientInfo,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sign_in (happened_at, account_id, outcome, address, user_agent)
         select clock_timestamp(), (select account_id from account where account_id = $1), $2, $3, $4",
    )
    .bind(account_id.map(|account_id| account_id.0))
    .bind(outcome.as_str())
    .bind(&client.network)
    .bind(&client.user_agent)
    .execute(pool)
    .await?;
    Ok(())
}

/// Lists the records below number `before`, newest first.
pub async fn list_sign_ins(pool: &PgPool, before: i64, limit: i64) -> Result<Vec<SignIn>, sqlx::Error> {
    sqlx::query_file_as!(SignIn, "src/accounts/queries/list_sign_ins.sql", before, limit).fetch_all(pool).await
}

/// Deletes old records, and expired sessions, revocations, links and keys.
pub(super) async fn delete_expired(pool: &PgPool, kept_days: u32) -> Result<(), sqlx::Error> {
    sqlx::query("delete from sign_in where happened_at < clock_timestamp() - make_interval(days => $1)")
        .bind(i32::try_from(kept_days).unwrap_or(i32::MAX))
        .execute(pool)
        .await?;
    sqlx::query("delete from sign_in where sign_in_id <= (select max(sign_in_id) - $1 from sign_in)")
        .bind(MAX_SIGN_INS)
        .execute(pool)
        .await?;
    for expired in [
        // Skips a session that another transaction is ending.
        "delete from session where session_id in (
            select session_id from session where expires_at < clock_timestamp() for update skip locked
        )",
        "delete from revocation where expires_at < clock_timestamp()",
        "delete from mailed_link where expires_at < clock_timestamp()",
        "delete from token_key where retired_at < clock_timestamp() - interval '1 day' and isfinite(retired_at)",
    ] {
        sqlx::query(expired).execute(pool).await?;
    }
    Ok(())
}
