//! The database: connect, migrate, and the embedded server.
pub mod embedded;
