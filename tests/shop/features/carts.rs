//! One view of a cart: unavailable items, checkout of what the buyer has seen, and bodies that name unknown things.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::guests::{address, as_guest};

/// A cart with a deleted, a discontinued, a short and an available product, and the numbers of the products.
async fn mixed_cart(shop: &TestShop, customer: i64) -> [i64; 4] {
    let mut products = [0; 4];
    for (place, (name, price, stock)) in
        [("Kettle", "20.00", 9), ("Mug", "5.25", 9), ("Teapot", "26.40", 7), ("Assam", "8.50", 9)].iter().enumerate()
    {
        products[place] = shop.product(name, price, *stock).await;
    }
    let [kettle, mug, teapot, assam] = products;
    for (product, quantity) in [(kettle, 1), (mug, 2), (teapot, 7), (assam, 3)] {
        shop.add(customer, product, quantity).await;
    }
    assert_eq!(
        shop.send("DELETE", &format!("product/{kettle}/"), Value::Null, &[]).await.status,
        StatusCode::NO_CONTENT
    );
    shop.send("PATCH", &format!("product/{mug}/"), json!({ "discontinued": true }), &[]).await;
    shop.done(&format!("product/{teapot}/stock/"), json!({ "count": 5 })).await;
    products
}

#[tokio::test]
async fn a_cart_shows_every_item_and_counts_only_what_can_be_ordered() {
    let shop = TestShop::new().await;
    let ada = shop.customer("Ada").await;
    let [kettle, mug, teapot, assam] = mixed_cart(&shop, ada).await;
    let path = format!("customer/{ada}/cart/");
    let cart = shop.read(&path).await;
    let expected = json!({
        "customer_id": ada,
        "items": [
            { "product_name": "Kettle", "price": "20.00", "quantity": 1, "subtotal": "20.00", "product_id": kettle,
              "available": false, "reason": "deleted", "in_stock": 0 },
            { "product_name": "Mug", "price": "5.25", "quantity": 2, "subtotal": "10.50", "product_id": mug,
              "available": false, "reason": "discontinued", "in_stock": 0 },
            { "product_name": "Teapot", "price": "26.40", "quantity": 7, "subtotal": "184.80", "product_id": teapot,
              "available": false, "reason": "out_of_stock", "in_stock": 5 },
            { "product_name": "Assam", "price": "8.50", "quantity": 3, "subtotal": "25.50", "product_id": assam,
              "available": true, "reason": null, "in_stock": 9 },
        ],
        "total": "25.50",
    });
    assert_eq!(cart, expected);
    // A command that changes nothing answers with the same view.
    let set = json!({ "quantity": 3 });
    let answered = shop.send("PUT", &format!("{path}items/{assam}/"), set, &[]).await;
    assert_eq!(answered.body, expected);

    // The deleted product is in no other read.
    for read in ["products/", "products/?sort=newest", "products/?search=kettle", "never-ordered/", "low-stock/"] {
        let rows = shop.read(&format!("{read}{}limit=1000", if read.contains('?') { "&" } else { "?" })).await;
        assert!(!rows.to_string().contains("Kettle"), "{read}: {rows}");
    }
    assert_eq!(shop.get(&format!("product/{kettle}/")).await.problem(), "product_not_found");
    let found: i64 = sqlx::query_scalar("select count(*) from live.products where name = 'Kettle'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(found, 0);
    let abandoned = shop.read("abandoned-carts/?days=0").await;
    assert_eq!((&abandoned[0]["items"], &abandoned[0]["value"]), (&json!(3), &cart["total"]), "{abandoned}");
    let export = shop.read(&format!("customer/{ada}/export/")).await;
    assert_eq!(export["cart"][0]["product_name"], "Kettle", "the cart of an export is the whole cart");
    shop.verify().await;
}

#[tokio::test]
async fn a_checkout_names_every_unavailable_item_at_once_and_changes_nothing() {
    let shop = TestShop::new().await;
    let ada = shop.customer("Ada").await;
    let [kettle, mug, teapot, _] = mixed_cart(&shop, ada).await;
    let expected = json!([
        { "product_id": kettle, "name": "Kettle", "reason": "deleted", "requested": 1, "available": 0 },
        { "product_id": mug, "name": "Mug", "reason": "discontinued", "requested": 2, "available": 0 },
        { "product_id": teapot, "name": "Teapot", "reason": "out_of_stock", "requested": 7, "available": 5 },
    ]);
    let before = shop.engine.journal.position();
    for quote in ["", "?dry_run=true"] {
        let refused = shop.post(&format!("customer/{ada}/cart/checkout/{quote}"), Value::Null).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "items_unavailable"));
        assert_eq!(refused.body["products"], expected);
    }
    // An order by staff names them the same way, and a product that never was.
    let line = |product: i64, quantity: i64| json!({ "product_id": product, "quantity": quantity });
    let lines = [line(kettle, 1), line(mug, 2), line(teapot, 3), line(teapot, 4), line(99, 1)];
    let refused = shop.post("orders/", json!({ "lines": lines })).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "items_unavailable"));
    let unknown = json!({ "product_id": 99, "name": null, "reason": "unknown", "requested": 1, "available": 0 });
    assert_eq!(refused.body["products"].as_array().unwrap()[..3], expected.as_array().unwrap()[..]);
    assert_eq!(refused.body["products"][3], unknown);
    assert_eq!(shop.engine.journal.position(), before);
}

