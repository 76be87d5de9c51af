//! Rebuilds: new tables from the first event, beside the live ones, swapped in within one transaction.

use sqlx::{Connection, PgConnection, PgPool};
use thiserror::Error;

use super::definition::Projection;
use super::failures;
use super::install::{put_in_service, run};
use super::long_reads::{LongReads, ReadLimits};
use super::shadow::{Progress, Shadow, fold_range, remove};
use crate::database::failure::DatabaseFailure;
use crate::failpoints::failpoint;

#[derive(Debug, Error)]
pub enum RebuildError {
    #[error("`{0}` is being rebuilt already")]
    Running(&'static str),
    #[error("`live.{0}` exists and is not the shop's; rename it")]
    NameTaken(&'static str),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Rebuilds one projection while the shop is open. Readers see the old rows until they see all the new ones.
/// The next rebuild, or any process of the shop, drops what an interrupted rebuild left behind. A failure is recorded, and
/// the running shop tries again.
pub async fn rebuild(
    pool: &PgPool,
    projection: &'static Projection,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), RebuildError> {
    rebuild_within(pool, projection, progress, ReadLimits::default()).await
}

/// As [`rebuild`], with other limits on queries that read the old tables.
pub async fn rebuild_within(
    pool: &PgPool,
    projection: &'static Projection,
    progress: &(dyn Fn(Progress) + Sync),
    limits: ReadLimits,
) -> Result<(), RebuildError> {
    let rebuilt = build_and_swap(pool, projection, progress, limits).await;
    if let Err(error) = &rebuilt
        && let Err(unrecorded) = failures::record(pool, projection, error).await
    {
        tracing::warn!(error = %unrecorded, "a failed rebuild cannot be recorded");
    }
    rebuilt
}

async fn build_and_swap(
    pool: &PgPool,
    projection: &'static Projection,
    progress: &(dyn Fn(Progress) + Sync),
    limits: ReadLimits,
) -> Result<(), RebuildError> {
    let shadow = Shadow::create(pool, projection, format!("rebuild_{}", projection.name)).await?;
    let mut shadow = shadow.ok_or(RebuildError::Running(projection.name))?;
    let swapped = match shadow.fold(progress, true).await {
        Ok(()) => {
            failpoint!("rebuild-folded");
            swap_when_unread(&mut shadow, limits).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = swapped {
        shadow.drop_schema().await?;
        return Err(error.into());
    }
    failpoint!("rebuild-swapped");
    progress(shadow.progress(shadow.position));
    Ok(shadow.connection.close().await?)
}

/// Swaps as soon as no query reads the old table. Each attempt waits only briefly for its lock, because meanwhile the
/// projector stops and other readers queue. If this process hangs during a swap, the database ends its session.
async fn swap_when_unread(shadow: &mut Shadow, limits: ReadLimits) -> Result<(), sqlx::Error> {
    let mut long_reads = LongReads::of(&shadow.projection.tables(), limits);
    loop {
        match swap(shadow).await {
            Err(error) if DatabaseFailure::of(&error) == DatabaseFailure::LockTimeout => {
                if !long_reads.wait_for_their_end(&mut shadow.connection).await? {
                    return Err(error);
                }
            }
            outcome => return outcome,
        }
    }
}

/// Replaces the old tables with the new ones, at exactly the position of the other live tables.
async fn swap(shadow: &mut Shadow) -> Result<(), sqlx::Error> {
    let Shadow { connection, projection, schema, position, .. } = shadow;
    let mut transaction = connection.begin().await?;
    run(&mut transaction, "set local lock_timeout = '500ms'; set local idle_in_transaction_session_timeout = '2s'")
        .await?;
    // The lock keeps the projector from moving the live tables until this transaction ends.
    let reached: i64 =
        sqlx::query_scalar("select position from projector_lease for update").fetch_one(&mut *transaction).await?;
    run(&mut transaction, &format!("set local search_path = {schema}, public")).await?;
    fold_range(&mut transaction, schema, projection, *position, reached).await?;
    for table in projection.tables() {
        replace_table(&mut transaction, schema, table).await?;
    }
    put_in_service(&mut transaction, projection).await?;
    failpoint!("rebuild-swapping");
    remove(&mut transaction, schema).await?;
    transaction.commit().await?;
    *position = reached;
    Ok(())
}

async fn replace_table(connection: &mut PgConnection, schema: &str, table: &str) -> Result<(), sqlx::Error> {
    run(connection, &format!("drop table if exists live.{table}")).await?;
    run(connection, &format!("alter table {schema}.{table} set schema live")).await
}
