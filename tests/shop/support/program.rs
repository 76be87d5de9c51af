//! The program as a process: the binary on disk, with a durable database.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use cartwright::database::{embedded, prepared};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Runtime;

pub use crate::support::folders::data_dir;
use crate::support::{self, tokens};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cartwright");

pub struct Server {
    pub child: Child,
    /// `http://127.0.0.1:<port>`
    pub address: String,
}

pub fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_remove("DATABASE_URL").env("SHOP_DATA_DIR", data_dir);
    command.env("SHOP_KEYS_DIR", &*tokens::FOLDER).env("SHOP_MAIL_DIR", data_dir.join("mail"));
    // All requests come from one address.
    command.env("SHOP_RATE_LIMIT", "0").env("SHOP_LOGIN_LIMIT", "0");
    command
}

impl Server {
    /// Starts the shop and waits until it prints its address.
    pub fn start(data_dir: &Path) -> Self {
        Self::start_on(data_dir, "127.0.0.1:0")
    }

    pub fn start_on(data_dir: &Path, listen: &str) -> Self {
        Self::spawn(command(data_dir).args(["--listen", listen]))
    }

    /// Starts the shop with `command` and waits until it prints its address.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the shop ended at once").unwrap();
        let address = first.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        // The rest is read so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Waits for the end, and returns the exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.ended().code()
    }

    /// Waits for the end.
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("the end of the shop", || self.child.try_wait().unwrap())
    }

    pub fn get(&self, path: &str) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--fail", "--oauth2-bearer", &tokens::ADMIN])
            .arg(format!("{}{path}", self.address))
            .output()
            .unwrap();
        assert!(output.status.success(), "GET {path}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Repeats `look` until it returns a value.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn run(data_dir: &Path, args: &[&str]) -> Output {
    command(data_dir).args(args).output().unwrap()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs the operator's verification of every read table and of the log.
pub fn verify(data_dir: &Path) {
    for args in [&["verify"][..], &["verify", "--log"]] {
        let verified = run(data_dir, args);
        assert!(verified.status.success(), "{}", text(&verified));
    }
}

/// Whether SIGSTOP has reached a process.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('T')
}

/// Connect options of a running shop's database.
pub fn embedded_database(data_dir: &Path) -> PgConnectOptions {
    prepared(wait_for("PostgreSQL", || embedded::running(data_dir, "cartwright")))
}

/// The address of a database, as `DATABASE_URL` has it.
pub fn url(options: &PgConnectOptions) -> String {
    let (database, socket) = (options.get_database().unwrap(), options.get_socket().unwrap().display());
    format!("postgresql:///{database}?host={socket}&port={}&user={}", options.get_port(), options.get_username())
}

/// Runs a query from synchronous code.
pub fn ask<T>(connect: &PgConnectOptions, question: impl AsyncFnOnce(&PgPool) -> T) -> T {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let pool = support::pool(connect).await;
        let answer = question(&pool).await;
        pool.close().await;
        answer
    })
}
