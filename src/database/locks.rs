//! Keys of the advisory locks, all in this file so that no two uses share one.

/// Held in a transaction while functions, views and projections are installed, so that two nodes that start at once do
/// it one after the other.
pub const INSTALL: i64 = 0x6361_7274_0001;

/// First half of the lock on a schema in which tables are built; the second half is `hashtext` of the schema's name.
/// The session that builds holds it, so that a build without the lock is known to be abandoned.
pub const BUILD_SCHEMA: i32 = 0x6361_7274;

/// First half of the lock on a schema of functions; the second half is `hashtext` of the schema's name. Every node that
/// uses the schema holds it shared.
pub const FUNCTION_SCHEMA: i32 = 0x6361_7275;

/// Held by the session that applies a file to the catalogue, so that two files are never applied at once.
pub const APPLIED_FILE: i64 = 0x6361_7274_0002;

/// Held in a transaction by `journal_archive`, which names its number: archivers move one slice at a time.
pub const ARCHIVE: i64 = 0x6361_7274_0006;
