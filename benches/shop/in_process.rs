//! A shop in this process, for sections that measure single requests.

use std::time::Duration;

use axum::Router;
use cartwright::accounts::{Accounts, AccountsConfig, MailConfig};
use cartwright::http::{App, AppSettings, router};
use cartwright::journal::JournalOptions;
use cartwright::projector::ProjectorOptions;
use cartwright::server::Engine;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::program::Database;
use crate::tokens;

/// An engine on a database.
pub async fn start_engine(database: &Database) -> Engine {
    Engine::start(&database.connect, &database.pool, JournalOptions::default(), ProjectorOptions::default())
        .await
        .expect("the shop starts")
}

/// Waits until the read tables have all of the log.
pub async fn settle(engine: &Engine) {
    let position = engine.journal.position();
    assert!(engine.projector.wait_for(position, Duration::from_secs(600)).await, "the projector is stuck");
}

/// A shop that answers at `host` until it is stopped.
pub struct InProcess {
    pub host: String,
    server: JoinHandle<std::io::Result<()>>,
    /// The shop stops when it is dropped.
    _stop: watch::Sender<bool>,
}

impl InProcess {
    /// Serves the routes of the shop with these settings, and those that `extend` adds.
    pub async fn start(
        database: &Database,
        engine: &Engine,
        settings: AppSettings,
        extend: impl FnOnce(Router) -> Router,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let mail = MailConfig {
            smtp_url: None,
            folder: std::env::temp_dir(),
            folder_max: 0,
            from: "shop@example.com".to_owned(),
            public_url: String::new(),
        };
        let config = AccountsConfig { keys_dir: tokens::FOLDER.clone(), mail };
        let (connect, pool) = (database.connect.clone(), database.pool.clone());
        let accounts = Accounts::start(&config, connect, pool, engine.journal.clone()).await.expect("accounts start");
        let shop = App::new(
            engine.journal.clone(),
            engine.projector.clone(),
            accounts,
            database.pool.clone(),
            settings,
            None,
            stopping,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let router = extend(router(shop));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, server, _stop: stop }
    }

    pub fn stop(self) {
        self.server.abort();
    }
}
