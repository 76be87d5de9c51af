//! How staff find orders, customers and products, and what no filter is.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::TestShop;
use crate::support::accounts::{PASSWORD, access};
use crate::support::guests::as_guest;

/// The numbers in a list.
fn numbers(rows: &Value, field: &str) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).collect()
}

/// Every row of a list, and how many pages it has.
async fn walk(shop: &TestShop, path: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut next) = (Vec::new(), 0, path.to_owned());
    loop {
        let answer = shop.get(&next).await;
        assert_eq!(answer.status, StatusCode::OK, "{next}: {}", answer.body);
        rows.extend(answer.body.as_array().unwrap().clone());
        pages += 1;
        let Some(link) = answer.header("link").strip_prefix("</shop/api/") else { return (rows, pages) };
        next = link.split('>').next().unwrap().to_owned();
    }
}

#[tokio::test]
async fn staff_find_orders_by_state_customer_address_reference_product_and_day() {
    let shop = TestShop::new().await;
    let (kettle, mug) = (shop.product("Kettle", "20.00", 50).await, shop.product("Mug", "5.00", 50).await);
    let (ada, bruno) = (shop.customer("Ada+Tea").await, shop.customer("Bruno").await);
    let place = async |order: Value| shop.done("orders/", order).await["order_id"].as_i64().unwrap();
    let line = |product: i64| json!([{ "product_id": product, "quantity": 1 }]);
    let january =
        json!({ "customer_id": ada, "placed_at": "2026-01-31T23:30:00Z", "reference": "SO-É7", "lines": line(mug) });
    let january = place(january).await;
    let refunded = place(json!({ "customer_id": bruno, "lines": line(kettle) })).await;
    shop.done(&format!("order/{refunded}/pay/"), json!({})).await;
    shop.done(&format!("order/{refunded}/refund/"), json!({})).await;
    let cancelled = place(json!({ "customer_id": bruno, "lines": line(mug) })).await;
    shop.done(&format!("order/{cancelled}/cancel/"), json!({})).await;
    let cart = shop.guest_cart(kettle).await;
    let guest = shop.done(&format!("{cart}checkout/"), as_guest("Jo")).await["order_id"].as_i64().unwrap();
    let paid = place(json!({ "customer_id": ada, "lines": line(kettle) })).await;
    shop.done(&format!("order/{paid}/pay/"), json!({})).await;
    shop.done(&format!("order/{paid}/process/"), Value::Null).await;

    for (filter, expected) in [
        ("", vec![paid, guest, cancelled, refunded, january]),
        ("status=processing", vec![paid]),
        ("status=pending", vec![guest, refunded, january]),
        ("status=cancelled", vec![cancelled]),
        ("payment=refunded", vec![refunded]),
        ("payment=pending", vec![guest, cancelled, january]),
        ("payment=pending&status=pending", vec![guest, january]),
        ("fulfilment=unfulfilled&payment=paid", vec![paid]),
        ("fulfilment=delivered", vec![]),
        ("reference=so-e7", vec![january]),
        ("reference=SO-8", vec![]),
        ("reference=SO-%C3%897&status=cancelled", vec![]),
        ("email=JO@example.com", vec![guest]),
        ("email=ada%2Btea@example.com", vec![paid, january]),
        ("email=ada+tea@example.com", vec![paid, january]),
        ("email=ada%2Btea@example.com&to=2026-01-31", vec![january]),
        ("email=stranger@example.com", vec![]),
        ("email=bruno@example.com&reference=so-e7", vec![]),
        ("email=bruno@example.com&customer_id=1", vec![]),
        ("product_id=1", vec![paid, guest, refunded]),
        ("product_id=1&customer_id=2", vec![refunded]),
        ("customer_id=2", vec![cancelled, refunded]),
        ("customer=2", vec![cancelled, refunded]),
        ("customer_id=99", vec![]),
        ("from=2026-01-31&to=2026-01-31", vec![january]),
        ("to=2026-01-30", vec![]),
        ("category_id=1", vec![paid, guest, cancelled, refunded, january]),
        ("category_id=99", vec![]),
        ("city=MILLTOWN", vec![guest]),
        ("city=Mill", vec![]),
        ("refund=done", vec![refunded]),
        ("refund=requested", vec![]),
        ("refund=failed", vec![]),
        ("from=2026-02-01", vec![paid, guest, cancelled, refunded]),
    ] {
        let found = shop.read(&format!("orders/?{filter}")).await;
        assert_eq!(numbers(&found, "order_id"), expected, "{filter}");
        let (rows, _) = walk(&shop, &format!("orders/?{filter}&limit=1")).await;
        assert_eq!(numbers(&json!(rows), "order_id"), expected, "{filter}, one by one");
    }
    for (filter, field) in [
        ("payment=refundet", "payment"),
        ("state=paid", "state"),
        ("email=jo", "email"),
        ("reference=", "reference"),
        ("product_id=kettle", "product_id"),
        ("customer=1&customer_id=2", "customer"),
        ("category_id=Kitchen", "category_id"),
        ("city=", "city"),
        ("refund=paid", "refund"),
        ("view=stock", "view"),
        ("from=31.01.2026", "from"),
    ] {
        let refused = shop.get(&format!("orders/?{filter}")).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::BAD_REQUEST, "invalid_request"), "{filter}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{}", refused.body);
    }
    let full = shop.read("orders/?view=full").await;
    let shown = |order: i64| {
        let row = full.as_array().unwrap().iter().find(|row| row["order_id"] == order).unwrap();
        [row["customer_name"].clone(), row["units"].clone(), row["city"].clone()]
    };
    assert_eq!(shown(guest), [json!("Jo Miller"), json!(1), json!("Milltown")]);
    assert_eq!(shown(refunded), [json!("Bruno Miller"), json!(1), json!("")]);
    // The address of a guest is found until it is erased.
    shop.complete_order(guest).await;
    let erased = shop.send("DELETE", &format!("order/{guest}/contact/"), Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
    assert_eq!(shop.read("orders/?email=jo@example.com").await, json!([]));
    shop.verify().await;
}

