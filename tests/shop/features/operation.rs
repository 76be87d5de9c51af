//! What operators see and decide over HTTP: the report, verifications, the newest events, parked reactions.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::reactors::eventually;
use crate::support::waiting::park_deliveries;

async fn verification(shop: &TestShop, name: &str) -> Value {
    let projections = shop.read("projections/").await;
    let mut found = projections.as_array().unwrap().iter().filter(|projection| projection["name"] == name);
    found.next().unwrap()["verification"].clone()
}

async fn verified(shop: &TestShop, name: &str, state: &str) -> Value {
    let started = shop.post(&format!("projections/{name}/verify/"), Value::Null).await;
    assert_eq!((started.status, &started.body["state"]), (StatusCode::ACCEPTED, &json!("verifying")));
    eventually(state, async || {
        let found = verification(shop, name).await;
        (found["state"] == state).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_verification_is_recorded_with_what_it_found() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 3).await;
    shop.settle().await;
    assert_eq!(verification(&shop, "products").await, Value::Null);
    let equal = verified(&shop, "products", "equal").await;
    assert_eq!((&equal["different"], &equal["error"]), (&json!(0), &Value::Null));
    assert!(equal["rows"].as_i64().unwrap() >= 1 && equal["finished_at"].is_string(), "{equal}");
    assert_eq!(equal["position"], shop.log_position().await);

    // A difference is a warning, which a later verification without one removes.
    sqlx::raw_sql("update live.products set name = 'Cattle'").execute(&shop.pool).await.unwrap();
    let different = verified(&shop, "products", "different").await;
    assert_eq!(different["different"], 2, "the row of the table, and that of the log: {different}");
    let warned = eventually("the warning", async || {
        let status = shop.read("status/").await;
        let warning = status["warnings"].as_array().unwrap().first().cloned()?;
        (warning["code"] == "verification_failed").then_some(warning)
    });
    assert!(warned.await["detail"].as_str().unwrap().contains("products"));
    sqlx::raw_sql("update live.products set name = 'Kettle'").execute(&shop.pool).await.unwrap();
    verified(&shop, "products", "equal").await;

    // A node that dies leaves no lock: nothing waits for its verification, and another one begins.
    sqlx::raw_sql("update projection_verification set finished_at = null").execute(&shop.pool).await.unwrap();
    assert_eq!(verification(&shop, "products").await["state"], "interrupted");
    // While a session holds the lock of a verification, no other begins.
    let mut other = shop.pool.acquire().await.unwrap();
    let schema = format!("verify_products_{}", "0".repeat(32));
    let lock = "select pg_advisory_lock($1, hashtext($2))";
    sqlx::query(lock).bind(0x6361_7274_i32).bind(&schema).execute(&mut *other).await.unwrap();
    assert_eq!(verification(&shop, "products").await["state"], "running");
    let refused = shop.post("projections/products/verify/", Value::Null).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "verification_running"));
    sqlx::raw_sql("select pg_advisory_unlock_all()").execute(&mut *other).await.unwrap();
    verified(&shop, "products", "equal").await;
    let unknown = shop.post("projections/nonsense/verify/", Value::Null).await;
    assert_eq!((unknown.status, unknown.problem()), (StatusCode::NOT_FOUND, "projection_not_found"));
}

#[tokio::test]
async fn the_report_names_the_log_the_files_and_what_waits() {
    let shop = TestShop::new().await;
    sqlx::raw_sql(
        "insert into applied_file
         select kind, decode(repeat(digest, 32), 'hex'), name, 10, applied, '{\"products\": {\"created\": 3, \"changed\": 1,
             \"unchanged\": 2}}'::jsonb, '[{\"row\": 4, \"reason\": \"no price\"}]'::jsonb, 'backup.jsonl', clock_timestamp(), changed_at::timestamptz
         from (values
             ('import', 'aa', 'old.csv', 10, '2026-01-01'),
             ('import', 'bb', 'new.csv', 10, '2026-03-01'),
             ('deploy', 'cc', 'half.jsonl', 6, '2026-02-01')
         ) as file (kind, digest, name, applied, changed_at)",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    let status = shop.read("status/").await;
    assert_eq!((&status["writes"], &status["warnings"], &status["lag"]), (&json!(true), &json!([]), &json!(0)));
    assert_eq!(
        (&status["log"]["generation"], &status["log"]["position"]),
        (&json!(1), &json!(shop.log_position().await))
    );
    let files = status["applied_files"].as_array().unwrap();
    let names: Vec<_> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["half.jsonl", "new.csv", "old.csv"], "unfinished files come first");
    let file = &files[0];
    assert_eq!((&file["created"], &file["refused"], &file["applied_rows"]), (&json!(3), &json!(1), &json!(6)));
    assert_eq!(file["first_refused"], json!([{ "row": 4, "reason": "no price" }]));
    assert_eq!(status["missing_stock"], json!({ "units": 0, "products": 0 }));
    assert_eq!(status["waiting_erasures"], json!({ "erasures": 0, "since": null }));
    assert_eq!((&status["part_paid_orders"], &status["restored_reactions"]), (&json!(0), &json!([])));
}

