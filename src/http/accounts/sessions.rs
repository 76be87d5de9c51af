//! The sessions of the caller's own account.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::accounts::{ClientInfo, Credential, SessionView};
use crate::http::App;
use crate::http::accounts::require_session;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Ids;

/// List the sessions of the caller's account, newest first
///
/// An account has at most 100 sessions.
#[utoipa::path(get, path = "/auth/sessions", tag = "accounts", security(("bearer" = ["user"])),
    responses((status = 200, body = Vec<SessionView>)))]
pub async fn list_sessions(State(app): State<App>, caller: Caller) -> Result<Json<Vec<SessionView>>, ApiError> {
    let identity = caller.identity()?;
    let current = match identity.credential {
        Credential::Session(session_id) => Some(session_id),
        Credential::Key(_) => None,
    };
    Ok(Json(app.accounts.list_sessions(identity.account_id, current).await?))
}

/// End a session of the caller's account
///
/// Its access tokens are refused at once.
#[utoipa::path(delete, path = "/auth/session/{session_id}", tag = "accounts", security(("bearer" = ["user"])),
    params(("session_id" = Uuid, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_session(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    Ids(session_id): Ids<Uuid>,
) -> Result<StatusCode, ApiError> {
    let account_id = require_session(&caller)?;
    if app.accounts.end_session_of(account_id, session_id, &client).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("session_not_found", "Session not found"))
    }
}
