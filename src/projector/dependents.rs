//! Views of others that read the shop's tables and views: made to read the new ones, or kept as text.
//!
//! A view of others is replaced in place if it fits, so that its grants, its owner and its own readers stay as they are.
//! Otherwise it is dropped and made again with all that belongs to it. If that fails too, its text and the reason are
//! stored for the operator. Nothing of others is dropped in another way: no statement here cascades.

use std::collections::HashSet;
use std::slice::from_ref;

use sqlx::{Connection, PgConnection, PgPool};

use super::install::run;
use crate::database::failure::DatabaseFailure;

/// A view of others, and the statements that make it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Dependent {
    schema_name: String,
    view_name: String,
    name: String,
    is_materialized: bool,
    is_filled: bool,
    /// Whether it reads one of the relations that change, and not only views that do.
    is_direct: bool,
    /// What it reads, by name.
    reads: Vec<String>,
    replacement: String,
    statements: Vec<String>,
}

/// The views of others that read `relations`, a view before its readers. `own` are the shop's views among the readers.
/// Call it while the relations have their names: the text of a view names what it reads now.
pub(super) async fn find(
    connection: &mut PgConnection,
    relations: &[String],
    own: &[String],
) -> Result<Vec<Dependent>, sqlx::Error> {
    if relations.is_empty() {
        return Ok(vec![]);
    }
    // So that every name in a text has its schema.
    let path: String = sqlx::query_scalar("select current_setting('search_path')").fetch_one(&mut *connection).await?;
    run(connection, "set local search_path = pg_catalog").await?;
    let found = sqlx::query_as(include_str!("queries/dependents.sql"))
        .bind(relations)
        .bind([relations, own].concat())
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query("select set_config('search_path', $1, true)").bind(path).execute(connection).await?;
    Ok(found)
}

impl Dependent {
    /// Reads `to` instead of `from`, two prefixes such as `live_orders_1.`.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        self.replacement = self.replacement.replace(from, to);
        self.statements.iter_mut().for_each(|statement| *statement = statement.replace(from, to));
        self
    }

    fn kind(&self) -> &'static str {
        if self.is_materialized { "materialized view" } else { "view" }
    }
}

/// Lets the views read what has their relations' names now; keeps as text what does not fit. Returns the materialized
/// views to be filled again.
pub(super) async fn remake(
    connection: &mut PgConnection,
    dependents: Vec<Dependent>,
) -> Result<Vec<String>, sqlx::Error> {
    let mut anew: Vec<Dependent> = Vec::new();
    let mut names: HashSet<String> = HashSet::new();
    for dependent in dependents {
        let is_below = dependent.reads.iter().any(|read| names.contains(read));
        let is_replaced = !is_below
            && (!dependent.is_direct
                || !dependent.is_materialized
                    && refusal(connection, from_ref(&dependent.replacement)).await?.is_none());
        if !is_replaced {
            names.insert(dependent.name.clone());
            anew.push(dependent);
        }
    }
    let mut standing = HashSet::new();
    for dependent in anew.iter().rev() {
        let drop = format!("drop {} {}", dependent.kind(), dependent.name);
        if let Some(reason) = refusal(connection, from_ref(&drop)).await? {
            let reason =
                format!("it still reads the tables of an earlier build, because it cannot be dropped: {reason}");
            set_aside(connection, dependent, &reason).await?;
            standing.insert(dependent.name.clone());
        }
    }
    let mut to_fill = Vec::new();
    anew.retain(|dependent| !standing.contains(&dependent.name));
    for dependent in anew {
        match refusal(connection, &dependent.statements).await? {
            Some(reason) => set_aside(connection, &dependent, &reason).await?,
            None if dependent.is_filled => to_fill.push(dependent.name),
            None => {}
        }
    }
    Ok(to_fill)
}

/// Runs the statements, all or none; the reason if the database refuses one. A statement that may succeed later is an
/// error.
pub(super) async fn refusal(
    connection: &mut PgConnection,
    statements: &[String],
) -> Result<Option<String>, sqlx::Error> {
    let mut savepoint = connection.begin().await?;
    for statement in statements {
        if let Err(error) = run(&mut savepoint, statement).await {
            if DatabaseFailure::of(&error).is_transient() {
                return Err(error);
            }
            savepoint.rollback().await?;
            return Ok(Some(error.as_database_error().map_or(error.to_string(), |error| error.message().to_owned())));
        }
    }
    savepoint.commit().await?;
    Ok(None)
}

async fn set_aside(connection: &mut PgConnection, dependent: &Dependent, reason: &str) -> Result<(), sqlx::Error> {
    tracing::warn!(view = dependent.name, reason, "a view no longer fits; `cartwright views` shows its text");
    sqlx::query(
        "insert into public.set_aside_view (schema_name, view_name, statements, reason)
         values ($1, $2, $3, $4)
         on conflict (schema_name, view_name) do update
         set statements = excluded.statements, reason = excluded.reason, set_aside_at = excluded.set_aside_at",
    )
    .bind(&dependent.schema_name)
    .bind(&dependent.view_name)
    .bind(&dependent.statements)
    .bind(reason)
    .execute(connection)
    .await
    .map(drop)
}

/// Fills materialized views that were made again. A failure is logged: the operator can refresh them.
pub(super) async fn fill(connection: &mut PgConnection, views: &[String]) {
    for view in views {
        if let Err(error) = run(connection, &format!("refresh materialized view {view}")).await {
            tracing::warn!(view, %error, "a materialized view was made again and cannot be filled; refresh it");
        }
    }
}

/// A view of others that no longer fitted the shop's tables.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SetAsideView {
    /// With its schema.
    pub name: String,
    /// Make the view again.
    pub statements: Vec<String>,
    pub reason: String,
}

const SET_ASIDE: &str = "select format('%I.%I', schema_name, view_name) as name, statements, reason
    from set_aside_view
    order by set_aside_at, schema_name, view_name";

/// The views that were set aside, the first first.
pub async fn set_aside_views(pool: &PgPool) -> Result<Vec<SetAsideView>, sqlx::Error> {
    sqlx::query_as(SET_ASIDE).fetch_all(pool).await
}

/// Makes a view again that was set aside; the reason if it does not fit yet.
pub async fn restore_view(pool: &PgPool, view: &SetAsideView) -> Result<Option<String>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let reason = refusal(&mut transaction, &view.statements).await?;
    if reason.is_none() {
        forget(&mut transaction, &view.name).await?;
    }
    transaction.commit().await?;
    if reason.is_none() && view.statements.first().is_some_and(|first| first.starts_with("create materialized")) {
        fill(&mut *pool.acquire().await?, from_ref(&view.name)).await;
    }
    Ok(reason)
}

/// Deletes the text of a view; `false` if there is none.
pub async fn forget_view(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
    forget(&mut *pool.acquire().await?, name).await
}

async fn forget(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let forget = "delete from public.set_aside_view where format('%I.%I', schema_name, view_name) = $1";
    Ok(sqlx::query(forget).bind(name).execute(connection).await?.rows_affected() > 0)
}
