//! The embedded PostgreSQL, for a shop without `DATABASE_URL`.
//!
//! The server keeps its files in the data folder and listens on a Unix socket only. It is restarted when it dies, and
//! it stops with the process that started it, however that process ends. This module knows no table of the shop, and
//! never trades durability for speed: see `docs/decisions/embedded-postgresql.md`.

mod binaries;
mod folder;
mod initdb;
mod pid_file;
mod roles;
mod server;
mod server_log;
#[cfg(test)]
mod tests;
mod wheel;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use folder::DataFolder;
use pid_file::PidFile;
use server::{Cluster, Server};

pub use folder::default_data_dir;
pub use roles::ClusterRole;

/// Name of the database that the first start creates, and of the role that owns it.
const NAME: &str = "cartwright";
/// Port in the name of the socket file; nothing listens on TCP.
const PORT: u16 = 5432;

/// What a path in an address must not contain as it is.
const ADDRESS_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const RESTART_DELAY_MIN: Duration = Duration::from_millis(50);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(5);
/// A server that ran this long before it died is restarted without the delay of earlier deaths.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// How long a start waits for processes that a killed server or a killed shop left running.
const LEFTOVERS_DEADLINE: Duration = Duration::from_secs(15);

/// What a committed transaction survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Power loss.
    Durable,
    /// Only a clean stop. For tests, with the data folder in memory.
    Volatile,
}

#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Created with mode 0700 if it is missing; an existing folder is set to 0700.
    pub data_dir: PathBuf,
    pub durability: Durability,
    /// Folder of `initdb` and `postgres`; if set, no other folder is searched.
    pub binaries: Option<PathBuf>,
}

/// A running server and the right to use its data folder.
///
/// Dropping it stops the server soon after; [`EmbeddedPostgres::stop`] waits for that.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    data_dir: PathBuf,
    socket_folder: PathBuf,
    /// A message, or closing the channel, asks the supervisor to stop.
    stop_request: oneshot::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl EmbeddedPostgres {
    /// Returns once the server accepts connections and the database `cartwright` exists.
    ///
    /// Fails with one line that names what to change: the folder is in use or belongs to another user, no suitable
    /// binaries were found, or the reason that the server logged.
    pub async fn start(options: &EmbeddedOptions) -> Result<Self, EmbeddedError> {
        Self::start_with(options, binaries::search_folders().await).await
    }

    async fn start_with(options: &EmbeddedOptions, search_folders: Vec<PathBuf>) -> Result<Self, EmbeddedError> {
        let folder = DataFolder::open(&options.data_dir).await?;
        let cluster_version = server::cluster_version(&folder)?;
        let binaries = match &options.binaries {
            Some(chosen) => binaries::chosen(&folder, chosen, cluster_version).await?,
            None => binaries::find_or_fetch(&folder, search_folders, cluster_version).await?,
        };
        let cluster = Cluster::new(folder, binaries, options.durability)?;
        if cluster_version.is_none() {
            cluster.initialise().await?;
        }
        let mut server = start_with_retries(&cluster).await?;
        if let Some(difference) = cluster.roles_difference().await? {
            tracing::warn!(%difference, "the roles of the database are made again");
            server.shut_down().await;
            cluster.prepare_roles().await?;
            server = start_with_retries(&cluster).await?;
            if let Some(difference) = cluster.roles_difference().await? {
                tracing::warn!(%difference, "the roles of the database are still not as they should be");
            }
        }

        let (stop_request, stop_requested) = oneshot::channel();
        Ok(Self {
            data_dir: cluster.data_dir().to_owned(),
            socket_folder: cluster.socket_folder.clone(),
            stop_request,
            supervisor: tokio::spawn(supervise(cluster, server, stop_requested)),
        })
    }

    /// How the shop connects to `database`: as the owner, without the rights of a superuser.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        self.connect_options_as(ClusterRole::Owner, database)
    }

    /// How to connect to `database` as a role of the cluster.
    pub fn connect_options_as(&self, role: ClusterRole, database: &str) -> PgConnectOptions {
        connect_options(&self.data_dir, &self.socket_folder, role, database)
    }

    /// Ends all sessions, writes everything to disk, and returns when the server is gone.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        // If the supervisor has ended, it has stopped the server.
        let _ = self.stop_request.send(());
        self.supervisor.await.map_err(|error| EmbeddedError::NotStopped { reason: error.to_string() })
    }
}

