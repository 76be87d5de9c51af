//! Views of others that read the shop's tables and views: made to read the new ones, or kept as text.
//!
//! A view of others is replaced in place if it fits, so that its grants, its owner and its own readers stay as they are.
//! Otherwise it is dropped and made again with all that belongs to it. If that fails too, its text and the reason are
//! stored for the operator. Nothing of others is dropped in another way: no statement here cascades.

use std::collections::{HashMap, HashSet};
use std::slice::from_ref;

use sqlx::{Connection, PgConnection, PgPool};

use super::install::run;
use crate::database::begin_transaction;
use crate::database::failure::DatabaseFailure;

/// SQLSTATE.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// A view of others, and the statements that make it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Dependent {
    schema_name: String,
    view_name: String,
    name: String,
    /// As it is written in SQL, such as `"Ana"`; also the shop's role.
    owner: String,
    shop_role: String,
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

    /// Why the view stays on the earlier tables, and what an operator can do.
    fn reason_to_stand(&self, reason: &str) -> String {
        let Self { name, owner, shop_role, .. } = self;
        let remedy = match owner == shop_role {
            true => format!("remove the cause, then run `cartwright views restore {name}`"),
            false => format!(
                "as a superuser run `grant {owner} to {shop_role}`, then `cartwright views restore {name}`; \
                 or let `{owner}` replace it by the text that `cartwright views list` prints"
            ),
        };
        format!(
            "it stays on an earlier table, which no longer changes, because the shop may not replace it ({reason}); {remedy}"
        )
    }
}

/// Why the database refused statements.
struct ReplaceError {
    reason: String,
    /// The shop's role may not do it, but another role may.
    lacks_right: bool,
}

/// What became of views that were dropped and made again.
#[derive(Default)]
struct Remade<'dependent> {
    made: Vec<&'dependent Dependent>,
    unfit: Vec<(&'dependent Dependent, String)>,
    /// Cannot be dropped and made again as they were, by name.
    standing: HashMap<String, String>,
}

/// Lets the views read what has their relations' names now; keeps as text what does not fit. A view that the shop may not
/// make again as it was, such as one of another owner, stays on the earlier tables. Returns the materialized views to be
/// filled again.
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
        } else if dependent.is_direct {
            forget(connection, &dependent.name).await?;
        }
    }
    let mut standing = HashMap::new();
    // Each round leaves more views as they are, until all others can be made again.
    let remade = loop {
        let mut savepoint = connection.begin().await?;
        let remade = make_anew(&mut savepoint, &anew, &standing).await?;
        if remade.standing.is_empty() {
            savepoint.commit().await?;
            break remade;
        }
        savepoint.rollback().await?;
        standing.extend(remade.standing);
    };
    for dependent in anew.iter().filter(|dependent| dependent.is_direct) {
        if let Some(reason) = standing.get(&dependent.name) {
            set_aside(connection, dependent, &dependent.reason_to_stand(reason)).await?;
        }
    }
    for (dependent, reason) in remade.unfit {
        set_aside(connection, dependent, &reason).await?;
    }
    for dependent in &remade.made {
        forget(connection, &dependent.name).await?;
    }
    Ok(remade.made.iter().filter(|view| view.is_filled).map(|view| view.name.clone()).collect())
}

/// Drops the views, readers first, and makes them again, except those in `standing`. Roll back if others cannot be.
async fn make_anew<'dependent>(
    connection: &mut PgConnection,
    anew: &'dependent [Dependent],
    standing: &HashMap<String, String>,
) -> Result<Remade<'dependent>, sqlx::Error> {
    let mut remade = Remade::default();
    let dropped: Vec<_> = anew.iter().filter(|dependent| !standing.contains_key(&dependent.name)).collect();
    for dependent in dropped.iter().rev() {
        let drop = format!("drop {} {}", dependent.kind(), dependent.name);
        if let Some(refusal) = attempt(connection, from_ref(&drop)).await? {
            remade.standing.insert(dependent.name.clone(), refusal.reason);
        }
    }
    if !remade.standing.is_empty() {
        return Ok(remade);
    }
    for dependent in dropped {
        match attempt(connection, &dependent.statements).await? {
            Some(ReplaceError { reason, lacks_right: true }) => {
                remade.standing.insert(dependent.name.clone(), reason);
            }
            Some(ReplaceError { reason, .. }) => remade.unfit.push((dependent, reason)),
            None => remade.made.push(dependent),
        }
    }
    Ok(remade)
}

