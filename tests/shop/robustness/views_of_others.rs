//! What others build on the read tables survives rebuilds and upgrades: views, grants, default privileges, tables.

use cartwright::projector::{Projection, RebuildError, kept_relations, rebuild, restore_view, set_aside_views};
use sqlx::{Executor, PgPool};

use crate::support::{TestShop, as_superuser, fresh_database};

/// Rebuilds the table of orders.
async fn rebuild_orders(shop: &TestShop) {
    rebuild(&shop.pool, Projection::find("orders").unwrap(), &|_| ()).await.unwrap();
}

async fn one<Value>(pool: &PgPool, query: &str) -> Value
where
    Value: Send + Unpin + for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// The schema of the orders in service.
async fn schema_of_orders(pool: &PgPool) -> Option<String> {
    one(pool, "select schema from projection where name = 'orders'").await
}

/// The schemas of builds of the orders.
async fn schemas(pool: &PgPool) -> Vec<String> {
    let schemas = "select nspname::text from pg_namespace where nspname ~ '^(live|rebuild)_orders' order by nspname";
    sqlx::query_scalar(schemas).fetch_all(pool).await.unwrap()
}

/// A shop with an order of one kettle at 24.90, and what an analyst has built on its orders. Roles are shared by all
/// databases of the server, so each test has its own.
async fn shop_of_an_analyst(shop: &TestShop, role: &str) -> (i64, i64) {
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    order(shop, customer, product).await;
    as_superuser(&shop.pool, &format!("create role {role}")).await;
    let statements = format!(
        "grant usage on schema live to {role};
         grant select on live.orders to {role};
         alter default privileges in schema live grant select on tables to {role};
         create schema reports;
         create view reports.my_report as select sum(total) as total from live.orders;
         create view reports.doubled as select 2 * total as total from reports.my_report;
         grant select on reports.my_report to {role} with grant option;
         comment on view reports.my_report is 'What was sold.';
         create materialized view reports.kept as select order_id, total from live.orders;
         create unique index kept_key on reports.kept (order_id);
         create view live.mine as select order_id from live.orders;
         create table live.targets (day date primary key)"
    );
    shop.pool.execute(statements.as_str()).await.unwrap();
    (customer, product)
}

async fn order(shop: &TestShop, customer: i64, product: i64) {
    shop.add(customer, product, 1).await;
    assert!(shop.check_out(customer).await.status.is_success());
    shop.settle().await;
}

/// What the analyst's view shows, and whether the role may read it and the orders.
async fn reported(pool: &PgPool, role: &str) -> (String, String, bool, bool, i64) {
    (
        one(pool, "select total::text from reports.my_report").await,
        one(pool, "select total::text from reports.doubled").await,
        one(pool, &format!("select has_table_privilege('{role}', 'live.orders', 'select')")).await,
        one(pool, &format!("select has_table_privilege('{role}', 'reports.my_report', 'select with grant option')"))
            .await,
        one(pool, "select count(*) from live.mine").await,
    )
}

fn sold(total: &str, doubled: &str, orders: i64) -> (String, String, bool, bool, i64) {
    (total.to_owned(), doubled.to_owned(), true, true, orders)
}

/// As a version left it that built its tables in `live` itself, with the analyst's objects on the table.
async fn as_built_in_live(pool: &PgPool) {
    let schema = schema_of_orders(pool).await.unwrap();
    let statements = format!(
        "drop view live.orders;
         alter table {schema}.orders set schema live;
         drop schema {schema};
         alter function live.apply_orders() reset all;
         update projection set schema = null where name = 'orders'"
    );
    pool.execute(statements.as_str()).await.unwrap();
}