/// How the shop connects to `database` in the server that another process runs on `data_dir`.
///
/// `None` if no process owns the folder, or if the server in it is not ready.
pub fn running(data_dir: &Path, database: &str) -> Option<PgConnectOptions> {
    let socket_folder = running_socket_folder(data_dir)?;
    Some(connect_options(data_dir, &socket_folder, ClusterRole::Owner, database))
}

/// Folder of the socket of the server that another process runs on `data_dir`, as in [`running`].
pub fn running_socket_folder(data_dir: &Path) -> Option<PathBuf> {
    let owner_file = File::open(data_dir.join(folder::OWNER_FILE)).ok()?;
    match owner_file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => {
            // Unlock explicitly: a child between fork and exec must not keep the next owner out.
            let _ = owner_file.unlock();
            return None;
        }
    }
    let pid_file = PidFile::read(&data_dir.join(server::PGDATA))?;
    // The file of a server that was killed still says ready, but its socket no longer answers.
    (pid_file.is_ready && pid_file.answers()).then_some(pid_file.socket_folder)
}

/// The address of the shop's database for a role, as libpq reads it. It names the file of the passwords, if there are any.
pub fn address(data_dir: &Path, socket_folder: &Path, role: ClusterRole) -> String {
    let encode = |path: &Path| percent_encode(path.as_os_str().as_bytes(), ADDRESS_ENCODED).to_string();
    let passwords = data_dir.join(roles::PASSWORD_FILE);
    let passwords = match File::open(&passwords).is_ok() {
        true => format!("&passfile={}", encode(&std::path::absolute(&passwords).unwrap_or(passwords))),
        false => String::new(),
    };
    let user = encode(Path::new(&role.name_in(data_dir)));
    format!("postgresql:///{NAME}?host={}&port={PORT}&user={user}{passwords}", encode(socket_folder))
}

/// Fails if the database of the folder asks for passwords that this process may not read.
pub fn check_passwords(data_dir: &Path) -> Result<(), EmbeddedError> {
    let refused =
        File::open(data_dir.join(roles::PASSWORD_FILE)).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    if refused && roles::asks_for_passwords(data_dir) {
        return Err(EmbeddedError::OnlyRoot { folder: data_dir.display().to_string() });
    }
    Ok(())
}

/// Folder of the socket of a server that runs on `data_dir`.
pub fn socket_folder(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let real = data_dir.canonicalize().map_err(EmbeddedError::file("open the data folder", data_dir))?;
    Ok(pid_file::socket_folder(&real))
}

