//! Dumps of a database, and their restore with PostgreSQL's own programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::postgres::PgConnectOptions;

use super::database::recreate_database;
use super::program::url;

/// A dump in a folder of its own.
pub struct Dump {
    folder: tempfile::TempDir,
}

/// Where programs are found, those of the newest PostgreSQL first.
pub fn path() -> OsString {
    let folder = Command::new("pg_config").arg("--bindir").output();
    let folder = folder.map(|output| PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(folder.into_iter().chain(std::env::split_paths(&path))).unwrap()
}

/// Runs commands of a shell in a folder; they must succeed.
pub fn run(commands: &str, folder: &Path, variables: &[(&str, OsString)]) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(folder)
        .env("PATH", path())
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Dump {
    pub fn of(database: &PgConnectOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        run("pg_dump --format=custom --file=shop.dump \"$URL\"", folder.path(), &[("URL", url(database).into())]);
        Self { folder }
    }

    /// Replaces the database by this dump, while nodes are connected to it.
    pub async fn replace(&self, database: &PgConnectOptions) {
        recreate_database(database).await;
        let restore = "pg_restore --no-owner --no-privileges --single-transaction --dbname=\"$URL\" shop.dump";
        run(restore, self.folder.path(), &[("URL", url(database).into())]);
    }
}
