//! Real servers in temporary folders. They pass for root and for an ordinary user alike.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

use super::*;

mod folders;
mod owners;

const DEADLINE: Duration = Duration::from_secs(60);
/// Tells the helper process which folder to serve.
const HELPER_FOLDER: &str = "CARTWRIGHT_TEST_HELPER_FOLDER";

fn durable_options(data_dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions { durability: Durability::Durable, ..options(data_dir) }
}

fn options(data_dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions { data_dir: data_dir.to_owned(), durability: Durability::Volatile, binaries: None }
}

async fn start(data_dir: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(&options(data_dir)).await.unwrap()
}

async fn start_error(data_dir: &Path) -> String {
    let error = EmbeddedPostgres::start(&options(data_dir)).await.unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

async fn connect(postgres: &EmbeddedPostgres) -> PgConnection {
    postgres.connect_options(NAME).connect().await.unwrap()
}

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(connection).await.unwrap()
}

async fn remember(postgres: &EmbeddedPostgres) {
    let mut connection = connect(postgres).await;
    sqlx::query("create table kept as select 7 as number").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn assert_remembered(postgres: &EmbeddedPostgres) {
    let mut connection = connect(postgres).await;
    let number: i32 = sqlx::query_scalar("select number from kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(number, 7);
    connection.close().await.unwrap();
}

async fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn server_pid(data_dir: &Path) -> i32 {
    PidFile::read(&data_dir.join(server::PGDATA)).unwrap().pid
}

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// The watcher and the server of a folder, by their arguments.
fn processes_of(data_dir: &Path) -> Vec<(i32, String)> {
    let output = Command::new("ps").args(["-A", "-ww", "-o", "pid=,args="]).output().unwrap();
    let pgdata = data_dir.canonicalize().unwrap().join("pgdata").display().to_string();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(&pgdata))
        .map(|line| {
            let (pid, arguments) = line.trim().split_once(' ').unwrap();
            (pid.parse().unwrap(), arguments.to_owned())
        })
        .collect()
}

/// A session that has just begun still looks like the server itself: it must be neither killed for the watcher, which
/// would be a crash of the server, nor gone when it is to be looked at.
async fn server_and_watcher(data_dir: &Path) -> Vec<(i32, String)> {
    eventually("the server and its watcher alone", || Some(processes_of(data_dir)).filter(|found| found.len() == 2))
        .await
}

async fn kill_watcher(data_dir: &Path, server: i32) {
    for (pid, _) in server_and_watcher(data_dir).await {
        if pid != server {
            kill_hard(pid);
        }
    }
}

async fn assert_nothing_left(data_dir: &Path) {
    eventually("the end of all processes", || processes_of(data_dir).is_empty().then_some(())).await;
    assert!(!data_dir.join("pgdata/postmaster.pid").exists());
}

/// Another process that serves the folder until it is killed, at the latest when its test ends.
struct Helper(Child);

impl Helper {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn_helper(data_dir: &Path) -> Helper {
    let helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "database::embedded::tests::serve_until_killed"])
        .arg("--ignored")
        .env(HELPER_FOLDER, data_dir)
        .stdout(Stdio::piped())
        .spawn();
    Helper(helper.unwrap())
}

async fn start_helper(data_dir: &Path) -> Helper {
    let helper = spawn_helper(data_dir);
    eventually("the helper's server", || running(data_dir, NAME)).await;
    helper
}

#[tokio::test]
#[ignore = "the other process of the tests below"]
async fn serve_until_killed() {
    let Some(folder) = std::env::var_os(HELPER_FOLDER) else {
        return;
    };
    let _postgres = start(Path::new(&folder)).await;
    std::future::pending::<()>().await;
}
