//! Addresses: their values in a table that can be erased, only their numbers in the log.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

fn home() -> Value {
    json!({
        "name": "Ada Miller", "line1": "12 Mill Lane", "line2": "Back door", "postal_code": "AB1 2CD",
        "city": "Milltown", "region": "Shire", "country": "GB",
    })
}

#[tokio::test]
async fn addresses_are_added_changed_and_removed() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    let path = format!("customer/{customer}/addresses/");
    assert_eq!(shop.read(&path).await, json!([]));
    let added = shop.send("POST", &path, home(), &[("idempotency-key", "home")]).await;
    assert_eq!((added.status, &added.body), (StatusCode::CREATED, &json!({ "address_id": 1 })));
    assert_eq!(added.header("location"), format!("/shop/api/{path}1/"));
    let again = shop.send("POST", &path, home(), &[("idempotency-key", "home")]).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &added.body));
    let mut short = home();
    for field in ["line2", "region"] {
        short.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(shop.done(&path, short).await["address_id"], 2);
    let (mut first, mut second) = (home(), home());
    first["address_id"] = json!(1);
    second["address_id"] = json!(2);
    (second["line2"], second["region"]) = (Value::Null, Value::Null);
    assert_eq!(shop.read(&path).await, json!([first, second]));

    let etag = shop.get(&format!("customer/{customer}/")).await.header("etag").to_owned();
    let change = json!({ "city": "Newtown", "line2": "", "region": "  " });
    let first_path = format!("{path}1/");
    let changed = shop.send("PATCH", &first_path, change.clone(), &[("if-match", &etag)]).await;
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &json!({ "address_id": 1 })));
    assert_eq!(shop.send("PATCH", &first_path, change, &[("if-match", &etag)]).await.problem(), "stale");
    first["city"] = json!("Newtown");
    (first["line2"], first["region"]) = (Value::Null, Value::Null);
    assert_eq!(shop.read(&path).await[0], first);
    let page = shop.get(&format!("{path}?limit=1")).await;
    assert_eq!((page.body.as_array().unwrap().len(), page.header("link").is_empty()), (1, false));

    let events = shop.send("PATCH", &format!("{first_path}?dry_run=true"), json!({ "country": "FR" }), &[]).await;
    assert_eq!(events.body["events"][0]["payload"]["fields"], json!(["country"]));
    assert_eq!(shop.send("DELETE", &first_path, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    for (method, body) in [("DELETE", Value::Null), ("PATCH", json!({ "city": "X" })), ("PATCH", json!({}))] {
        let gone = shop.send(method, &first_path, body, &[]).await;
        assert_eq!((gone.status, gone.problem()), (StatusCode::NOT_FOUND, "address_not_found"));
    }
    assert_eq!(shop.done(&path, home()).await["address_id"], 3, "a number is never given again");
    assert_eq!(shop.read(&path).await.as_array().unwrap().len(), 2);
    let history = shop.read(&format!("customer/{customer}/history/")).await;
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!(last["before"], json!({ "addresses": [2], "last_address": 2 }));
    assert_eq!(last["after"], json!({ "addresses": [2, 3], "last_address": 3 }));
    for bad in ["gb", "XX", "GBR", ""] {
        let mut address = home();
        address["country"] = json!(bad);
        assert_eq!(shop.post(&path, address).await.body["errors"][0]["field"], "country");
    }
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn addresses_of_unknown_customers_are_not_found_and_of_erased_customers_deleted() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    let path = format!("customer/{customer}/addresses/");
    shop.done(&path, home()).await;
    assert_eq!(shop.get("customer/99/addresses/").await.problem(), "customer_not_found");
    assert_eq!(shop.post("customer/99/addresses/", home()).await.problem(), "customer_not_found");
    shop.send("DELETE", &format!("customer/{customer}/"), Value::Null, &[]).await;
    assert_eq!(shop.post(&path, home()).await.problem(), "customer_not_found");
    assert_eq!(shop.read(&path).await, json!([]));
    let kept: i64 = sqlx::query_scalar("select count(*) from address").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(kept, 0);
}
