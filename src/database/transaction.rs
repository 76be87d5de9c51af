//! Transactions on connections of a pool.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction with a statement such as `begin read only`.
///
/// The caller may be dropped at any moment, as the handler of a client that disconnects. A connection that is returned to
/// the pool while its transaction begins would keep it, and the next task with this connection would fail. Therefore a task of its own begins
/// the transaction, and rolls it back if nothing waits for it any more.
pub async fn begin_transaction(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
