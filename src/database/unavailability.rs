//! The reason why the database cannot serve a statement now, in words for clients and operators.

use sqlx::Error;

use super::failure::DatabaseFailure;

/// Why the database, or the way to it, cannot serve a statement now. A later attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailability {
    DiskFull,
    OutOfMemory,
    TooManyConnections,
    ReadOnly,
    LockTimeout,
    StatementTimeout,
    /// Every connection of this node is in use.
    NoFreeConnection,
    Disconnected,
    /// The writer has not stored the command in time.
    WriterBusy,
    /// This process is ending.
    Stopping,
    Other,
}

impl Unavailability {
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Database(database) => Self::of_code(database.code().as_deref().unwrap_or_default()),
            Error::PoolTimedOut => Self::NoFreeConnection,
            _ => Self::Disconnected,
        }
    }

    /// The reason for a SQLSTATE.
    pub fn of_code(code: &str) -> Self {
        match code {
            "53100" => Self::DiskFull,
            "53200" => Self::OutOfMemory,
            "53300" | "53400" => Self::TooManyConnections,
            "25006" => Self::ReadOnly,
            "55P03" => Self::LockTimeout,
            "57014" => Self::StatementTimeout,
            _ if DatabaseFailure::of_code(code) == DatabaseFailure::Disconnected => Self::Disconnected,
            _ => Self::Other,
        }
    }

    /// Stable identifier for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::OutOfMemory => "out_of_memory",
            Self::TooManyConnections => "too_many_connections",
            Self::ReadOnly => "read_only",
            Self::LockTimeout => "lock_timeout",
            Self::StatementTimeout => "statement_timeout",
            Self::NoFreeConnection => "no_free_connection",
            Self::Disconnected => "disconnected",
            Self::WriterBusy => "writer_busy",
            Self::Stopping => "stopping",
            Self::Other => "other",
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::DiskFull => "the database has no space left on its disk",
            Self::OutOfMemory => "the database is out of memory",
            Self::TooManyConnections => "the database has too many connections",
            Self::ReadOnly => "the database is read-only",
            Self::LockTimeout => "the database could not get a lock in time",
            Self::StatementTimeout => "the database cancelled a statement that took too long",
            Self::NoFreeConnection => "all connections to the database are in use",
            Self::Disconnected => "the database cannot be reached",
            Self::WriterBusy => "the log could not be written in time",
            Self::Stopping => "the shop is stopping",
            Self::Other => "the database is unavailable",
        }
    }

    /// Whether the next command will be refused too, until something is done about it.
    pub fn lasts(self) -> bool {
        matches!(self, Self::DiskFull | Self::OutOfMemory | Self::ReadOnly | Self::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortages_have_names_of_their_own() {
        for (code, reason) in [
            ("53100", Unavailability::DiskFull),
            ("53200", Unavailability::OutOfMemory),
            ("53300", Unavailability::TooManyConnections),
            ("25006", Unavailability::ReadOnly),
            ("55P03", Unavailability::LockTimeout),
            ("57014", Unavailability::StatementTimeout),
            ("57P01", Unavailability::Disconnected),
            ("40001", Unavailability::Other),
        ] {
            assert_eq!(Unavailability::of_code(code), reason, "{code}");
            assert!(DatabaseFailure::of_code(code).is_transient(), "{code}");
        }
    }

    #[test]
    fn errors_of_the_driver_have_a_reason_too() {
        assert_eq!(Unavailability::of(&Error::PoolTimedOut), Unavailability::NoFreeConnection);
        assert_eq!(Unavailability::of(&Error::PoolClosed), Unavailability::Disconnected);
    }
}
