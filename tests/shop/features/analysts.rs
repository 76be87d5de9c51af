//! The role `reader`: what people read with SQL, what they cannot, and the questions of the page for analysts.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use cartwright::database::migrate;
use cartwright::database::roles::{ReaderState, reader_state};
use cartwright::projector::{Projection, ReadLimits, rebuild, rebuild_within};
use cartwright::seeds;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::support::pages::blocks;
use crate::support::program::{command, text, url};
use crate::support::{TestShop, fresh_database};

/// Runs `cartwright sql` on a database that is not embedded.
fn sql(database: &PgConnectOptions, args: &[&str]) -> Output {
    let address = url(database);
    command(Path::new("/nowhere")).args(["sql", "--database-url", &address]).args(args).output().unwrap()
}

/// The rows of an answer, by their columns.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The values of some fields of a list of the API, as text.
fn fields(list: &Value, names: &[&str]) -> Vec<Vec<String>> {
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |item: &Value| names.iter().map(|name| value(&item[*name])).collect();
    list.as_array().unwrap().iter().map(row).collect()
}

fn cents(amount: &str) -> i64 {
    amount.replace('.', "").parse().unwrap()
}

/// The orders of the sample data that were not cancelled, as staff see them.
async fn lasting_orders(shop: &TestShop) -> Vec<Value> {
    let mut summaries = Vec::new();
    for order in shop.read("orders/?limit=1000").await.as_array().unwrap() {
        let summary = shop.read(&format!("order/{}/summary/", order["order_id"])).await;
        if summary["status"] != "cancelled" {
            summaries.push(summary);
        }
    }
    summaries
}

#[tokio::test(flavor = "multi_thread")]
async fn the_questions_of_the_page_for_analysts_have_the_answers_of_the_api() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    seeds::load(&shop.engine.journal).await.unwrap();
    shop.settle().await;

    let questions = blocks("docs/analysts.md", "sql");
    let answers: Vec<Vec<Vec<String>>> = questions[..10]
        .iter()
        .map(|question| {
            let output = sql(&database, &["--", "--csv", "--command", question]);
            assert!(output.status.success(), "{question}: {}", text(&output));
            rows(std::str::from_utf8(&output.stdout).unwrap())
        })
        .collect();
    // The page shows every answer but the one that depends on the day.
    let shown: Vec<_> = blocks("docs/analysts.md", "csv").iter().map(|block| rows(block)).collect();
    assert_eq!(shown, [&answers[..2], &answers[3..]].concat());
    let answers: Vec<_> = answers.iter().map(|answer| &answer[1..]).collect();

    let bestsellers = shop.read("bestsellers/?limit=1000").await;
    let best = fields(&bestsellers, &["product_id", "name", "total_sold", "total_revenue"]);
    assert_eq!(answers[0], &best[..3]);

    let products = shop.read("products/?limit=1000").await;
    let by_category = |category: &str| {
        let in_category = |row: &&Vec<String>| {
            products
                .as_array()
                .unwrap()
                .iter()
                .any(|product| product["name"] == row[1] && product["category"] == category)
        };
        let sold = best.iter().filter(in_category);
        sold.fold((0, 0), |(units, value), row| (units + row[2].parse::<i64>().unwrap(), value + cents(&row[3])))
    };
    assert_eq!(answers[1].len(), 4);
    for row in answers[1] {
        assert_eq!((row[1].parse().unwrap(), cents(&row[2])), by_category(&row[0]), "{row:?}");
    }

    let months = fields(&shop.read("sales/?by=month").await, &["period", "orders", "revenue"]);
    let filled: Vec<_> = months.into_iter().filter(|month| month[1] != "0").collect();
    assert_eq!(answers[2].iter().map(|row| row[..3].to_vec()).collect::<Vec<_>>(), filled);
    let (first, last) = (&answers[2][0], answers[2].last().unwrap());
    let changes: i64 = answers[2].iter().skip(1).map(|row| cents(&row[3])).sum();
    assert_eq!(changes, cents(&last[2]) - cents(&first[2]));

    let orders = lasting_orders(&shop).await;
    for row in answers[3] {
        let is_guest = row[0] == "guest";
        let of_kind = orders.iter().filter(|order| order["customer_id"].is_null() == is_guest);
        let totals: Vec<i64> = of_kind.map(|order| cents(order["total_amount"].as_str().unwrap())).collect();
        let count = i64::try_from(totals.len()).unwrap();
        let average = (totals.iter().sum::<i64>() * 10 / count + 5) / 10;
        assert_eq!((row[1].parse(), cents(&row[2])), (Ok(count), average), "{row:?}");
    }

    let stats = shop.read("customer-stats/?limit=1000").await;
    let mut stats = fields(&stats, &["customer_id", "total_orders", "total_spent"]);
    stats.retain(|row| row[1].parse::<i64>().unwrap() > 1);
    let mut came_back = answers[4].to_vec();
    stats.sort();
    came_back.sort();
    assert_eq!(came_back, stats);

    let all = shop.read("orders/?status=cancelled&limit=1000").await;
    let mut lost = Vec::new();
    for order in all.as_array().unwrap() {
        let lines = shop.read(&format!("order/{}/", order["order_id"])).await;
        lost.extend(fields(&lines, &["product_name", "quantity", "subtotal"]));
    }
    let mut cancelled = answers[5].to_vec();
    lost.sort();
    cancelled.sort();
    assert_eq!(cancelled, lost);

    let with_both = orders.iter().filter(|order| {
        let holds = |name: &str| order["lines"].as_array().unwrap().iter().any(|line| line["product_name"] == name);
        holds(&answers[6][0][0]) && holds(&answers[6][0][1])
    });
    assert_eq!(answers[6][0][2], with_both.count().to_string());

    let never = fields(&shop.read("never-ordered/?limit=1000").await, &["product_id", "name", "stock"]);
    let (mut never, mut found) = (never, answers[7].to_vec());
    never.sort();
    found.sort();
    assert_eq!(found, never);

    for row in answers[8] {
        let of_category = products.as_array().unwrap().iter().filter(|product| product["category"] == row[0]);
        let value = |product: &Value| product["stock"].as_i64().unwrap() * cents(product["price"].as_str().unwrap());
        assert_eq!(cents(&row[2]), of_category.map(value).sum::<i64>(), "{row:?}");
    }

    for row in answers[9] {
        let cart = shop.read(&format!("customer/{}/cart/", row[0])).await;
        assert_eq!(cart["total"], row[2], "{row:?}");
    }

    // The owner finds the tables of `reader` by the same names, and the log.
    let names = "select count(*) from sales, order_placed, events where false";
    let found = sql(&database, &["--owner", "--", "--set", "ON_ERROR_STOP=1", "--command", names]);
    assert!(found.status.success(), "{}", text(&found));
    // The last block is run by the owner.
    let own = sql(&database, &["--owner", "--", "--set", "ON_ERROR_STOP=1", "--command", &questions[10]]);
    assert!(own.status.success(), "{}", text(&own));
    let daily = sql(&database, &["--", "--csv", "--command", "select count(*) > 0 from reports.daily"]);
    assert_eq!(rows(std::str::from_utf8(&daily.stdout).unwrap())[1], ["t"]);
}

