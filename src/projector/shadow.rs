//! Builds read tables beside the live ones, in a schema of their own, for rebuilds and verification.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};

use super::definition::Projection;
use super::install::{create_indexes, create_tables, run};
use super::schemas;
use crate::database::begin_transaction;
use crate::database::failure::DatabaseFailure;
use crate::database::locks;

/// Positions that one transaction folds. Larger ranges were not faster, and report progress less often.
const RANGE: i64 = 50_000;

/// Progress of a build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Events folded so far.
    pub position: i64,
    /// Events to be folded, as far as known now.
    pub of: i64,
    pub events_per_second: f64,
    pub left: Duration,
}

/// Where the progress of a build is recorded for other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Nowhere,
    Rebuild,
    Verification,
}

/// Tables that are being built. The build lives as long as its own connection.
pub(super) struct Shadow {
    pub connection: PgConnection,
    pub projection: &'static Projection,
    pub schema: String,
    pub position: i64,
    started: Instant,
}

impl Shadow {
    /// Creates empty tables in `schema` and drops what an earlier build left there; `None` if another session builds
    /// in it.
    pub async fn create(
        pool: &PgPool,
        projection: &'static Projection,
        schema: String,
    ) -> Result<Option<Self>, sqlx::Error> {
        Self::create_on(pool.acquire().await?.detach(), projection, schema).await
    }

    /// As [`Self::create`], on a connection that the build has alone.
    pub async fn create_on(
        mut connection: PgConnection,
        projection: &'static Projection,
        schema: String,
    ) -> Result<Option<Self>, sqlx::Error> {
        if !lock(&mut connection, &schema).await? {
            return Ok(None);
        }
        let mut transaction = connection.begin().await?;
        remove(&mut transaction, projection.name, &schema).await?;
        schemas::create(&mut transaction, &schema).await?;
        create_tables(&mut transaction, projection, &schema).await?;
        run(&mut transaction, &projection.create_function(&schema, None)).await?;
        transaction.commit().await?;
        run(&mut connection, &format!("set search_path = {schema}, public")).await?;
        Ok(Some(Self { connection, projection, schema, position: 0, started: Instant::now() }))
    }

    /// Folds ranges of events until the tables have nearly reached the live ones, then creates the indexes.
    /// Reports to `progress` after each range, and to other nodes where it is `recorded`.
    pub async fn fold(&mut self, progress: &(dyn Fn(Progress) + Sync), recorded: Recorded) -> Result<(), sqlx::Error> {
        loop {
            let target = live_position(&mut self.connection).await?;
            if self.position == 0 {
                record_progress(&mut self.connection, recorded, self.projection, 0, target).await?;
            }
            if target - self.position < RANGE / 10 || target <= self.position {
                break;
            }
            let upto = target.min(self.position + RANGE);
            let mut transaction = self.connection.begin().await?;
            fold_range(&mut transaction, &self.schema, self.projection, self.position, upto).await?;
            record_progress(&mut transaction, recorded, self.projection, upto, target).await?;
            transaction.commit().await?;
            self.position = upto;
            progress(self.progress(target));
        }
        let mut transaction = self.connection.begin().await?;
        create_indexes(&mut transaction, self.projection, &self.schema).await?;
        transaction.commit().await
    }

    pub fn progress(&self, of: i64) -> Progress {
        let events_per_second = self.position as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        let left = (of - self.position).max(0) as f64 / events_per_second.max(1.0);
        Progress { position: self.position, of, events_per_second, left: Duration::from_secs_f64(left) }
    }

    pub async fn drop_schema(self) -> Result<(), sqlx::Error> {
        self.end().await?.close().await
    }

    /// Drops the schema, and returns the connection as it was before the build.
    pub async fn end(mut self) -> Result<PgConnection, sqlx::Error> {
        remove(&mut self.connection, self.projection.name, &self.schema).await?;
        run(&mut self.connection, "reset search_path").await?;
        sqlx::query("select pg_advisory_unlock($1, hashtext($2))")
            .bind(locks::BUILD_SCHEMA)
            .bind(&self.schema)
            .execute(&mut self.connection)
            .await?;
        Ok(self.connection)
    }
}

