//! Listens for events of other nodes, so that this node's readers need not poll.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The channel of `migrations/0001_journal.sql`; a notification is the position at the end of the log.
const CHANNEL: &str = "journal";

/// Raises `head` with every notification. A lost connection only costs time: readers poll as well.
pub(super) fn start(connect: PgConnectOptions, head: watch::Sender<i64>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            if let Err(error) = listen(&connect, &head).await {
                tracing::debug!(%error, "lost the connection for notifications");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}

async fn listen(connect: &PgConnectOptions, head: &watch::Sender<i64>) -> Result<(), sqlx::Error> {
    let connect = connect.clone().disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(connect).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    while let Some(notification) = listener.try_recv().await? {
        if let Ok(position) = notification.payload().parse::<i64>() {
            head.send_if_modified(|head| {
                let moved = *head < position;
                *head = position.max(*head);
                moved
            });
        }
    }
    Ok(())
}
