//! The PostgreSQL of a test run, with a fresh database for each test.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cartwright::database::embedded::{Durability, EmbeddedOptions, EmbeddedPostgres};
use cartwright::database::{migrate, pool_options, prepared};
use cartwright::journal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgPool};
use tokio::runtime::Runtime;

/// The server of this run: in memory where there is any, with `template1` migrated. It is watched by a runtime of its
/// own, because each test's runtime ends with the test.
static SERVER: LazyLock<(Runtime, EmbeddedPostgres)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let server = std::thread::scope(|scope| scope.spawn(|| runtime.block_on(start_server())).join().unwrap());
    (runtime, server)
});

const PREFIX: &str = "cartwright-tests-";

async fn start_server() -> EmbeddedPostgres {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    clear_leftovers(&folder);
    let data_dir = folder.join(format!("{PREFIX}{}", std::process::id()));
    let options = EmbeddedOptions { data_dir, durability: Durability::Volatile, binaries: None };
    let server = EmbeddedPostgres::start(&options).await.unwrap();
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

/// Removes what runs left behind whose process is gone.
fn clear_leftovers(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
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

/// A database with nothing in it.
pub async fn bare_database() -> PgConnectOptions {
    create_database("template0").await
}

async fn create_database(template: &str) -> PgConnectOptions {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = &SERVER.1;
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = server.connect_options("postgres").connect().await.unwrap();
    connection.execute(format!("create database {name} template {template}").as_str()).await.unwrap();
    connection.close().await.unwrap();
    prepared(server.connect_options(&name))
}

/// Smaller than in the product: many shops share the server of a run.
pub const POOL_SIZE: u32 = 8;

pub async fn pool(connect: &PgConnectOptions) -> PgPool {
    pool_options().max_connections(POOL_SIZE).connect_with(connect.clone()).await.unwrap()
}

/// Holds the log against every rule.
pub async fn check_log(pool: &PgPool) {
    for rule in journal::check_log(pool).await.unwrap() {
        assert_eq!(rule.offences, 0, "{}: {:?}", rule.name, rule.findings);
    }
}
