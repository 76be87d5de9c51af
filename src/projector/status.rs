//! Status of the projections, for operators and health checks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgExecutor, PgPool};
use utoipa::ToSchema;

use super::definition::PROJECTIONS;
use super::verifications::{VerificationRow, VerificationStatus};
use crate::database::locks;

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProjectionStatus {
    pub name: String,
    /// Position up to which the table contains every event.
    pub position: i64,
    /// Position of the last event in the log.
    pub head: i64,
    /// Number of events that are not in the table yet.
    pub lag: i64,
    pub state: ProjectionState,
    /// Events per second of the current rebuild; null if none runs.
    pub rate: Option<f64>,
    /// Position that the current rebuild has reached; null if none runs.
    pub rebuild_position: Option<i64>,
    /// Error that stopped the projector; null while it runs.
    pub last_error: Option<String>,
    /// Time of the last build.
    pub built_at: Option<DateTime<Utc>>,
    /// Whether the table was built with the SQL of this version of the program.
    pub is_current: bool,
    /// Why the last rebuild failed; null if it succeeded.
    pub rebuild_error: Option<String>,
    /// Number of failed rebuilds since the last successful one; null if the last one succeeded.
    pub rebuild_attempts: Option<i32>,
    /// When a failed rebuild is tried again.
    pub rebuild_retry_at: Option<DateTime<Utc>>,
    /// The last verification that an admin started; null if there was none.
    pub verification: Option<VerificationStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionState {
    /// In service and up to date or catching up.
    Live,
    /// In service while a rebuild runs beside it.
    Rebuilding,
    /// In service but stopped by `last_error`.
    Stopped,
    /// Not built yet.
    Missing,
}

#[derive(sqlx::FromRow)]
struct StatusRow {
    name: String,
    built_at: Option<DateTime<Utc>>,
    position: i64,
    head: i64,
    last_error: Option<String>,
    rebuild_position: Option<i64>,
    rate: Option<f64>,
    is_current: bool,
    rebuild_error: Option<String>,
    rebuild_attempts: Option<i32>,
    rebuild_retry_at: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    verification: VerificationRow,
}

/// Status of every projection of this program, by name.
pub async fn status(pool: &PgPool) -> Result<Vec<ProjectionStatus>, sqlx::Error> {
    let (names, fingerprints): (Vec<_>, Vec<_>) =
        PROJECTIONS.iter().map(|projection| (projection.name, projection.fingerprint())).unzip();
    let rows: Vec<StatusRow> = sqlx::query_as(
        "select
            wanted.name, projection.built_at, lease.position, head.position as head, lease.last_error,
            rebuild.position as rebuild_position,
            (rebuild.position / nullif(extract(epoch from rebuild.updated_at - rebuild.started_at), 0))::float8 as rate,
            coalesce(projection.fingerprint = wanted.fingerprint, false) as is_current,
            failure.error as rebuild_error, failure.attempts as rebuild_attempts, failure.retry_at as rebuild_retry_at,
            verification.position as verified_position, verification.target as verified_target,
            verification.started_at as verification_started_at, verification.finished_at as verification_finished_at,
            verification.rows as verified_rows, verification.different as different_rows,
            verification.error as verification_error, exists (
                -- The lock of the session that verifies.
                select from pg_locks as held
                where held.locktype = 'advisory' and held.granted
                    and held.database = (select oid from pg_database where datname = current_database())
                    and held.classid = $2::integer::oid
                    and held.objid = hashtext('verify_' || verification.name || '_' || repeat('0', 32))::oid
            ) as verification_runs
         from unnest($1::text[], $3::text[]) as wanted (name, fingerprint)
         cross join projector_lease as lease
         cross join journal_head as head
         left join projection on projection.name = wanted.name
         left join projection_failure as failure on failure.name = wanted.name
         left join projection_verification as verification on verification.name = wanted.name
         left join projection_rebuild as rebuild on rebuild.name = wanted.name and exists (
             -- The lock of the session that rebuilds: without it the rebuild is abandoned.
             select from pg_locks as held
             where held.locktype = 'advisory' and held.granted
                 and held.database = (select oid from pg_database where datname = current_database())
                 and held.classid = $2::integer::oid and held.objid = hashtext('rebuild_' || rebuild.name)::oid
         )
         order by wanted.name",
    )
    .bind(names)
    .bind(locks::BUILD_SCHEMA)
    .bind(fingerprints)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(ProjectionStatus::from).collect())
}

/// How long after a rebuild a query may still have met the earlier table.
const RECENT: &str = "15 seconds";

/// Whether a table in service was built by another version of the program, or was until a moment ago: then a query of
/// this version may not fit it. `true` too if the database does not answer.
pub async fn serves_other_tables(database: impl PgExecutor<'_>) -> bool {
    let (names, fingerprints): (Vec<_>, Vec<_>) =
        PROJECTIONS.iter().map(|projection| (projection.name, projection.fingerprint())).unzip();
    sqlx::query_scalar(
        "select exists (
             select from unnest($1::text[], $2::text[]) as wanted (name, fingerprint)
             left join projection using (name)
             where projection.fingerprint is distinct from wanted.fingerprint
                 or projection.built_at > clock_timestamp() - $3::text::interval
         )",
    )
    .bind(names)
    .bind(fingerprints)
    .bind(RECENT)
    .fetch_one(database)
    .await
    .unwrap_or(true)
}

impl From<StatusRow> for ProjectionStatus {
    fn from(row: StatusRow) -> Self {
        let state = match (&row.built_at, &row.rebuild_position, &row.last_error) {
            (None, _, _) => ProjectionState::Missing,
            (_, _, Some(_)) => ProjectionState::Stopped,
            (_, Some(_), _) => ProjectionState::Rebuilding,
            _ => ProjectionState::Live,
        };
        Self {
            name: row.name,
            position: row.position,
            head: row.head,
            lag: row.head - row.position,
            state,
            rate: row.rate,
            rebuild_position: row.rebuild_position,
            last_error: row.last_error,
            built_at: row.built_at,
            is_current: row.is_current,
            rebuild_error: row.rebuild_error,
            rebuild_attempts: row.rebuild_attempts,
            rebuild_retry_at: row.rebuild_retry_at,
            verification: row.verification.status(),
        }
    }
}
