//! Where read tables stand: each build in a schema of its own, such as `live_orders_7`, with a view of each table in `live`.
//!
//! Everything reads the views, so views, grants and default privileges of others on them survive a change of the tables.
//! Earlier versions built the tables in `live` itself; [`adopt`] moves them.

use sqlx::PgConnection;

use super::definition::Projection;
use super::dependents::{self, find, refusal, remake};
use super::install::run;
use super::rebuild::RebuildError;
use super::schemas;

/// Where the tables of a projection in service stand.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct InService {
    pub fingerprint: String,
    tables: Vec<String>,
    /// `None`: in `live` itself.
    pub schema: Option<String>,
}

impl InService {
    pub async fn find(connection: &mut PgConnection, name: &str) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as("select fingerprint, tables, schema from projection where name = $1")
            .bind(name)
            .fetch_optional(connection)
            .await
    }

    /// The schema that holds the tables.
    pub fn table_schema(&self) -> &str {
        self.schema.as_deref().unwrap_or("live")
    }
}

/// Puts the tables in `schema` behind the views of `live`, in place of those in service, and drops the earlier ones.
/// Returns the materialized views of others to be filled after the commit.
pub(super) async fn publish(
    connection: &mut PgConnection,
    projection: &Projection,
    schema: &str,
) -> Result<Vec<String>, RebuildError> {
    let before = InService::find(connection, projection.name).await?;
    let aside = format!("{schema}_old");
    let to_fill = show(connection, projection, schema, before.as_ref(), &aside).await?;
    drop_earlier(connection, projection.name, before.as_ref(), schema).await?;
    Ok(to_fill)
}

/// Moves the tables of an earlier version from `live` into a schema, and shows them there.
pub(super) async fn adopt(connection: &mut PgConnection, projection: &Projection) -> Result<Vec<String>, RebuildError> {
    let before = InService::find(connection, projection.name).await?;
    let Some(before) = before.filter(|before| before.schema.is_none()) else { return Ok(vec![]) };
    let schema = schemas::next(connection, projection.name).await?;
    let to_fill = show(connection, projection, &schema, Some(&before), &schema).await?;
    run(connection, &projection.create_function("live", Some(&schema))).await?;
    sqlx::query("update projection set schema = $2 where name = $1")
        .bind(projection.name)
        .bind(schema)
        .execute(connection)
        .await?;
    Ok(to_fill)
}

/// Makes the views of `live` show the tables in `schema`. Tables and views that cannot be replaced in place are moved to
/// the schema `aside`.
async fn show(
    connection: &mut PgConnection,
    projection: &Projection,
    schema: &str,
    before: Option<&InService>,
    aside: &str,
) -> Result<Vec<String>, RebuildError> {
    let earlier: &[String] = before.map_or(&[], |before| before.tables.as_slice());
    let mut views = Vec::new();
    let mut moved = Vec::new();
    for table in projection.tables() {
        let shown = format!("live.{table}");
        let kind = kind_of(connection, &shown).await?;
        if kind.is_some() && !earlier.iter().any(|earlier| earlier == table) {
            return Err(RebuildError::NameTaken(table));
        }
        let in_place = match kind.as_deref() {
            Some("v") => columns(connection, &shown, &format!("{schema}.{table}")).await?,
            _ => None,
        };
        if kind.is_some() && in_place.is_none() {
            moved.push((table.to_owned(), kind));
        }
        views.push((table, in_place));
    }
    // Tables that the projection no longer has.
    for table in earlier {
        if !projection.tables().contains(&table.as_str()) {
            let kind = kind_of(connection, &format!("live.{table}")).await?;
            moved.extend(kind.map(|kind| (table.clone(), Some(kind))));
        }
    }

    let below = before.and_then(|before| before.schema.as_deref());
    let mut roots: Vec<String> = moved.iter().map(|(table, _)| format!("live.{table}")).collect();
    if let Some(below) = below {
        for table in earlier {
            let table = format!("{below}.{table}");
            roots.extend(kind_of(connection, &table).await?.map(|_| table));
        }
    }
    let own: Vec<String> =
        views.iter().filter(|(_, in_place)| in_place.is_some()).map(|(table, _)| format!("live.{table}")).collect();
    let mut readers = find(connection, &roots, &own).await?;
    if let Some(below) = below {
        let (from, to) = (format!("{below}."), "live.");
        readers = readers.into_iter().map(|reader| reader.renamed(&from, to)).collect();
    }
    let mut grants = Vec::new();
    for (table, _) in &moved {
        grants.push((table.as_str(), grants_on(connection, &format!("live.{table}")).await?));
    }

    if !moved.is_empty() {
        schemas::create(connection, aside).await?;
    }
    for (table, kind) in &moved {
        let kind = if kind.as_deref() == Some("v") { "view" } else { "table" };
        run(connection, &format!("alter {kind} live.{table} set schema {aside}")).await?;
    }
    for (table, in_place) in views {
        let columns = match in_place {
            Some(columns) => columns,
            None => columns(connection, "", &format!("{schema}.{table}")).await?.unwrap_or_default(),
        };
        let columns = columns.join(", ");
        run(connection, &format!("create or replace view live.{table} as select {columns} from {schema}.{table}"))
            .await?;
    }
    let comments = projection.view_comments();
    if !comments.is_empty() {
        run(connection, &comments.join(";\n")).await?;
    }
    for (table, grants) in grants {
        if projection.tables().contains(&table) {
            set_grants(connection, &format!("live.{table}"), &grants).await?;
        }
    }
    Ok(remake(connection, readers).await?)
}

