//! Installs the projections of this program: fact views, functions, and tables of an empty shop.

use sqlx::{Connection, Executor, PgConnection, PgPool};

use super::definition::{
    PROJECTIONS, Projection, fact_schema, fact_statements, rebuild_fact_schema, rebuild_fact_statements,
};
use super::{layout, schemas};
use crate::database::{locks, roles};

/// Installs everything that needs no replay, and returns the projections whose tables must be rebuilt from the log.
/// Until then their old tables stay in service, updated by the functions they were built with.
pub(super) async fn install(pool: &PgPool) -> Result<Vec<&'static Projection>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(locks::INSTALL).execute(&mut *transaction).await?;
    install_facts(&mut transaction, fact_schema(), fact_statements()).await?;
    install_facts(&mut transaction, rebuild_fact_schema(), rebuild_fact_statements()).await?;

    let position: i64 =
        sqlx::query_scalar("select position from projector_lease for update").fetch_one(&mut *transaction).await?;
    let in_service: Vec<(String, String)> =
        sqlx::query_as("select name, fingerprint from projection").fetch_all(&mut *transaction).await?;
    let mut outdated = Vec::new();
    for projection in PROJECTIONS {
        let fingerprint = in_service.iter().find(|(name, _)| name == projection.name).map(|(_, print)| print);
        if fingerprint.is_some_and(|fingerprint| *fingerprint == projection.fingerprint()) {
            continue;
        }
        // A relation of others that has the name of a table makes the rebuild fail, but not the start.
        if fingerprint.is_none() && position == 0 && create_in_service(&mut transaction, projection).await? {
            continue;
        }
        outdated.push(projection);
    }
    for (name, _) in in_service.iter().filter(|(name, _)| Projection::find(name).is_none()) {
        tracing::info!(name, "dropping a projection that this version does not have");
        layout::retire(&mut transaction, name).await?;
    }
    drop_unused_facts(&mut transaction).await?;
    transaction.commit().await?;
    Ok(outdated)
}

/// Creates the tables of an empty shop and puts them in service; `false`, and nothing is created, if a relation of
/// others has the name of one.
async fn create_in_service(connection: &mut PgConnection, projection: &Projection) -> Result<bool, sqlx::Error> {
    let is_taken =
        "select exists (select from unnest($1::text[]) as name where to_regclass('live.' || name) is not null)";
    if sqlx::query_scalar(is_taken).bind(projection.tables()).fetch_one(&mut *connection).await? {
        return Ok(false);
    }
    let schema = schemas::next(connection, projection.name).await?;
    schemas::create(connection, &schema).await?;
    create_tables(connection, projection, &schema).await?;
    create_indexes(connection, projection, &schema).await?;
    let view = |table| format!("create view live.{table} as select * from {schema}.{table}");
    let views = projection.tables().into_iter().map(view).chain(projection.view_comments());
    run(connection, &views.collect::<Vec<_>>().join(";\n")).await?;
    put_in_service(connection, projection, &schema).await?;
    Ok(true)
}

/// Whether the tables in service were built with the SQL of this program.
pub(super) async fn is_up_to_date(pool: &PgPool, projection: &Projection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from projection where name = $1 and fingerprint = $2)")
        .bind(projection.name)
        .bind(projection.fingerprint())
        .fetch_one(pool)
        .await
}

async fn install_facts(
    connection: &mut PgConnection,
    schema: String,
    statements: impl Iterator<Item = String>,
) -> Result<(), sqlx::Error> {
    let exists: bool = sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)")
        .bind(&schema)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        run(connection, &format!("create schema {schema}")).await?;
        for statement in statements {
            run(connection, &statement).await?;
        }
    }
    Ok(())
}

/// Creates the tables of a projection in `schema`, which must exist, without their indexes.
pub(super) async fn create_tables(
    connection: &mut PgConnection,
    projection: &Projection,
    schema: &str,
) -> Result<(), sqlx::Error> {
    let path = format!("set local search_path = {schema}, public");
    run(connection, &join(path, projection.table_statements())).await
}

pub(super) async fn create_indexes(
    connection: &mut PgConnection,
    projection: &Projection,
    schema: &str,
) -> Result<(), sqlx::Error> {
    let path = format!("set local search_path = {schema}, public");
    run(connection, &join(path, projection.index_statements())).await
}

/// Several statements for one round trip.
fn join(first: String, statements: impl Iterator<Item = &'static str>) -> String {
    statements.fold(first, |joined, statement| joined + ";\n" + statement)
}

/// Records that the tables in `schema`, which `live` shows, are in service.
pub(super) async fn put_in_service(
    connection: &mut PgConnection,
    projection: &Projection,
    schema: &str,
) -> Result<(), sqlx::Error> {
    run(connection, &projection.create_function("live", Some(schema))).await?;
    sqlx::query(
        "insert into projection (name, fingerprint, event_types, tables, built_at, schema)
         values ($1, $2, $3, $4, clock_timestamp(), $5)
         on conflict (name) do update
         set fingerprint = excluded.fingerprint, event_types = excluded.event_types, tables = excluded.tables,
             built_at = excluded.built_at, schema = excluded.schema",
    )
    .bind(projection.name)
    .bind(projection.fingerprint())
    .bind(projection.event_types())
    .bind(projection.tables())
    .bind(schema)
    .execute(&mut *connection)
    .await?;
    sqlx::query("update projector_lease set swaps = swaps + 1").execute(&mut *connection).await?;
    for cured in ["delete from projection_failure where name = $1", "delete from finding where source = $1"] {
        sqlx::query(cured).bind(projection.name).execute(&mut *connection).await?;
    }
    roles::grant_missing(connection).await
}

/// Drops the schemas of fact views that no function in service reads.
async fn drop_unused_facts(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let unused: Vec<String> = sqlx::query_scalar(
        "select schema.nspname::text
         from pg_namespace as schema
         where schema.nspname ~ '^fact_[0-9a-f]{12}(_log)?$'
             and schema.nspname <> all($1)
             and not exists (select from pg_class as table_ where table_.relnamespace = schema.oid and table_.relkind <> 'v')
             and not exists (
                 -- Something of others reads one of the views.
                 select from pg_class as view
                 join pg_depend as uses on uses.refobjid = view.oid and uses.classid = 'pg_rewrite'::regclass
                 join pg_rewrite as rule on rule.oid = uses.objid
                 join pg_class as reader on reader.oid = rule.ev_class
                 where view.relnamespace = schema.oid and reader.relnamespace <> schema.oid
             )
             and not exists (
                 select from pg_proc as function
                 where function.proname like 'apply\\_%' and strpos(function.prosrc, schema.nspname) > 0
             )",
    )
    .bind([fact_schema(), rebuild_fact_schema()])
    .fetch_all(&mut *connection)
    .await?;
    for schema in unused {
        run(connection, &format!("drop schema {schema} cascade")).await?;
    }
    Ok(())
}

/// Runs statements without parameters, unprepared.
pub(super) async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    connection.execute(statement).await.map(drop)
}
