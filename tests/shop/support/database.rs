//! The PostgreSQL of a test run, with a fresh database for each test.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cartwright::database::embedded::{ClusterRole, Durability, EmbeddedOptions, EmbeddedPostgres};
use cartwright::database::{migrate, pool_options, prepared};
use cartwright::journal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgPool};
use tokio::runtime::Runtime;

use super::folders;

/// The server of this run, with `template1` migrated.
///
/// It is watched by a runtime of its own, because each test's runtime ends with the test.
static SERVER: LazyLock<TestServer> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let start = || runtime.block_on(start_server(folders::server_dir()));
    let postgres = std::thread::scope(|scope| scope.spawn(start).join().unwrap());
    TestServer { runtime, postgres }
});

struct TestServer {
    runtime: Runtime,
    postgres: EmbeddedPostgres,
}

async fn start_server(data_dir: PathBuf) -> EmbeddedPostgres {
    let options = EmbeddedOptions { data_dir, durability: Durability::Volatile, binaries: None };
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
