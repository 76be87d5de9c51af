//! A dump restored elsewhere with the commands of `docs/operating.md` continues where the shop was.

use std::path::Path;

use axum::http::StatusCode;
use cartwright::domain::text::Name;
use cartwright::journal::{Actor, Context, JournalOptions, LogFile};
use cartwright::projector::ProjectorOptions;
use cartwright::server::Engine;
use cartwright::shop::CreateCategory;
use chrono::{DateTime, Utc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::support::dumps::{self, path};
use crate::support::pages::page;
use crate::support::program::{self, PROGRAM, Server, ask, embedded_database, url};
use crate::support::tokens::{self, claims, sign};
use crate::support::{Answer, TestShop, bare_database, fresh_database};

/// The commands of a section of the operators' page, in their order.
fn commands(section: &str) -> Vec<String> {
    let page = page("docs/operating.md");
    let section = page.split("\n## ").find(|text| text.starts_with(section)).unwrap();
    section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The command of the page that dumps a database of the operator's own, or the embedded one.
fn backup(of: &str) -> String {
    commands("Backup").into_iter().find(|block| block.contains(of)).unwrap()
}

/// Runs commands of the page in `folder`, which is also the data folder of the node.
fn run(commands: &str, from: &PgConnectOptions, to: &PgConnectOptions, folder: &Path) -> String {
    let programs = Path::new(PROGRAM).parent().unwrap();
    let path = std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&path()))).unwrap();
    let variables = [
        ("PATH", path),
        ("DATABASE_URL", url(from).into()),
        ("NEW_DATABASE_URL", url(to).into()),
        ("SHOP_DATA_DIR", folder.into()),
        ("SHOP_KEYS_DIR", tokens::FOLDER.clone().into()),
    ];
    dumps::run(commands, folder, &variables)
}

async fn order(shop: &TestShop, customer: i64, key: &str) -> Answer {
    shop.send("POST", &format!("customer/{customer}/cart/checkout/"), Value::Null, &[("idempotency-key", key)]).await
}

async fn built_at(pool: &PgPool) -> Vec<(String, DateTime<Utc>)> {
    sqlx::query_as("select name, built_at from projection order by name").fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pg_dump and psql"]
async fn a_copy_continues_without_a_gap() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    shop.add(ada, product, 2).await;
    let first = order(&shop, ada, "first").await;
    shop.add(bruno, product, 3).await;
    shop.settle().await;
    let position = shop.engine.journal.position();

    let copies: Vec<_> = commands("Restore").into_iter().filter(|block| block.contains("pg_dump")).collect();
    assert_eq!(copies.len(), 1);
    for copy in copies {
        let (folder, restored) = (tempfile::tempdir().unwrap(), bare_database().await);
        run(&copy, &database, &restored, folder.path());
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pg_dump and psql"]
async fn the_restore_procedure_begins_a_generation_above_what_was_lost() {
    let (database, restored) = (fresh_database().await, bare_database().await);
    let folder = tempfile::tempdir().unwrap();
    let options =
        || JournalOptions { log_file: Some(LogFile::in_data_folder(folder.path())), ..JournalOptions::default() };
    let shop = TestShop::with(database.clone(), options()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 1).await;
    assert_eq!(order(&shop, ada, "kept").await.status, StatusCode::CREATED);
    shop.settle().await;
    for reactor in ["order_mails", "webhooks"] {
        sqlx::query("insert into reactor (name, position, started_at) values ($1, 0, now())")
            .bind(reactor)
            .execute(&shop.pool)
            .await
            .unwrap();
    }
    let common = shop.engine.journal.position();
    run(&backup("$DATABASE_URL"), &database, &restored, folder.path());
    shop.add(ada, product, 1).await;
    let lost = order(&shop, ada, "lost").await;
    assert_eq!(lost.body["order_id"], 2);
    let reader = shop.read("events/?limit=1000").await.as_array().unwrap().last().unwrap()["id"].clone();

    let is_step = |block: &String| !block.contains("pg_dump") && !block.starts_with("cartwright restore ");
    let procedure: Vec<_> = commands("Restore").into_iter().filter(is_step).collect();
    let output = run(&procedure.join("\n"), &database, &restored, folder.path());
    for expected in [
        format!("begins after position {common}"),
        "order_mails: 0 reactions wait for a decision since the restore".to_owned(),
        "generation 2, restored".to_owned(),
        "0 reactions that waited since the restore were dropped".to_owned(),
    ] {
        assert!(output.contains(&expected), "{expected} is missing in {output}");
    }

    let restored = TestShop::with(restored, options()).await;
    let token = format!("Bearer {}", sign(&claims("admin", 900_001, None)));
    let send = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        let headers = [headers, &[("authorization", &*token)]].concat();
        restored.send(method, path, Value::Null, &headers).await
    };
    let log = restored.engine.journal.identity();
    assert_eq!(log.generation, 2);
    for (path, last_event_id) in [
        (format!("events/?after={}", common + 1), ""),
        (format!("events/?after={}", reader.as_str().unwrap()), ""),
        ("events/stream/".to_owned(), reader.as_str().unwrap()),
    ] {
        let headers = [("last-event-id", last_event_id)];
        let headers = if last_event_id.is_empty() { &[][..] } else { &headers };
        let gone = send("GET", &path, headers).await;
        assert_eq!((gone.status, gone.problem()), (StatusCode::GONE, "position_gone"), "{path}");
        let members = ["log_id", "generation", "head", "began_after"].map(|member| gone.body[member].clone());
        assert_eq!(members, [json!(log.log_id), json!(2), json!(common), json!(common)]);
    }
    let item = json!({ "product_id": product, "quantity": 8 });
    let added = restored.send("POST", "customer/1/cart/items/", item, &[("authorization", &token)]).await;
    assert!(added.status.is_success(), "{}", added.body);
    let next = send("POST", "customer/1/cart/checkout/", &[]).await;
    assert!(next.body["order_id"].as_i64() > Some(1_000), "{}", next.body);
    restored.settle().await;
    restored.check_log().await;
}

/// Runs commands of the page for an embedded shop in `data_dir`.
fn run_embedded(commands: &str, data_dir: &Path) -> String {
    let programs = Path::new(PROGRAM).parent().unwrap();
    let path = std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&path()))).unwrap();
    let keys = tokens::FOLDER.clone().into();
    let commands = format!("unset DATABASE_URL; {commands}");
    dumps::run(&commands, data_dir, &[("PATH", path), ("SHOP_DATA_DIR", data_dir.into()), ("SHOP_KEYS_DIR", keys)])
}

