//! The server as a child process, and databases for code that runs in this process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cartwright::database::embedded::{Durability, EmbeddedOptions, EmbeddedPostgres};
use cartwright::database::{migrate, pool_options, prepared};
use cartwright::journal::check_log;
use cartwright::projector::{PROJECTIONS, verify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use crate::tokens;

/// A temporary folder on disk; `/tmp` may be in memory.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("cartwright-bench-").tempdir_in("/var/tmp").expect("/var/tmp can be written")
}

/// A durable PostgreSQL with an empty shop, for one section.
pub struct Database {
    pub connect: PgConnectOptions,
    pub pool: PgPool,
    server: EmbeddedPostgres,
    _folder: TempDir,
}

impl Database {
    pub async fn start() -> Self {
        let folder = folder();
        let options =
            EmbeddedOptions { data_dir: folder.path().to_owned(), durability: Durability::Durable, binaries: None };
        let server = EmbeddedPostgres::start(&options).await.expect("PostgreSQL starts");
        let connect = server.connect_options("cartwright");
        migrate(&connect).await.expect("the database is migrated");
        let connect = prepared(connect);
        let pool = pool_options().connect_with(connect.clone()).await.expect("a connection");
        Self { connect, pool, server, _folder: folder }
    }

    /// Checks the log and verifies the read tables.
    pub async fn check(&self) {
        check(&self.pool, true).await;
    }

    pub async fn stop(self) {
        self.pool.close().await;
        self.server.stop().await.expect("PostgreSQL stops");
    }
}

/// Panics if the log breaks a rule or a read table differs from it.
pub async fn check(pool: &PgPool, tables: bool) {
    for rule in check_log(pool).await.expect("the log can be read") {
        assert_eq!(rule.offences, 0, "{}: {:?}", rule.name, rule.findings);
    }
    for projection in PROJECTIONS.iter().filter(|_| tables) {
        let found = verify(pool, projection, &|_| ()).await.expect("the tables can be read");
        assert_eq!(found.different, 0, "{}: {:?}", projection.name, found.examples);
    }
}

/// `cartwright serve` on an embedded PostgreSQL in `folder`.
pub struct Program {
    child: Child,
    /// `127.0.0.1:port`
    pub host: String,
    /// Time from the start until the server printed its address.
    pub ready_after: Duration,
}

pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    command.env_remove("DATABASE_URL").env("SHOP_DATA_DIR", folder).env("SHOP_LOG", "error");
    // All requests come from one address, so rate limits are off.
    command.env("SHOP_KEYS_DIR", &*tokens::FOLDER);
    command.env("SHOP_RATE_LIMIT", "0").env("SHOP_MAX_CONNECTIONS", "8192");
    command
}

impl Program {
    pub fn start(folder: &Path) -> Self {
        let started = Instant::now();
        let mut command = command(folder);
        command.args(["--listen", "127.0.0.1:0", "--no-seeds"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let first = lines.next().expect("it says where it is").expect("its output can be read");
        let ready_after = started.elapsed();
        let address = first.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let host = address.expect("it says where it is").to_owned();
        // The rest is read so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, host, ready_after }
    }

    /// Current and peak memory in MB.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let field = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of /proc");
            line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Processor time of the server process in seconds, without its PostgreSQL.
    pub fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // The name, in brackets, may hold anything; the two times are the 12th and 13th field after it, in hundredths.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
    }

    /// Stops the server and waits for its end.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it can be told to stop");
        assert!(self.child.wait().expect("it ends").success(), "the shop ended badly");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A server must not outlive a failed benchmark.
        let _ = self.child.kill();
    }
}