#[tokio::test]
async fn staff_find_customers_by_name_address_and_registration() {
    let shop = TestShop::new().await;
    let register = async |first: &str, last: &str, email: &str| {
        let customer = json!({ "first_name": first, "last_name": last, "email": email });
        shop.done("customers/", customer).await["customer_id"].as_i64().unwrap()
    };
    let zoe = register("Zoë", "Müller-Grün", "zoe+shop@example.com").await;
    let jo = register("Jo", "", "jo@example.com").await;
    let gone = register("Zoe", "Gone", "gone@example.com").await;
    assert_eq!(
        shop.send("DELETE", &format!("customer/{gone}/"), Value::Null, &[]).await.status,
        StatusCode::NO_CONTENT
    );
    sqlx::query("update live.customers set registered_at = '2026-02-01T12:00:00Z' where customer_id = $1")
        .bind(zoe)
        .execute(&shop.pool)
        .await
        .unwrap();
    for (filter, expected) in [
        ("", vec![jo, zoe]),
        ("search=zoe", vec![zoe]),
        ("search=GRUN+zo%C3%AB", vec![zoe]),
        ("search=example.com", vec![jo, zoe]),
        ("search=stranger", vec![]),
        ("email=ZOE%2Bshop@example.com", vec![zoe]),
        ("email=zoe+shop@example.com", vec![zoe]),
        ("email=zoe", vec![]),
        ("email=gone@example.com", vec![]),
        ("email=jo@example.com&search=zoe", vec![]),
        ("registered_from=2026-02-01&registered_to=2026-02-01", vec![zoe]),
        ("registered_to=2026-01-31", vec![]),
        ("registered_from=2026-02-02", vec![jo]),
        ("email=jo@example.com&registered_to=2026-02-01", vec![]),
    ] {
        let path = format!("customers/?{filter}");
        if filter == "email=zoe" {
            assert_eq!(shop.get(&path).await.body["errors"][0]["field"], "email");
            continue;
        }
        assert_eq!(numbers(&shop.read(&path).await, "customer_id"), expected, "{filter}");
        let (rows, _) = walk(&shop, &format!("{path}&limit=1")).await;
        assert_eq!(numbers(&json!(rows), "customer_id"), expected, "{filter}, one by one");
    }
    let mut row = shop.read("customers/?email=jo@example.com").await[0].clone();
    row["metadata"] = json!({});
    assert_eq!(row, shop.read(&format!("customer/{jo}/")).await, "the same as the customer alone, but for metadata");
}

