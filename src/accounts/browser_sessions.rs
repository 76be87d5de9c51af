//! Sessions of browsers: the cookie holds the session's refresh token, which opens the session without being rotated.
//!
//! Two requests of one browser may arrive at once. If the token of the cookie were exchanged as clients exchange theirs,
//! the second request would present a used token and end the session. See `docs/decisions/staff-pages.md`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::identity::{Credential, Identity};
use super::secret::{self, Secret};
use super::sessions::{MAX_SESSIONS, SESSION_LIFE};
use super::sign_ins::ClientInfo;
use super::{Accounts, AccountsError};
use crate::domain::ids::{AccountId, CustomerId};

/// Lifetime of a browser's session without use.
const BROWSER_SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// An open session of a browser.
pub struct BrowserSession {
    pub identity: Identity,
    pub email: String,
    /// An access token of the session, with the usual lifetime.
    pub access_token: Secret,
}

/// A session of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    pub session_id: Uuid,
    pub started_at: DateTime<Utc>,
    /// When the session ends if it is not used.
    pub expires_at: DateTime<Utc>,
    /// Whether this request belongs to the session.
    pub current: bool,
}

impl Accounts {
    /// Opens the session of a browser's token; `None` if the token is unknown, used or expired.
    pub async fn open_browser_session(&self, token: &str) -> Result<Option<BrowserSession>, AccountsError> {
        let found = sqlx::query_file!(
            "src/accounts/queries/open_browser_session.sql",
            &secret::hash(token)[..],
            BROWSER_SESSION_LIFE as _,
            (SESSION_LIFE + Duration::from_secs(60)) as _
        );
        let Some(found) = found.fetch_optional(self.pool()).await? else { return Ok(None) };
        let identity = Identity {
            account_id: AccountId(found.account_id),
            role: found.role.parse().map_err(|_| AccountsError::InvalidToken)?,
            customer_id: found.customer_id.map(CustomerId),
            credential: Credential::Session(found.session_id),
        };
        let signed = self.0.authenticator.sign(&identity, found.session_id);
        let access_token = signed.map_err(|_| AccountsError::InvalidToken)?;
        Ok(Some(BrowserSession { identity, email: found.email, access_token }))
    }

    /// Lists the sessions of an account, newest first; `current` is that of the caller.
    pub async fn list_sessions(
        &self,
        account_id: AccountId,
        current: Option<Uuid>,
    ) -> Result<Vec<SessionView>, sqlx::Error> {
        let rows = sqlx::query_file!("src/accounts/queries/list_sessions.sql", account_id.0, MAX_SESSIONS);
        let view = |session_id, started_at, expires_at| SessionView {
            session_id,
            started_at,
            expires_at,
            current: Some(session_id) == current,
        };
        let rows = rows.fetch_all(self.pool()).await?;
        Ok(rows.into_iter().map(|row| view(row.session_id, row.started_at, row.expires_at)).collect())
    }

    /// Ends a session of an account; returns whether there was one.
    pub async fn end_session_of(
        &self,
        account_id: AccountId,
        session_id: Uuid,
        client: &ClientInfo,
    ) -> Result<bool, AccountsError> {
        let query = "select exists (select from session where session_id = $1 and account_id = $2)";
        let exists: bool = sqlx::query_scalar(query).bind(session_id).bind(account_id.0).fetch_one(self.pool()).await?;
        if exists {
            self.log_out(session_id, account_id, client).await?;
        }
        Ok(exists)
    }
}
