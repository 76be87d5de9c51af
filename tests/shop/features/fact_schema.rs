//! Schema `fact`: the same rows as the projector's facts, over the whole log, and kept for dependent views.

use cartwright::projector::set_aside_views;
use cartwright::seeds;
use sqlx::{Connection, Executor, PgConnection, PgPool};

use crate::support::{TestShop, fresh_database};

async fn projectors_schema(pool: &PgPool) -> String {
    let schema = "select nspname::text from pg_namespace where nspname ~ '^fact_[0-9a-f]{12}$'";
    sqlx::query_scalar(schema).fetch_one(pool).await.unwrap()
}

async fn views(pool: &PgPool, schema: &str) -> Vec<String> {
    let views = "select viewname::text from pg_views where schemaname = $1 order by viewname";
    sqlx::query_scalar(views).bind(schema).fetch_all(pool).await.unwrap()
}

async fn count(connection: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(&format!("select count(*) from ({query}) as row")).fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fact_of_the_whole_log_is_that_of_the_batch_that_holds_the_whole_log() {
    let shop = TestShop::new().await;
    seeds::load(&shop.engine.journal).await.unwrap();
    let batch = projectors_schema(&shop.pool).await;
    let views = views(&shop.pool, "fact").await;
    assert_eq!(views, self::views(&shop.pool, &batch).await);
    assert!(views.len() > 70, "{views:?}");

    let mut connection = shop.pool.acquire().await.unwrap();
    let mut filled = 0;
    for view in &views {
        let whole_log = format!("select * from fact.{view}");
        let rows = count(&mut connection, &whole_log).await;
        filled += i64::from(rows > 0);
        let of_batch = format!("select * from {batch}.{view}");
        assert!(connection.execute(of_batch.as_str()).await.is_err(), "{view} can be read without a batch");

        let mut transaction = connection.begin().await.unwrap();
        sqlx::query(
            "select set_config('projector.after', '0', true), set_config('projector.upto', position::text, true)
                     from journal_head",
        )
        .execute(&mut *transaction)
        .await
        .unwrap();
        assert_eq!(count(&mut transaction, &of_batch).await, rows, "{view}");
        assert_eq!(count(&mut transaction, &format!("{whole_log} except all {of_batch}")).await, 0, "{view}");
        transaction.rollback().await.unwrap();
    }
    assert!(filled > 10, "only {filled} views have rows");
    let events = count(&mut connection, "select * from fact.event").await;
    assert_eq!(events, shop.engine.journal.position());
}

/// As if another text had been installed before: the comment, and `change`.
async fn installed_before(pool: &PgPool, change: &str) {
    pool.execute("comment on schema fact is 'another text'").await.unwrap();
    pool.execute(change).await.unwrap();
}

async fn columns(pool: &PgPool, view: &str) -> Vec<String> {
    let columns = "select attname::text from pg_attribute where attrelid = to_regclass($1) and attnum > 0";
    sqlx::query_scalar(columns).bind(view).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_text_replaces_the_facts_and_keeps_what_others_built_on_them() {
    let database = fresh_database().await;
    let pool = TestShop::on(database.clone()).await.pool;
    let expected = columns(&pool, "fact.order_placed").await;
    let granted = "select has_table_privilege('public', 'fact.order_placed', 'select')";

    // With the same columns a view is replaced in place.
    pool.execute("create schema analysis; create view analysis.orders as select order_id from fact.order_placed")
        .await
        .unwrap();
    installed_before(&pool, "grant select on fact.order_placed to public").await;
    TestShop::on(database.clone()).await;
    assert_eq!(columns(&pool, "analysis.orders").await, ["order_id"]);
    assert!(sqlx::query_scalar::<_, bool>(granted).fetch_one(&pool).await.unwrap());

    // With other columns it is made anew, with its grants; what others built stays, and reads the new views.
    let other = "create or replace view fact.category_deleted as select position, 1 as other from fact.event;
        create view analysis.other as select other from fact.category_deleted;
        create view fact.mine as select order_id from fact.order_placed;
        create table fact.notes (note text)";
    pool.execute("drop view fact.category_deleted").await.unwrap();
    installed_before(&pool, other).await;
    TestShop::on(database.clone()).await;
    assert_eq!(columns(&pool, "fact.order_placed").await, expected);
    assert!(columns(&pool, "fact.category_deleted").await.contains(&"category_id".to_owned()));
    assert!(sqlx::query_scalar::<_, bool>(granted).fetch_one(&pool).await.unwrap());
    for (view, column) in [("analysis.orders", "order_id"), ("fact.mine", "order_id"), ("fact.notes", "note")] {
        assert_eq!(columns(&pool, view).await, [column]);
    }
    let text: String =
        sqlx::query_scalar("select pg_get_viewdef('analysis.orders'::regclass)").fetch_one(&pool).await.unwrap();
    assert!(text.contains("fact.order_placed"), "{text}");

    // The view of a column that is gone is kept as text.
    assert_eq!(columns(&pool, "analysis.other").await, [""; 0]);
    let aside = set_aside_views(&pool).await.unwrap();
    assert_eq!(aside.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(), ["analysis.other"]);
    let replaced = "select count(*) from pg_namespace where nspname like 'fact%replaced'";
    assert_eq!(sqlx::query_scalar::<_, i64>(replaced).fetch_one(&pool).await.unwrap(), 0, "nothing is left");
}
