//! People can be forgotten: the log never knew them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

#[tokio::test]
async fn the_log_holds_no_personal_value_and_an_erased_customer_is_gone() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let values = ["Zebediah", "Quistgaard", "zebediah.q@example.com", "Philippa", "Xanthopoulos", "px@example.com"];
    let key = [("idempotency-key", "person")];
    let person = json!({ "first_name": values[0], "last_name": values[1], "email": values[2] });
    assert_eq!(shop.send("POST", "customers/", person, &key).await.status, StatusCode::CREATED);
    let changed = json!({ "first_name": values[3], "last_name": values[4], "email": values[5] });
    let patched = shop.send("PATCH", "customer/1/", changed, &[("idempotency-key", "change")]).await;
    assert_eq!(patched.status, StatusCode::OK);
    assert_eq!(shop.read("customer/1/").await["email"], values[5]);
    shop.add(1, product, 1).await;
    shop.check_out(1).await;
    shop.add(1, product, 1).await;

    let everywhere = async |tables: &[&str]| {
        let mut found = Vec::new();
        for table in tables {
            let rows: Value =
                sqlx::query_scalar(&format!("select coalesce(jsonb_agg(to_jsonb(row)), '[]') from {table} as row"))
                    .fetch_one(&shop.pool)
                    .await
                    .unwrap();
            found.extend(
                values
                    .iter()
                    .filter(|value| rows.to_string().contains(*value))
                    .map(|value| format!("{table}: {value}")),
            );
        }
        found
    };
    assert_eq!(everywhere(&["events", "idempotency", "snapshots"]).await, Vec::<String>::new());
    assert_eq!(everywhere(&["customer_profile"]).await.len(), 3, "the scan does find what is there");

    let erased = shop.send("DELETE", "customer/1/", Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT);
    let everything =
        ["events", "idempotency", "customer_profile", "live.customers", "live.orders", "live.customer_stats"];
    assert_eq!(everywhere(&everything).await, Vec::<String>::new());
    assert_eq!(shop.get("customer/1/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.get("customer/1/cart/").await.body["items"], json!([]));
    assert_eq!(shop.check_out(1).await.status, StatusCode::NOT_FOUND);
    let stats = shop.read("customer-stats/").await;
    assert_eq!((&stats[0]["name"], &stats[0]["total_spent"]), (&json!("Erased customer"), &json!("20.00")));
    // The address is free again.
    let other = json!({ "first_name": "Jo", "last_name": "Miller", "email": values[5] });
    assert_eq!(shop.post("customers/", other).await.status, StatusCode::CREATED);
}