#[tokio::test]
async fn staff_find_products_by_sku_discontinued_ones_and_stock() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 9).await;
    let mug = shop.product("Mug", "5.00", 30).await;
    let patch = async |product: i64, body: Value| {
        assert_eq!(shop.send("PATCH", &format!("product/{product}/"), body, &[]).await.status, StatusCode::OK);
    };
    patch(kettle, json!({ "sku": "KET-É7" })).await;
    patch(mug, json!({ "sku": "MUG-1", "discontinued": true })).await;
    let stock = json!({ "product_id": 1, "name": "Kettle", "price": "20.00", "stock": 7, "category": "Kitchen",
        "on_hand": 9, "reserved": 2, "sku": "KET-É7" });
    shop.done("orders/", json!({ "lines": [{ "product_id": kettle, "quantity": 2 }] })).await;
    for (filter, expected) in [
        ("", vec![kettle]),
        ("sku=ket-%C3%A97", vec![kettle]),
        ("sku=KET-E7", vec![]),
        ("sku=mug-1", vec![]),
        ("sku=mug-1&discontinued=true", vec![mug]),
        ("sku=ket-%C3%A97&in_stock=true&category=Kitchen&max_price=19", vec![]),
        ("discontinued=true", vec![mug]),
        ("discontinued=true&sort=price_desc", vec![mug]),
        ("discontinued=true&sort=newest&search=kettle", vec![]),
        ("discontinued=false&sort=price_asc", vec![kettle]),
    ] {
        assert_eq!(numbers(&shop.read(&format!("products/?{filter}")).await, "product_id"), expected, "{filter}");
    }
    for path in ["products/?view=stock", "products/?view=stock&sort=newest", "products/?view=stock&sku=KET-%C3%897"] {
        assert_eq!(shop.read(path).await, json!([stock]), "{path}");
    }
    assert_eq!(shop.get("products/?view=everything").await.body["errors"][0]["field"], "view");

    // What is for staff is refused to others, not ignored.
    shop.member("Ada").await;
    let tokens = shop.log_in("ada@example.com", PASSWORD).await;
    for filter in ["sku=KET-7", "discontinued=true", "discontinued=false", "view=stock"] {
        let path = format!("products/?{filter}");
        let guest = shop.send_without_token("GET", &path, Value::Null).await;
        assert_eq!((guest.status, guest.problem()), (StatusCode::UNAUTHORIZED, "unauthenticated"), "{filter}");
        let customer = shop.send_with_token(access(&tokens), "GET", &path, Value::Null).await;
        assert_eq!((customer.status, customer.problem()), (StatusCode::FORBIDDEN, "forbidden"), "{filter}");
    }
}

