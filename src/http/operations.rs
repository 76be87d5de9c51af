//! Operation: projections, scheduled tasks, health and metrics.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::{self, ClockReading, ClockVerdict};
use crate::health::{self, Finding, Warning, WarningCode};
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Ids;
use crate::metrics;
use crate::projector::{Projection, ProjectionState, ProjectionStatus, Verification};
use crate::scheduler::{self, TaskStatus};
use crate::status_report::{self, StatusReport};

/// List the projections: state, position and lag of each read table
#[utoipa::path(get, path = "/projections", tag = "operation", security(("bearer" = ["reader"])),
    responses((status = 200, body = Vec<ProjectionStatus>), (status = 503, body = Problem)))]
pub async fn list_projections(State(app): State<App>) -> Result<Json<Vec<ProjectionStatus>>, ApiError> {
    Ok(Json(app.projector.status().await?))
}

/// A rebuild, verification or task that runs by itself from now on.
#[derive(Serialize, ToSchema)]
pub struct StartedWork {
    /// Name of the projection or of the task.
    pub name: String,
    pub state: WorkState,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    Rebuilding,
    Verifying,
    /// The next free node runs the task.
    Due,
}

/// Rebuild a read table from the log; the current table stays in service meanwhile
#[utoipa::path(post, path = "/projections/{name}/rebuild", tag = "operation", security(("bearer" = ["admin"])),
    params(("name" = String, Path)),
    responses((status = 202, body = StartedWork), (status = 404, body = Problem)))]
pub async fn rebuild_projection(
    State(app): State<App>,
    Ids(name): Ids<String>,
) -> Result<(StatusCode, Json<StartedWork>), ApiError> {
    app.projector.start_rebuild(require_projection(&name)?);
    Ok((StatusCode::ACCEPTED, Json(StartedWork { name, state: WorkState::Rebuilding })))
}

/// Compare a read table row by row with one built anew from the log
///
/// The verification runs in the background: `verification` of `GET projections/` shows its progress and its result. One
/// of each projection runs at a time, and one on each node. `cartwright verify` also shows the rows that differ.
#[utoipa::path(post, path = "/projections/{name}/verify", tag = "operation", security(("bearer" = ["admin"])),
    params(("name" = String, Path)),
    responses((status = 202, body = StartedWork), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn verify_projection(
    State(app): State<App>,
    Ids(name): Ids<String>,
) -> Result<(StatusCode, Json<StartedWork>), ApiError> {
    let projection = require_projection(&name)?;
    let pool = app.pool.clone();
    let record = move |found: Verification| async move {
        if let Err(error) = health::record_finding(&pool, Finding::Rows(found.name, found.different)).await {
            tracing::warn!(found.name, %error, "the finding of a verification cannot be recorded");
        }
    };
    if !app.projector.start_verification(projection, record).await? {
        let detail = "a verification of this projection, or another one on this node, is running";
        return Err(ApiError::new(StatusCode::CONFLICT, "verification_running", "Verification running", detail));
    }
    Ok((StatusCode::ACCEPTED, Json(StartedWork { name, state: WorkState::Verifying })))
}

fn require_projection(name: &str) -> Result<&'static Projection, ApiError> {
    Projection::find(name).ok_or_else(|| ApiError::not_found("projection_not_found", "Projection not found"))
}

/// What an operator should know about the shop.
#[derive(Serialize, ToSchema)]
pub struct StatusView {
    /// Number of events that are not in the read tables yet.
    pub lag: i64,
    /// Whether this node stores commands.
    pub writes: bool,
    /// What an operator should see to, as in `/health/ready`.
    pub warnings: Vec<Warning>,
    #[serde(flatten)]
    pub report: StatusReport,
}

/// Report what an operator should know: warnings, the log, applied files, and what waits
///
/// `cartwright status` prints the same. Tables and tasks have lists of their own: `projections/`, `scheduler/`.
#[utoipa::path(get, path = "/status", tag = "operation", security(("bearer" = ["reader"])),
    responses((status = 200, body = StatusView), (status = 503, body = Problem)))]
pub async fn show_status(State(app): State<App>) -> Result<Json<StatusView>, ApiError> {
    let projections = app.projector.status().await?;
    let (warnings, report) = tokio::try_join!(warnings(&app, &projections), status_report::read(&app.pool))?;
    let lag = projections.first().map_or(0, |projection| projection.lag);
    let writes = app.journal.write_state().refused().is_none();
    Ok(Json(StatusView { lag, writes, warnings, report }))
}

/// List scheduled tasks: when each ran and runs next
#[utoipa::path(get, path = "/scheduler", tag = "operation", security(("bearer" = ["reader"])),
    responses((status = 200, body = Vec<TaskStatus>), (status = 503, body = Problem)))]
pub async fn list_tasks(State(app): State<App>) -> Result<Json<Vec<TaskStatus>>, ApiError> {
    Ok(Json(scheduler::status(&app.pool).await?))
}

