//! The state of the tasks, for operators.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TaskStatus {
    pub name: String,
    /// Cron expression and time zone of a task that runs at set times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When the next run is due; a node starts it within about a second.
    pub due_at: DateTime<Utc>,
    /// Whether a node is running it now.
    pub running: bool,
    /// When the last run ended.
    pub last_run_at: Option<DateTime<Utc>>,
    /// Number of carts, orders or records that the last successful run handled.
    pub last_handled: Option<i64>,
    /// What the last successful run did, in words: the files that a dump wrote, or what an archiving run moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_report: Option<String>,
    /// Why the last run failed; null if it succeeded.
    pub last_error: Option<String>,
    /// Failed runs since the last successful one.
    pub failures: i32,
}

/// The state of every task, by name.
pub async fn status(pool: &PgPool) -> Result<Vec<TaskStatus>, sqlx::Error> {
    sqlx::query_file_as!(TaskStatus, "src/scheduler/queries/status.sql").fetch_all(pool).await
}

/// Makes a task due at once. Returns `false` if there is no task with that name.
pub async fn run_now(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
    let due = "update scheduler_task set due_at = least(due_at, clock_timestamp()) where name = $1";
    Ok(sqlx::query(due).bind(name).execute(pool).await?.rows_affected() > 0)
}