/// More orders and customers than a walk reads at once, all alike but the oldest, and made without events.
async fn crowd(shop: &TestShop) {
    shop.pool
        .execute(
            "insert into live.orders (
                order_id, customer_id, status, payment, fulfilment, placed_at, total, credited, paid, refunded, line_count,
                version
            )
            select number, 7, 'completed', case when number > 100 then 'paid' else 'refunded' end,
                'delivered', timestamptz '2026-01-01Z' + number * interval '1 minute', 1, 0, 1, 0, 1, 1
            from generate_series(1, 20050) as number;
            insert into live.order_lines (
                order_id, line, product_id, product_name, category_id, category_name, quantity, unit_price, subtotal,
                shipped, withdrawn, returned
            )
            values (5, 1, 3, 'Kettle', 1, 'Kitchen', 1, 1, 1, 1, 0, 0);
            insert into order_contact (order_id, name, email, placed_at)
            select number, 'Jo', 'shop-floor@example.com', now() from generate_series(1, 1500) as number;
            insert into live.customers (customer_id, registered_at, version)
            select number, timestamptz '2026-01-01Z' + number * interval '1 minute', 1
            from generate_series(1, 10050) as number;
            insert into customer_profile (customer_id, first_name, last_name, email, changed_at)
            select number, case number when 3 then 'Zoë' else 'Jo' end, 'Miller', number || '@example.com', now()
            from generate_series(1, 10050) as number;
            analyze live.orders, live.order_lines, live.customers, order_contact, customer_profile;",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_search_without_an_index_answers_short_pages_that_lead_to_every_match() {
    let shop = TestShop::new().await;
    shop.settle().await;
    crowd(&shop).await;
    let first = shop.get("orders/?payment=refunded").await;
    assert_eq!((&first.body, first.header("link").is_empty()), (&json!([]), false), "an empty page with a next one");
    let count = async |path: &str| {
        let (rows, pages) = walk(&shop, path).await;
        (rows.len(), pages)
    };
    assert_eq!(count("orders/?payment=refunded").await, (100, 3));
    assert_eq!(count("orders/?payment=refunded&limit=30").await, (100, 5));
    assert_eq!(count("orders/?product_id=3").await, (1, 3));
    assert_eq!(count("orders/?customer_id=7&product_id=3").await, (1, 3));
    assert_eq!(count("orders/?payment=refunded&to=2026-01-01").await, (100, 1));
    assert_eq!(count("orders/?payment=pending").await, (0, 1), "an open state has an index");
    assert_eq!(
        count("orders/?email=shop-floor@example.com&limit=1000").await,
        (1_500, 3),
        "more than one lookup takes"
    );
    assert_eq!(count("orders/?limit=1000").await, (20_050, 21));
    assert_eq!(count("customers/?search=zoe").await, (1, 2));
    assert_eq!(count("customers/?search=miller&limit=1000").await, (10_050, 11));
    assert_eq!(count("customers/?limit=1000").await, (10_050, 11));
    assert_eq!(count("customers/?email=3@example.com").await, (1, 1));
}

#[tokio::test]
async fn a_guest_reads_his_own_writes_on_every_route() {
    let edge = cartwright::http::Edge { trusted_proxies: "127.0.0.1".parse().unwrap(), ..Default::default() };
    let database = crate::support::fresh_database().await;
    let shop = TestShop::behind(edge, database, Default::default()).await;
    let kettle = shop.product("Kettle", "20.00", 9).await;
    shop.settle().await;
    let call = async |method: &str, path: &str, client: &str, body: Value| {
        let request = Request::builder().method(method).uri(format!("/shop/api/{path}"));
        let request = request.header("content-type", "application/json").header("x-forwarded-for", client);
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        shop.send_unchanged(request.body(body).unwrap()).await
    };
    let cart = call("POST", "carts/", "203.0.113.7", Value::Null).await.body["cart_token"].as_str().unwrap().to_owned();
    let item = json!({ "product_id": kettle, "quantity": 2 });
    assert_eq!(call("POST", &format!("carts/{cart}/items/"), "203.0.113.7", item).await.status, StatusCode::OK);
    shop.settle().await;
    // The read tables stay where they are, so a read that waits for the checkout is refused.
    shop.engine.projector.stop().await;
    let order = call("POST", &format!("carts/{cart}/checkout/"), "203.0.113.7", as_guest("Jo")).await;
    assert_eq!(order.status, StatusCode::CREATED, "{}", order.body);
    let cart = format!("carts/{cart}/");
    let reads = ["product/1/", "products/", cart.as_str()].map(|path| call("GET", path, "203.0.113.7", Value::Null));
    for answer in futures_util::future::join_all(reads).await {
        assert_eq!((answer.status, answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "position_not_reached"));
    }
    let stranger = call("GET", "product/1/", "203.0.113.8", Value::Null).await;
    assert_eq!((stranger.status, &stranger.body["stock"]), (StatusCode::OK, &json!(9)), "other guests do not wait");
}
