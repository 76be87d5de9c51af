//! Schema `fact`: the views of `projections/facts.sql` over the whole log, for people and their tools.
//!
//! No projection reads it. It is replaced when the text changes; views and grants of others on it survive. A view of
//! others that no longer fits is kept as text.

use sqlx::{Connection, PgConnection, PgPool};

use super::definition::{fact_names, fact_schema, whole_log_statements};
use super::dependents;
use super::install::run;
use super::layout::{grants_on, set_grants};
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
            tracing::warn!(%error, "schema `fact` stays as it is");
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

/// Moves the views aside, creates them with their grants, and lets views of others read the new ones; a view of others
/// that no longer fits is kept as text. Everything else in the schema stays.
async fn replace_anew(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let own: Vec<String> = sqlx::query_scalar(
        "select format('fact.%I', relname) from pg_class
         where relnamespace = 'fact'::regnamespace and relkind = 'v' and relname = any($1)",
    )
    .bind(fact_names())
    .fetch_all(&mut *connection)
    .await?;
    let readers = dependents::find(connection, &own, &[]).await?;
    let aside = format!("{}_replaced", fact_schema());
    run(connection, &format!("create schema {aside}")).await?;
    let mut grants = Vec::new();
    for view in &own {
        grants.push((view, grants_on(connection, view).await?));
        run(connection, &format!("alter view {view} set schema {aside}")).await?;
    }
    create_views(connection).await?;
    for (view, grants) in grants {
        set_grants(connection, view, &grants).await?;
    }
    dependents::remake(connection, readers).await?;
    let replaced: Vec<_> = own.iter().map(|view| view.replacen("fact.", &format!("{aside}."), 1)).collect();
    let drops = [format!("drop view {}", replaced.join(", ")), format!("drop schema {aside}")];
    if let Some(reason) = dependents::refusal(connection, &drops).await? {
        tracing::warn!(schema = aside, reason, "views of an earlier text stay");
    }
    Ok(())
}

async fn create_views(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    run(connection, &whole_log_statements().collect::<Vec<_>>().join(";\n")).await
}
