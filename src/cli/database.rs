//! Access to the database for subcommands, beside a running shop or alone.

use crate::database::{Database, Location};
use crate::journal::JournalOptions;
use crate::projector::ProjectorOptions;
use crate::server::Engine;

/// Runs `action` on the database of a running shop; starts the embedded PostgreSQL if none is running.
pub(super) async fn with_database<T>(
    location: &Location,
    action: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let database = Database::join(location).await?;
    let outcome = action(&database).await;
    database.close().await?;
    outcome
}

/// Starts a journal and a projector, beside those of a running server if there is one. Missing read tables are built.
pub(super) async fn start_engine(database: &Database) -> anyhow::Result<Engine> {
    let (journal, projector) = (JournalOptions::default(), ProjectorOptions::default());
    Ok(Engine::start(&database.connect, &database.pool, journal, projector).await?)
}
