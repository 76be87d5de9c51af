//! Addresses: their values in a table that can be erased, only their numbers in the log.

use axum::http::StatusCode;
use cartwright::journal::check_log;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop};

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
    for (id, address) in [(1, &mut first), (2, &mut second)] {
        address["address_id"] = json!(id);
        (address["default_shipping"], address["default_billing"]) = (json!(false), json!(false));
    }
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

/// The default addresses of customer 1: shipping and billing.
async fn defaults(shop: &TestShop) -> [Vec<i64>; 2] {
    let addresses = shop.read("customer/1/addresses/").await;
    ["default_shipping", "default_billing"].map(|field| {
        let marked = addresses.as_array().unwrap().iter().filter(|address| address[field] == true);
        marked.map(|address| address["address_id"].as_i64().unwrap()).collect()
    })
}

async fn mark(shop: &TestShop, address: i64, marks: Value) -> Answer {
    shop.send("PATCH", &format!("customer/1/addresses/{address}/"), marks, &[]).await
}

#[tokio::test]
async fn at_most_one_address_of_each_kind_is_the_default_also_with_requests_at_once() {
    let shop = TestShop::new().await;
    shop.customer("Ada").await;
    let mut marked = home();
    (marked["default_shipping"], marked["default_billing"]) = (json!(true), json!(true));
    for _ in 0..3 {
        shop.done("customer/1/addresses/", marked.clone()).await;
    }
    assert_eq!(defaults(&shop).await, [vec![3], vec![3]]);
    assert_eq!(mark(&shop, 1, json!({ "default_shipping": true })).await.body, json!({ "address_id": 1 }));
    assert_eq!(defaults(&shop).await, [vec![1], vec![3]]);
    // What is so already, and another address's mark, change nothing.
    let head = shop.engine.journal.position();
    mark(&shop, 1, json!({ "default_shipping": true })).await;
    mark(&shop, 2, json!({ "default_shipping": false, "default_billing": false })).await;
    assert_eq!(shop.engine.journal.position(), head);
    let marks = json!({ "default_shipping": false });
    let planned = shop.send("PATCH", "customer/1/addresses/1/?dry_run=true", marks.clone(), &[]).await;
    let event = json!({ "event": "CustomerDefaultAddressesChanged", "shipping": null, "billing": 3 });
    assert_eq!((planned.body["events"].as_array().unwrap().len(), &planned.body["events"][0]["payload"]), (1, &event));
    mark(&shop, 1, marks).await;
    assert_eq!(defaults(&shop).await, [vec![], vec![3]]);
    // Both a new value and a mark.
    mark(&shop, 2, json!({ "city": "Newtown", "default_billing": true })).await;
    assert_eq!(defaults(&shop).await, [vec![], vec![2]]);
    shop.send("DELETE", "customer/1/addresses/2/", Value::Null, &[]).await;
    assert_eq!(defaults(&shop).await, [vec![0; 0], vec![]]);
    for (marks, field) in
        [(json!({ "default_shipping": "yes" }), "default_shipping"), (json!({ "default": true }), "default")]
    {
        let refused = mark(&shop, 1, marks).await;
        assert_eq!((refused.problem(), &refused.body["errors"][0]["field"]), ("invalid_request", &json!(field)));
    }
    // An address within another body has no marks.
    let order = json!({ "lines": [{ "product_id": 1, "quantity": 1 }], "shipping_address": marked });
    assert_eq!(shop.post("orders/", order).await.status, StatusCode::BAD_REQUEST);

    let both = json!({ "default_shipping": true, "default_billing": true });
    let at_once = (0..12).map(|turn| mark(&shop, 1 + 2 * (turn % 2), both.clone()));
    for answer in futures_util::future::join_all(at_once).await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let [shipping, billing] = defaults(&shop).await;
    assert_eq!((shipping.len(), &shipping), (1, &billing));
    let history = shop.read("customer/1/history/?limit=1000").await;
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!(last["after"], json!({ "default_shipping": shipping[0], "default_billing": billing[0] }));
    let etag = shop.get("customer/1/").await.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", last["sequence"]));
    shop.check_log().await;
    shop.verify().await;

    // The check of the log finds defaults that the customer does not have.
    let damage = "alter table events disable trigger user;
        update events set payload = payload || '{\"shipping\": 2}'
        where position = (select max(position) from events where event_type = 'CustomerDefaultAddressesChanged')";
    sqlx::raw_sql(damage).execute(&shop.pool).await.unwrap();
    let broken = check_log(&shop.pool).await.unwrap().into_iter().filter(|rule| rule.offences > 0);
    let found: Vec<_> = broken.map(|rule| (rule.name, rule.findings[0].found.clone())).collect();
    assert_eq!(found, [("addresses", "address 2 removed".to_owned())]);
}

