//! Verifications that an admin starts: recorded, so that every node shows their progress and their result.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::definition::Projection;
use super::shadow::{Recorded, Shadow};
use super::verify::{Verification, fill_and_compare};

/// The last verification that an admin started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct VerificationStatus {
    pub state: VerificationState,
    /// Events that are folded.
    pub position: i64,
    /// Events to be folded.
    pub target: i64,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Rows of the tables; null until it has finished.
    pub rows: Option<i64>,
    /// Rows that differ from the log; null until it has finished.
    pub different: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    Running,
    /// Every row equals the one built from the log.
    Equal,
    /// Rows differ from the log; a rebuild replaces them.
    Different,
    Failed,
    /// The node that verified has stopped.
    Interrupted,
}

/// Columns of a verification; all null if there was none.
#[derive(sqlx::FromRow)]
pub(super) struct VerificationRow {
    verified_position: Option<i64>,
    verified_target: Option<i64>,
    verification_started_at: Option<DateTime<Utc>>,
    verification_finished_at: Option<DateTime<Utc>>,
    verified_rows: Option<i64>,
    different_rows: Option<i64>,
    verification_error: Option<String>,
    verification_runs: Option<bool>,
}

impl VerificationRow {
    pub fn status(self) -> Option<VerificationStatus> {
        let state = match (self.verification_finished_at, &self.verification_error, self.different_rows) {
            _ if self.verification_runs == Some(true) => VerificationState::Running,
            (None, ..) => VerificationState::Interrupted,
            (_, Some(_), _) => VerificationState::Failed,
            (_, None, Some(0)) => VerificationState::Equal,
            (_, None, _) => VerificationState::Different,
        };
        Some(VerificationStatus {
            state,
            position: self.verified_position?,
            target: self.verified_target?,
            started_at: self.verification_started_at?,
            finished_at: self.verification_finished_at,
            rows: self.verified_rows,
            different: self.different_rows,
            error: self.verification_error,
        })
    }
}

/// Begins a verification; `None` if one of this projection runs. Its schema has a fixed name, so that the lock on it
/// admits one at a time, on all nodes.
pub(super) async fn begin(pool: &PgPool, projection: &'static Projection) -> Result<Option<Shadow>, sqlx::Error> {
    let schema = format!("verify_{}_{}", projection.name, "0".repeat(32));
    let Some(shadow) = Shadow::create(pool, projection, schema).await? else { return Ok(None) };
    sqlx::query(
        "insert into projection_verification (name, position, target, started_at)
         select $1, 0, position, clock_timestamp() from projector_lease
         on conflict (name) do update
         set position = 0, target = excluded.target, started_at = excluded.started_at, finished_at = null, rows = null,
             different = null, error = null",
    )
    .bind(projection.name)
    .execute(pool)
    .await?;
    Ok(Some(shadow))
}

/// Verifies, and records the result. `None` if it failed.
pub(super) async fn finish(pool: &PgPool, shadow: &mut Shadow) -> Option<Verification> {
    let name = shadow.projection.name;
    let verified = fill_and_compare(shadow, &|_| (), Recorded::Verification).await;
    match &verified {
        Ok(found) if found.different == 0 => tracing::info!(name, rows = found.rows, "verified, equal to the log"),
        Ok(found) => tracing::error!(name, different = found.different, "verified, differs from the log"),
        Err(error) => tracing::error!(name, %error, "verification failed"),
    }
    let (found, error) = match verified {
        Ok(found) => (Some(found), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let recorded = sqlx::query(
        "update projection_verification
         set finished_at = clock_timestamp(), position = coalesce($2, position), target = coalesce($2, target),
             rows = $3, different = $4, error = $5
         where name = $1",
    )
    .bind(name)
    .bind(found.as_ref().map(|found| found.position))
    .bind(found.as_ref().map(|found| found.rows))
    .bind(found.as_ref().map(|found| found.different))
    .bind(error)
    .execute(pool)
    .await;
    if let Err(error) = recorded {
        tracing::warn!(name, %error, "the result of a verification cannot be recorded");
    }
    found
}

/// Drops the tables and releases the lock, which marks a verification that runs.
pub(super) async fn end(shadow: Shadow) {
    let name = shadow.projection.name;
    if let Err(error) = shadow.drop_schema().await {
        tracing::debug!(name, %error, "the tables of a verification are removed later");
    }
}
