//! The schemas of builds: `rebuild_orders` and `verify_orders_…` while the tables are built, `live_orders_7` in service.
//!
//! A comment marks them as the shop's. A schema of others that has such a name is neither used nor dropped, and nothing of
//! others in a schema of the shop is dropped: that schema stays, and `status` names what is in it.

use sqlx::{PgConnection, PgPool};

use super::definition::Projection;
use super::dependents::refusal;
use super::install::run;

const MARK: &str = "A build of read tables. The shop drops it; put nothing here.";

/// Creates a schema of the shop.
pub(super) async fn create(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    run(connection, &format!("create schema {schema}; comment on schema {schema} is '{MARK}'")).await
}

/// Marks a schema of the shop that an earlier version created.
pub(super) async fn mark(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    if exists(connection, schema).await? {
        run(connection, &format!("comment on schema {schema} is '{MARK}'")).await?;
    }
    Ok(())
}

async fn exists(connection: &mut PgConnection, schema: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select to_regnamespace($1) is not null").bind(schema).fetch_one(connection).await
}

/// Whether a schema is the shop's; `None` if there is none. Builds of earlier versions are known by their function.
///
/// One look: another node may delete an abandoned build at any time.
pub(super) async fn is_own(
    connection: &mut PgConnection,
    name: &str,
    schema: &str,
) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar(
        "select obj_description(schema.oid, 'pg_namespace') is not distinct from $3
             or exists (
                 select from pg_proc as function
                 where function.pronamespace = schema.oid and function.proname = 'apply_' || $2
             )
         from pg_namespace as schema
         where schema.nspname = $1",
    )
    .bind(schema)
    .bind(name)
    .bind(MARK)
    .fetch_optional(connection)
    .await
}

/// A free name for the schema of the next build of a projection, and with `_old` behind it.
pub(super) async fn next(connection: &mut PgConnection, name: &str) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "select format('live_%s_%s', $1::text, coalesce(max(substring(nspname from '(\\d+)(_old)?$')::bigint), 0) + 1)
         from pg_namespace
         where nspname ~ ('^live_' || $1 || '_\\d{1,15}(_old)?$')",
    )
    .bind(name)
    .fetch_one(connection)
    .await
}

/// The schemas of the shop with earlier builds of a projection, and schemas of others that have such a name.
pub(super) async fn earlier(
    connection: &mut PgConnection,
    name: &str,
    current: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let earlier = "select nspname::text from pg_namespace
        where nspname ~ ('^live_' || $1 || '_\\d{1,15}(_old)?$') and nspname <> $2
        order by nspname !~ '_old$', nspname";
    sqlx::query_scalar(earlier).bind(name).bind(current).fetch_all(connection).await
}

/// Drops a schema of the shop with its tables. If something of others is in it or depends on it, that stays, and so does
/// the schema. A schema of others is not touched.
pub(super) async fn drop_own(connection: &mut PgConnection, name: &str, schema: &str) -> Result<(), sqlx::Error> {
    if is_own(connection, name, schema).await? != Some(true) {
        return Ok(());
    }
    // The function that shows whose it is may be dropped, and the schema stay.
    mark(connection, schema).await?;
    let tables = Projection::find(name).map(Projection::tables).unwrap_or_default();
    let mut statements: Vec<String> = sqlx::query_scalar(
        "select format('drop %s %I.%I', case relkind when 'v' then 'view' else 'table' end, $1::text, relname)
         from pg_class
         where relnamespace = to_regnamespace($1) and relkind in ('r', 'v')
             and (relname = any ($3::text[]) or relname in (select unnest(tables) from projection where name = $2))
         order by relkind desc, relname",
    )
    .bind(schema)
    .bind(name)
    .bind(tables)
    .fetch_all(&mut *connection)
    .await?;
    statements.push(format!("drop function if exists {schema}.apply_{name}()"));
    statements.push(format!("drop schema {schema}"));
    let Some(reason) = refusal(connection, &statements).await? else { return Ok(()) };
    tracing::warn!(schema, reason, "a schema of an earlier build stays");
    for statement in statements {
        refusal(connection, &[statement]).await?;
    }
    Ok(())
}

/// Relations of others in schemas of earlier builds, which stay because of them.
pub async fn kept_relations(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select format('%I.%I', schema.nspname, relation.relname)
         from pg_namespace as schema
         join pg_class as relation on relation.relnamespace = schema.oid
         where obj_description(schema.oid, 'pg_namespace') = $1
             and schema.nspname ~ '^live_.*_\\d{1,15}(_old)?$'
             and relation.relkind in ('r', 'p', 'v', 'm', 'f')
             and not exists (select from projection where projection.schema = schema.nspname)
             and not exists (
                 select from projection
                 where schema.nspname ~ ('^live_' || projection.name || '_\\d') and relation.relname = any (tables)
             )
         order by 1
         limit 10",
    )
    .bind(MARK)
    .fetch_all(pool)
    .await
}
