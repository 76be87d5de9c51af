//! Why a command has no receipt.

use sqlx::error::ErrorKind;
use thiserror::Error;

use crate::domain::refusal::Refusal;

/// Why a command has no receipt. Except for [`CommandError::OutcomeUnknown`], it left no trace.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the resource has version {current}")]
    Stale { current: i64 },
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("too many commands are waiting")]
    Busy,
    #[error("the database is not available: {0}")]
    Unavailable(String),
    #[error("the connection to the database was lost, and it is not known yet whether the command was carried out")]
    OutcomeUnknown,
    #[error("{0}")]
    Internal(String),
}

/// What a failed append means for the commands of its batch.
pub(super) enum AppendFailure {
    /// The connection was lost: the statement may have been carried out, or may yet be.
    Unknown(sqlx::Error),
    /// The database refused what the batch contains; other commands may be stored without it.
    Rejected(sqlx::Error),
    /// The database could not do it now; nothing was stored.
    Unavailable(sqlx::Error),
}

impl AppendFailure {
    pub fn classify(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref().map(|code| code.split_at(2)) {
                // Out of resources, or a wait that was cut short: nothing was stored.
                Some(("53" | "55" | "40", _) | ("57", "014")) => Self::Unavailable(error),
                // The server shuts down and may have committed before; or it ended the session of a process that paused
                // while it held the head.
                Some(("57" | "08", _) | ("25", "P03" | "P04")) => Self::Unknown(error),
                _ => Self::Rejected(error),
            },
            sqlx::Error::Encode(_) => Self::Rejected(error),
            _ => Self::Unknown(error),
        }
    }
}

impl CommandError {
    /// The answer to a command that a failed statement served; the command left no trace.
    pub(super) fn of_statement(error: &sqlx::Error) -> Self {
        let unavailable = match error {
            sqlx::Error::Database(database) => {
                database.code().is_some_and(|code| matches!(code.get(..2), Some("53" | "55" | "40" | "57" | "08")))
            }
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => false,
            _ => true,
        };
        if unavailable { Self::Unavailable(error.to_string()) } else { Self::Internal(error.to_string()) }
    }
}

/// The unique constraint that the statement broke.
pub(super) fn broken_constraint(error: &sqlx::Error) -> Option<&str> {
    let database = error.as_database_error()?;
    (database.kind() == ErrorKind::UniqueViolation).then(|| database.constraint()).flatten()
}
