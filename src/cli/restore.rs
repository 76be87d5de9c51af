//! `cartwright restore`: replaces the database of an embedded shop by a dump.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Args;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::process::Command;

use super::output::print;
use super::restored::declare_restored;
use crate::clock::node_time;
use crate::database::Location;
use crate::database::embedded::{self, ClusterRole, EmbeddedOptions, EmbeddedPostgres};

#[derive(Args)]
pub(super) struct RestoreArgs {
    /// Dump to restore, in the custom format of pg_dump
    file: PathBuf,
}

/// Database of the shop.
const NAME: &str = "cartwright";
/// Database that the dump is restored into, until it replaces the shop's.
const RESTORING: &str = "cartwright_restoring";

pub(super) async fn restore_dump(args: &RestoreArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let Location::Embedded(options) = location else {
        bail!("this shop has a database of its own: restore it with pg_restore, then run `cartwright restored`");
    };
    ensure!(args.file.is_file(), "{} is not a file", args.file.display());
    ensure!(embedded::running_socket_folder(&options.data_dir).is_none(), "the shop is running; stop it first");
    let pg_restore = embedded::find_client("pg_restore", options.binaries.as_deref()).await;
    let pg_restore = pg_restore.context("pg_restore was not found; install the client programs of PostgreSQL")?;
    let server = EmbeddedPostgres::start(options).await?;
    let kept = replace_database(&server, options, &pg_restore, &args.file).await;
    server.stop().await?;
    if let Some(kept) = kept? {
        print(&format!(
            "the database of before is kept as `{kept}`; \
             `cartwright sql --owner -- -c 'drop database {kept}'` drops it while the shop runs"
        ));
    }
    declare_restored(location).await
}

/// Restores into a database of its own, and puts it in service in one step. Returns the new name of the database of
/// before; `None` if there was no shop in it.
async fn replace_database(
    server: &EmbeddedPostgres,
    options: &EmbeddedOptions,
    pg_restore: &Path,
    file: &Path,
) -> anyhow::Result<Option<String>> {
    let mut superuser = server.connect_options_as(ClusterRole::Superuser, "postgres").connect().await?;
    // What an interrupted restore has left.
    superuser.execute(format!("drop database if exists {RESTORING} with (force)").as_str()).await?;
    let owner = ClusterRole::Owner.name();
    superuser.execute(format!("create database {RESTORING} template template0 owner {owner}").as_str()).await?;

    let socket_folder = embedded::socket_folder(&options.data_dir)?;
    let address = embedded::address(&options.data_dir, &socket_folder, ClusterRole::Owner);
    let address = address.replacen(&format!("/{NAME}?"), &format!("/{RESTORING}?"), 1);
    let mut restore = Command::new(pg_restore);
    restore.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--dbname", &address]);
    let status = restore.arg(file).stdin(Stdio::null()).status().await.context("pg_restore cannot be started")?;
    ensure!(status.success(), "pg_restore failed; the shop is unchanged");
    let is_shop = has_log(server, RESTORING).await?;
    ensure!(is_shop, "the dump holds no shop; the shop of the data folder is unchanged");

    let was_shop = has_log(server, NAME).await?;
    let kept = format!("{NAME}_before_{}", node_time().format("%Y%m%d_%H%M%S"));
    let mut swap = superuser.begin().await?;
    swap.execute(format!("alter database {NAME} rename to {kept}").as_str()).await?;
    swap.execute(format!("alter database {RESTORING} rename to {NAME}").as_str()).await?;
    swap.commit().await?;
    if !was_shop {
        superuser.execute(format!("drop database {kept} with (force)").as_str()).await?;
    }
    superuser.close().await?;
    Ok(was_shop.then_some(kept))
}

async fn has_log(server: &EmbeddedPostgres, database: &str) -> anyhow::Result<bool> {
    let mut connection: PgConnection = server.connect_options(database).connect().await?;
    let exists = sqlx::query_scalar("select to_regclass('public.events') is not null");
    let exists = exists.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(exists)
}
