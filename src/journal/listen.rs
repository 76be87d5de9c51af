//! Listens for events of other nodes, so that this node's readers need not poll.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database;

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
    let mut listener = database::listen(connect, CHANNEL).await?;
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