/// The kind of a relation in the catalog, `r` for a table and `v` for a view; `None` if there is none.
async fn kind_of(connection: &mut PgConnection, relation: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select relkind::text from pg_class where oid = to_regclass($1)")
        .bind(relation)
        .fetch_optional(connection)
        .await
}

/// The columns of a table in the order of the view that shows it; `None` if the view cannot show it in place.
async fn columns(connection: &mut PgConnection, view: &str, table: &str) -> Result<Option<Vec<String>>, sqlx::Error> {
    let view = Some(view).filter(|view| !view.is_empty());
    sqlx::query_scalar(include_str!("queries/columns_in_place.sql")).bind(view).bind(table).fetch_one(connection).await
}

/// The statements that grant what others may do with a relation.
pub(super) async fn grants_on(connection: &mut PgConnection, relation: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(include_str!("queries/grants.sql")).bind(relation).fetch_all(connection).await
}

/// Grants what was granted before, and nothing else: a default privilege may have been revoked since.
pub(super) async fn set_grants(
    connection: &mut PgConnection,
    relation: &str,
    grants: &[String],
) -> Result<(), sqlx::Error> {
    for granted in grants_on(connection, relation).await? {
        let revoke = granted.replacen("grant ", "revoke ", 1).replacen(" to ", " from ", 1);
        run(connection, revoke.trim_end_matches(" with grant option")).await?;
    }
    for grant in grants {
        // A column may be gone.
        if let Some(reason) = refusal(connection, std::slice::from_ref(grant)).await? {
            tracing::warn!(grant, reason, "a grant does not fit the new table");
        }
    }
    Ok(())
}

/// Drops the earlier builds of a projection, except for what others have in them or depend on.
async fn drop_earlier(
    connection: &mut PgConnection,
    name: &str,
    before: Option<&InService>,
    current: &str,
) -> Result<(), sqlx::Error> {
    if let Some(schema) = before.and_then(|before| before.schema.as_deref()) {
        schemas::mark(connection, schema).await?;
    }
    for earlier in schemas::earlier(connection, name, current).await? {
        schemas::drop_own(connection, name, &earlier).await?;
    }
    Ok(())
}

/// Removes the tables of a projection that this program no longer has; views of others on them are kept as text.
pub(super) async fn retire(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let Some(before) = InService::find(connection, name).await? else { return Ok(()) };
    let aside = format!("{}_old", schemas::next(connection, name).await?);
    let mut moved = Vec::new();
    for table in &before.tables {
        moved.extend(kind_of(connection, &format!("live.{table}")).await?.map(|kind| (table, kind)));
    }
    let roots: Vec<String> = moved.iter().map(|(table, _)| format!("live.{table}")).collect();
    let readers = find(connection, &roots, &[]).await?;
    run(connection, &format!("drop function if exists live.apply_{name}()")).await?;
    schemas::create(connection, &aside).await?;
    for (table, kind) in &moved {
        let kind = if kind == "v" { "view" } else { "table" };
        run(connection, &format!("alter {kind} live.{table} set schema {aside}")).await?;
    }
    dependents::remake(connection, readers).await?;
    drop_earlier(connection, name, Some(&before), "").await?;
    sqlx::query("delete from projection where name = $1").bind(name).execute(connection).await.map(drop)
}