/// The shop's time on the node that answers.
#[derive(Serialize, ToSchema)]
pub struct ClockView {
    #[serde(flatten)]
    pub reading: ClockReading,
    /// Seconds that the wall clock of this node is ahead of the database's; negative if behind. The shop does not use it.
    pub node_offset_seconds: f64,
}

/// Show the clock: the database's time, and whether scheduled tasks run by it
///
/// While `verdict` is not `plausible`, scheduled tasks wait for the clock to be corrected, or for
/// `cartwright clock accept`.
#[utoipa::path(get, path = "/clock", tag = "operation", security(("bearer" = ["reader"])),
    responses((status = 200, body = ClockView), (status = 503, body = Problem)))]
pub async fn show_clock(State(app): State<App>) -> Result<Json<ClockView>, ApiError> {
    let reading = clock::read(&app.pool).await?;
    let node_offset_seconds = app.journal.clock().node_offset().num_milliseconds() as f64 / 1_000.0;
    Ok(Json(ClockView { reading, node_offset_seconds }))
}

/// Run a scheduled task now
#[utoipa::path(post, path = "/scheduler/{name}/run", tag = "operation", security(("bearer" = ["admin"])),
    params(("name" = String, Path)),
    responses((status = 202, body = StartedWork), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn run_task(
    State(app): State<App>,
    Ids(name): Ids<String>,
) -> Result<(StatusCode, Json<StartedWork>), ApiError> {
    let reading = clock::read(&app.pool).await?;
    if reading.verdict != ClockVerdict::Plausible {
        let detail = format!("{}; accept it with `cartwright clock accept`", reading.describe());
        return Err(ApiError::new(StatusCode::CONFLICT, "clock_not_accepted", "Clock not accepted", detail));
    }
    if !scheduler::run_now(&app.pool, &name).await? {
        return Err(ApiError::not_found("task_not_found", "Task not found"));
    }
    Ok((StatusCode::ACCEPTED, Json(StartedWork { name, state: WorkState::Due })))
}

#[derive(Serialize, ToSchema)]
pub struct Liveness {
    /// Always `live`.
    pub status: &'static str,
}

/// Liveness: the process responds
#[utoipa::path(get, path = "/health/live", tag = "operation", security(()), responses((status = 200, body = Liveness)))]
pub async fn live() -> Json<Liveness> {
    Json(Liveness { status: "live" })
}

/// A node that serves, with what an operator should see to.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ready", "lag": 0, "writes": true, "warnings": []}))]
pub struct Readiness {
    /// Always `ready`.
    pub status: &'static str,
    /// Number of events that are not in the read tables yet.
    pub lag: i64,
    /// Whether commands are stored. While the disk is full, for example, the node serves reads only.
    pub writes: bool,
    pub warnings: Vec<Warning>,
}

/// Readiness: the node serves reads or commands, and the projector runs
///
/// What is wrong without keeping the node from serving is in `warnings`.
#[utoipa::path(get, path = "/health/ready", tag = "operation", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Problem)))]
pub async fn ready(State(app): State<App>) -> Result<Json<Readiness>, ApiError> {
    let projections = app.projector.status().await?;
    let stopped = projections.iter().find(|projection| projection.state == ProjectionState::Stopped);
    if let Some(error) = stopped.and_then(|projection| projection.last_error.as_deref()) {
        return Err(ApiError::unavailable("projector_stopped", error));
    }
    let lag = projections.first().map_or(0, |projection| projection.lag);
    let refused = app.journal.write_state().refused();
    let warnings = warnings(&app, &projections).await?;
    Ok(Json(Readiness { status: "ready", lag, writes: refused.is_none(), warnings }))
}

/// Metrics for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operation", security(("bearer" = ["reader"])),
    responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let position = app.projector.position();
    metrics::JOURNAL_POSITION.set(app.journal.position() as f64, &[]);
    metrics::PROJECTOR_POSITION.set(position as f64, &[]);
    app.response_cache.report();
    if let Ok(projections) = app.projector.status().await
        && let Ok(warnings) = warnings(&app, &projections).await
    {
        for code in WarningCode::ALL {
            let count = warnings.iter().filter(|warning| warning.code == *code).count();
            metrics::WARNINGS.set(count as f64, &[("code", code.name())]);
        }
    }
    let rendered = app.metrics.as_ref().map(|metrics| metrics.render()).unwrap_or_default();
    ([("content-type", "text/plain; version=0.0.4")], rendered)
}

/// The warnings of the shop, and those of this node's writer.
async fn warnings(app: &App, projections: &[ProjectionStatus]) -> Result<Vec<Warning>, sqlx::Error> {
    let mut warnings = health::warnings(&app.pool, projections).await?;
    if let Some(reason) = app.journal.write_state().refused() {
        warnings.push(Warning::new(WarningCode::WritesRefused, reason.describe()));
    }
    warnings.extend(health::media_warning(&app.media.store).await);
    if app.journal.known_log().is_file_unwritable() {
        let detail = "this node cannot write the file about the log in its data folder";
        warnings.push(Warning::new(WarningCode::LogFileUnwritable, detail));
    }
    Ok(warnings)
}
