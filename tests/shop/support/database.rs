//! The PostgreSQL of a test run, with a fresh database for each test.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cartwright::database::embedded::{ClusterRole, Durability, EmbeddedOptions, EmbeddedPostgres};
use cartwright::database::{migrate, pool_options, prepared};
use cartwright::journal;
use nix::sys::statvfs::statvfs;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgPool};
use tokio::runtime::Runtime;

/// The server of this run: in memory where there is any, with `template1` migrated.
///
/// It is watched by a runtime of its own, because each test's runtime ends with the test.
static SERVER: LazyLock<TestServer> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let data_dir = data_dir();
    let start = || runtime.block_on(start_server(&data_dir));
    let postgres = std::thread::scope(|scope| scope.spawn(start).join().unwrap());
    let _sweeper = start_sweeper(&data_dir);
    TestServer { runtime, postgres, _sweeper }
});

struct TestServer {
    runtime: Runtime,
    postgres: EmbeddedPostgres,
    /// Removes the folder when this process has ended.
    _sweeper: Child,
}

const PREFIX: &str = "cartwright-tests-";

/// More than the server of a run occupies: it came to 435 MB at most.
const NEEDED_BYTES: u64 = 1 << 30;

/// A folder in memory if enough of it is free, else one on the disk.
fn data_dir() -> PathBuf {
    let (memory, disk) = (PathBuf::from("/dev/shm"), std::env::temp_dir());
    clear_leftovers(&memory);
    clear_leftovers(&disk);
    let folder = if free_memory(&memory) >= NEEDED_BYTES { memory } else { disk };
    folder.join(format!("{PREFIX}{}", std::process::id()))
}

/// The bytes that can be written to a folder in memory: its own limit often exceeds the memory of the machine.
fn free_memory(folder: &Path) -> u64 {
    let free = statvfs(folder).map_or(0, |limit| limit.blocks_available() * limit.fragment_size());
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB"));
    let kilobytes: u64 = available.and_then(|number| number.trim().parse().ok()).unwrap_or(0);
    free.min(kilobytes * 1024)
}

async fn start_server(data_dir: &Path) -> EmbeddedPostgres {
    let options = EmbeddedOptions { data_dir: data_dir.to_owned(), durability: Durability::Volatile, binaries: None };
    let server = EmbeddedPostgres::start(&options).await.unwrap();
    let mut superuser = server.connect_options_as(ClusterRole::Superuser, "postgres").connect().await.unwrap();
    superuser.execute("alter database template1 owner to cartwright").await.unwrap();
    superuser.close().await.unwrap();
    let template = server.connect_options("template1");
    migrate(&template).await.unwrap();
    // Migrations left functions in `public` for older versions of the program. This version must not call them.
    let mut connection = template.connect().await.unwrap();
    connection.execute(DROP_OLD_FUNCTIONS).await.unwrap();
    connection.close().await.unwrap();
    server
}

const DROP_OLD_FUNCTIONS: &str = "do $$
declare
    old_function regprocedure;
begin
    for old_function in
        select oid from pg_proc where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype
    loop
        execute 'drop function ' || old_function;
    end loop;
end
$$";

/// Starts a shell that removes the folder as soon as this process and then its PostgreSQL have ended.
///
/// Its input is a pipe that only this process holds, so the end of the input is the end of this process.
fn start_sweeper(data_dir: &Path) -> Child {
    let script = r#"
        cat
        rounds=0
        while [ -e "$1/pgdata/postmaster.pid" ] && [ "$rounds" -lt 300 ]; do
            rounds=$((rounds + 1))
            sleep 0.1
        done
        rm -rf "$1"
    "#;
    let mut sweeper = Command::new("sh");
    sweeper.args(["-c", script, "sh"]).arg(data_dir);
    sweeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Removes the folders of runs whose sweeper was killed with them.
fn clear_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        if !PathBuf::from(format!("/proc/{pid}")).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// An empty, migrated database.
pub async fn fresh_database() -> PgConnectOptions {
    create_database("template1").await
}

/// An empty, migrated database that all tests of the run may share: it lasts as long as the server.
pub async fn lasting_database() -> PgConnectOptions {
    let connect = create_database("template1").await;
    DATABASES.with_borrow_mut(|databases| databases.0.retain(|name| Some(name.as_str()) != connect.get_database()));
    connect
}

/// A database without any table.
pub async fn bare_database() -> PgConnectOptions {
    create_database("template0").await
}

async fn create_database(template: &str) -> PgConnectOptions {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    execute(&format!("create database {name} template {template} owner cartwright")).await;
    let connect = prepared(SERVER.postgres.connect_options(&name));
    DATABASES.with_borrow_mut(|databases| databases.0.push(name));
    connect
}

/// Replaces a database by an empty one, and ends the sessions of all nodes.
pub async fn recreate_database(connect: &PgConnectOptions) {
    let name = connect.get_database().unwrap();
    execute(&format!("drop database {name} with (force)")).await;
    execute(&format!("create database {name} template template0 owner cartwright")).await;
}

async fn execute(statement: &str) {
    let superuser = SERVER.postgres.connect_options_as(ClusterRole::Superuser, "postgres");
    let mut connection = superuser.connect().await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

thread_local! {
    /// The databases of the test that this thread runs.
    static DATABASES: RefCell<Databases> = const { RefCell::new(Databases(Vec::new())) };
}

/// Databases that are dropped with the thread of their test, so that a run does not hold all of them to its end.
struct Databases(Vec<String>);

impl Drop for Databases {
    fn drop(&mut self) {
        for name in std::mem::take(&mut self.0) {
            SERVER.runtime.spawn(async move { execute(&format!("drop database {name} with (force)")).await });
        }
    }
}

/// Smaller than in the product: many shops share the server of a run.
pub const POOL_SIZE: u32 = 8;

pub async fn pool(connect: &PgConnectOptions) -> PgPool {
    pool_options().max_connections(POOL_SIZE).connect_with(connect.clone()).await.unwrap()
}

/// Runs statements in the pool's database as the superuser.
pub async fn as_superuser(pool: &PgPool, statements: &str) {
    let database = pool.connect_options().get_database().unwrap().to_owned();
    let mut connection = SERVER.postgres.connect_options_as(ClusterRole::Superuser, &database).connect().await.unwrap();
    connection.execute(statements).await.unwrap();
    connection.close().await.unwrap();
}

/// Checks the log against every rule.
pub async fn check_log(pool: &PgPool) {
    for rule in journal::check_log(pool).await.unwrap() {
        assert_eq!(rule.offences, 0, "{}: {:?}", rule.name, rule.findings);
    }
}
