//! Two versions of the program on one database: each calls its own SQL functions, and no schema in use is dropped.

use std::time::Duration;

use cartwright::database::functions::FunctionSet;
use cartwright::database::{Database, Location, prepared_for};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgPool};

use crate::support::{TestShop, fresh_database, pool};

/// The function schemas of a database.
async fn schemas(pool: &PgPool) -> Vec<String> {
    let schemas = "select nspname::text from pg_namespace where nspname ~ '^functions_' order by nspname";
    sqlx::query_scalar(schemas).fetch_all(pool).await.unwrap()
}

/// Drops the schemas that are not in use, as a node of this version does at its start.
async fn start_of_a_node(connect: &PgConnectOptions) {
    let mut connection = connect.connect().await.unwrap();
    FunctionSet::of_this_program().drop_unused_others(&mut connection).await.unwrap();
}

/// The schemas in which connections of the pool find the functions that the program calls.
async fn schemas_called(pool: &PgPool) -> Vec<String> {
    let visible = "select distinct pronamespace::regnamespace::text from pg_proc
                   where proname in ('journal_append', 'store_side_writes', 'projector_step', 'end_sessions', 'write_put_profile')
                       and pg_function_is_visible(oid)";
    sqlx::query_scalar(visible).fetch_all(pool).await.unwrap()
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..300 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within 15 seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_whose_functions_differ_serve_one_database_side_by_side() {
    let database = fresh_database().await;
    let (this, next) = (FunctionSet::of_this_program(), FunctionSet::of_another_version("-- The next version."));
    next.install(&mut database.connect().await.unwrap()).await.unwrap();
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(prepared_for(database, &next)).await];
    for (node, functions) in nodes.iter().zip([&this, &next]) {
        assert_eq!(schemas_called(&node.pool).await, [functions.schema()]);
    }

    let product = nodes[0].product("Whisk", "4.50", 100).await;
    let customers = [nodes[0].customer("Ada").await, nodes[1].customer("Grace").await];
    for round in 0..6 {
        let (node, customer) = (&nodes[round % 2], customers[round / 2 % 2]);
        node.add(customer, product, 1).await;
        let order = node.check_out(customer).await;
        assert!(order.status.is_success(), "{}", order.body);
    }
    for node in &nodes {
        node.settle().await;
        assert_eq!(node.read("bestsellers/").await[0]["total_sold"], 6);
    }
    nodes[0].verify().await;
    nodes[0].check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_a_living_node_stays_and_that_of_a_dead_node_goes() {
    let database = fresh_database().await;
    let pool = pool(&database).await;
    let [living, dead] = ["-- Living.", "-- Dead."].map(FunctionSet::of_another_version);
    let _living = living.clone().hold(database.clone()).await.unwrap();
    let lock = dead.clone().hold(database.clone()).await.unwrap();
    start_of_a_node(&database).await;
    assert_eq!(schemas(&pool).await.len(), 3);

    drop(lock);
    let this = FunctionSet::of_this_program();
    let mut left = [this.schema(), living.schema()];
    left.sort_unstable();
    eventually("the schema of the dead node is dropped", async || {
        start_of_a_node(&database).await;
        schemas(&pool).await == left
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_session_locks_its_schema_again_and_restores_it() {
    let database = fresh_database().await;
    let pool = pool(&database).await;
    let functions = FunctionSet::of_another_version("-- Another.");
    let _lock = functions.clone().hold(database.clone()).await.unwrap();
    let end_holders = "select pg_terminate_backend(pid) from pg_locks
                       where locktype = 'advisory' and classid = 1667330677 and mode = 'ShareLock'
                           and database = (select oid from pg_database where datname = current_database())";
    let ended: Vec<bool> = sqlx::query_scalar(end_holders).fetch_all(&pool).await.unwrap();
    assert_eq!(ended, [true]);
    eventually("the schema is dropped while no session holds it", async || {
        start_of_a_node(&database).await;
        schemas(&pool).await.len() == 1
    })
    .await;
    eventually("the node has its schema again", async || schemas(&pool).await.len() == 2).await;
    start_of_a_node(&database).await;
    assert_eq!(schemas(&pool).await.len(), 2, "the lock is held again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_dropped_by_hand_is_installed_again_while_its_node_lives() {
    let database = fresh_database().await;
    let pool = pool(&database).await;
    let functions = FunctionSet::of_another_version("-- Another.");
    let _lock = functions.clone().hold(database.clone()).await.unwrap();
    sqlx::query(&format!("drop schema {} cascade", functions.schema())).execute(&pool).await.unwrap();
    eventually("the node has its schema again", async || schemas(&pool).await.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_database_holds_the_functions_of_its_program() {
    let connect = fresh_database().await;
    let socket = connect.get_socket().unwrap().to_str().unwrap();
    let url =
        format!("postgres://{}@localhost/{}?host={socket}", connect.get_username(), connect.get_database().unwrap());
    let data_dir = std::env::temp_dir();
    let database = Database::open(&Location::Url { url, password_file: None, data_dir }).await.unwrap();
    let (this, next) = (FunctionSet::of_this_program(), FunctionSet::of_another_version("-- The next version."));
    let pool = pool(&connect).await;
    let next_node_starts = async || {
        let mut connection = connect.connect().await.unwrap();
        next.drop_unused_others(&mut connection).await.unwrap();
        schemas(&pool).await
    };
    assert_eq!(schemas_called(&database.pool).await, [this.schema()]);
    assert_eq!(next_node_starts().await, [this.schema()]);
    database.close().await.unwrap();
    eventually("the schema of the closed program is dropped", async || next_node_starts().await.is_empty()).await;
}
