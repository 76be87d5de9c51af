//! What follows from events: how far it is, what could not be done, and what is decided about that.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::http::App;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::reactors::{self, Decision, ReactionView, ReactorStatus};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReactionFilter {
    /// Only those that are to be carried out, or only those that were given up.
    #[param(inline)]
    state: Option<reactors::ReactionState>,
    /// Only those of one reactor: `webhooks`.
    reactor: Option<String>,
}

/// How every reactor stands
#[utoipa::path(get, path = "/reactors", tag = "operation", security(("bearer" = ["admin"])),
    responses((status = 200, body = Vec<ReactorStatus>)))]
pub async fn list_reactors(State(app): State<App>) -> Result<Json<Vec<ReactorStatus>>, ApiError> {
    Ok(Json(reactors::status(&app.pool).await?))
}

/// What is to be carried out, and what was given up, oldest first
#[utoipa::path(get, path = "/reactions", tag = "operation", security(("bearer" = ["admin"])),
    params(ReactionFilter, Page), responses((status = 200, body = Vec<ReactionView>), (status = 400, body = Problem)))]
pub async fn list(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<ReactionFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<ReactionView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (after, reactor) = (page.after()?.unwrap_or(0), filter.reactor.as_deref());
    let rows = reactors::list(&app.pool, filter.state, reactor, after, limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.reaction_id))
}

/// Tries a reaction again, at once and with all its attempts before it
#[utoipa::path(post, path = "/reactions/{reaction_id}/retry", tag = "operation", security(("bearer" = ["admin"])),
    params(("reaction_id" = i64, Path)), responses((status = 202, body = Value), (status = 404, body = Problem)))]
pub async fn retry(
    State(app): State<App>,
    caller: Caller,
    Ids(reaction_id): Ids<i64>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    if !reactors::retry(&app.pool, reaction_id, &caller.actor().id).await? {
        return Err(unknown());
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "reaction_id": reaction_id, "state": "due" }))))
}

/// Gives a reaction up for good; who did is kept
#[utoipa::path(delete, path = "/reactions/{reaction_id}", tag = "operation", security(("bearer" = ["admin"])),
    params(("reaction_id" = i64, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn drop_one(
    State(app): State<App>,
    caller: Caller,
    Ids(reaction_id): Ids<i64>,
) -> Result<StatusCode, ApiError> {
    if !reactors::drop_one(&app.pool, reaction_id, &caller.actor().id).await? {
        return Err(unknown());
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Who decided what about reactions, newest first
#[utoipa::path(get, path = "/reaction-decisions", tag = "operation", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<Decision>), (status = 400, body = Problem)))]
pub async fn decisions(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<Decision>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = reactors::decisions(&app.pool, page.after()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.decision_id))
}

fn unknown() -> ApiError {
    ApiError::not_found("reaction_not_found", "Reaction not found")
}
