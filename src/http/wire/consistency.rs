//! Read your own writes: a read waits until the read tables have reached its caller's last command.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sqlx::{Executor, PgPool, Postgres, Transaction};

use crate::database::begin_transaction;
use crate::http::app::App;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, UnfitQuery};
use crate::http::wire::log_position::require_known_place;
use crate::http::wire::response_cache;
use crate::journal::StreamPosition;

/// How long a read waits for a position.
const WAIT: Duration = Duration::from_secs(2);
const MIN_POSITION: &str = "min-position";
pub const PROJECTION_POSITION: HeaderName = HeaderName::from_static("projection-position");

/// A layer: a read waits for its caller's own writes and for `Min-Position`; a command only for `Min-Position`.
///
/// `Projection-Position` of the response is the least position that the read tables had when they were read.
pub async fn read_your_writes(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_read = request.method() == Method::GET;
    if !is_read && !request.headers().contains_key(MIN_POSITION) {
        return next.run(request).await;
    }
    let min_position = match min_position(request.headers()) {
        Ok(position) => position,
        Err(error) => return error.into_response(),
    };
    let caller = request.extensions().get::<Caller>().filter(|_| is_read);
    let principal = caller.map(|caller| caller.principal().to_owned());
    if let Err(error) = require_known_place(&app, min_position).await {
        return error.into_response();
    }
    match wait_for_position(&app, principal.as_deref().unwrap_or_default(), min_position.position).await {
        Ok(_) if !is_read => next.run(request).await,
        Ok(waited_for) => {
            let position = app.projector.position();
            let mut response = response_cache::answer(&app, waited_for, request, next).await;
            response.headers_mut().entry(PROJECTION_POSITION).or_insert_with(|| position.into());
            response
        }
        Err(error) => error.into_response(),
    }
}

/// A layer: refuses a malformed `Min-Position`, also where it has nothing to wait for.
pub async fn refuse_malformed_position(request: Request, next: Next) -> Response {
    match min_position(request.headers()) {
        Ok(_) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// A layer: a query that does not fit the tables in service is 503 while one of them is of another version of the program,
/// as after an upgrade, and a defect otherwise.
pub async fn explain_unfit_queries(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let Some(UnfitQuery(reason)) = response.extensions().get().cloned() else { return response };
    if app.projector.serves_other_tables().await {
        tracing::debug!(reason, "a query does not fit the tables in service");
        let detail = "a read table is being rebuilt by this version of the shop; the earlier one cannot answer this";
        return ApiError::unavailable("table_outdated", detail).into_response();
    }
    tracing::error!(reason, "a request failed");
    response
}

/// Begins a repeatable-read snapshot for several questions.
///
/// Locks the `tables` before the snapshot is taken: a table that a rebuild swapped in afterwards would be empty in it.
pub async fn snapshot(pool: &PgPool, tables: &str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = begin_transaction(pool, "begin isolation level repeatable read read only").await?;
    transaction.execute(format!("lock table {tables} in access share mode").as_str()).await?;
    Ok(transaction)
}

/// Begins a read whose statements are planned for the values of their parameters.
///
/// PostgreSQL replaces the plans of a statement that has run five times by one for any values if it expects that to be no
/// slower. A statement with filters that may all be absent is far slower then.
pub async fn planned_read(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_transaction(pool, "begin read only; set local plan_cache_mode = force_custom_plan").await
}

/// The position that the request demands, or 0.
fn min_position(headers: &HeaderMap) -> Result<StreamPosition, ApiError> {
    let Some(value) = headers.get(MIN_POSITION) else { return Ok(StreamPosition { generation: None, position: 0 }) };
    let position = value.to_str().ok().and_then(|value| value.trim().parse().ok());
    position
        .ok_or_else(|| ApiError::invalid_field("Min-Position", "must be a position of the log, such as 1045 or 1-1045"))
}

/// Waits for the last command of `principal`, and for `min_position`; returns the later of both.
pub async fn wait_for_position(app: &App, principal: &str, min_position: i64) -> Result<i64, ApiError> {
    let wanted = app.recent_writes.last_write(principal, app.journal.identity().generation).max(min_position);
    if app.projector.wait_for(wanted, WAIT).await {
        return Ok(wanted);
    }
    let detail =
        format!("the read tables have not reached position {wanted} yet; they are at {}", app.projector.position());
    Err(ApiError::unavailable("position_not_reached", detail))
}
