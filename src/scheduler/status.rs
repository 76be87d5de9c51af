//! How the tasks stand, for people.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TaskStatus {
    pub name: String,
    /// Not before then; a node begins within moments.
    pub due_at: DateTime<Utc>,
    /// Whether a node runs it now.
    pub running: bool,
    /// When it ended the last time.
    pub last_run_at: Option<DateTime<Utc>>,
    /// How many things the last run that did not fail dealt with.
    pub last_handled: Option<i64>,
    /// Why the last run failed, if it did.
    pub last_error: Option<String>,
    /// Runs that failed since the last that did not.
    pub failures: i32,
}

/// How every task stands, by name.
pub async fn status(pool: &PgPool) -> Result<Vec<TaskStatus>, sqlx::Error> {
    sqlx::query_file_as!(TaskStatus, "src/scheduler/queries/status.sql").fetch_all(pool).await
}

/// Makes a task due at once; whether there is one of that name.
pub async fn run_now(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
    let due = "update scheduler_task set due_at = least(due_at, clock_timestamp()) where name = $1";
    Ok(sqlx::query(due).bind(name).execute(pool).await?.rows_affected() > 0)
}
