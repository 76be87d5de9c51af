//! Rebuilds: new tables from the first event, beside the live ones, put in service within one transaction.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use thiserror::Error;

use super::definition::Projection;
use super::install::{put_in_service, run};
use super::layout::{adopt, publish};
use super::long_reads::{LongReads, ReadLimits};
use super::shadow::{Progress, Recorded, Shadow, fold_range, forget_progress};
use super::{dependents, failures, schemas};
use crate::database::failure::DatabaseFailure;
use crate::failpoints::failpoint;

#[derive(Debug, Error)]
pub enum RebuildError {
    #[error("`{0}` is being rebuilt already")]
    Running(&'static str),
    #[error("`live.{0}` exists and is not the shop's; rename it")]
    NameTaken(&'static str),
    #[error("schema `{0}` exists and is not the shop's; rename it")]
    SchemaTaken(String),
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
    let schema = format!("rebuild_{}", projection.name);
    let mut connection = pool.acquire().await?;
    if schemas::is_own(&mut connection, projection.name, &schema).await? == Some(false) {
        return Err(RebuildError::SchemaTaken(schema));
    }
    drop(connection);
    let shadow = Shadow::create(pool, projection, schema).await?;
    let mut shadow = shadow.ok_or(RebuildError::Running(projection.name))?;
    let swapped = match shadow.fold(progress, Recorded::Rebuild).await {
        Ok(()) => {
            failpoint!("rebuild-folded");
            swap_when_unread(&mut shadow, limits).await
        }
        Err(error) => Err(error.into()),
    };
    if let Err(error) = swapped {
        shadow.drop_schema().await?;
        return Err(error);
    }
    failpoint!("rebuild-swapped");
    progress(shadow.progress(shadow.position));
    Ok(shadow.connection.close().await?)
}

/// Swaps as soon as no query reads the old table. Each attempt waits only briefly for its locks, because meanwhile the
/// projector stops and other readers queue. If this process hangs during a swap, the database ends its session.
async fn swap_when_unread(shadow: &mut Shadow, limits: ReadLimits) -> Result<(), RebuildError> {
    let mut long_reads = LongReads::of(&shadow.projection.tables(), limits);
    let to_fill = loop {
        match swap(shadow).await {
            Err(RebuildError::Database(error)) if DatabaseFailure::of(&error) == DatabaseFailure::LockTimeout => {
                if !long_reads.wait_for_their_end(&mut shadow.connection).await? {
                    return Err(error.into());
                }
            }
            outcome => break outcome?,
        }
    };
    dependents::fill(&mut shadow.connection, &to_fill).await;
    Ok(())
}

/// Pause between two attempts to move a table that queries read.
const ADOPT_PAUSE: Duration = Duration::from_millis(500);
/// What a transaction that changes the views of `live` must not wait for, because others wait for it.
const IMPATIENT: &str = "set local lock_timeout = '500ms'; set local idle_in_transaction_session_timeout = '2s'";

/// Replaces the old tables with the new ones, at exactly the position of the other live tables. Returns the materialized
/// views of others to be filled again.
async fn swap(shadow: &mut Shadow) -> Result<Vec<String>, RebuildError> {
    let Shadow { connection, projection, schema, position, .. } = shadow;
    let mut transaction = connection.begin().await?;
    run(&mut transaction, IMPATIENT).await?;
    // The lock keeps the projector from moving the live tables until this transaction ends.
    let reached: i64 =
        sqlx::query_scalar("select position from projector_lease for update").fetch_one(&mut *transaction).await?;
    run(&mut transaction, &format!("set local search_path = {schema}, public")).await?;
    fold_range(&mut transaction, schema, projection, *position, reached).await?;
    let built = schemas::next(&mut transaction, projection.name).await?;
    let name = projection.name;
    run(&mut transaction, &format!("drop function {schema}.apply_{name}(); alter schema {schema} rename to {built}"))
        .await?;
    let to_fill = publish(&mut transaction, projection, &built).await?;
    put_in_service(&mut transaction, projection, &built).await?;
    failpoint!("rebuild-swapping");
    forget_progress(&mut transaction, schema).await?;
    transaction.commit().await?;
    *position = reached;
    Ok(to_fill)
}

/// Moves tables that an earlier version built in `live` itself to a schema of their own. Waits until no query reads them.
pub(super) async fn adopt_when_unread(pool: &PgPool, projection: &'static Projection) -> Result<(), RebuildError> {
    loop {
        let mut connection = pool.acquire().await?;
        match adopt_now(&mut connection, projection).await {
            Err(RebuildError::Database(error)) if DatabaseFailure::of(&error) == DatabaseFailure::LockTimeout => {}
            Err(error) => return Err(error),
            Ok(to_fill) => {
                dependents::fill(&mut connection, &to_fill).await;
                return Ok(());
            }
        }
        drop(connection);
        tokio::time::sleep(ADOPT_PAUSE).await;
    }
}

async fn adopt_now(connection: &mut PgConnection, projection: &Projection) -> Result<Vec<String>, RebuildError> {
    let mut transaction = connection.begin().await?;
    run(&mut transaction, IMPATIENT).await?;
    sqlx::query("select from projector_lease for update").execute(&mut *transaction).await?;
    let to_fill = adopt(&mut transaction, projection).await?;
    transaction.commit().await?;
    Ok(to_fill)
}