/// Locks a schema for the lifetime of the session; `false` if another session builds in it. The timeout allows for a
/// session that removes an abandoned build.
async fn lock(connection: &mut PgConnection, schema: &str) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    run(&mut transaction, "set local lock_timeout = '1s'").await?;
    let locked = sqlx::query("select pg_advisory_lock($1, hashtext($2))")
        .bind(locks::BUILD_SCHEMA)
        .bind(schema)
        .execute(&mut *transaction)
        .await;
    match locked {
        Err(error) if DatabaseFailure::of(&error) == DatabaseFailure::LockTimeout => Ok(false),
        // A lock of the session outlives the transaction.
        locked => transaction.commit().await.and(locked).map(|_| true),
    }
}

/// Drops the schemas of builds whose session is gone: the process was killed, or lost the database.
pub(super) async fn remove_abandoned(pool: &PgPool) -> Result<(), sqlx::Error> {
    let builds: Vec<(String, String)> = sqlx::query_as(
        "select name, 'rebuild_' || name from projection_rebuild
         union
         select name, 'rebuild_' || name from projection where to_regnamespace('rebuild_' || name) is not null
         union
         select substring(nspname from '^verify_([a-z_]+)_[0-9a-f]{32}$'), nspname::text from pg_namespace
         where nspname ~ '^verify_[a-z_]+_[0-9a-f]{32}$'",
    )
    .fetch_all(pool)
    .await?;
    for (name, schema) in builds {
        let mut transaction = begin_transaction(pool, "begin").await?;
        let abandoned: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1, hashtext($2))")
            .bind(locks::BUILD_SCHEMA)
            .bind(&schema)
            .fetch_one(&mut *transaction)
            .await?;
        if abandoned {
            remove(&mut transaction, &name, &schema).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

/// Drops a schema of the shop and the record of its build. If others have something in it, the schema is moved out of the
/// way, among the earlier builds.
async fn remove(connection: &mut PgConnection, name: &str, schema: &str) -> Result<(), sqlx::Error> {
    schemas::drop_own(connection, name, schema).await?;
    if schemas::is_own(connection, name, schema).await? == Some(true) {
        let aside = schemas::next(connection, name).await?;
        run(connection, &format!("alter schema {schema} rename to {aside}")).await?;
        schemas::mark(connection, &aside).await?;
    }
    forget_progress(connection, schema).await
}

/// Drops the record of a build.
pub(super) async fn forget_progress(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from projection_rebuild where 'rebuild_' || name = $1")
        .bind(schema)
        .execute(connection)
        .await
        .map(drop)
}

/// The position of the live tables.
pub(super) async fn live_position(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from projector_lease").fetch_one(connection).await
}

/// Folds the events after `after` up to `upto` in the caller's transaction.
pub(super) async fn fold_range(
    connection: &mut PgConnection,
    schema: &str,
    projection: &Projection,
    after: i64,
    upto: i64,
) -> Result<(), sqlx::Error> {
    if after >= upto {
        return Ok(());
    }
    sqlx::query(
        "select set_config('projector.after', $1, true), set_config('projector.upto', $2, true),
            set_config('projector.types', '', true)",
    )
    .bind(after.to_string())
    .bind(upto.to_string())
    .execute(&mut *connection)
    .await?;
    run(connection, &format!("select {schema}.apply_{}()", projection.name)).await
}

async fn record_progress(
    connection: &mut PgConnection,
    recorded: Recorded,
    projection: &Projection,
    position: i64,
    target: i64,
) -> Result<(), sqlx::Error> {
    let statement = match recorded {
        Recorded::Nowhere => return Ok(()),
        Recorded::Verification => "update projection_verification set position = $2, target = $3 where name = $1",
        Recorded::Rebuild => {
            "insert into projection_rebuild (name, position, target, started_at, updated_at)
             values ($1, $2, $3, transaction_timestamp(), clock_timestamp())
             on conflict (name) do update
             set position = excluded.position, target = excluded.target, updated_at = excluded.updated_at"
        }
    };
    sqlx::query(statement).bind(projection.name).bind(position).bind(target).execute(connection).await.map(drop)
}
