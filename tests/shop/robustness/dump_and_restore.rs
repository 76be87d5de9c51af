//! A dump restored elsewhere with the commands of `docs/operating.md` continues where the shop was.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::support::pages::blocks;
use crate::support::program::url;
use crate::support::{Answer, TestShop, bare_database, fresh_database};

/// The page's commands for dump and restore.
fn commands() -> Vec<String> {
    blocks("docs/operating.md", "sh").into_iter().filter(|block| block.contains("pg_dump")).collect()
}

/// Where programs are found, those of the newest PostgreSQL first.
fn path() -> std::ffi::OsString {
    let folder = Command::new("pg_config").arg("--bindir").output();
    let folder = folder.map(|output| PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(folder.into_iter().chain(std::env::split_paths(&path))).unwrap()
}

fn run(commands: &str, from: &PgConnectOptions, to: &PgConnectOptions, folder: &Path) {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(folder)
        .env("PATH", path())
        .env("DATABASE_URL", url(from))
        .env("NEW_DATABASE_URL", url(to))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn order(shop: &TestShop, customer: i64, key: &str) -> Answer {
    shop.send("POST", &format!("customer/{customer}/cart/checkout/"), Value::Null, &[("idempotency-key", key)]).await
}

async fn built_at(pool: &PgPool) -> Vec<(String, DateTime<Utc>)> {
    sqlx::query_as("select name, built_at from projection order by name").fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pg_dump and psql"]
async fn a_restored_dump_continues_without_a_gap() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    shop.add(ada, product, 2).await;
    let first = order(&shop, ada, "first").await;
    shop.add(bruno, product, 3).await;
    shop.settle().await;
    let position = shop.engine.journal.position();

    let commands = commands();
    assert_eq!(commands.len(), 2);
    for commands in commands {
        let (folder, restored) = (tempfile::tempdir().unwrap(), bare_database().await);
        run(&commands, &database, &restored, folder.path());
        let restored = TestShop::on(restored).await;
        assert_eq!(restored.engine.journal.position(), position);
        assert_eq!(built_at(&restored.pool).await, built_at(&shop.pool).await, "no table is built again");

        let again = order(&restored, ada, "first").await;
        assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
        assert_eq!(again.header("journal-position"), first.header("journal-position"));
        let second = order(&restored, bruno, "second").await;
        assert_eq!((second.status, &second.body["order_id"]), (StatusCode::CREATED, &json!(2)));
        assert_eq!(second.header("journal-position"), (position + 3).to_string());
        let (tea, carla) = (restored.product("Teapot", "26.40", 1).await, restored.customer("Carla").await);
        assert_eq!((tea, carla), (product + 1, bruno + 1));
        restored.settle().await;
        assert_eq!(restored.read(&format!("product/{product}/")).await["stock"], 4);
        assert_eq!(restored.read("customer/1/").await["first_name"], "Ada");
        restored.check_log().await;
        restored.verify().await;
    }
    // The shop that was dumped knows nothing of it.
    assert_eq!(shop.engine.journal.position(), position);
    assert_eq!(order(&shop, bruno, "third").await.body["order_id"], 2);
    shop.settle().await;
    shop.check_log().await;
    shop.verify().await;
}
