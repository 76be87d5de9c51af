//! Read tables built beside the live ones, in a schema of their own: the way of rebuilds and of verification.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};

use super::definition::Projection;
use super::install::{create_indexes, create_tables, run};

/// How many positions one transaction folds. Larger ranges were not faster, and show progress less often.
const RANGE: i64 = 50_000;

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Events folded so far.
    pub position: i64,
    /// Events to be folded, as far as known now.
    pub of: i64,
    pub events_per_second: f64,
    pub left: Duration,
}

/// Tables under construction. The connection is its own, and its end is the end of its locks.
pub(super) struct Shadow {
    pub connection: PgConnection,
    pub projection: &'static Projection,
    pub schema: String,
    pub position: i64,
    started: Instant,
}

impl Shadow {
    /// Creates empty tables in `schema`; a leftover of an earlier build is dropped.
    pub async fn create(pool: &PgPool, projection: &'static Projection, schema: String) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?.detach();
        let mut transaction = connection.begin().await?;
        run(&mut transaction, &format!("drop schema if exists {schema} cascade")).await?;
        run(&mut transaction, &format!("create schema {schema}")).await?;
        create_tables(&mut transaction, projection, &schema).await?;
        transaction.commit().await?;
        run(&mut connection, &format!("set search_path = {schema}, public")).await?;
        Ok(Self { connection, projection, schema, position: 0, started: Instant::now() })
    }

    /// Folds range after range until the tables are nearly where the live ones stand, then creates the indexes.
    /// `progress` is told after each range.
    pub async fn fold(&mut self, progress: &(dyn Fn(Progress) + Sync), noted: bool) -> Result<(), sqlx::Error> {
        loop {
            let target = live_position(&mut self.connection).await?;
            if target - self.position < RANGE / 10 || target <= self.position {
                break;
            }
            let upto = target.min(self.position + RANGE);
            let mut transaction = self.connection.begin().await?;
            fold_range(&mut transaction, &self.schema, self.projection, self.position, upto).await?;
            if noted {
                note(&mut transaction, self.projection, upto, target).await?;
            }
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

    pub async fn drop_schema(mut self) -> Result<(), sqlx::Error> {
        run(&mut self.connection, &format!("drop schema if exists {} cascade", self.schema)).await?;
        self.connection.close().await
    }
}

/// Where the live tables stand.
pub(super) async fn live_position(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from projector_lease").fetch_one(connection).await
}

/// Folds the events after `after` up to `upto`, in the transaction of the caller.
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

async fn note(
    connection: &mut PgConnection,
    projection: &Projection,
    position: i64,
    target: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into projection_rebuild (name, position, target, started_at, updated_at)
         values ($1, $2, $3, transaction_timestamp(), clock_timestamp())
         on conflict (name) do update
         set position = excluded.position, target = excluded.target, updated_at = excluded.updated_at",
    )
    .bind(projection.name)
    .bind(position)
    .bind(target)
    .execute(connection)
    .await
    .map(drop)
}
