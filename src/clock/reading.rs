//! Readings of the database's clock: whether it is plausible, what waits for it, and its acceptance by an operator.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;

use super::describe_length;

/// Whether the database's clock agrees with the last time that the shop recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ClockVerdict {
    Plausible,
    /// Days later than the shop was last seen: the shop was off for a long time, or the clock is wrong.
    Ahead,
    /// Earlier than the shop was last seen, or than the last event.
    Behind,
}

/// The database's clock, and the times that it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClockReading {
    /// Time of the database.
    pub clock_time: DateTime<Utc>,
    /// When the shop was last seen with a plausible clock; null for a new shop.
    pub known_time: Option<DateTime<Utc>>,
    /// Time of the last event; null without events.
    pub log_time: Option<DateTime<Utc>>,
    pub verdict: ClockVerdict,
}

impl ClockReading {
    /// The verdict in words.
    pub fn describe(&self) -> String {
        let known = self.known_time.max(self.log_time.filter(|_| self.verdict == ClockVerdict::Behind));
        let length = known.map_or(String::new(), |known| describe_length(self.clock_time - known));
        match self.verdict {
            ClockVerdict::Plausible => "the clock of the database is plausible".to_owned(),
            ClockVerdict::Ahead => {
                format!("the clock of the database is {length} after the time when the shop was last seen")
            }
            ClockVerdict::Behind => {
                format!("the clock of the database is {length} before the last time that the shop knows")
            }
        }
    }
}

/// Reads the clock, and remembers a plausible time.
pub(super) async fn heartbeat(connection: &mut PgConnection) -> Result<ClockReading, sqlx::Error> {
    sqlx::query_file_as!(ClockReading, "src/clock/queries/heartbeat.sql").fetch_one(connection).await
}

/// Reads the clock.
pub async fn read(pool: &PgPool) -> Result<ClockReading, sqlx::Error> {
    sqlx::query_file_as!(ClockReading, "src/clock/queries/read.sql").fetch_one(pool).await
}

/// Accepts the time of the database, for all nodes; returns it.
pub async fn accept(pool: &PgPool) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar("select accepted from accept_clock()").fetch_one(pool).await
}
