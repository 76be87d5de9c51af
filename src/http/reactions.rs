//! Reactions (side effects of events): progress of each reactor, failed reactions, and decisions about them.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::App;
use crate::http::wire::body::{PlainBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::reactors::{self, Decision, ReactionView, ReactorStatus};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReactionFilter {
    /// Only pending, or only parked reactions.
    #[param(inline)]
    state: Option<reactors::ReactionState>,
    /// Only reactions of this reactor, such as `webhooks`.
    reactor: Option<String>,
}

/// List reactors: position and backlog of each
#[utoipa::path(get, path = "/reactors", tag = "operation", security(("bearer" = ["admin"])),
    responses((status = 200, body = Vec<ReactorStatus>)))]
pub async fn list_reactors(State(app): State<App>) -> Result<Json<Vec<ReactorStatus>>, ApiError> {
    Ok(Json(reactors::status(&app.pool).await?))
}

/// List pending and parked reactions, oldest first
#[utoipa::path(get, path = "/reactions", tag = "operation", security(("bearer" = ["admin"])),
    params(ReactionFilter, Page), responses((status = 200, body = Vec<ReactionView>), (status = 400, body = Problem)))]
pub async fn list_reactions(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<ReactionFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<ReactionView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (after, reactor) = (page.after()?.unwrap_or(0), filter.reactor.as_deref());
    if let Some(reactor) = reactor {
        require_reactor(&app, reactor).await?;
    }
    let rows = reactors::list(&app.pool, filter.state, reactor, after, limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.reaction_id))
}

async fn require_reactor(app: &App, reactor: &str) -> Result<(), ApiError> {
    let known: Vec<String> = reactors::status(&app.pool).await?.into_iter().map(|known| known.name).collect();
    if known.iter().any(|known| known == reactor) {
        return Ok(());
    }
    Err(ApiError::invalid_field("reactor", format!("must be one of {}", known.join(", "))))
}

/// A reaction that is attempted again.
#[derive(Serialize, ToSchema)]
pub struct RetriedReaction {
    pub reaction_id: i64,
    /// Always `due`.
    pub state: &'static str,
}

/// Retry a reaction now, with its full number of attempts
#[utoipa::path(post, path = "/reactions/{reaction_id}/retry", tag = "operation", security(("bearer" = ["admin"])),
    params(("reaction_id" = i64, Path)), responses((status = 202, body = RetriedReaction), (status = 404, body = Problem)))]
pub async fn retry_reaction(
    State(app): State<App>,
    caller: Caller,
    Ids(reaction_id): Ids<i64>,
) -> Result<(StatusCode, Json<RetriedReaction>), ApiError> {
    if !reactors::retry(&app.pool, reaction_id, &caller.actor().id).await? {
        return Err(reaction_not_found());
    }
    Ok((StatusCode::ACCEPTED, Json(RetriedReaction { reaction_id, state: "due" })))
}

/// Drop a reaction; records who dropped it
#[utoipa::path(delete, path = "/reactions/{reaction_id}", tag = "operation", security(("bearer" = ["admin"])),
    params(("reaction_id" = i64, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn drop_reaction(
    State(app): State<App>,
    caller: Caller,
    Ids(reaction_id): Ids<i64>,
) -> Result<StatusCode, ApiError> {
    if !reactors::drop_one(&app.pool, reaction_id, &caller.actor().id).await? {
        return Err(reaction_not_found());
    }
    Ok(StatusCode::NO_CONTENT)
}

body! {
    /// A decision about several reactions.
    #[schema(examples(json!({ "reaction_ids": [17, 18], "decision": "retry" })))]
    pub struct ReactionsDecision {
        #[schema(min_items = 1, max_items = 1000)]
        pub reaction_ids: Vec<i64>,
        pub decision: DecisionKind,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Attempt them now, with their full number of attempts.
    Retry,
    /// Delete them for good.
    Drop,
}

/// The reactions that a decision found.
#[derive(Serialize, ToSchema)]
pub struct DecidedReactions {
    /// How many of the reactions were there; others were carried out or dropped before.
    pub decided: u64,
}

/// The most reactions of one decision.
const MAX_DECIDED: usize = 1_000;

/// Retry or drop several reactions; records who decided
#[utoipa::path(post, path = "/reactions/decide", tag = "operation", security(("bearer" = ["admin"])),
    request_body = ReactionsDecision,
    responses((status = 200, body = DecidedReactions), (status = 400, body = Problem)))]
pub async fn decide_reactions(
    State(app): State<App>,
    caller: Caller,
    PlainBody(body): PlainBody<ReactionsDecision>,
) -> Result<Json<DecidedReactions>, ApiError> {
    let ReactionsDecision { reaction_ids, decision } = body;
    if reaction_ids.is_empty() || reaction_ids.len() > MAX_DECIDED {
        let message = format!("must name 1 to {MAX_DECIDED} reactions");
        return Err(ApiError::invalid_field("reaction_ids", message));
    }
    let actor = caller.actor().id;
    let decided = match decision {
        DecisionKind::Retry => reactors::retry_several(&app.pool, &reaction_ids, &actor).await?,
        DecisionKind::Drop => reactors::drop_several(&app.pool, &reaction_ids, &actor).await?,
    };
    Ok(Json(DecidedReactions { decided }))
}

/// List decisions about reactions, newest first
#[utoipa::path(get, path = "/reaction-decisions", tag = "operation", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<Decision>), (status = 400, body = Problem)))]
pub async fn list_reaction_decisions(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<Decision>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = reactors::decisions(&app.pool, page.after()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.decision_id))
}

fn reaction_not_found() -> ApiError {
    ApiError::not_found("reaction_not_found", "Reaction not found")
}