/// Finds a client program of PostgreSQL: in the chosen folder, in `PATH`, or beside a server.
pub async fn find_client(program: &str, chosen: Option<&Path>) -> Option<PathBuf> {
    let folders = chosen.map(Path::to_owned).into_iter().chain(binaries::search_folders().await);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether a cluster was created in the data folder. Fails if this process may not look into it.
pub fn has_cluster(data_dir: &Path) -> Result<bool, EmbeddedError> {
    let version_file = data_dir.join(server::PGDATA).join("PG_VERSION");
    version_file.try_exists().map_err(EmbeddedError::file("open the data folder", data_dir))
}

fn connect_options(data_dir: &Path, socket_folder: &Path, role: ClusterRole, database: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(socket_folder)
        .port(PORT)
        .username(&role.name_in(data_dir))
        .database(database)
        // Whatever `PGSSLMODE` asks for, there is no TLS on a Unix socket.
        .ssl_mode(PgSslMode::Disable);
    match roles::password(data_dir, role) {
        Some(password) => options.password(&password),
        None => options,
    }
}

/// Starts the server. Retries while processes of a killed server are about to end, or while an orphan does not listen
/// yet.
async fn start_with_retries(cluster: &Cluster) -> Result<Server, EmbeddedError> {
    let deadline = Instant::now() + LEFTOVERS_DEADLINE;
    loop {
        cluster.stop_orphan().await?;
        let mut server = cluster.spawn()?;
        match cluster.wait_until_ready(&mut server).await {
            Ok(()) => return Ok(server),
            Err(error) if error.is_about_leftovers() && Instant::now() < deadline => {
                tokio::time::sleep(RESTART_DELAY_MIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Owns the server until the stop request, and restarts it if it dies before.
async fn supervise(cluster: Cluster, mut server: Server, mut stop_requested: oneshot::Receiver<()>) {
    let mut delay = RESTART_DELAY_MIN;
    let log_path = cluster.log_path();
    loop {
        let started_at = Instant::now();
        tokio::select! {
            _ = &mut stop_requested => break,
            () = server_log::keep_short(&log_path) => {}
            status = server.exited() => {
                tracing::warn!(%status, "postgresql ended by itself; starting it again");
            }
        }
        if started_at.elapsed() > SETTLED_AFTER {
            delay = RESTART_DELAY_MIN;
        }
        loop {
            tokio::select! {
                _ = &mut stop_requested => return cluster.clear(),
                () = tokio::time::sleep(delay) => {}
            }
            delay = RESTART_DELAY_MAX.min(delay * 2);
            let failure = match cluster.spawn() {
                Err(failure) => failure,
                Ok(replacement) => {
                    server = replacement;
                    tokio::select! {
                        _ = &mut stop_requested => {
                            server.shut_down().await;
                            return cluster.clear();
                        }
                        outcome = cluster.wait_until_ready(&mut server) => match outcome {
                            Ok(()) => break,
                            Err(failure) => failure,
                        },
                    }
                }
            };
            tracing::warn!(%failure, "postgresql could not be started again yet");
        }
        tracing::warn!("postgresql runs again");
    }
    server.shut_down().await;
    cluster.clear();
}

/// Why there is no server. Each text is one line that names what to change.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "`{folder}` is in use by process {pid}; stop it, or choose another folder with --data-dir \
         or a database with DATABASE_URL"
    )]
    InUse { folder: String, pid: String },
    #[error("cannot {action} `{path}`: {reason}")]
    File { action: &'static str, path: String, reason: std::io::Error },
    #[error(
        "`{folder}` is not empty and is not a data folder of this shop; choose a new or an empty one \
         with --data-dir"
    )]
    NotOurs { folder: String },
    #[error(
        "`{folder}` belongs to user id {owner}, not to the user running this; choose another \
         folder with --data-dir"
    )]
    NotOwned { folder: String, owner: u32 },
    #[error(
        "user `{user}`, which runs postgresql because root must not, cannot enter `{folder}`; \
         choose a folder it can reach with --data-dir"
    )]
    OutOfReach { folder: String, user: String },
    #[error(
        "root must not run postgresql, and there is neither a user `postgres` nor a user `nobody` \
         to run it; give the data folder to an ordinary user"
    )]
    NoAccount,
    #[error("`{folder}` holds no usable postgresql 15 to 18: {reason}")]
    UnusableBinaries { folder: String, reason: String },
    #[error(
        "no postgresql 15 to 18 was found, and none could be fetched: {reason}; install one with \
         `apt install postgresql`, `dnf install postgresql-server` or `brew install \
         postgresql@18`, or name its folder in SHOP_PG_BIN or a database in DATABASE_URL"
    )]
    NoBinaries { reason: String },
    #[error(
        "the cluster in `{folder}` needs postgresql {wanted}, but {found}; install postgresql \
         {wanted} or name its folder in SHOP_PG_BIN"
    )]
    WrongVersion { folder: String, wanted: u32, found: String },
    #[error("`{folder}` is not a usable postgresql cluster: {reason}")]
    BrokenCluster { folder: String, reason: String },
    #[error("cannot create a postgresql cluster in `{folder}`: {reason}")]
    NotInitialised { folder: String, reason: String },
    #[error("cannot create the roles of the database in `{folder}`: {reason}")]
    NoRoles { folder: String, reason: String },
    #[error("postgresql in `{folder}` did not start: {reason}")]
    NotStarted { folder: String, reason: String },
    #[error(
        "root started the shop in `{folder}`, so its database asks for a password that root alone can read; \
         run this as root"
    )]
    OnlyRoot { folder: String },
    #[error("the system has no randomness for a password")]
    NoRandomness,
    #[error("postgresql did not stop cleanly: {reason}")]
    NotStopped { reason: String },
}

impl EmbeddedError {
    /// For `map_err`: the failed action and its path.
    fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |reason| Self::File { action, path, reason }
    }

    /// Whether the last processes of a killed or stopping server still hold the cluster. They end within moments.
    fn is_about_leftovers(&self) -> bool {
        let Self::NotStarted { reason, .. } = self else {
            return false;
        };
        reason.contains("pre-existing shared memory block")
            // An orphan that has just begun has its lock file before it has written into it.
            || (reason.contains("lock file") && (reason.contains("already exists") || reason.contains("is empty")))
    }
}
