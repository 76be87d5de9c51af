//! Access to the database for subcommands, beside a running shop or alone.

use std::time::Duration;

use anyhow::bail;

use crate::database::{Database, Location};
use crate::journal::{JournalOptions, LogFile};
use crate::projector::{self, ProjectorOptions};
use crate::server::Engine;

/// How often to poll for the rebuild of a table.
const REBUILD_POLL: Duration = Duration::from_millis(200);

/// Runs `action` on the database of a shop, which may be running; starts the embedded PostgreSQL if it is not.
/// Fails if there is no shop, and creates nothing.
pub(super) async fn with_database<T>(
    location: &Location,
    action: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    run_on(Database::open_existing(location).await?, action).await
}

/// As [`with_database`], but creates the shop if there is none.
pub(super) async fn with_new_database<T>(
    location: &Location,
    action: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    run_on(Database::join(location).await?, action).await
}

async fn run_on<T>(database: Database, action: impl AsyncFnOnce(&Database) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let outcome = action(&database).await;
    database.close().await?;
    outcome
}

/// Starts a journal and a projector, beside those of a running server if there is one. Missing read tables are built.
pub(super) async fn start_engine(database: &Database) -> anyhow::Result<Engine> {
    let log_file = Some(LogFile::in_data_folder(&database.data_dir));
    let journal = JournalOptions { log_file, ..JournalOptions::default() };
    let projector = ProjectorOptions::default();
    Ok(Engine::start(&database.connect, &database.pool, journal, projector).await?)
}

/// Waits until the table of another version is rebuilt, which this process or the running shop does.
pub(super) async fn wait_for_rebuild(database: &Database, name: &str) -> anyhow::Result<()> {
    loop {
        let status = projector::status(&database.pool).await?;
        let Some(status) = status.into_iter().find(|status| status.name == name && !status.is_current) else {
            return Ok(());
        };
        if let Some(error) = status.rebuild_error {
            bail!("`{name}` is of another version, and its rebuild failed: {error}");
        }
        tokio::time::sleep(REBUILD_POLL).await;
    }
}