/// The kind of `live.orders`, once it is not `kind` any longer.
async fn until_kind_is_not(pool: &PgPool, kind: &str) {
    let changed = async {
        while one::<String>(pool, "select relkind::text from pg_class where oid = 'live.orders'::regclass").await
            == kind
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), changed).await.expect("the table stays in `live`");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_and_grants_of_others_survive_rebuilds() {
    let shop = TestShop::new().await;
    let role = "analyst_of_rebuilds";
    let (customer, product) = shop_of_an_analyst(&shop, role).await;
    for round in 1..=2 {
        rebuild_orders(&shop).await;
        assert_eq!(schemas(&shop.pool).await, [format!("live_orders_{}", round + 1)]);
    }
    assert_eq!(reported(&shop.pool, role).await, sold("24.90", "49.80", 1));
    order(&shop, customer, product).await;
    assert_eq!(reported(&shop.pool, role).await, sold("49.80", "99.60", 2), "the views show the new table");
    shop.pool
        .execute("insert into live.targets values ('2026-01-01'); refresh materialized view reports.kept")
        .await
        .unwrap();
    assert_eq!(one::<i64>(&shop.pool, "select count(*) from reports.kept").await, 2);

    // What a new table of the shop grants by default is what the analyst wanted.
    let by_default = format!("select has_table_privilege('{role}', 'live.order_lines', 'select')");
    assert!(!one::<bool>(&shop.pool, &by_default).await, "it was there before");
    let comment = "select col_description('live.orders'::regclass, attnum) from pg_attribute
        where attrelid = 'live.orders'::regclass and attname = 'customer_id'";
    assert_eq!(one::<String>(&shop.pool, comment).await, "null for a guest");

    // A relation of others that has the name of a read table is not replaced.
    shop.pool
        .execute("delete from projection where name = 'refunds'; drop view live.refunds; create view live.refunds as select 1 as mine")
        .await
        .unwrap();
    let taken = rebuild(&shop.pool, Projection::find("refunds").unwrap(), &|_| ()).await;
    assert!(matches!(taken, Err(RebuildError::NameTaken("refunds"))), "{taken:?}");
    assert_eq!(one::<i32>(&shop.pool, "select mine from live.refunds").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_an_earlier_version_built_in_live_move_with_the_views_on_them() {
    let role = "analyst_of_upgrades";
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    as_built_in_live(&shop.pool).await;
    let (customer, product) = shop_of_an_analyst(&shop, role).await;
    // A default privilege that was revoked for this table does not come back.
    as_superuser(&shop.pool, "create role guest_of_upgrades").await;
    shop.pool
        .execute("alter default privileges in schema live grant select on tables to guest_of_upgrades")
        .await
        .unwrap();
    shop.engine.projector.stop().await;

    // The tables fit: they are moved.
    let next = TestShop::on(database.clone()).await;
    until_kind_is_not(&next.pool, "r").await;
    assert_eq!(reported(&next.pool, role).await, sold("24.90", "49.80", 1));
    order(&next, customer, product).await;
    assert_eq!(reported(&next.pool, role).await, sold("49.80", "99.60", 2));
    assert_eq!(one::<i64>(&next.pool, "select count(*) from reports.kept").await, 1, "filled again by the move");
    assert!(!one::<bool>(&next.pool, "select has_table_privilege('guest_of_upgrades', 'live.orders', 'select')").await);
    let text = "select pg_get_viewdef('reports.my_report'::regclass)";
    assert!(one::<String>(&next.pool, text).await.contains("live.orders") || schemas(&next.pool).await.len() == 1);
    next.verify().await;
    next.engine.projector.stop().await;

    // The tables do not fit: they are rebuilt from the first event.
    as_built_in_live_again(&next.pool).await;
    next.pool.execute("update projection set fingerprint = 'older' where name = 'orders'").await.unwrap();
    let last = TestShop::on(database).await;
    until_kind_is_not(&last.pool, "r").await;
    assert_eq!(reported(&last.pool, role).await, sold("49.80", "99.60", 2));
    order(&last, customer, product).await;
    assert_eq!(reported(&last.pool, role).await, sold("74.70", "149.40", 3));
    assert_eq!(set_aside_views(&last.pool).await.unwrap(), []);
    last.verify().await;
}

/// As [`as_built_in_live`], although views of others hang on the view of the table.
async fn as_built_in_live_again(pool: &PgPool) {
    let schema = schema_of_orders(pool).await.unwrap();
    let statements = format!(
        "alter view live.orders rename to shown;
         alter table {schema}.orders set schema live;
         create or replace view reports.my_report as select sum(total) as total from live.orders;
         drop materialized view reports.kept;
         create materialized view reports.kept as select order_id, total from live.orders;
         create or replace view live.mine as select order_id from live.orders;
         drop view live.shown;
         drop schema {schema};
         grant select on live.orders to analyst_of_upgrades;
         alter function live.apply_orders() reset all;
         update projection set schema = null where name = 'orders'"
    );
    pool.execute(statements.as_str()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_no_longer_fits_is_kept_as_text_and_can_be_made_again() {
    let shop = TestShop::new().await;
    let role = "analyst_of_columns";
    let (customer, product) = shop_of_an_analyst(&shop, role).await;
    let legacy = |schema: &str| {
        format!(
            "alter table {schema}.orders add column legacy text default 'old';
             create or replace view live.orders as select {schema}.orders.* from {schema}.orders"
        )
    };
    // As if an earlier version had another column.
    shop.pool.execute(legacy("live_orders_1").as_str()).await.unwrap();
    shop.pool
        .execute(
            format!(
                "create view reports.legacy as select order_id, legacy from live.orders;
                 create view reports.readers as select count(*) as readers from reports.legacy;
                 grant select on reports.legacy to {role};
                 revoke select on live.order_lines from public"
            )
            .as_str(),
        )
        .await
        .unwrap();
    rebuild_orders(&shop).await;
    assert_eq!(schemas(&shop.pool).await, ["live_orders_2"]);
    assert_eq!(reported(&shop.pool, role).await, sold("24.90", "49.80", 1), "these views fit");
    let aside = set_aside_views(&shop.pool).await.unwrap();
    let names: Vec<_> = aside.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["reports.legacy", "reports.readers"]);
    assert!(aside[0].reason.contains("legacy") && aside[0].statements[0].contains("live.orders"), "{aside:?}");
    let ready = shop.call(axum::http::Request::get("/health/ready").body(axum::body::Body::empty()).unwrap()).await;
    assert!(ready.status.is_success());
    assert_eq!(ready.body["warnings"][0]["code"], "view_set_aside");
    assert!(ready.body["warnings"][0]["detail"].as_str().unwrap().contains("`reports.legacy`"), "{}", ready.body);

    // It does not fit yet; it does when the column is there again.
    let reason = restore_view(&shop.pool, &aside[0]).await.unwrap();
    assert!(reason.is_some_and(|reason| reason.contains("legacy")));
    shop.pool.execute(legacy("live_orders_2").as_str()).await.unwrap();
    for view in &aside {
        assert_eq!(restore_view(&shop.pool, view).await.unwrap(), None, "{}", view.name);
    }
    assert_eq!(set_aside_views(&shop.pool).await.unwrap(), []);
    order(&shop, customer, product).await;
    assert_eq!(one::<i64>(&shop.pool, "select readers from reports.readers").await, 2);
    assert!(
        one::<bool>(&shop.pool, &format!("select has_table_privilege('{role}', 'reports.legacy', 'select')")).await
    );
}

/// The owner of the view and what it shows.
async fn owned(pool: &PgPool) -> (String, String) {
    let owner = "select pg_get_userbyid(relowner)::text from pg_class where oid = 'reports.owned'::regclass";
    (one(pool, owner).await, one(pool, "select total::text from reports.readers").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_another_owner_stays_until_the_shop_may_replace_it() {
    let role = "owner_of_views";
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    as_built_in_live(&shop.pool).await;
    let (customer, product) = shop_of_an_analyst(&shop, role).await;
    let me: String = one(&shop.pool, "select current_user::text").await;
    shop.pool
        .execute(
            "create view reports.owned as select sum(total) as total from live.orders;
             create view reports.readers as select total from reports.owned",
        )
        .await
        .unwrap();
    let foreign = format!(
        "grant usage on schema live, reports to {role};
         alter view reports.owned owner to {role};
         grant select on reports.owned to {me};
         create schema fin authorization {role};
         set role {role};
         create view fin.v as select sum(total) as total from live.orders"
    );
    as_superuser(&shop.pool, &foreign).await;
    shop.engine.projector.stop().await;

    let next = TestShop::on(database).await;
    until_kind_is_not(&next.pool, "r").await;
    assert_eq!(owned(&next.pool).await, (role.to_owned(), "24.90".to_owned()));
    rebuild_orders(&next).await;
    order(&next, customer, product).await;
    assert_eq!(reported(&next.pool, role).await, sold("49.80", "99.60", 2), "views of the shop's role are replaced");
    assert_eq!(owned(&next.pool).await, (role.to_owned(), "24.90".to_owned()), "it stays on the earlier table");
    let mut aside = set_aside_views(&next.pool).await.unwrap();
    aside.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<_> = aside.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["fin.v", "reports.owned"]);
    for view in &aside {
        assert!(view.reason.contains(&format!("`grant {role} to {me}`")), "{}", view.reason);
        assert!(restore_view(&next.pool, view).await.unwrap().is_some(), "{} is replaced without the right", view.name);
    }

    as_superuser(&next.pool, &format!("grant {role} to {me}")).await;
    for view in &aside {
        assert_eq!(restore_view(&next.pool, view).await.unwrap(), None, "{}", view.name);
    }
    assert_eq!(set_aside_views(&next.pool).await.unwrap(), []);
    assert_eq!(owned(&next.pool).await, (role.to_owned(), "49.80".to_owned()));
    assert_eq!(one::<String>(&next.pool, "select total::text from fin.v").await, "49.80");
    rebuild_orders(&next).await;
    assert_eq!(schemas(&next.pool).await, ["live_orders_3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_others_that_are_named_like_a_build_are_not_touched() {
    let shop = TestShop::new().await;
    let is_there =
        async |relation: &str| one::<bool>(&shop.pool, &format!("select to_regclass('{relation}') is not null")).await;
    shop.pool
        .execute(
            "create schema live_orders_2; create table live_orders_2.orders (a int);
             create table live_orders_1.mine (a int)",
        )
        .await
        .unwrap();
    rebuild_orders(&shop).await;
    assert_eq!(schemas(&shop.pool).await, ["live_orders_1", "live_orders_2", "live_orders_3"]);
    assert!(is_there("live_orders_2.orders").await && is_there("live_orders_1.mine").await);
    assert!(!is_there("live_orders_1.orders").await);
    assert_eq!(kept_relations(&shop.pool).await.unwrap(), ["live_orders_1.mine"]);
    let ready = shop.call(axum::http::Request::get("/health/ready").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(ready.body["warnings"][0]["code"], "schema_kept", "{}", ready.body);
    shop.pool.execute("drop table live_orders_1.mine").await.unwrap();
    rebuild_orders(&shop).await;
    assert_eq!(schemas(&shop.pool).await, ["live_orders_2", "live_orders_4"]);

    // A view that its owner dropped is made again.
    shop.pool.execute("drop view live.orders cascade").await.unwrap();
    let made = async {
        while !is_there("live.orders").await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), made).await.expect("the view is not made again");

    // What others put in the schema of an interrupted build is moved with it.
    shop.pool
        .execute(
            "create schema rebuild_orders; create table rebuild_orders.mine (a int);
             create function rebuild_orders.apply_orders() returns void language sql as ''",
        )
        .await
        .unwrap();
    rebuild_orders(&shop).await;
    assert_eq!(schemas(&shop.pool).await, ["live_orders_2", "live_orders_6", "live_orders_7"]);
    assert_eq!(kept_relations(&shop.pool).await.unwrap(), ["live_orders_6.mine"]);

    shop.pool.execute("create schema rebuild_orders; create table rebuild_orders.mine (a int)").await.unwrap();
    let taken = rebuild(&shop.pool, Projection::find("orders").unwrap(), &|_| ()).await;
    assert!(matches!(&taken, Err(RebuildError::SchemaTaken(schema)) if schema == "rebuild_orders"), "{taken:?}");
    assert!(is_there("rebuild_orders.mine").await);
}
