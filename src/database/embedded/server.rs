//! One cluster and its server process: start, watch, stop.
//!
//! Settings are passed as arguments, so that the configuration files stay as `initdb` wrote them.

use std::fs::{self, File};
use std::io::{PipeWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use super::binaries::{Binaries, SUPPORTED};
use super::folder::DataFolder;
use super::pid_file::{PidFile, socket_folder};
use super::roles::{self, Authentication, HBA_FILE};
use super::server_log::MAX_BYTES;
use super::{Durability, EmbeddedError, NAME, PORT, connect_options};

pub(super) const PGDATA: &str = "pgdata";
const LOG: &str = "postgresql.log";

/// A server that was killed first replays up to 2 GB of its journal.
const READY_DEADLINE: Duration = Duration::from_secs(120);
pub(super) const STOP_DEADLINE: Duration = Duration::from_secs(60);
pub(super) const POLL: Duration = Duration::from_millis(3);

/// Leaves a watcher behind and becomes the server, whose process id is therefore the shell's.
///
/// The watcher waits for the end of the pipe whose other end only we hold, so that it sees our end
/// in whatever way it comes, and then asks exactly this server for a fast shutdown. It looks at the
/// command line first, because another process may have inherited the number, and it asks again,
/// because a shell that has not become the server yet may ignore the signal. It is detached from the server,
/// because a server that reaps a stranger takes it for a crashed session.
const WATCHED_START: &str = r#"
pgdata=$1
shift
exec 3<&0 </dev/null
( (
    read -r nothing <&3
    rounds=0
    while [ "$rounds" -lt 600 ]; do
        line=$(2>/dev/null </proc/$$/cmdline tr '\0' ' ' || ps -ww -o args= -p $$)
        case $line in
            *"postgres -D $pgdata "*) kill -INT $$ ;;
            *) exit ;;
        esac
        rounds=$((rounds + 1))
        sleep 0.1
    done
) & )
exec "$@" 3<&-
"#;

/// The major version of the cluster in the folder, if there is a cluster.
pub(super) fn cluster_version(folder: &DataFolder) -> Result<Option<u32>, EmbeddedError> {
    let pgdata = folder.join(PGDATA);
    if !pgdata.try_exists().map_err(EmbeddedError::file("look at", &pgdata))? {
        return Ok(None);
    }
    let broken = |reason: String| EmbeddedError::BrokenCluster { folder: pgdata.display().to_string(), reason };
    let text = fs::read_to_string(pgdata.join("PG_VERSION"))
        .map_err(|error| broken(format!("its file PG_VERSION cannot be read: {error}")))?;
    match text.trim().parse() {
        Ok(version) if SUPPORTED.contains(&version) => Ok(Some(version)),
        _ => Err(broken(format!("it is of version `{}`, but 15 to 18 are supported", text.trim()))),
    }
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) folder: DataFolder,
    pub(super) binaries: Binaries,
    pub(super) durability: Durability,
    pub(super) authentication: Authentication,
    pub socket_folder: PathBuf,
}

/// A server process; dropping it stops the process soon after.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// The watcher's pipe: never written to, only closed.
    lifeline: Option<PipeWriter>,
    log_start_bytes: u64,
    /// What an earlier server left in the pid file. In a container it may name the same process.
    stale_pid_file: Option<PidFile>,
}

impl Cluster {
    pub fn new(folder: DataFolder, binaries: Binaries, durability: Durability) -> Result<Self, EmbeddedError> {
        let socket_folder = socket_folder(&folder.path);
        folder.make_private_folder(&socket_folder)?;
        let authentication = Authentication::of(&folder.path, folder.account.is_some(), durability)?;
        folder.replace_file(HBA_FILE, &authentication.rules())?;
        Ok(Self { folder, binaries, durability, authentication, socket_folder })
    }

    pub fn data_dir(&self) -> &Path {
        &self.folder.path
    }

    /// Why the roles of the running server are not as the shop makes them.
    pub async fn roles_difference(&self) -> Result<Option<String>, EmbeddedError> {
        let connect = |role| connect_options(self.data_dir(), &self.socket_folder, role, NAME);
        roles::difference(&self.folder, &self.authentication, connect).await
    }