/// As `reader`, who logs in.
fn as_reader(database: &PgConnectOptions) -> PgConnectOptions {
    database.clone().username("reader").application_name("psql")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_reads_every_table_and_fact_before_and_after_a_rebuild_and_nothing_else() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    shop.settle().await;
    let readable = async || {
        let others = "select coalesce(string_agg(relation.oid::regclass::text, ', '), '')
            from pg_class as relation join pg_namespace as schema on schema.oid = relnamespace
            where relkind in ('r', 'p', 'v', 'm', 'S') and nspname !~ '^pg_' and nspname <> 'information_schema'
                and (nspname in ('live', 'fact')) <> (
                    has_schema_privilege('reader', schema.oid, 'usage')
                    and case relkind
                        when 'S' then has_sequence_privilege('reader', relation.oid, 'usage, select')
                        else has_table_privilege('reader', relation.oid, 'select')
                    end
                )
                and not (nspname = 'live' and relkind = 'S')";
        let differ: String = sqlx::query_scalar(others).fetch_one(&shop.pool).await.unwrap();
        assert_eq!(differ, "", "readable and outside of live and fact, or the reverse");
        let writable = "select count(*) from pg_class
            where relkind in ('r', 'p', 'v') and relnamespace <> 'pg_catalog'::regnamespace
                and has_table_privilege('reader', oid, 'insert, update, delete, truncate')";
        assert_eq!(sqlx::query_scalar::<_, i64>(writable).fetch_one(&shop.pool).await.unwrap(), 0);
        let personal: bool = sqlx::query_scalar("select has_table_privilege('reader', 'customer_profile', 'select')")
            .fetch_one(&shop.pool)
            .await
            .unwrap();
        assert!(!personal);
    };
    readable().await;
    for name in ["products", "bestsellers", "orders"] {
        rebuild(&shop.pool, Projection::find(name).unwrap(), &|_| ()).await.unwrap();
    }
    readable().await;
    // What an operator granted before is withdrawn by a start, but not in a schema of the operator's own.
    for statement in [
        "grant all on all tables in schema public, live to reader",
        "grant select (email) on account to reader",
        "grant all on all sequences in schema public to reader",
        "grant create on schema public, live to reader",
        "alter default privileges grant select on tables to reader",
        "create schema reports; create view reports.daily as select 1 as one",
        "grant usage on schema reports to reader; grant select on reports.daily to reader",
    ] {
        shop.pool.execute(statement).await.unwrap();
    }
    migrate(&database).await.unwrap();
    let kept = "select has_table_privilege('reader', 'reports.daily', 'select')
        and not has_schema_privilege('reader', 'public', 'create')
        and not has_schema_privilege('reader', 'live', 'create')";
    assert!(sqlx::query_scalar::<_, bool>(kept).fetch_one(&shop.pool).await.unwrap());
    shop.pool.execute("drop schema reports cascade; create table later (id int)").await.unwrap();
    readable().await;
    let state = async || reader_state(&mut shop.pool.acquire().await.unwrap()).await.unwrap();
    assert_eq!(state().await, ReaderState::Ready);
    shop.pool.execute("grant select on account to public").await.unwrap();
    assert_eq!(state().await, ReaderState::ReadsMore { table: "public.account".to_owned() });
    shop.pool.execute("revoke select on account from public; drop table later").await.unwrap();
    // As a start of another version does.
    shop.pool.execute("comment on schema fact is 'another text'").await.unwrap();
    shop.pool.execute("drop view fact.category_deleted; drop view fact.order_placed").await.unwrap();
    TestShop::on(database.clone()).await;
    readable().await;

    let mut reader = as_reader(&database).connect().await.unwrap();
    let found: i64 = sqlx::query_scalar("select product_id from live.products").fetch_one(&mut reader).await.unwrap();
    assert_eq!(found, product);
    for forbidden in
        ["select * from events", "select * from account", "delete from live.products", "select live.apply_orders()"]
    {
        assert!(reader.execute(forbidden).await.is_err(), "{forbidden}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_holds_up_a_swap_for_too_long_is_cancelled_but_not_a_backup() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    shop.product("Kettle", "24.90", 9).await;
    shop.settle().await;
    let products = Projection::find("products").unwrap();
    let soon = ReadLimits { transaction: Duration::from_millis(300), swap: Duration::from_secs(60) };

    // One session has a query, and one is idle in its transaction.
    let mut busy = as_reader(&database).connect().await.unwrap();
    let mut idle = as_reader(&database).connect().await.unwrap();
    let reads = "begin; select count(*) from live.products";
    busy.execute(reads).await.unwrap();
    idle.execute(reads).await.unwrap();
    let busy = tokio::spawn(async move { busy.execute("select pg_sleep(60)").await.unwrap_err().to_string() });
    rebuild_within(&shop.pool, products, &|_| (), soon).await.unwrap();
    assert!(busy.await.unwrap().contains("canceling statement due to user request"));
    assert!(idle.execute("select 1").await.is_err(), "its session has ended");
    // The tables are those of the API all the while.
    assert_eq!(shop.read("products/").await.as_array().unwrap().len(), 1);

    let mut backup = as_reader(&database).application_name("pg_dump").connect().await.unwrap();
    backup.execute(reads).await.unwrap();
    let limits = ReadLimits { swap: Duration::from_millis(900), ..soon };
    let waited = rebuild_within(&shop.pool, products, &|_| (), limits).await.unwrap_err().to_string();
    assert!(waited.contains("lock timeout"), "{waited}");
    backup.execute("commit").await.unwrap();
    rebuild_within(&shop.pool, products, &|_| (), soon).await.unwrap();
}

#[tokio::test]
async fn the_address_for_other_programs_has_no_password() {
    let database = fresh_database().await;
    let printed = sql(&database, &["--url"]);
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(printed.contains("&user=reader&options=-c%20search_path%3Dlive%2Cfact"), "{printed}");
    let owner = sql(&database, &["--url", "--owner"]);
    assert!(String::from_utf8_lossy(&owner.stdout).contains("&user=cartwright"), "{}", text(&owner));
    let superuser = sql(&database, &["--url", "--superuser"]);
    assert!(!superuser.status.success() && text(&superuser).contains("with psql"), "{}", text(&superuser));
    let nowhere = command(Path::new("/nowhere")).args(["sql", "--data-dir", "/nowhere"]).output().unwrap();
    assert!(text(&nowhere).contains("there is no shop yet"), "{}", text(&nowhere));
}