#[tokio::test]
async fn unavailable_items_can_be_reduced_and_removed_but_not_increased() {
    let shop = TestShop::new().await;
    let ada = shop.customer("Ada").await;
    let [kettle, mug, teapot, assam] = mixed_cart(&shop, ada).await;
    let item = |product: i64| format!("customer/{ada}/cart/items/{product}/");
    for (product, quantity, problem) in [(kettle, 2, "product_not_found"), (mug, 3, "product_discontinued")] {
        let raised = shop.send("PUT", &item(product), json!({ "quantity": quantity }), &[]).await;
        assert_eq!((raised.status, raised.problem()), (StatusCode::CONFLICT, problem));
        let added = json!({ "product_id": product, "quantity": 1 });
        let added = shop.post(&format!("customer/{ada}/cart/items/"), added).await;
        assert_eq!((added.status, added.problem()), (StatusCode::CONFLICT, problem));
        assert_eq!(added.body["product_id"], product);
    }
    for (product, quantity) in [(kettle, 1), (mug, 1), (teapot, 5)] {
        let set = shop.send("PUT", &item(product), json!({ "quantity": quantity }), &[]).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    }
    let cart = shop.read(&format!("customer/{ada}/cart/")).await;
    assert_eq!((&cart["items"][2]["available"], &cart["total"]), (&json!(true), &json!("157.50")));
    let removed = shop.send("DELETE", &item(kettle), Value::Null, &[]).await;
    assert_eq!((removed.status, removed.body["items"].as_array().unwrap().len()), (StatusCode::OK, 3));
    assert_eq!(shop.send("PUT", &item(mug), json!({ "quantity": 0 }), &[]).await.status, StatusCode::OK);
    assert_eq!(shop.check_out(ada).await.body["total_amount"], "157.50");
    // Neither is in a cart: the paths do not exist.
    for product in [kettle, 99] {
        let set = shop.send("PUT", &item(product), json!({ "quantity": 1 }), &[]).await;
        assert_eq!((set.status, set.problem()), (StatusCode::NOT_FOUND, "product_not_found"));
    }
    assert_eq!(shop.send("DELETE", &item(assam), Value::Null, &[]).await.problem(), "item_not_found");
}

#[tokio::test]
async fn a_cart_with_nothing_but_a_deleted_product_is_a_conflict() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "20.00", 5).await, shop.customer("Ada").await);
    shop.add(ada, kettle, 1).await;
    let guest_cart = shop.guest_cart(kettle).await;
    shop.send("DELETE", &format!("product/{kettle}/"), Value::Null, &[]).await;
    let refused = shop.check_out(ada).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "items_unavailable"));
    let guest = shop.send_without_token("POST", &format!("{guest_cart}checkout/"), as_guest("Jo")).await;
    assert_eq!((guest.status, guest.problem()), (StatusCode::CONFLICT, "items_unavailable"));
    let cart = shop.read(&guest_cart).await;
    assert_eq!((&cart["items"][0]["reason"], &cart["total"]), (&json!("deleted"), &json!("0.00")));
}

