//! `cartwright restore`: replaces the database of an embedded shop by a dump.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::{fs, io};

use anyhow::{Context, bail, ensure};
use clap::Args;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::output::{print, print_error};
use super::restored::declare_restored;
use crate::clock::node_time;
use crate::database::Location;
use crate::database::embedded::{self, ClusterRole, EmbeddedOptions, EmbeddedPostgres};
use crate::database::roles::READER;
use crate::regular_file;

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
    regular_file::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    ensure!(embedded::running_socket_folder(&options.data_dir).is_none(), "the shop is running; stop it first");
    let pg_restore = embedded::find_client("pg_restore", options.binaries.as_deref()).await;
    let pg_restore = pg_restore.context("pg_restore was not found; install the client programs of PostgreSQL")?;
    let content = list_content(&pg_restore, &args.file).await?;
    let made = match embedded::has_cluster(&options.data_dir)? {
        true => None,
        false => Some(NewFiles::of(&options.data_dir)?),
    };
    let server = EmbeddedPostgres::start(options).await?;
    let dump = Dump { file: &args.file, content, pg_restore: &pg_restore };
    let kept = replace_database(&server, options, &dump).await;
    server.stop().await?;
    if let (Err(_), Some(made)) = (&kept, made) {
        made.remove().with_context(|| format!("cannot empty {}", options.data_dir.display()))?;
    }
    if let Some(kept) = kept? {
        print(&format!(
            "the database of before is kept as `{kept}`; \
             `cartwright sql --owner -- -c 'drop database {kept}'` drops it while the shop runs"
        ));
    }
    declare_restored(location).await
}

struct Dump<'a> {
    file: &'a Path,
    /// As `pg_restore --list` prints it.
    content: String,
    pg_restore: &'a Path,
}

/// The content of a dump; fails if the file is none.
async fn list_content(pg_restore: &Path, file: &Path) -> anyhow::Result<String> {
    let mut list = Command::new(pg_restore);
    list.arg("--list").arg(file).stdin(Stdio::null()).stderr(Stdio::inherit());
    let listed = list.output().await.context("pg_restore cannot be started")?;
    let is_dump = listed.status.success();
    ensure!(is_dump, "{} is not a dump in the custom format of pg_dump; nothing was changed", file.display());
    Ok(String::from_utf8_lossy(&listed.stdout).into_owned())
}

/// What a start makes in a data folder without a shop.
struct NewFiles<'a> {
    data_dir: &'a Path,
    /// What stood in the folder before; `None` if there was no folder.
    kept: Option<Vec<OsString>>,
}

impl<'a> NewFiles<'a> {
    /// Before the start.
    fn of(data_dir: &'a Path) -> io::Result<Self> {
        let kept = match fs::read_dir(data_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            entries => Some(entries?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?),
        };
        Ok(Self { data_dir, kept })
    }