#[tokio::test]
async fn a_checkout_that_names_no_address_uses_the_defaults() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 500).await;
    shop.customer("Ada").await;
    let fees = json!({ "fees": [
        { "country": "GB", "from": "0.00", "fee": "1.00" },
        { "country": "FR", "from": "0.00", "fee": "2.00" },
        { "country": "DE", "from": "0.00", "fee": "4.00" },
    ] });
    let fees = shop.send("PUT", "pricing/shipping/", fees, &[]).await;
    assert_eq!(fees.status, StatusCode::OK, "{}", fees.body);
    for (country, marks) in [("GB", json!({})), ("FR", json!({ "default_billing": true }))] {
        let mut address = home();
        address["country"] = json!(country);
        address.as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
        shop.done("customer/1/addresses/", address).await;
    }
    // The countries of the shipping and the billing address of an order, and its total.
    let check_out = async |body: Value| {
        shop.add(1, product, 1).await;
        let mut ordered = shop.post("customer/1/cart/checkout/", body.clone()).await;
        // The answer to a buyer whose default changed several times during the checkout.
        while ordered.status == StatusCode::CONFLICT && ordered.problem() == "address_changed" {
            ordered = shop.post("customer/1/cart/checkout/", body.clone()).await;
        }
        assert_eq!(ordered.status, StatusCode::CREATED, "{}", ordered.body);
        let summary = shop.read(&format!("order/{}/summary/", ordered.body["order_id"])).await;
        let country = |kind: &str| {
            let mut kept = summary["addresses"].as_array().unwrap().iter().filter(|address| address["kind"] == kind);
            kept.next().map_or_else(String::new, |address| address["country"].as_str().unwrap().to_owned())
        };
        (country("shipping"), country("billing"), summary["total_amount"].as_str().unwrap().to_owned())
    };
    let expect =
        |shipping: &str, billing: &str, total: &str| (shipping.to_owned(), billing.to_owned(), total.to_owned());
    // A billing default alone; fees need a country.
    shop.add(1, product, 1).await;
    assert_eq!(shop.check_out(1).await.problem(), "shipping_country_required");
    shop.send("DELETE", "customer/1/cart/", Value::Null, &[]).await;
    assert_eq!(check_out(json!({ "shipping_country": "DE" })).await, expect("", "FR", "24.00"));
    mark(&shop, 1, json!({ "default_shipping": true })).await;
    assert_eq!(check_out(Value::Null).await, expect("GB", "FR", "21.00"));
    assert_eq!(check_out(json!({ "shipping_country": "GB" })).await, expect("GB", "FR", "21.00"));
    // A buyer who names another country or address does not mean the default.
    assert_eq!(check_out(json!({ "shipping_country": "DE" })).await, expect("", "FR", "24.00"));
    assert_eq!(check_out(json!({ "shipping_address_id": 2 })).await, expect("FR", "", "22.00"));
    assert_eq!(check_out(json!({ "billing_address_id": 1 })).await, expect("GB", "GB", "21.00"));
    let named = json!({ "shipping_address_id": 2, "billing_address_id": 1 });
    assert_eq!(check_out(named).await, expect("FR", "GB", "22.00"));
    // The address as it is at the checkout, in a quote too, and replayed by its key.
    mark(&shop, 1, json!({ "country": "DE" })).await;
    shop.add(1, product, 1).await;
    let quote = shop.post("customer/1/cart/checkout/?dry_run=true", Value::Null).await;
    assert_eq!((quote.status, &quote.body["total_amount"]), (StatusCode::OK, &json!("24.00")));
    let key = [("idempotency-key", "once")];
    let first = shop.send("POST", "customer/1/cart/checkout/", Value::Null, &key).await;
    let again = shop.send("POST", "customer/1/cart/checkout/", Value::Null, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    // One address for both needs no copy for billing.
    mark(&shop, 1, json!({ "default_billing": true })).await;
    assert_eq!(check_out(Value::Null).await, expect("DE", "", "24.00"));
    shop.send("DELETE", "customer/1/addresses/1/", Value::Null, &[]).await;
    shop.add(1, product, 1).await;
    assert_eq!(shop.check_out(1).await.problem(), "shipping_country_required");

    // Checkouts while the default changes: each order has the address of the country that it was priced for.
    shop.send("DELETE", "customer/1/cart/", Value::Null, &[]).await;
    shop.send("PATCH", "customer/1/addresses/2/", json!({ "default_shipping": true }), &[]).await;
    let mut german = home();
    german["country"] = json!("DE");
    let german = shop.done("customer/1/addresses/", german).await["address_id"].as_i64().unwrap();
    let changes = async {
        for turn in 0..10 {
            mark(&shop, if turn % 2 == 0 { german } else { 2 }, json!({ "default_shipping": true })).await;
        }
    };
    let checkouts = async {
        for _ in 0..10 {
            let (shipping, billing, total) = check_out(Value::Null).await;
            let expected = if shipping == "DE" { "24.00" } else { "22.00" };
            assert_eq!((billing.as_str(), total.as_str()), ("", expected), "{shipping}");
        }
    };
    tokio::join!(changes, checkouts);
    shop.check_log().await;
}
