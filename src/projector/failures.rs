//! Rebuilds that failed: recorded for operators, and claimed again after a growing pause.

use sqlx::PgPool;

use super::definition::{PROJECTIONS, Projection};
use super::rebuild::RebuildError;
use crate::database::failure::DatabaseFailure;

/// Seconds before the first repetition; each later pause is twice as long, up to the limit.
const FIRST_PAUSE_SECONDS: f64 = 5.0;
const LONGEST_PAUSE_SECONDS: f64 = 600.0;

/// Whether the rebuild failed because the database went away: then nothing can be recorded.
pub(super) fn is_repeated_at_once(error: &sqlx::Error) -> bool {
    DatabaseFailure::of(error) == DatabaseFailure::Disconnected
}

/// Records why a rebuild failed. The successful rebuild deletes the record.
pub(super) async fn record(pool: &PgPool, projection: &Projection, error: &RebuildError) -> Result<(), sqlx::Error> {
    match error {
        RebuildError::Running(_) => return Ok(()),
        RebuildError::Database(error) if is_repeated_at_once(error) => return Ok(()),
        RebuildError::Database(_) | RebuildError::NameTaken(_) | RebuildError::SchemaTaken(_) => {}
    }
    sqlx::query(
        "insert into projection_failure as failure (name, fingerprint, error, attempts, failed_at, retry_at)
         values ($1, $2, $3, 1, clock_timestamp(), clock_timestamp() + make_interval(secs => $4))
         on conflict (name) do update
         set fingerprint = excluded.fingerprint, error = excluded.error, failed_at = excluded.failed_at,
             attempts = failure.attempts + 1,
             retry_at = clock_timestamp()
                 + make_interval(secs => least($4 * power(2, least(failure.attempts, 20)), $5))",
    )
    .bind(projection.name)
    .bind(projection.fingerprint())
    .bind(error.to_string())
    .bind(FIRST_PAUSE_SECONDS)
    .bind(LONGEST_PAUSE_SECONDS)
    .execute(pool)
    .await
    .map(drop)
}

/// Records a rebuild that is due now for each projection that lacks a view in `live`: its owner can drop it.
pub(super) async fn record_missing_views(pool: &PgPool) -> Result<(), sqlx::Error> {
    let (names, fingerprints): (Vec<_>, Vec<_>) =
        PROJECTIONS.iter().map(|projection| (projection.name, projection.fingerprint())).unzip();
    sqlx::query(
        "insert into projection_failure (name, fingerprint, error, attempts, failed_at, retry_at)
         select name, fingerprint, format('`live.%s` is missing', min(missing)), 1, clock_timestamp(), clock_timestamp()
         from projection
         cross join unnest(tables) as missing
         where (name, fingerprint) in (select * from unnest($1::text[], $2::text[]))
             and to_regclass(format('live.%I', missing)) is null
         group by name, fingerprint
         on conflict (name) do nothing",
    )
    .bind(names)
    .bind(fingerprints)
    .execute(pool)
    .await
    .map(drop)
}

/// Claims the failed rebuilds of this program's SQL that are due, so that one node repeats each.
pub(super) async fn claim_due(pool: &PgPool) -> Result<Vec<&'static Projection>, sqlx::Error> {
    let (names, fingerprints): (Vec<_>, Vec<_>) =
        PROJECTIONS.iter().map(|projection| (projection.name, projection.fingerprint())).unzip();
    let due: Vec<String> = sqlx::query_scalar(
        "update projection_failure
         set retry_at = clock_timestamp() + make_interval(secs => $3)
         where retry_at <= clock_timestamp()
             and (name, fingerprint) in (select * from unnest($1::text[], $2::text[]))
         returning name",
    )
    .bind(names)
    .bind(fingerprints)
    .bind(LONGEST_PAUSE_SECONDS)
    .fetch_all(pool)
    .await?;
    Ok(due.iter().filter_map(|name| Projection::find(name)).collect())
}
