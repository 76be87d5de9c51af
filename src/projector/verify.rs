//! Verification: compares the live tables row by row with tables built anew from the log.

use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool};
use thiserror::Error;
use uuid::Uuid;

use super::definition::Projection;
use super::install::run;
use super::layout::InService;
use super::shadow::{Progress, Shadow, fold_range, live_position};
use crate::database::failure::DatabaseFailure;
use crate::failpoints::failpoint;

/// The result for one projection.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    pub name: &'static str,
    /// Position at which the tables were compared.
    pub position: i64,
    pub rows: i64,
    /// Number of rows that only one of the two sides has.
    pub different: i64,
    /// The first differences of each table and side.
    pub examples: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub table: &'static str,
    /// `true`: only the live table has the row; `false`: the live table lacks it.
    pub live: bool,
    pub row: Value,
}

#[derive(Debug, Error)]
pub enum VerifyError {
    #[error("the table `{0}` in service is of another version of the program; verify it after its rebuild")]
    Outdated(&'static str),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Differences shown for each table and side.
const EXAMPLES: i64 = 10;

/// Verifies projections one after the other, on one connection.
pub struct Verifier<'a> {
    pool: &'a PgPool,
    connection: Option<PgConnection>,
}

/// Compares one projection with the log. The projector continues meanwhile: the last events are folded and the rows
/// compared on one snapshot of the database.
pub async fn verify(
    pool: &PgPool,
    projection: &'static Projection,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Verification, VerifyError> {
    Verifier::new(pool).verify(projection, progress).await
}

impl<'a> Verifier<'a> {
    pub fn new(pool: &'a PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// As [`verify`].
    pub async fn verify(
        &mut self,
        projection: &'static Projection,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Verification, VerifyError> {
        let schema = format!("verify_{}_{}", projection.name, Uuid::new_v4().simple());
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?.detach(),
        };
        let shadow = Shadow::create_on(connection, projection, schema).await?;
        // The schema name is random, so no other session can hold its lock.
        let mut shadow = shadow.ok_or_else(|| sqlx::Error::Protocol("another session verifies here".to_owned()))?;
        let compared = match shadow.fold(progress, false).await {
            Ok(()) => {
                failpoint!("verify-folded");
                compare(&mut shadow).await
            }
            Err(error) => Err(error.into()),
        };
        self.connection = Some(shadow.end().await?);
        compared
    }
}

async fn compare(shadow: &mut Shadow) -> Result<Verification, VerifyError> {
    let Shadow { connection, projection, schema, position, .. } = shadow;
    let mut transaction = connection.begin().await?;
    run(&mut transaction, "set transaction isolation level repeatable read").await?;
    // Lock the views before taking the snapshot: a table that a rebuild put in service afterwards would look empty. A
    // table of another version may be missing.
    let views: Vec<_> = projection.tables().into_iter().map(|table| format!("live.{table}")).collect();
    let lock = format!("lock table {} in access share mode", views.join(", "));
    match run(&mut transaction, &lock).await {
        Err(error) if DatabaseFailure::of(&error) == DatabaseFailure::MissingTable => {
            return Err(VerifyError::Outdated(projection.name));
        }
        locked => locked?,
    }
    let in_service = InService::find(&mut transaction, projection.name).await?;
    let in_service = in_service.filter(|in_service| in_service.fingerprint == projection.fingerprint());
    let in_service = in_service.ok_or(VerifyError::Outdated(projection.name))?;
    let live = in_service.table_schema();
    let reached = live_position(&mut transaction).await?;
    fold_range(&mut transaction, schema, projection, *position, reached).await?;
    let mut verification =
        Verification { name: projection.name, position: reached, rows: 0, different: 0, examples: vec![] };
    for table in projection.tables() {
        verification.rows += sqlx::query_scalar::<_, i64>(&format!("select count(*) from {live}.{table}"))
            .fetch_one(&mut *transaction)
            .await?;
        for (is_live, left, right) in [(true, live, schema.as_str()), (false, schema.as_str(), live)] {
            let statement = format!(
                "select count(*) over (), to_jsonb(row)
                 from (select * from {left}.{table} except all select * from {right}.{table}) as row
                 order by to_jsonb(row)
                 limit {EXAMPLES}"
            );
            let rows: Vec<(i64, Value)> = sqlx::query_as(&statement).fetch_all(&mut *transaction).await?;
            verification.different += rows.first().map_or(0, |(count, _)| *count);
            verification.examples.extend(rows.into_iter().map(|(_, row)| Difference { table, live: is_live, row }));
        }
    }
    transaction.rollback().await?;
    *position = reached;
    Ok(verification)
}