/// Positions of the events of all pages.
async fn walk(shop: &TestShop, path: &str) -> Vec<i64> {
    let (mut positions, mut next) = (Vec::new(), path.to_owned());
    loop {
        let answer = shop.get(&next).await;
        assert_eq!(answer.status, StatusCode::OK, "{next}: {}", answer.body);
        positions.extend(answer.body.as_array().unwrap().iter().map(|event| event["position"].as_i64().unwrap()));
        let Some(link) = answer.header("link").strip_prefix("</shop/api/") else { return positions };
        next = link.split('>').next().unwrap().to_owned();
    }
}

#[tokio::test]
async fn the_newest_events_come_first_under_every_filter() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 3).await;
    for price in ["21.00", "22.00", "23.00"] {
        shop.send("PATCH", &format!("product/{product}/"), json!({ "price": price }), &[]).await;
    }
    shop.category("Garden").await;
    let head = shop.log_position().await;
    for filter in
        ["", "&type=ProductRepriced", "&stream=Product/1", "&stream=Product/1&type=ProductRepriced", "&after=3"]
    {
        for limit in [1, 2, 100] {
            let mut oldest = walk(&shop, &format!("events/?limit={limit}{filter}")).await;
            let newest = walk(&shop, &format!("events/?newest_first=true&limit={limit}{filter}")).await;
            assert!(!newest.is_empty(), "{filter}");
            oldest.reverse();
            assert_eq!(newest, oldest, "{filter} by {limit}");
        }
    }
    assert_eq!(walk(&shop, &format!("events/?newest_first=true&after={head}")).await, [0; 0]);
    let beyond = shop.get(&format!("events/?newest_first=true&after={}", head + 1)).await;
    assert_eq!(beyond.status, StatusCode::GONE);
}

#[tokio::test]
async fn several_reactions_are_decided_at_once() {
    let shop = TestShop::new().await;
    shop.category("Garden").await;
    park_deliveries(&shop, 4, "the receiver answered 500").await;
    let ids: Vec<i64> = shop
        .read("reactions/?state=parked")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["reaction_id"].as_i64().unwrap())
        .collect();
    let retried =
        shop.done("reactions/decide/", json!({ "reaction_ids": [ids[0], ids[1], 999], "decision": "retry" })).await;
    assert_eq!(retried["decided"], 2);
    let dropped = shop.done("reactions/decide/", json!({ "reaction_ids": [ids[2]], "decision": "drop" })).await;
    assert_eq!(dropped["decided"], 1);
    let left = shop.read("reactions/").await;
    let left: Vec<_> = left.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(left, ["due", "due", "parked"]);
    let decisions = shop.read("reaction-decisions/").await;
    assert_eq!(decisions.as_array().unwrap().len(), 3);
    for (body, field) in [
        (json!({ "reaction_ids": [], "decision": "drop" }), "reaction_ids"),
        (json!({ "reaction_ids": vec![1; 1_001], "decision": "drop" }), "reaction_ids"),
        (json!({ "reaction_ids": [1], "decision": "forget" }), "decision"),
        (json!({ "reaction_ids": ["x"], "decision": "drop" }), "reaction_ids"),
    ] {
        let refused = shop.post("reactions/decide/", body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        assert!(refused.body["errors"][0]["field"].as_str().unwrap().starts_with(field), "{}", refused.body);
    }
}

#[tokio::test]
async fn accounts_are_found_by_address_and_staff_alone() {
    let shop = TestShop::new().await;
    let customer = "insert into account (account_id, email, role, customer_id, opened_at)
        values (900, 'jo@example.com', 'customer', 1, clock_timestamp())";
    sqlx::raw_sql(customer).execute(&shop.pool).await.unwrap();
    shop.done("users/", json!({ "email": "Ed@example.com", "role": "reader" })).await;
    let emails = async |query: &str| -> Vec<String> {
        let users = shop.read(&format!("users/{query}")).await;
        users.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    };
    assert!(emails("").await.contains(&"jo@example.com".to_owned()));
    let staff = emails("?staff=true").await;
    assert!(staff.contains(&"Ed@example.com".to_owned()) && !staff.contains(&"jo@example.com".to_owned()), "{staff:?}");
    assert_eq!(emails("?email=ed@EXAMPLE.com").await, ["Ed@example.com"]);
    assert_eq!(emails("?email=jo@example.com&staff=true").await, [""; 0]);
    assert_eq!(emails("?email=unknown@example.com").await, [""; 0]);
}
