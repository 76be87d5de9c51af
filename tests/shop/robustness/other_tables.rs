//! Reads and tasks of a new version while tables of another version are in service: never a 500, and never hidden.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::projector::{PROJECTIONS, VerifyError, rebuild, verify};
use cartwright::scheduler::tasks::{TaskContext, cancel_unpaid};
use cartwright::scheduler::{Scheduler, SchedulerOptions, run_now, status};
use serde_json::Value;
use sqlx::Executor;

use crate::support::furnished::{fill, furnished};
use crate::support::{Answer, TestShop};

/// Every GET of the OpenAPI document that ends by itself.
async fn reads(shop: &TestShop, token: &str) -> Vec<String> {
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let paths = document["paths"].as_object().unwrap().iter();
    let reads = paths.filter(|(_, operations)| operations.get("get").is_some());
    let mut reads: Vec<_> = reads.map(|(path, _)| fill(path, token)).collect();
    reads.retain(|path| !path.contains("stream") && !path.contains("/metrics"));
    assert!(reads.len() > 40, "{reads:?}");
    reads
}

async fn get(shop: &TestShop, path: &str) -> Answer {
    shop.call(Request::get(path).body(Body::empty()).unwrap()).await
}

/// Reads everything; returns how many reads were refused because a table is of another version.
async fn refused(shop: &TestShop, reads: &[String]) -> usize {
    let mut refused = 0;
    for path in reads {
        let answer = get(shop, path).await;
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {}", answer.body);
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!((answer.problem(), answer.header("retry-after")), ("table_outdated", "1"), "{path}");
            refused += 1;
        }
    }
    refused
}

/// Gives each view in `live` the columns that `column` makes of those of its table.
async fn change_views(shop: &TestShop, column: &str) {
    let statement = format!(
        "do $$
         declare
             changed record;
         begin
             for changed in
                 select projection.schema, relation.relname, string_agg({column}, ', ' order by attnum) as columns
                 from projection
                 join pg_class as relation on relation.relnamespace = projection.schema::regnamespace
                 join pg_attribute on attrelid = relation.oid and attnum > 0 and not attisdropped
                 where relation.relkind = 'r'
                 group by 1, 2
             loop
                 execute format('drop view live.%I', changed.relname);
                 execute format(
                     'create view live.%I as select %s from %I.%I',
                     changed.relname, changed.columns, changed.schema, changed.relname
                 );
             end loop;
         end $$"
    );
    shop.pool.execute(statement.as_str()).await.unwrap();
}

async fn record_as(shop: &TestShop, fingerprint: &str) {
    let age = "update projection set fingerprint = $1, built_at = clock_timestamp() - interval '1 hour'";
    sqlx::query(age).bind(fingerprint).execute(&shop.pool).await.unwrap();
}

/// Runs the task that reads unpaid orders, and returns its error.
async fn error_of_task(shop: &TestShop) -> String {
    let (journal, projector) = (shop.engine.journal.clone(), shop.engine.projector.clone());
    let context = TaskContext { journal, projector, pool: shop.pool.clone() };
    let connect = (*shop.pool.connect_options()).clone();
    let options =
        SchedulerOptions { poll_interval: std::time::Duration::from_millis(5), ..SchedulerOptions::default() };
    shop.pool.execute("delete from scheduler_task").await.unwrap();
    let scheduler = Scheduler::start(connect, vec![cancel_unpaid(&context)], options);
    let failed = async {
        loop {
            run_now(&shop.pool, "cancel_unpaid").await.unwrap();
            let tasks = status(&shop.pool).await.unwrap();
            if let Some(error) = tasks.into_iter().find_map(|task| task.last_error) {
                return error;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let error = tokio::time::timeout(std::time::Duration::from_secs(20), failed).await.expect("the task does not fail");
    scheduler.stop().await;
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_while_tables_of_another_version_are_in_service_are_never_500() {
    let (shop, token) = furnished().await;
    let reads = reads(&shop, &token).await;
    assert_eq!(refused(&shop, &reads).await, 0);
    let answers = async || get(&shop, "/shop/api/bestsellers/").await.body;
    let before = answers().await;

    // The older tables have other names of columns, then other types, then their keys
    // alone and no values where this version wants some.
    let changes = [
        "format('%I as %I', attname, 'older_' || attname)",
        "format('%I::text as %I', attname, attname)",
        "case when attnum = 1 then quote_ident(attname) else format('nullif(%I, %I) as %I', attname, attname, attname) end",
    ];
    for (change, least) in changes.into_iter().zip([10, 10, 5]) {
        change_views(&shop, change).await;
        record_as(&shop, "older").await;
        let count = refused(&shop, &reads).await;
        assert!(count >= least, "{change}: {count}");
    }
    change_views(&shop, changes[0]).await;
    assert_eq!(error_of_task(&shop).await, "a read table that it needs is being rebuilt");
    let outdated = verify(&shop.pool, &PROJECTIONS[0], &|_| ()).await;
    assert!(matches!(outdated, Err(VerifyError::Outdated(_))), "{outdated:?}");
    let ready = get(&shop, "/health/ready").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(ready.body["warnings"].as_array().unwrap().len(), PROJECTIONS.len(), "{}", ready.body);
    assert_eq!(ready.body["warnings"][0]["code"], "table_outdated");

    // Statements that were prepared for other types do not outlive the rebuild.
    change_views(&shop, changes[1]).await;
    refused(&shop, &reads).await;
    for projection in PROJECTIONS {
        rebuild(&shop.pool, projection, &|_| ()).await.unwrap();
    }
    refused(&shop, &reads).await;
    refused(&shop, &reads).await;
    assert_eq!(answers().await, before);
    assert_eq!(get(&shop, "/health/ready").await.body["warnings"], Value::Array(vec![]));
    shop.verify().await;

    // Without a table of another version the same failure is a defect, and is not hidden.
    change_views(&shop, changes[0]).await;
    shop.pool.execute("update projection set built_at = clock_timestamp() - interval '1 hour'").await.unwrap();
    // Another list than before, of which no answer is kept.
    let defect = get(&shop, "/shop/api/bestsellers/?limit=9").await;
    assert_eq!((defect.status, defect.problem()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    let error = error_of_task(&shop).await;
    assert!(error.contains("does not exist"), "{error}");
}