#[tokio::test]
async fn a_checkout_is_refused_when_the_price_has_risen_since_the_buyer_saw_it() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "10.00", 9).await, shop.customer("Ada").await);
    let path = format!("customer/{ada}/cart/");
    shop.add(ada, kettle, 1).await;
    let seen = shop.get(&path).await.header("etag").to_owned();
    shop.send("PATCH", &format!("product/{kettle}/"), json!({ "price": "99.00" }), &[]).await;
    let check_out = format!("{path}checkout/");
    let stale = shop.send("POST", &check_out, json!({}), &[("if-match", &seen)]).await;
    assert_eq!((stale.status, stale.problem()), (StatusCode::PRECONDITION_FAILED, "stale"));
    for quote in ["", "?dry_run=true"] {
        let changed = shop.post(&format!("{check_out}{quote}"), json!({ "expected_total": "10.00" })).await;
        assert_eq!((changed.status, changed.problem()), (StatusCode::CONFLICT, "total_changed"));
        assert_eq!((&changed.body["expected"], &changed.body["total"]), (&json!("10.00"), &json!("99.00")));
    }
    let malformed = shop.post(&check_out, json!({ "expected_total": "ten" })).await;
    assert_eq!(malformed.body["errors"][0]["field"], "expected_total");
    // The version alone has not changed.
    let version = seen.split('-').next().unwrap().to_owned() + "\"";
    let dry = format!("{check_out}?dry_run=true");
    assert_eq!(shop.send("POST", &dry, json!({}), &[("if-match", &version)]).await.status, StatusCode::OK);

    let now = shop.get(&path).await.header("etag").to_owned();
    let expected = json!({ "expected_total": "99.0" });
    let placed = shop.send("POST", &check_out, expected, &[("if-match", &now)]).await;
    assert_eq!((placed.status, &placed.body["total_amount"]), (StatusCode::CREATED, &json!("99.00")));
}

#[tokio::test]
async fn an_expected_total_includes_shipping_and_taxes_for_guests_too() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "10.00", 9).await;
    let fees = json!({ "fees": [{ "from": "0.00", "fee": "4.90" }] });
    shop.send("PUT", "pricing/shipping/", fees, &[]).await;
    let rates = json!({ "inclusive": false, "rates": [{ "percent": "10" }] });
    shop.send("PUT", "pricing/taxes/", rates, &[]).await;
    let cart = shop.guest_cart(kettle).await;
    let check_out = async |expected: &str| {
        let mut body = as_guest("Jo");
        body["expected_total"] = json!(expected);
        shop.send_without_token("POST", &format!("{cart}checkout/"), body).await
    };
    let changed = async |expected: &str| {
        let refused = check_out(expected).await;
        (refused.problem().to_owned(), refused.body["total"].clone())
    };
    assert_eq!(changed("10.00").await, ("total_changed".to_owned(), json!("16.39")));
    assert_eq!(changed("14.90").await, ("total_changed".to_owned(), json!("16.39")));
    assert_eq!(shop.read("orders/").await, json!([]));
    assert_eq!(check_out("16.39").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_body_that_names_an_unknown_thing_is_a_conflict_and_not_an_unknown_path() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "10.00", 9).await, shop.customer("Ada").await);
    shop.add(ada, kettle, 1).await;
    let line = json!([{ "product_id": kettle, "quantity": 1 }]);
    let order = json!({ "customer_id": ada, "lines": line });
    let order = shop.done("orders/", order).await["order_id"].clone();
    shop.done(&format!("order/{order}/process/"), Value::Null).await;
    shop.done(&format!("order/{order}/ship/"), json!({ "collected": true })).await;
    shop.done(&format!("customer/{ada}/addresses/"), address("Ada", "GB")).await;
    let guest_cart = shop.guest_cart(kettle).await;
    let mut guest_with_code = as_guest("Jo");
    guest_with_code["discount_code"] = json!("NONE");
    let checkout = format!("customer/{ada}/cart/checkout/");
    let rate = json!({ "inclusive": true, "rates": [{ "category_id": 99, "percent": "7" }] });
    let product = json!({ "name": "Mug", "price": "5.00", "category": "None" });
    for (method, path, body, problem) in [
        (
            "POST",
            format!("customer/{ada}/cart/items/"),
            json!({ "product_id": 99, "quantity": 1 }),
            "product_not_found",
        ),
        ("POST", format!("{guest_cart}items/"), json!({ "product_id": 99, "quantity": 1 }), "product_not_found"),
        ("POST", checkout.clone(), json!({ "discount_code": "NONE" }), "discount_not_found"),
        ("POST", checkout.clone(), json!({ "shipping_address_id": 9 }), "address_not_found"),
        ("POST", checkout, json!({ "shipping_address_id": 1, "billing_address_id": 9 }), "address_not_found"),
        ("POST", format!("{guest_cart}checkout/"), guest_with_code, "discount_not_found"),
        ("POST", format!("customer/{ada}/cart/merge/"), json!({ "cart_token": uuid::Uuid::nil() }), "cart_not_found"),
        ("POST", "orders/".to_owned(), json!({ "customer_id": 99, "lines": line }), "customer_not_found"),
        ("POST", "products/".to_owned(), product, "category_not_found"),
        ("PATCH", format!("product/{kettle}/"), json!({ "category": 99 }), "category_not_found"),
        ("PUT", "pricing/taxes/".to_owned(), rate, "category_not_found"),
        ("POST", format!("order/{order}/deliver/"), json!({ "shipment": 9 }), "shipment_not_found"),
    ] {
        let refused = shop.send(method, &path, body, &[]).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, problem), "{method} {path}");
    }
}
