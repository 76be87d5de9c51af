//! What is wrong shows in `/health/ready`, while the node serves what it can.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::health::{Finding, record_finding};
use cartwright::projector::{Projection, verify};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::{TestShop, as_superuser};

async fn ready(shop: &TestShop) -> Value {
    let answer = shop.call(Request::get("/health/ready").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["status"], "ready");
    answer.body
}

async fn codes(shop: &TestShop) -> Vec<String> {
    let ready = ready(shop).await;
    let warnings = ready["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| warning["code"].as_str().unwrap().to_owned()).collect()
}

async fn until_codes(shop: &TestShop, expected: &[&str]) {
    let shown = async {
        while codes(shop).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), shown).await.expect("other warnings");
}

async fn projection(shop: &TestShop, name: &str) -> Value {
    let all = shop.get("projections/").await.body;
    all.as_array().unwrap().iter().find(|projection| projection["name"] == name).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_show_what_is_wrong_while_the_shop_serves() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    shop.check_out(customer).await;
    shop.settle().await;
    let (writes, none) = (ready(&shop).await["writes"].clone(), codes(&shop).await);
    assert_eq!((writes, none.len()), (json!(true), 0), "{none:?}");

    // A clock that jumped by a month.
    shop.pool.execute("update shop_clock set seen_at = clock_timestamp() - interval '31 days'").await.unwrap();
    assert_eq!(codes(&shop).await, ["clock_implausible"]);
    shop.pool.execute("select accept_clock()").await.unwrap();
    assert_eq!(codes(&shop).await, [""; 0]);

    // A verification that found differences, until the table is rebuilt.
    let bestsellers = Projection::find("bestsellers").unwrap();
    shop.pool.execute("update live.bestsellers set units_sold = units_sold + 1").await.unwrap();
    let found = verify(&shop.pool, bestsellers, &|_| ()).await.unwrap();
    record_finding(&shop.pool, Finding::Rows("bestsellers", found.different)).await.unwrap();
    record_finding(&shop.pool, Finding::Log(3)).await.unwrap();
    assert_eq!(codes(&shop).await, ["verification_failed", "verification_failed"]);
    let warnings = ready(&shop).await["warnings"].to_string();
    assert!(warnings.contains("2 rows of `bestsellers`") && warnings.contains("3 violations"), "{warnings}");
    record_finding(&shop.pool, Finding::Log(0)).await.unwrap();

    // A rebuild that fails, and is tried again.
    let refuse = "create function refuse() returns event_trigger language plpgsql as
             $$ begin raise exception 'no room for an index' using errcode = '53100'; end $$;
         create event trigger refuse on ddl_command_start when tag in ('CREATE INDEX') execute function refuse()";
    as_superuser(&shop.pool, refuse).await;
    shop.send("POST", "projections/bestsellers/rebuild/", Value::Null, &[]).await;
    until_codes(&shop, &["rebuild_failed", "verification_failed"]).await;
    let failed = projection(&shop, "bestsellers").await;
    assert_eq!((&failed["state"], &failed["rebuild_attempts"]), (&json!("live"), &json!(1)), "{failed}");
    assert!(failed["rebuild_error"].as_str().unwrap().contains("no room for an index"), "{failed}");
    assert!(failed["rebuild_retry_at"].is_string(), "{failed}");
    assert_eq!(shop.read("bestsellers/").await[0]["total_sold"], 2, "the table in service stays");
    as_superuser(&shop.pool, "drop event trigger refuse").await;
    shop.pool.execute("update projection_failure set retry_at = clock_timestamp()").await.unwrap();
    until_codes(&shop, &[]).await;
    assert_eq!(projection(&shop, "bestsellers").await["rebuild_error"], Value::Null);
    assert_eq!(shop.read("bestsellers/").await[0]["total_sold"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_write_serves_reads_and_names_the_reason() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    for (code, reason) in [("53100", "disk_full"), ("53200", "out_of_memory"), ("25006", "read_only")] {
        let refuse = format!(
            "create or replace function refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'refused' using errcode = '{code}'; end $$;
             create or replace trigger refuse before insert on events execute function refuse()"
        );
        shop.pool.execute(refuse.as_str()).await.unwrap();
        let name = json!({ "category_name": reason });
        let refused = shop.send("POST", "categories/", name.clone(), &[]).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
            "{}",
            refused.body
        );
        assert_eq!(refused.body["reason"], reason);
        assert!(refused.body["detail"].as_str().unwrap().ends_with("; nothing was changed"), "{}", refused.body);
        let health = ready(&shop).await;
        assert_eq!((&health["writes"], &health["warnings"][0]["code"]), (&json!(false), &json!("writes_refused")));
        assert_eq!(shop.get("categories/").await.status, StatusCode::OK);

        shop.pool.execute("drop trigger refuse on events").await.unwrap();
        shop.done("categories/", name).await;
        assert_eq!(ready(&shop).await["writes"], true);
    }

    // Without commands a probe finds out that writes are possible again.
    shop.pool.execute("create trigger refuse before insert on events execute function refuse()").await.unwrap();
    shop.send("POST", "categories/", json!({ "category_name": "Coffee" }), &[]).await;
    assert_eq!(ready(&shop).await["writes"], false);
    until_codes(&shop, &[]).await;
}