/// End of the log of a running embedded shop, and the number of databases that a restore has kept.
fn state(data_dir: &Path) -> (i64, i64) {
    let kept = "select position, (select count(*) from pg_database where datname like 'cartwright_before_%')
        from journal_head";
    ask(&embedded_database(data_dir), async |pool| sqlx::query_as(kept).fetch_one(pool).await.unwrap())
}

#[test]
#[ignore = "needs pg_dump and psql"]
fn an_embedded_shop_is_restored_with_the_command_of_the_page() {
    let folder = program::data_dir();
    let server = Server::start(folder.path());
    ask(&embedded_database(folder.path()), async |pool| {
        for statement in [
            "create schema reports",
            "create view reports.daily as select day, revenue from live.sales",
            "create table reports.private (name text)",
            "grant usage on schema reports to reader",
            "grant select on reports.daily to reader",
        ] {
            sqlx::query(statement).execute(pool).await.unwrap();
        }
    });
    // What only another role may read is in the dump too.
    let finances =
        "create role fin; create schema fin authorization fin; set role fin; create table fin.secret (id int)";
    run_embedded(&format!("cartwright sql --superuser -- -qc '{finances}'"), folder.path());
    run_embedded(&backup("sql --url --superuser"), folder.path());
    let (common, _) = state(folder.path());
    ask(&embedded_database(folder.path()), async |pool| {
        let (journal, projector) = (JournalOptions::default(), ProjectorOptions::default());
        let engine = Engine::start(&pool.connect_options(), pool, journal, projector).await.unwrap();
        let category = CreateCategory { name: Name::parse("Lost").unwrap(), parent_id: None };
        let actor = Actor { id: "test".to_owned(), role: "system" };
        engine.journal.run(category, Context::of(actor)).await.unwrap();
        engine.stop().await.unwrap();
    });
    assert!(state(folder.path()).0 > common);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));

    refuse_what_is_no_shop(folder.path());
    let on_page = commands("Restore").into_iter().find(|block| block.starts_with("cartwright restore ")).unwrap();
    let restored = run_embedded(&on_page, folder.path());
    let begins = format!("begins after position {common}");
    for expected in ["generation 2 of log", &begins, "is kept as `cartwright_before_"] {
        assert!(restored.contains(expected), "{expected} is missing in {restored}");
    }
    let server = Server::start(folder.path());
    assert_eq!(state(folder.path()), (common, 1));
    let readable = "select has_schema_privilege('reader', 'reports', 'usage')
        and has_table_privilege('reader', 'reports.daily', 'select')
        and not has_table_privilege('reader', 'reports.private', 'select')";
    assert!(ask(&embedded_database(folder.path()), async |pool| {
        sqlx::query_scalar::<_, bool>(readable).fetch_one(pool).await.unwrap()
    }));
    drop(server);
}

/// Files that hold no shop: a refused one leaves nothing in a new data folder, and changes nothing in a shop's.
fn refuse_what_is_no_shop(shop: &Path) {
    let files = program::data_dir();
    let whole = std::fs::read(shop.join("shop.dump")).unwrap();
    std::fs::write(files.path().join("text"), "no dump").unwrap();
    std::fs::write(files.path().join("part"), &whole[..whole.len() - 100]).unwrap();
    let used = program::data_dir();
    // Used by a server with a database elsewhere.
    std::fs::create_dir(used.path().join("keys")).unwrap();
    std::fs::write(used.path().join("owner.lock"), "").unwrap();
    let missing = files.path().join("new");
    for (file, folder, expected) in [
        ("text", &*missing, "is not a dump in the custom format"),
        ("part", &*missing, "pg_restore failed"),
        ("part", used.path(), "pg_restore failed"),
        ("part", shop, "pg_restore failed; the shop is unchanged"),
        ("missing", &*missing, "cannot read "),
    ] {
        let file = files.path().join(file);
        let refused = program::run(folder, &["restore", file.to_str().unwrap()]);
        assert!(!refused.status.success());
        let said = program::text(&refused);
        assert!(said.contains(expected), "{expected} is missing in {said}");
    }
    assert!(!missing.exists());
    let mut left: Vec<_> = std::fs::read_dir(used.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["keys", "owner.lock"]);
}