    /// Stops an orphaned server, whose watcher was killed together with its shop.
    pub async fn stop_orphan(&self) -> Result<(), EmbeddedError> {
        let Some(orphan) = self.pid_file().filter(PidFile::answers) else {
            return Ok(());
        };
        tracing::warn!(pid = orphan.pid, "stopping a postgresql that an earlier run left behind");
        let left_behind = |reason: String| EmbeddedError::NotStarted {
            folder: self.folder.path.display().to_string(),
            reason: format!("process {} of an earlier run {reason}", orphan.pid),
        };
        match kill(Pid::from_raw(orphan.pid), Signal::SIGINT) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(left_behind(format!("cannot be stopped: {error}"))),
        }
        let deadline = Instant::now() + STOP_DEADLINE;
        while self.pid_file().is_some_and(|found| found.pid == orphan.pid && found.is_alive()) {
            if Instant::now() > deadline {
                return Err(left_behind("does not stop".to_owned()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    pub fn spawn(&self) -> Result<Server, EmbeddedError> {
        let log = self.folder.open_file(LOG)?;
        let log_path = self.folder.join(LOG);
        let mut log_start_bytes = log.metadata().map_err(EmbeddedError::file("look at", &log_path))?.len();
        if log_start_bytes > MAX_BYTES {
            log.set_len(0).map_err(EmbeddedError::file("empty", &log_path))?;
            log_start_bytes = 0;
        }
        let shell = Path::new("/bin/sh");
        let (watched_end, lifeline) = std::io::pipe().map_err(EmbeddedError::file("make a pipe for", shell))?;
        let stale_pid_file = self.pid_file();
        let mut command = self.folder.command(shell);
        command
            .args(["-c", WATCHED_START, "cartwright-postgresql"])
            .arg(self.folder.join(PGDATA))
            .arg(self.binaries.folder.join("postgres"))
            .arg("-D")
            .arg(self.folder.join(PGDATA));
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        let child = command
            .stdin(watched_end)
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for us: the server must outlive the sessions that we end in order.
            .process_group(0)
            .spawn()
            .map_err(EmbeddedError::file("run", shell))?;
        Ok(Server { child, lifeline: Some(lifeline), log_start_bytes, stale_pid_file })
    }

    fn settings(&self) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            format!("port={PORT}"),
            format!("unix_socket_directories={}", self.socket_folder.display()),
            "unix_socket_permissions=0700".to_owned(),
            format!("hba_file={}", self.folder.join(HBA_FILE).display()),
            format!("cluster_name={NAME}"),
            "shared_buffers=128MB".to_owned(),
            "max_wal_size=2GB".to_owned(),
            // The shop's questions are short: compiling them costs more than it saves.
            "jit=off".to_owned(),
            // A session that was left open in a transaction keeps read tables from being replaced.
            "idle_in_transaction_session_timeout=5min".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "log_destination=stderr".to_owned(),
            // The details of a refused row name its values, such as an e-mail address that is taken.
            "log_error_verbosity=terse".to_owned(),
            "logging_collector=off".to_owned(),
        ];
        if cfg!(target_os = "linux") {
            // After a crash, one call instead of opening each of a thousand files.
            settings.push("recovery_init_sync_method=syncfs".to_owned());
        }
        // All shops of a test run share one server.
        let (durable, connections) = match self.durability {
            Durability::Durable => ("on", 100),
            Durability::Volatile => ("off", 400),
        };
        settings.push(format!("max_connections={connections}"));
        settings
            .extend(["fsync", "synchronous_commit", "full_page_writes"].map(|setting| format!("{setting}={durable}")));
        settings
    }

    /// Fails with the last lines of the log if the server ends, or is not ready for too long.
    pub async fn wait_until_ready(&self, server: &mut Server) -> Result<(), EmbeddedError> {
        let not_started =
            |reason: String| EmbeddedError::NotStarted { folder: self.folder.path.display().to_string(), reason };
        let deadline = Instant::now() + READY_DEADLINE;
        let pid = server.child.id().map(u32::cast_signed);
        let reason = loop {
            let found =
                self.pid_file().filter(|found| found.is_ready && Some(found.pid) == pid && server.is_news(found));
            if found.is_some() {
                return Ok(());
            }
            match server.child.try_wait() {
                Ok(None) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Ok(None) => break format!("not ready after {} s", READY_DEADLINE.as_secs()),
                Ok(Some(status)) => break status.to_string(),
                Err(error) => break error.to_string(),
            }
        };
        let last_lines = last_lines(&self.folder.join(LOG), server.log_start_bytes);
        Err(not_started(format!("{reason}: {last_lines}")))
    }

    /// Removes what a stopped server leaves outside of the data folder.
    pub fn clear(&self) {
        if !self.socket_folder.starts_with(&self.folder.path) {
            // One that is not empty or already gone does no harm.
            let _ = fs::remove_dir(&self.socket_folder);
        }
    }

    fn pid_file(&self) -> Option<PidFile> {
        PidFile::read(&self.folder.join(PGDATA))
    }
}

impl Server {
    /// Waits for the server to end by itself, and ends its watcher.
    pub async fn exited(&mut self) -> String {
        let outcome: std::io::Result<ExitStatus> = self.child.wait().await;
        self.lifeline = None;
        outcome.map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    /// Ends all sessions and waits until the server has written everything to disk.
    pub async fn shut_down(mut self) {
        self.signal(Signal::SIGINT);
        self.lifeline = None;
        if tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await.is_err() {
            tracing::warn!("postgresql does not stop; ending it as a crash would");
            self.signal(Signal::SIGQUIT);
            let _ = self.child.wait().await;
        }
    }

    pub fn signal(&self, signal: Signal) {
        // The number cannot be another process's: the child keeps it until we have waited for it.
        if let Some(pid) = self.child.id() {
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
    }

    fn is_news(&self, found: &PidFile) -> bool {
        self.stale_pid_file.as_ref() != Some(found)
    }
}

/// The end of what was logged since `start_bytes`, in one line.
pub(super) fn last_lines(path: &Path, start_bytes: u64) -> String {
    const LINES_MAX: usize = 6;
    const BYTES_MAX: u64 = 4096;
    let read = || -> std::io::Result<String> {
        let mut log = File::open(path)?;
        let from_bytes = start_bytes.max(log.metadata()?.len().saturating_sub(BYTES_MAX));
        log.seek(SeekFrom::Start(from_bytes))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LINES_MAX)..].join(" | ");
    format!("{last} (see `{}`)", path.display())
}
