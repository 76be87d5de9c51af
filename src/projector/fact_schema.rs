//! Schema `fact`: the views of `projections/facts.sql` over the whole log, for people and their tools.
//!
//! No projection reads it. It is replaced when the text changes; views and grants of others on it survive, unless a
//! view that others depend on has changed its columns: then the old views stay, and the log says so.

use sqlx::{Connection, PgConnection, PgPool};

use super::definition::{fact_names, fact_schema, whole_log_statements};
use super::install::run;
use crate::database::failure::DatabaseFailure;
use crate::database::locks;

/// How long to wait for queries that read a view, and so keep it from being replaced.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '2s'";

/// `false` if a later attempt may succeed. A failure is logged; it must not keep the shop from selling.
pub(super) async fn is_installed_or_refused(pool: &PgPool) -> bool {
    match install(pool).await {
        Ok(()) => true,
        Err(error) if DatabaseFailure::of(&error).is_transient() => {
            tracing::debug!(%error, "schema `fact` cannot be replaced yet");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "schema `fact` stays as it is; drop what depends on its views and restart");
            true
        }
    }
}

/// Replaces the views if they were made from another text, in one transaction.
async fn install(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    run(&mut transaction, LOCK_TIMEOUT).await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(locks::INSTALL).execute(&mut *transaction).await?;
    // The comment names the text: that of the projector's own views, `fact_1a2b3c4d5e6f`.
    let comment = format!("The log as typed rows, one view for each event type. Same text as {}.", fact_schema());
    let installed: Option<String> =
        sqlx::query_scalar("select obj_description(to_regnamespace('fact'), 'pg_namespace')")
            .fetch_one(&mut *transaction)
            .await?;
    if installed.is_some_and(|installed| installed == comment) {
        return Ok(());
    }
    run(&mut transaction, "create schema if not exists fact").await?;
    if !is_replaced_in_place(&mut transaction).await? {
        replace_anew(&mut transaction).await?;
    }
    run(&mut transaction, &format!("comment on schema fact is '{comment}'")).await?;
    transaction.commit().await
}

/// Replaces each view where it is; `false`, and nothing is changed, if some view would lose or change a column.
async fn is_replaced_in_place(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mut savepoint = connection.begin().await?;
    match create_views(&mut savepoint).await {
        Ok(()) => savepoint.commit().await.map(|()| true),
        Err(error) if DatabaseFailure::of(&error) == DatabaseFailure::ColumnsDiffer => {
            savepoint.rollback().await.map(|()| false)
        }
        Err(error) => Err(error),
    }
}

/// Drops the views and creates them with their grants. Fails if views of others depend on them.
async fn replace_anew(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let grants: Vec<String> = sqlx::query_scalar(
        "select format(
             'grant %s on fact.%I to %s%s', granted.privilege_type, view.relname,
             case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
             case when granted.is_grantable then ' with grant option' else '' end
         )
         from pg_class as view, aclexplode(view.relacl) as granted
         where view.relnamespace = 'fact'::regnamespace and view.relname = any($1) and granted.grantee <> view.relowner",
    )
    .bind(fact_names())
    .fetch_all(&mut *connection)
    .await?;
    let dropped: Vec<String> = sqlx::query_scalar(
        "select format('fact.%I', relname) from pg_class where relnamespace = 'fact'::regnamespace and relkind = 'v'",
    )
    .fetch_all(&mut *connection)
    .await?;
    run(connection, &format!("drop view {}", dropped.join(", "))).await?;
    create_views(connection).await?;
    for grant in grants {
        run(connection, &grant).await?;
    }
    Ok(())
}

async fn create_views(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    run(connection, &whole_log_statements().collect::<Vec<_>>().join(";\n")).await
}
