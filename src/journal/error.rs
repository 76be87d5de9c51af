//! Why a command has no receipt.

use thiserror::Error;

use super::entity_tag::EntityTag;
use crate::database::failure::DatabaseFailure;
use crate::database::unavailability::Unavailability;
use crate::domain::refusal::Refusal;

/// Why a command has no receipt. Except for [`CommandError::OutcomeUnknown`], it left no trace.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the resource has version {current}")]
    Stale { current: EntityTag },
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("too many commands are waiting")]
    Busy,
    #[error("{}: {error}", reason.describe())]
    Unavailable { reason: Unavailability, error: String },
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
        match DatabaseFailure::of(&error) {
            DatabaseFailure::NotNow | DatabaseFailure::LockTimeout => Self::Unavailable(error),
            DatabaseFailure::Disconnected | DatabaseFailure::Unreadable => Self::Unknown(error),
            _ => Self::Rejected(error),
        }
    }
}

impl CommandError {
    /// The answer to a command that a failed statement served; the command left no trace.
    pub(super) fn of_statement(error: &sqlx::Error) -> Self {
        if DatabaseFailure::of(error).is_transient() {
            Self::Unavailable { reason: Unavailability::of(error), error: error.to_string() }
        } else {
            Self::Internal(error.to_string())
        }
    }
}