    /// Removes them, so that no empty shop remains.
    fn remove(self) -> io::Result<()> {
        let Some(kept) = self.kept else { return fs::remove_dir_all(self.data_dir) };
        for entry in fs::read_dir(self.data_dir)? {
            let entry = entry?;
            if kept.contains(&entry.file_name()) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }
}

/// Restores into a database of its own, and puts it in service in one step. Returns the new name of the database of
/// before; `None` if there was no shop in it.
async fn replace_database(
    server: &EmbeddedPostgres,
    options: &EmbeddedOptions,
    dump: &Dump<'_>,
) -> anyhow::Result<Option<String>> {
    let mut superuser = server.connect_options_as(ClusterRole::Superuser, "postgres").connect().await?;
    // What an interrupted restore has left.
    superuser.execute(format!("drop database if exists {RESTORING} with (force)").as_str()).await?;
    let owner = ClusterRole::Owner.name();
    superuser.execute(format!("create database {RESTORING} template template0 owner {owner}").as_str()).await?;

    let restored = fill_database(server, options, dump).await;
    if restored.is_err() {
        // The error of the restore is the one to show; the next restore drops what is left.
        let _ = superuser.execute(format!("drop database {RESTORING} with (force)").as_str()).await;
    }
    restored?;

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

/// Restores into the database [`RESTORING`]; fails if the dump holds no shop.
async fn fill_database(server: &EmbeddedPostgres, options: &EmbeddedOptions, dump: &Dump<'_>) -> anyhow::Result<()> {
    let socket_folder = embedded::socket_folder(&options.data_dir)?;
    let address = embedded::address(&options.data_dir, &socket_folder, ClusterRole::Owner);
    let address = address.replacen(&format!("/{NAME}?"), &format!("/{RESTORING}?"), 1);
    let mut restore = Command::new(dump.pg_restore);
    restore.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--dbname", &address]);
    let status = restore.arg(dump.file).stdin(Stdio::null()).status().await.context("pg_restore cannot be started")?;
    ensure!(status.success(), "pg_restore failed; the shop is unchanged");
    ensure!(has_log(server, RESTORING).await?, "the dump holds no shop; the shop of the data folder is unchanged");
    repeat_grants(server, dump).await
}

/// Repeats the grants to `reader`, for the schemas of people. Other roles of the dumped server may not exist in this one.
async fn repeat_grants(server: &EmbeddedPostgres, dump: &Dump<'_>) -> anyhow::Result<()> {
    let rights: Vec<&str> = dump.content.lines().filter(|line| is_about_rights(line)).collect();
    let mut extract = Command::new(dump.pg_restore);
    // Only the rights, so that no line of a function is taken for a grant.
    extract.args(["--no-owner", "--use-list=/dev/stdin", "--file=-"]).arg(dump.file);
    let mut extract = extract.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut list) = extract.stdin.take() {
        list.write_all(rights.join("\n").as_bytes()).await?;
    }
    let extracted = extract.wait_with_output().await?;
    ensure!(extracted.status.success(), "pg_restore failed; the shop is unchanged");

    let mut connection: PgConnection = server.connect_options(RESTORING).connect().await?;
    for grant in String::from_utf8_lossy(&extracted.stdout).lines().filter(|line| is_grant_to_reader(line)) {
        if let Err(error) = connection.execute(grant).await {
            print_error(&format!("not granted again: {grant} ({error})"));
        }
    }
    Ok(connection.close().await?)
}

/// Whether an entry of a list has the type `ACL` or `DEFAULT ACL`: `<id>; <oid> <oid> <type> <schema> <name> <owner>`.
fn is_about_rights(entry: &str) -> bool {
    let kind: Vec<&str> = entry.split(' ').skip(3).take(2).collect();
    !entry.starts_with(';') && (kind.first() == Some(&"ACL") || kind == ["DEFAULT", "ACL"])
}

fn is_grant_to_reader(line: &str) -> bool {
    let is_grant = line.starts_with("GRANT ") || line.starts_with("ALTER DEFAULT PRIVILEGES ");
    let to_reader = format!(" TO {READER}");
    is_grant && line.trim_end_matches(';').trim_end_matches(" WITH GRANT OPTION").ends_with(&to_reader)
}

async fn has_log(server: &EmbeddedPostgres, database: &str) -> anyhow::Result<bool> {
    let mut connection: PgConnection = server.connect_options(database).connect().await?;
    let exists = sqlx::query_scalar("select to_regclass('public.events') is not null");
    let exists = exists.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(exists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grants_to_the_reader_are_repeated() {
        for entry in ["4711; 0 0 ACL reports TABLE daily cartwright", "2113; 826 16398 DEFAULT ACL live DEFAULT jo"] {
            assert!(is_about_rights(entry), "{entry}");
        }
        for entry in ["; Archive created at ACL", "211; 1259 16400 TABLE public ACL cartwright", ""] {
            assert!(!is_about_rights(entry), "{entry}");
        }
        for line in [
            "GRANT SELECT ON TABLE reports.daily TO reader;",
            "GRANT USAGE ON SCHEMA reports TO reader WITH GRANT OPTION;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE cartwright IN SCHEMA reports GRANT SELECT ON TABLES TO reader;",
        ] {
            assert!(is_grant_to_reader(line), "{line}");
        }
        for line in ["GRANT ALL ON SCHEMA public TO PUBLIC;", "GRANT reader TO ada;", "-- GRANT x TO reader;"] {
            assert!(!is_grant_to_reader(line), "{line}");
        }
    }
}
