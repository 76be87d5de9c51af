//! Metadata of carts, customers and orders: beside the log, and gone with the person.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::accounts::{PASSWORD, access};
use crate::support::{Answer, TestShop};

async fn put(shop: &TestShop, path: &str, pairs: Value) -> Answer {
    shop.send("PATCH", path, json!({ "metadata": pairs }), &[]).await
}

async fn cart_metadata(shop: &TestShop, path: &str) -> Value {
    shop.read(&format!("{path}?view=full")).await["metadata"].clone()
}

async fn guest_cart(shop: &TestShop) -> String {
    let token = shop.done("carts/", Value::Null).await["cart_token"].clone();
    format!("carts/{}/", token.as_str().unwrap())
}

async fn rows(shop: &TestShop) -> i64 {
    sqlx::query_scalar("select count(*) from entity_metadata").fetch_one(&shop.pool).await.unwrap()
}

#[tokio::test]
async fn metadata_goes_with_a_cart_to_its_order_and_is_exported_and_erased_with_the_customer() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let customer = shop.member("Zoe").await;
    let own = format!("customer/{customer}/");
    let cart = format!("{own}cart/");
    let plain = {
        shop.add(customer, product, 1).await;
        shop.get(&cart).await
    };
    let gift = json!({ "gift_note": "Happy birthday", "empty": "" });
    let answer = put(&shop, &cart, gift.clone()).await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &plain.body), "the answer shows no metadata");
    let read = shop.get(&cart).await;
    assert_eq!(read.body, plain.body, "the documented read is as before");
    assert_ne!(read.header("etag"), plain.header("etag"));
    assert_eq!(cart_metadata(&shop, &cart).await, gift);
    // It replaces all pairs, survives an emptied cart, and leaves a checked-out one.
    put(&shop, &cart, json!({ "gift_note": "Get well" })).await;
    shop.send("DELETE", &cart, Value::Null, &[]).await;
    assert_eq!(cart_metadata(&shop, &cart).await, json!({ "gift_note": "Get well" }));
    shop.add(customer, product, 1).await;
    let order = shop.check_out(customer).await.body["order_id"].as_i64().unwrap();
    let (order, summary) = (format!("order/{order}/"), format!("order/{order}/summary/"));
    assert_eq!(shop.read(&summary).await["metadata"], json!({ "gift_note": "Get well" }));
    shop.add(customer, product, 1).await;
    assert_eq!(cart_metadata(&shop, &cart).await, json!({}));
    let second = shop.check_out(customer).await.body["order_id"].clone();
    assert_eq!(shop.read(&format!("order/{second}/summary/")).await["metadata"], json!({}));

    let before = shop.get(&summary).await;
    let if_match = [("if-match", before.header("etag"))];
    let change = json!({ "metadata": { "crm": "4711" } });
    let changed = shop.send("PATCH", &order, change.clone(), &if_match).await;
    assert_eq!((changed.status, changed.body), (StatusCode::OK, json!({ "order_id": 1 })));
    assert_eq!(shop.send("PATCH", &order, change, &if_match).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(put(&shop, &own, json!({ "vip": "yes" })).await.status, StatusCode::OK);
    assert_eq!(shop.read(&own).await["metadata"], json!({ "vip": "yes" }));
    put(&shop, &cart, json!({ "gift_note": "next" })).await;

    let token = access(&shop.log_in("zoe@example.com", PASSWORD).await).to_owned();
    let vip = json!({ "metadata": { "vip": "very" } });
    assert_eq!(shop.send_with_token(&token, "PATCH", &own, vip).await.status, StatusCode::FORBIDDEN);
    let export = shop.read(&format!("{own}export/")).await;
    assert_eq!(
        (&export["metadata"], &export["cart_metadata"]),
        (&json!({ "vip": "yes" }), &json!({ "gift_note": "next" }))
    );
    assert_eq!(export["orders"][0]["metadata"], json!({ "crm": "4711" }));
    let log: String =
        sqlx::query_scalar("select string_agg(payload::text, ' ') from events where event_type like '%Metadata%'")
            .fetch_one(&shop.pool)
            .await
            .unwrap();
    assert!(!log.contains("gift_note") && !log.contains("vip"), "{log}");
    let history = shop.read("order/1/history/").await;
    assert_eq!(history.as_array().unwrap().last().unwrap()["event_type"], "OrderMetadataChanged");

    for number in [json!(1), second] {
        shop.complete_order(number.as_i64().unwrap()).await;
    }
    assert_eq!(rows(&shop).await, 3);
    let erased = shop.send("DELETE", &own, Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
    assert_eq!(rows(&shop).await, 0);
    let late = put(&shop, &order, json!({ "crm": "again" })).await;
    assert_eq!((late.status, late.problem()), (StatusCode::CONFLICT, "contact_erased"));
    assert_eq!(put(&shop, &cart, json!({ "a": "b" })).await.problem(), "customer_not_found");
    assert_eq!(put(&shop, "order/99/", json!({})).await.problem(), "order_not_found");
    assert_eq!(rows(&shop).await, 0);
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn the_metadata_of_a_guests_cart_is_merged_expires_and_is_erased_with_the_order() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let customer = shop.customer("Ada").await;
    let own = format!("customer/{customer}/cart/");
    let item = json!({ "product_id": product, "quantity": 1 });
    // The metadata of the customer's cart stays, unless the guest's cart is kept.
    for (mode, kept) in [("sum", "customer"), ("keep_guest", "guest")] {
        put(&shop, &own, json!({ "from": "customer" })).await;
        let cart = guest_cart(&shop).await;
        let removed = put(&shop, &cart, json!({})).await;
        assert_eq!(removed.status, StatusCode::OK, "{}", removed.body);
        assert_eq!(put(&shop, &cart, json!({ "from": "guest" })).await.body["items"], json!([]));
        shop.done(&format!("{cart}items/"), item.clone()).await;
        let token = cart.split('/').nth(1).unwrap();
        shop.done(&format!("{own}merge/"), json!({ "cart_token": token, "mode": mode })).await;
        assert_eq!(cart_metadata(&shop, &own).await, json!({ "from": kept }));
        assert_eq!(rows(&shop).await, 1);
        assert_eq!(put(&shop, &cart, json!({ "late": "" })).await.problem(), "cart_not_found");
    }
    put(&shop, &own, json!({})).await;
    assert_eq!(rows(&shop).await, 0);
    // Staff give it to a new customer and a new order.
    let pairs = json!({ "crm": "17" });
    let person = json!({ "first_name": "Bo", "email": "bo@example.com", "metadata": pairs });
    let person = shop.done("customers/", person).await["customer_id"].clone();
    let lines = json!([{ "product_id": product, "quantity": 1 }]);
    let order = json!({ "customer_id": person, "lines": lines, "metadata": pairs });
    let order = shop.done("orders/", order).await["order_id"].as_i64().unwrap();
    for path in [format!("customer/{person}/"), format!("order/{order}/summary/")] {
        assert_eq!(shop.read(&path).await["metadata"], pairs);
    }
    shop.complete_order(order).await;
    shop.send("DELETE", &format!("customer/{person}/"), Value::Null, &[]).await;
    assert_eq!(rows(&shop).await, 0);

    let cart = guest_cart(&shop).await;
    shop.done(&format!("{cart}items/"), item.clone()).await;
    put(&shop, &cart, json!({ "note": "ring twice" })).await;
    let address =
        json!({ "name": "Gil", "line1": "1 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB" });
    let guest = json!({ "name": "Gil", "email": "gil@example.com", "shipping_address": address });
    let order = shop.done(&format!("{cart}checkout/"), guest).await["order_id"].as_i64().unwrap();
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["metadata"], json!({ "note": "ring twice" }));
    shop.complete_order(order).await;
    let erased = shop.send("DELETE", &format!("order/{order}/contact/"), Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
    assert_eq!(rows(&shop).await, 0);
    assert_eq!(put(&shop, &format!("order/{order}/"), json!({ "a": "b" })).await.problem(), "contact_erased");

    for (pairs, message) in [
        (json!({ "k": 7 }), "must be a string"),
        (json!({ "": "v" }), "must not be empty"),
        (
            json!((0..51).map(|number| (number.to_string(), json!("v"))).collect::<serde_json::Map<_, _>>()),
            "at most 50",
        ),
    ] {
        let refused = put(&shop, &own, pairs).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let text = refused.body["errors"][0].to_string();
        assert!(text.contains("metadata") && text.contains(message), "{text}");
    }
    // An expired cart has no metadata any more.
    put(&shop, &own, json!({ "note": "old" })).await;
    let expire = cartwright::shop::ExpireCart {
        cart_id: cartwright::domain::ids::CartId::Customer(cartwright::domain::ids::CustomerId(customer)),
    };
    let context = cartwright::journal::Context::of(cartwright::journal::Actor { id: "test".to_owned(), role: "task" });
    shop.engine.journal.run(expire, context).await.unwrap();
    assert_eq!((cart_metadata(&shop, &own).await, rows(&shop).await), (json!({}), 0));
    shop.check_log().await;
    shop.verify().await;
}
