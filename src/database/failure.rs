//! The meaning of a failed statement, for everything that must decide whether to retry, refuse or report it.

use sqlx::Error;
use sqlx::error::ErrorKind;

/// Why a statement failed, from its SQLSTATE or from the driver's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseFailure {
    /// The session is lost or was ended by the server: the statement may have been carried out, or may yet be.
    Disconnected,
    /// A lock was not granted in time. Nothing was stored.
    LockTimeout,
    /// Out of resources, read-only, a deadlock or a cancelled statement. Nothing was stored; a later attempt may succeed.
    NotNow,
    /// A unique constraint was broken; [`broken_constraint`] names it.
    NotUnique,
    /// A value is out of range, or text that PostgreSQL cannot hold.
    InvalidValue,
    /// A table or a column of it does not exist: one that is still being built, for example.
    MissingTable,
    /// The statement was prepared for a table that has been replaced by another with other types.
    StalePlan,
    /// A view cannot be replaced in place, because its columns differ.
    ColumnsDiffer,
    /// Another node has acquired the projector's lease: `projector_step` raises it.
    LeaseLost,
    /// The answer of the database has another shape than the program expects.
    Unreadable,
    /// Anything else: the same statement fails again.
    Refused,
}

impl DatabaseFailure {
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Database(database) => Self::of_code(database.code().as_deref().unwrap_or_default()),
            Error::Decode(_)
            | Error::ColumnDecode { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::RowNotFound
            | Error::TypeNotFound { .. } => Self::Unreadable,
            Error::Encode(_) => Self::Refused,
            _ => Self::Disconnected,
        }
    }

    /// The meaning of a SQLSTATE: PostgreSQL's, and those that our own functions raise.
    pub fn of_code(code: &str) -> Self {
        match (code.get(..2).unwrap_or_default(), code) {
            (_, "PJ001") => Self::LeaseLost,
            (_, "55P03") => Self::LockTimeout,
            (_, "23505") => Self::NotUnique,
            (_, "42P01" | "42703") => Self::MissingTable,
            (_, "42P16") => Self::ColumnsDiffer,
            (_, "0A000") => Self::StalePlan,
            ("53" | "55" | "40", _) | (_, "57014" | "25006") => Self::NotNow,
            // The server shuts down, perhaps after it has committed. Or it ended the session, because the process did
            // nothing in the middle of a transaction.
            ("57" | "08", _) | (_, "25P03" | "25P04") => Self::Disconnected,
            ("22", _) => Self::InvalidValue,
            _ => Self::Refused,
        }
    }

    /// Whether the same statement may succeed later.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Disconnected | Self::LockTimeout | Self::NotNow)
    }

    /// Whether the statement may fail because the tables in service are of another version of the program: a missing
    /// table or column, another type, or an operator or function that the type does not have.
    pub fn may_be_of_other_tables(self) -> bool {
        matches!(self, Self::MissingTable | Self::StalePlan | Self::Unreadable | Self::Refused)
    }
}

/// The name of the unique constraint that the statement broke.
pub fn broken_constraint(error: &Error) -> Option<&str> {
    let database = error.as_database_error()?;
    (database.kind() == ErrorKind::UniqueViolation).then(|| database.constraint()).flatten()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::DatabaseFailure::*;
    use super::*;

    #[test]
    fn every_code_has_one_meaning() {
        let meanings: [(DatabaseFailure, &[&str]); 10] = [
            // Connection exceptions, shutdowns, and sessions that were ended inside a transaction.
            (Disconnected, &["08000", "08003", "08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"]),
            (LockTimeout, &["55P03"]),
            // Serialization, deadlock, disk, memory, connections, an object in use, a cancelled statement, read-only.
            (NotNow, &["40001", "40P01", "53000", "53100", "53200", "53300", "55000", "55006", "57014", "25006"]),
            (NotUnique, &["23505"]),
            (InvalidValue, &["22003", "22021", "22P02", "22P05"]),
            (MissingTable, &["42P01", "42703"]),
            (ColumnsDiffer, &["42P16"]),
            (StalePlan, &["0A000"]),
            (LeaseLost, &["PJ001"]),
            // A hole in the log, other constraints, an aborted transaction, permissions, functions, damage; no code.
            (Refused, &["PJ002", "23000", "23502", "23503", "23514", "25P02", "42501", "42883", "58030", "XX001", ""]),
        ];
        for (meaning, codes) in meanings {
            for code in codes {
                assert_eq!(DatabaseFailure::of_code(code), meaning, "{code}");
            }
        }
    }

    #[test]
    fn errors_of_the_driver_have_a_meaning_too() {
        let broken_pipe = Error::Io(io::Error::from(io::ErrorKind::BrokenPipe));
        for error in [broken_pipe, Error::PoolTimedOut, Error::PoolClosed, Error::WorkerCrashed] {
            assert_eq!(DatabaseFailure::of(&error), Disconnected, "{error}");
        }
        assert_eq!(DatabaseFailure::of(&Error::Decode("x".into())), Unreadable);
        assert_eq!(DatabaseFailure::of(&Error::ColumnNotFound("x".to_owned())), Unreadable);
        assert_eq!(DatabaseFailure::of(&Error::Encode("x".into())), Refused);
    }

    #[test]
    fn only_what_may_succeed_later_is_transient() {
        let transient = [Disconnected, LockTimeout, NotNow];
        let lasting = [NotUnique, InvalidValue, MissingTable, StalePlan, ColumnsDiffer, LeaseLost, Unreadable, Refused];
        assert!(transient.into_iter().all(DatabaseFailure::is_transient));
        assert!(!lasting.into_iter().any(DatabaseFailure::is_transient));
    }
}