/// Runs the statements, all or none; the reason if the database refuses one. A statement that may succeed later is an
/// error.
pub(super) async fn refusal(
    connection: &mut PgConnection,
    statements: &[String],
) -> Result<Option<String>, sqlx::Error> {
    Ok(attempt(connection, statements).await?.map(|refusal| refusal.reason))
}

async fn attempt(connection: &mut PgConnection, statements: &[String]) -> Result<Option<ReplaceError>, sqlx::Error> {
    let mut savepoint = connection.begin().await?;
    for statement in statements {
        if let Err(error) = run(&mut savepoint, statement).await {
            if DatabaseFailure::of(&error).is_transient() {
                return Err(error);
            }
            savepoint.rollback().await?;
            let database = error.as_database_error();
            return Ok(Some(ReplaceError {
                reason: database.map_or(error.to_string(), |error| error.message().to_owned()),
                lacks_right: database.and_then(|error| error.code()).is_some_and(|code| code == INSUFFICIENT_PRIVILEGE),
            }));
        }
    }
    savepoint.commit().await?;
    Ok(None)
}

async fn set_aside(connection: &mut PgConnection, dependent: &Dependent, reason: &str) -> Result<(), sqlx::Error> {
    tracing::warn!(
        view = dependent.name,
        reason,
        "a view cannot read the new tables; `cartwright views list` shows its text"
    );
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

/// Makes a view again that was set aside; the reason if it does not fit yet. A view that stayed on earlier tables is
/// replaced, in place if it fits.
pub async fn restore_view(pool: &PgPool, view: &SetAsideView) -> Result<Option<String>, sqlx::Error> {
    let is_materialized = view.statements.first().is_some_and(|first| first.starts_with("create materialized"));
    let mut transaction = begin_transaction(pool, "begin").await?;
    let reason = if is_left_behind(&mut transaction, &view.name).await? {
        let in_place = view.statements.iter().take(1).map(|first| first.replacen("create ", "create or replace ", 1));
        let kind = if is_materialized { "materialized view" } else { "view" };
        let mut anew = vec![format!("drop {kind} {}", view.name)];
        anew.extend_from_slice(&view.statements);
        match refusal(&mut transaction, &in_place.collect::<Vec<_>>()).await? {
            Some(_) => refusal(&mut transaction, &anew).await?,
            None => None,
        }
    } else {
        refusal(&mut transaction, &view.statements).await?
    };
    if reason.is_none() {
        forget(&mut transaction, &view.name).await?;
    }
    transaction.commit().await?;
    if reason.is_none() && is_materialized {
        fill(&mut *pool.acquire().await?, from_ref(&view.name)).await;
    }
    Ok(reason)
}

/// Whether a view of others reads the tables of a build itself, and not the views of `live` and `fact`.
async fn is_left_behind(connection: &mut PgConnection, view: &str) -> Result<bool, sqlx::Error> {
    let relations: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schema.nspname, relation.relname)
         from pg_namespace as schema
         join pg_class as relation on relation.relnamespace = schema.oid and relation.relkind in ('r', 'v')
         where schema.nspname ~ '^(live_[a-z_]+_\\d{1,15}(_old)?|fact_[0-9a-f]{12}_replaced)$'",
    )
    .fetch_all(&mut *connection)
    .await?;
    let own: Vec<String> = sqlx::query_scalar(
        "select format('live.%I', shown) from projection, unnest(tables) as shown
         where to_regclass(format('live.%I', shown)) is not null",
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(find(connection, &relations, &own).await?.iter().any(|dependent| dependent.name == view))
}

/// Deletes the text of a view; `false` if there is none.
pub async fn forget_view(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
    forget(&mut *pool.acquire().await?, name).await
}

async fn forget(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let forget = "delete from public.set_aside_view where format('%I.%I', schema_name, view_name) = $1";
    Ok(sqlx::query(forget).bind(name).execute(connection).await?.rows_affected() > 0)
}
