//! Abandoned builds: they are not shown as running, nothing of them remains, and the build is repeated.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Executor, PgPool};

use crate::support::client::Client;
use crate::support::failpoints::{assert_killed, run_until_killed, server_on};
use crate::support::program::{
    Server, ask, command, data_dir, embedded_database, is_stopped, run, text, verify, wait_for,
};
use crate::support::{TestShop, fresh_database};

/// The schemas of builds, running or abandoned.
async fn schemas(pool: &PgPool) -> Vec<String> {
    let schemas = "select nspname::text from pg_namespace where nspname ~ '^(rebuild|verify)_' order by nspname";
    sqlx::query_scalar(schemas).fetch_all(pool).await.unwrap()
}

/// The state of a projection, by the shop's answer and by the command line.
fn states(folder: &Path, server: &Server, name: &str) -> (String, String) {
    let projections: Value = serde_json::from_str(&server.get("/shop/api/projections/")).unwrap();
    let projection = projections.as_array().unwrap().iter().find(|projection| projection["name"] == name).unwrap();
    let status = text(&run(folder, &["status"]));
    let line = status.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    (projection["state"].as_str().unwrap().to_owned(), line.split_whitespace().nth(1).unwrap().to_owned())
}

#[test]
fn a_killed_build_is_not_shown_as_running_and_is_removed_while_the_shop_runs() {
    let folder = data_dir();
    let server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let database = embedded_database(folder.path());
    for (args, points) in
        [(["replay", "orders"], "rebuild-folded=return(stop)"), (["verify", "orders"], "verify-folded=return(stop)")]
    {
        let mut command = command(folder.path());
        let mut build = command.args(args).env("FAILPOINTS", points).stdout(Stdio::null()).spawn().unwrap();
        let alive = wait_for("the build", || {
            let schemas = ask(&database, schemas);
            let stands = schemas.len() == 1 && is_stopped(build.id());
            stands.then_some(schemas)
        });
        let live = ("live".to_owned(), "live".to_owned());
        if args[0] == "replay" {
            assert_eq!(states(folder.path(), &server, "orders"), ("rebuilding".to_owned(), "rebuilding".to_owned()));
            let second = text(&run(folder.path(), &args));
            assert!(second.contains("`orders` is being rebuilt already"), "{second}");
        }
        // The server has searched for abandoned builds at its start.
        assert_eq!(ask(&database, schemas), alive, "what is alive is left alone");

        kill(Pid::from_raw(build.id().cast_signed()), Signal::SIGKILL).unwrap();
        build.wait().unwrap();
        wait_for("the end of its session", || (states(folder.path(), &server, "orders") == live).then_some(()));
        wait_for("the end of its schema", || ask(&database, schemas).is_empty().then_some(()));
    }
}

#[test]
fn an_abandoned_build_is_removed_by_the_next_server() {
    let folder = data_dir();
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, "rebuild-folded=return(kill)"));
    let address = format!("{}/shop/api/projections/orders/rebuild/", server.address);
    std::process::Command::new("curl")
        .args(["-s", "--oauth2-bearer", &crate::support::tokens::ADMIN, "-X", "POST", &address])
        .output()
        .unwrap();
    assert_killed(server.ended(), "rebuild-folded");

    let server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    assert_eq!(states(folder.path(), &server, "orders").0, "live");
    wait_for("the end of the schema", || ask(&embedded_database(folder.path()), schemas).is_empty().then_some(()));

    run_until_killed(command(folder.path()).args(["verify", "orders"]), "verify-folded=return(kill)");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    let _server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    wait_for("the end of the schema", || ask(&embedded_database(folder.path()), schemas).is_empty().then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_table_is_rebuilt_although_the_database_goes_away_meanwhile() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    shop.product("Kettle", "24.90", 9).await;
    shop.settle().await;
    let mut session = database.connect().await.unwrap();
    session.execute("update projection set fingerprint = 'older' where name = 'orders'").await.unwrap();

    // Writes to that table wait; reads do not.
    session.execute("begin; lock table projection_rebuild in share row exclusive mode").await.unwrap();
    let newer = TestShop::on(database).await;
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and query like 'delete from projection_rebuild%'";
    // Not in the transaction: it would keep the list of sessions of its first query.
    while sqlx::query_scalar::<_, i64>(end).fetch_one(&shop.pool).await.unwrap() == 0 {}
    session.execute("commit").await.unwrap();

    let old = "select exists (select from projection where fingerprint = 'older')";
    while sqlx::query_scalar::<_, bool>(old).fetch_one(&newer.pool).await.unwrap() {
        tokio::task::yield_now().await;
    }
    newer.verify().await;
}

#[test]
fn a_rebuild_stopped_during_its_swap_blocks_others_for_seconds_only() {
    let folder = data_dir();
    let server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let mut command = command(folder.path());
    let command = command.args(["replay", "orders"]).env("FAILPOINTS", "rebuild-swapping=return(stop)");
    let mut build = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the swap", || is_stopped(build.id()).then_some(()));
    let stood_at = Instant::now();
    let mut client = Client::new(&[server.port()], 0);
    let created = client.send("POST", "categories/", "", &json!({ "category_name": "Kitchen" })).unwrap();
    assert_eq!(created.status, 201);
    wait_for("the order list", || (client.get("orders/").status == 200).then_some(()));
    wait_for("the categories", || (client.get("categories/").body.as_array()?.len() == 1).then_some(()));
    assert!(stood_at.elapsed() < Duration::from_secs(6), "{:?}", stood_at.elapsed());

    kill(Pid::from_raw(build.id().cast_signed()), Signal::SIGCONT).unwrap();
    assert_eq!(build.wait().unwrap().code(), Some(1), "the rebuild has lost its session");
    wait_for("the end of the schema", || ask(&embedded_database(folder.path()), schemas).is_empty().then_some(()));
    assert_eq!(states(folder.path(), &server, "orders").0, "live");
    verify(folder.path());
}
