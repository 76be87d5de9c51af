//! What the last verification found: kept until a later one finds nothing, or a rebuild replaces the table.

use sqlx::PgPool;

use super::{Warning, WarningCode};

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Rows of a projection that differ from the log.
    Rows(&'static str, i64),
    /// Violations of the rules of the log.
    Log(i64),
}

/// The source of findings in the log itself; no projection has this name.
const LOG: &str = "log";

/// Keeps the result of a verification for operators; a result without findings removes the last one.
pub async fn record_finding(pool: &PgPool, finding: Finding) -> Result<(), sqlx::Error> {
    let (source, count) = match finding {
        Finding::Rows(projection, count) => (projection, count),
        Finding::Log(count) => (LOG, count),
    };
    let statement = if count == 0 {
        "delete from finding where source = $1 and $2 = 0"
    } else {
        "insert into finding (source, count, found_at) values ($1, $2, clock_timestamp())
         on conflict (source) do update set count = excluded.count, found_at = excluded.found_at"
    };
    sqlx::query(statement).bind(source).bind(count).execute(pool).await.map(drop)
}

pub(super) async fn warnings(pool: &PgPool) -> Result<Vec<Warning>, sqlx::Error> {
    let details: Vec<String> = sqlx::query_scalar(
        "select case source
             when $1 then format('`verify --log` found %s violations in the log at %s', count, time)
             else format(
                 '`verify` found %s rows of `%s` that differ from the log at %s; `replay %s` rebuilds it',
                 count, source, time, source
             )
         end
         from finding, to_char(found_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"') as time
         order by source",
    )
    .bind(LOG)
    .fetch_all(pool)
    .await?;
    Ok(details.into_iter().map(|detail| Warning::new(WarningCode::VerificationFailed, detail)).collect())
}
