//! The creation of a cluster, with its roles and its database, by `initdb` and stand-alone backends.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use tokio::io::AsyncWriteExt;

use super::roles::SUPERUSER;
use super::server::{Cluster, PGDATA, POLL, STOP_DEADLINE, last_lines};
use super::{Durability, EmbeddedError, NAME};

const UNFINISHED_PGDATA: &str = "pgdata.new";
const INITDB_LOG: &str = "initdb.log";

impl Cluster {
    /// Makes the cluster and the database under another name first, so that a start that was broken
    /// off leaves nothing that looks like a cluster.
    pub async fn initialise(&self) -> Result<(), EmbeddedError> {
        tracing::info!(folder = %self.folder.path.display(), "creating a postgresql cluster");
        let log = self.lock_initdb_log().await?;
        let unfinished = self.folder.join(UNFINISHED_PGDATA);
        // Not every system has C.UTF-8. The C locale sorts alike, but knows only ASCII letters.
        if let Err(error) = self.run_initdb("C.UTF-8", &log).await {
            if !error.to_string().contains("invalid locale") {
                return Err(error);
            }
            self.run_initdb("C", &log).await?;
        }
        self.run_alone(&unfinished, "template1", &self.authentication.statements(), &log).await?;
        let create = format!("create database {NAME} owner {NAME};");
        self.run_alone(&unfinished, "template1", &create, &log).await?;
        fs::rename(&unfinished, self.folder.join(PGDATA)).map_err(EmbeddedError::file("rename", &unfinished))?;
        File::open(&self.folder.path)
            .and_then(|folder| folder.sync_all())
            .map_err(EmbeddedError::file("sync", &self.folder.path))
    }

    /// Creates the roles of an older or restored cluster, whose server must not run.
    pub async fn prepare_roles(&self) -> Result<(), EmbeddedError> {
        tracing::info!(folder = %self.folder.path.display(), "creating the roles of the database");
        let log = self.lock_initdb_log().await?;
        let prepared = self.run_alone(&self.folder.join(PGDATA), NAME, &self.authentication.statements(), &log).await;
        prepared.map_err(|error| match error {
            EmbeddedError::NotInitialised { folder, reason } => EmbeddedError::NoRoles { folder, reason },
            other => other,
        })
    }

    /// Waits for an `initdb` that outlived a killed shop: it has the lock with its output.
    async fn lock_initdb_log(&self) -> Result<File, EmbeddedError> {
        let path = self.folder.join(INITDB_LOG);
        let log = self.folder.open_file(INITDB_LOG)?;
        let deadline = Instant::now() + STOP_DEADLINE;
        loop {
            match log.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(EmbeddedError::file("lock", &path)(error.into())),
            }
        }
        log.set_len(0).map_err(EmbeddedError::file("empty", &path))?;
        Ok(log)
    }

    async fn run_initdb(&self, locale: &str, log: &File) -> Result<(), EmbeddedError> {
        let unfinished = self.folder.join(UNFINISHED_PGDATA);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EmbeddedError::file("remove", &unfinished)(error));
            }
            _ => {}
        }
        let mut command = self.folder.command(&self.binaries.folder.join("initdb"));
        command
            .arg("--pgdata")
            .arg(&unfinished)
            .args(["--username", SUPERUSER, "--encoding=UTF8", "--locale", locale])
            .args(["--auth-local=trust", "--auth-host=reject", "--data-checksums"]);
        if self.durability == Durability::Volatile {
            command.arg("--no-sync");
        }
        self.run_to_end(command.kill_on_drop(true), log, "").await
    }

    /// Runs statements in a stand-alone backend as the superuser, each in a transaction of its own.
    async fn run_alone(
        &self,
        pgdata: &Path,
        database: &str,
        statements: &str,
        log: &File,
    ) -> Result<(), EmbeddedError> {
        let mut command = self.folder.command(&self.binaries.folder.join("postgres"));
        command.args(["--single", "-j", "-D"]).arg(pgdata);
        if self.durability == Durability::Volatile {
            command.arg("-F");
        }
        // A statement may hold a password, so that of an error is not logged.
        for setting in ["exit_on_error=on", "log_min_error_statement=panic", "log_statement=none"] {
            command.arg("-c").arg(setting);
        }
        command.arg(database).stdin(Stdio::piped());
        self.run_to_end(command.kill_on_drop(true), log, &format!("{statements}\n\n")).await
    }

    async fn run_to_end(
        &self,
        command: &mut tokio::process::Command,
        log: &File,
        input: &str,
    ) -> Result<(), EmbeddedError> {
        let failed =
            |reason: String| EmbeddedError::NotInitialised { folder: self.folder.path.display().to_string(), reason };
        let run = async {
            let mut child = command.stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes()).await?;
            }
            child.wait().await
        };
        let status = run.await.map_err(|error| failed(error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        let last_lines = last_lines(&self.folder.join(INITDB_LOG), 0);
        Err(failed(format!("{status}: {last_lines}")))
    }
}
