//! Subscriptions to notifications of PostgreSQL.

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

/// Subscribes to a channel on a connection of its own.
///
/// A lost connection ends the subscription: `try_recv` returns `None`, and the caller subscribes again.
pub async fn listen(connect: &PgConnectOptions, channel: &str) -> Result<PgListener, sqlx::Error> {
    let connect = connect.clone().disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(connect).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    Ok(listener)
}
