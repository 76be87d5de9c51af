//! Where orders go: countries that fees and taxes cover, addresses, collection by the buyer, corrections.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::guests::{address, as_guest};
use crate::support::pricing::put_table;

async fn put(shop: &TestShop, path: &str, body: Value) -> crate::support::Answer {
    shop.send("PUT", path, body, &[]).await
}

/// Fees and taxes for Germany alone, and a cart with a kettle at 20.00.
async fn german_shop() -> (TestShop, i64, i64) {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let customer = shop.customer("Ada").await;
    put_table(&shop, "shipping", json!({ "fees": [{ "country": "DE", "from": "0", "fee": "4.90" }] })).await;
    let rates = json!({ "inclusive": true, "rates": [{ "country": "DE", "percent": "19" }] });
    put_table(&shop, "taxes", rates).await;
    shop.add(customer, product, 1).await;
    (shop, product, customer)
}

async fn staff_order(shop: &TestShop, product: i64, more: Value) -> i64 {
    let mut body = json!({ "lines": [{ "product_id": product, "quantity": 2 }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.done("orders/", body).await["order_id"].as_i64().unwrap()
}

fn shown_names(summary: &Value) -> Vec<&str> {
    summary["addresses"].as_array().unwrap().iter().map(|address| address["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_order_needs_a_country_that_fees_and_taxes_cover() {
    let (shop, product, customer) = german_shop().await;
    let path = format!("customer/{customer}/cart/checkout/");
    let before = shop.engine.journal.position();
    for dry_run in ["", "?dry_run=true"] {
        for (body, code) in
            [(json!({}), "shipping_country_required"), (json!({ "shipping_country": "US" }), "not_shipped_there")]
        {
            let refused = shop.post(&format!("{path}{dry_run}"), body).await;
            assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, code), "{dry_run}");
        }
    }
    let cart = shop.guest_cart(product).await;
    let mut guest = as_guest("Jo");
    guest["shipping_address"] = address("Jo", "US");
    let refused = shop.send_without_token("POST", &format!("{cart}checkout/"), guest).await;
    assert_eq!(refused.problem(), "not_shipped_there");
    assert_eq!(shop.engine.journal.position(), before + 2, "a cart and its item, and nothing else");

    // A row without a country covers the rest, in each table by itself.
    let fees = json!([{ "country": "DE", "from": "0", "fee": "4.90" }, { "from": "0", "fee": "19.90" }]);
    put_table(&shop, "shipping", json!({ "fees": fees })).await;
    let half = shop.post(&path, json!({ "shipping_country": "US" })).await;
    assert_eq!(half.problem(), "not_shipped_there", "no tax rate covers it");
    let rates = json!([{ "country": "DE", "percent": "19" }, { "percent": "0" }]);
    put_table(&shop, "taxes", json!({ "inclusive": true, "rates": rates })).await;
    for (body, total) in [
        (json!({}), "39.90"),
        (json!({ "shipping_country": "US" }), "39.90"),
        (json!({ "shipping_country": "DE" }), "24.90"),
    ] {
        let quote = shop.post(&format!("{path}?dry_run=true"), body).await;
        assert_eq!((quote.status, &quote.body["total_amount"]), (StatusCode::OK, &json!(total)));
    }
    assert_eq!(shop.post(&path, json!({ "shipping_country": "US" })).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn prices_that_staff_agreed_depend_on_no_country() {
    let (shop, product, _) = german_shop().await;
    let order = staff_order(&shop, product, json!({ "shipping_address": address("Jo", "US") })).await;
    let summary = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!((&summary["total_amount"], &summary["shipping_country"]), (&json!("40.00"), &json!("US")));
    let moved = put(&shop, &format!("order/{order}/addresses/"), json!({ "shipping": address("Jo", "CA") })).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["shipping_country"], "CA");
    shop.verify().await;
}

#[tokio::test]
async fn a_guest_gets_a_quote_for_a_country_alone() {
    let (shop, product, _) = german_shop().await;
    let cart = shop.guest_cart(product).await;
    let path = format!("{cart}checkout/");
    let quote = async |body: Value| shop.send_without_token("POST", &format!("{path}?dry_run=true"), body).await;
    let priced = quote(json!({ "shipping_country": "DE" })).await;
    assert_eq!((priced.status, &priced.body["total_amount"]), (StatusCode::OK, &json!("24.90")), "{}", priced.body);
    assert_eq!(quote(json!({ "shipping_country": "US" })).await.problem(), "not_shipped_there");
    assert_eq!(quote(json!({})).await.problem(), "shipping_country_required");
    let mut both = as_guest("Jo");
    both["shipping_address"] = address("Jo", "DE");
    both["shipping_country"] = json!("FR");
    assert_eq!(quote(both.clone()).await.problem(), "address_changed");
    both["shipping_country"] = json!("DE");
    assert_eq!(quote(both).await.status, StatusCode::OK);

    let order = shop.send_without_token("POST", &path, json!({ "shipping_country": "DE" })).await;
    let fields: Vec<_> =
        order.body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!((order.status, fields), (StatusCode::BAD_REQUEST, vec!["name", "email", "shipping_address"]));
}

#[tokio::test]
async fn nothing_is_sent_without_an_address_unless_the_buyer_collects_it() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let order = staff_order(&shop, product, json!({})).await;
    shop.done(&format!("order/{order}/pay/"), json!({})).await;
    shop.done(&format!("order/{order}/process/"), json!({})).await;
    let before = shop.engine.journal.position();
    let path = format!("order/{order}/ship/");
    let one = json!([{ "line": 1, "quantity": 1 }]);
    let refused = shop.post(&path, json!({ "carrier": "DHL" })).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "address_missing"));
    for field in ["carrier", "tracking_number"] {
        let refused = shop.post(&path, json!({ "collected": true, field: "DHL" })).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    assert_eq!(shop.engine.journal.position(), before);

    shop.done(&path, json!({ "collected": true, "lines": one })).await;
    assert_eq!(shop.post(&path, json!({})).await.problem(), "address_missing", "the rest needs one too");
    // A billing address is no destination.
    let addresses = format!("order/{order}/addresses/");
    assert_eq!(put(&shop, &addresses, json!({ "billing": address("Jo", "GB") })).await.status, StatusCode::OK);
    assert_eq!(shop.post(&path, json!({})).await.problem(), "address_missing");
    assert_eq!(put(&shop, &addresses, json!({ "shipping": address("Jo", "GB") })).await.status, StatusCode::OK);
    shop.done(&path, json!({ "carrier": "DHL", "collected": false })).await;

    let summary = shop.read(&format!("order/{order}/summary/")).await;
    let collected = summary["shipments"].as_array().unwrap().iter().map(|shipment| &shipment["collected"]);
    assert_eq!(collected.collect::<Vec<_>>(), [true, false]);
    assert_eq!(summary["status"], "shipped");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn staff_enter_the_recipients_of_an_order() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let customer = shop.customer("Ada").await;
    shop.done(&format!("customer/{customer}/addresses/"), address("Ada", "GB")).await;
    let guest = json!({
        "contact": { "name": "Jo Miller", "email": "jo@example.com" },
        "shipping_address": address("Jo", "GB"), "billing_address": address("Firm", "FR"),
    });
    let order = staff_order(&shop, product, guest).await;
    let summary = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!(summary["contact"], json!({ "name": "Jo Miller", "email": "jo@example.com" }));
    let names = shown_names(&summary);
    assert_eq!((names, &summary["shipping_country"]), (vec!["Jo Miller", "Firm Miller"], &json!("GB")));

    let known = json!({ "customer_id": customer, "shipping_address_id": 1, "billing_address": address("Firm", "FR") });
    let order = staff_order(&shop, product, known).await;
    let summary = shop.read(&format!("order/{order}/summary/")).await;
    let names = shown_names(&summary);
    assert_eq!((names, &summary["contact"]), (vec!["Ada Miller", "Firm Miller"], &Value::Null));

    let contact = json!({ "name": "Jo", "email": "jo@example.com" });
    for (more, field) in [
        (json!({ "customer_id": customer, "contact": contact }), "contact"),
        (json!({ "contact": { "name": "Jo", "email": "jo" } }), "contact.email"),
        (json!({ "contact": { "name": "Jo" } }), "contact.email"),
        (json!({ "shipping_address_id": 1 }), "shipping_address_id"),
        (
            json!({ "customer_id": customer, "billing_address_id": 1, "billing_address": address("Jo", "GB") }),
            "billing_address_id",
        ),
    ] {
        let mut body = json!({ "lines": [{ "product_id": product, "quantity": 1 }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = shop.post("orders/", body).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    let unknown = json!({
        "customer_id": customer, "shipping_address_id": 9, "lines": [{ "product_id": product, "quantity": 1 }],
    });
    assert_eq!(shop.post("orders/", unknown).await.problem(), "address_not_found");
    shop.verify().await;
}

#[tokio::test]
async fn addresses_and_contact_are_corrected_until_everything_is_sent() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let order = staff_order(&shop, product, json!({})).await;
    let (addresses, contact) = (format!("order/{order}/addresses/"), format!("order/{order}/contact/"));
    for (path, field) in [(&addresses, "shipping"), (&contact, "name")] {
        let refused = put(&shop, path, json!({})).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    assert_eq!(put(&shop, &contact, json!({ "name": "Jo" })).await.problem(), "contact_incomplete");
    let both = json!({ "name": "Jo", "email": "jo@example.com" });
    let corrected = put(&shop, &contact, both).await;
    assert_eq!(corrected.body, json!({ "order_id": order, "corrected": ["name", "email"] }));
    put(&shop, &contact, json!({ "email": "jo.miller@example.com" })).await;
    let refused = put(&shop, &contact, json!({ "email": "jo" })).await;
    assert_eq!(refused.body["errors"][0]["field"], "email");
    let seen = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!(seen["contact"], json!({ "name": "Jo", "email": "jo.miller@example.com" }));

    put(&shop, &addresses, json!({ "shipping": address("Jo", "GB") })).await;
    shop.done(&format!("order/{order}/process/"), json!({})).await;
    shop.done(&format!("order/{order}/ship/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    let second = json!({ "shipping": address("Joan", "GB"), "billing": address("Firm", "GB") });
    let corrected = put(&shop, &addresses, second.clone()).await;
    assert_eq!(corrected.body["corrected"], json!(["shipping", "billing"]), "a unit is still to be sent");
    shop.done(&format!("order/{order}/ship/"), json!({})).await;
    for (path, body) in [(&addresses, second), (&contact, json!({ "name": "Joan" }))] {
        let refused = put(&shop, path, body).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "nothing_to_send"));
    }
    let history = shop.read(&format!("order/{order}/history/")).await;
    let count =
        |event_type: &str| history.as_array().unwrap().iter().filter(|entry| entry["event_type"] == event_type).count();
    assert_eq!((count("OrderAddressesCorrected"), count("OrderContactCorrected")), (2, 2));

    let customer = shop.customer("Ada").await;
    let order = staff_order(&shop, product, json!({ "customer_id": customer })).await;
    let refused = put(&shop, &format!("order/{order}/contact/"), json!({ "name": "Jo" })).await;
    assert_eq!(refused.problem(), "order_of_customer");
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test]
async fn a_corrected_country_never_changes_the_agreed_total() {
    let (shop, _, customer) = german_shop().await;
    let fees = json!([
        { "country": "DE", "from": "0", "fee": "4.90" }, { "country": "AT", "from": "0", "fee": "4.90" },
        { "country": "CH", "from": "0", "fee": "9.90" },
    ]);
    put_table(&shop, "shipping", json!({ "fees": fees })).await;
    let rates = ["DE", "AT", "CH"].map(|country| json!({ "country": country, "percent": "19" }));
    put_table(&shop, "taxes", json!({ "inclusive": true, "rates": rates })).await;
    let checkout = format!("customer/{customer}/cart/checkout/");
    let order = shop.done(&checkout, json!({ "shipping_country": "DE" })).await["order_id"].as_i64().unwrap();
    let path = format!("order/{order}/addresses/");
    for (country, outcome) in
        [("CH", Err("country_changes_price")), ("US", Err("not_shipped_there")), ("AT", Ok(())), ("DE", Ok(()))]
    {
        let answer = put(&shop, &path, json!({ "shipping": address("Ada", country) })).await;
        match outcome {
            Ok(()) => assert_eq!(answer.status, StatusCode::OK, "{country}: {}", answer.body),
            Err(code) => assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, code), "{country}"),
        }
    }
    let abroad = put(&shop, &path, json!({ "billing": address("Ada", "CH") })).await;
    assert_eq!(abroad.status, StatusCode::OK, "the billing address costs nothing");
    shop.verify().await;
}
