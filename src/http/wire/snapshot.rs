//! Several reads of one request from one snapshot of the database, whatever handlers they reach.
//!
//! Handlers take their [`App`] from the [`RouterState`]. Inside [`Snapshot::read`] they get one whose pool has a single
//! connection, in a repeatable-read transaction.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRef;
use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;

use crate::http::app::App;
use crate::projector::PROJECTIONS;

/// The state of the router.
#[derive(Clone)]
pub struct RouterState(pub App);

tokio::task_local! {
    static SNAPSHOT: App;
}

impl FromRef<RouterState> for App {
    fn from_ref(state: &RouterState) -> Self {
        SNAPSHOT.try_with(Self::clone).unwrap_or_else(|_| state.0.clone())
    }
}

impl Deref for RouterState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

/// A snapshot of the database. Its connection is closed when this is dropped.
pub struct Snapshot(App);

impl Snapshot {
    /// Opens a connection of its own, beside those of the pool.
    pub async fn open(app: &App) -> Result<Self, sqlx::Error> {
        let tables: Vec<_> = PROJECTIONS.iter().flat_map(|projection| projection.tables()).collect();
        let lock = format!("lock table {} in access share mode", tables.join(", "));
        let opened = Arc::new(AtomicBool::new(false));
        let options = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let options = options.test_before_acquire(false).after_connect(move |connection, _| {
            let (lock, opened) = (lock.clone(), Arc::clone(&opened));
            Box::pin(async move {
                // Another connection would be another snapshot.
                if opened.swap(true, Ordering::Relaxed) {
                    return Err(sqlx::Error::PoolClosed);
                }
                connection.execute("begin isolation level repeatable read read only").await?;
                // Locked before the snapshot is taken: a table that a rebuild swapped in afterwards would be empty in it.
                connection.execute(lock.as_str()).await?;
                Ok(())
            })
        });
        let pool = options.connect_with((*app.pool.connect_options()).clone()).await?;
        Ok(Self(app.reading_from(&pool)))
    }

    /// Whether the current task reads from a snapshot.
    pub fn is_read() -> bool {
        SNAPSHOT.try_with(|_| ()).is_ok()
    }

    /// Runs `reads` on the snapshot.
    pub async fn read<Read: Future>(&self, reads: Read) -> Read::Output {
        SNAPSHOT.scope(self.0.clone(), reads).await
    }
}
