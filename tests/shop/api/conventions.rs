//! What holds for every route: errors, idempotency, versions, dry runs, consistency, slashes, limits.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::TestShop;

#[tokio::test]
async fn an_idempotency_key_replays_its_answer_and_refuses_another_request() {
    let shop = TestShop::new().await;
    let tea = json!({ "category_name": "Tea" });
    let key = [("idempotency-key", "k1")];
    let first = shop.send("POST", "categories/", tea.clone(), &key).await;
    let again = shop.send("POST", "categories", tea, &key).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    let other = shop.send("POST", "categories/", json!({ "category_name": "Coffee" }), &key).await;
    assert_eq!((other.status, other.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));

    // A refused command stores nothing, not even under its key.
    let refused =
        shop.send("POST", "categories/", json!({ "category_name": "tea" }), &[("idempotency-key", "k2")]).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "category_name_taken"));
    let kept: i64 = sqlx::query_scalar("select count(*) from idempotency").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(kept, 1);
    for key in ["", "a\tb", &"k".repeat(256)] {
        let answer =
            shop.send("POST", "categories/", json!({ "category_name": "X" }), &[("idempotency-key", key)]).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::BAD_REQUEST, "invalid_request"));
    }
}

#[tokio::test]
async fn an_idempotency_key_replays_an_empty_answer() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let path = format!("product/{product}/");
    for replayed in ["", "true", "true"] {
        let answer = shop.send("DELETE", &path, Value::Null, &[("idempotency-key", "k1")]).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (StatusCode::NO_CONTENT, replayed));
    }
    let later = TestShop::on((*shop.pool.connect_options()).clone()).await;
    let answer = later.send("DELETE", &path, Value::Null, &[("idempotency-key", "k1")]).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (StatusCode::NO_CONTENT, "true"));
    assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stored_answer_expires_after_a_day() {
    let shop = TestShop::new().await;
    let tea = json!({ "category_name": "Tea" });
    let key = [("idempotency-key", "k1")];
    shop.send("POST", "categories/", tea.clone(), &key).await;
    assert_eq!(shop.engine.journal.forget_answers(1_000_000).await.unwrap(), (0, false));
    let a_day_ago = "update idempotency set recorded_at = recorded_at - interval '24 hours'";
    shop.pool.execute(a_day_ago).await.unwrap();
    let later = TestShop::on((*shop.pool.connect_options()).clone()).await;
    let coffee = later.send("POST", "categories/", json!({ "category_name": "Coffee" }), &key).await;
    assert_eq!((coffee.status, coffee.header("idempotent-replayed")), (StatusCode::CREATED, ""));
    shop.pool.execute(a_day_ago).await.unwrap();
    assert_eq!(shop.engine.journal.forget_answers(1_000_000).await.unwrap(), (1, false));
}

#[tokio::test]
async fn a_command_with_a_stale_version_is_refused() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let path = format!("product/{product}/");
    let etag = shop.get(&path).await.header("etag").to_owned();
    assert!(etag.starts_with("\"2-"), "{etag}");
    let price = |price: &str| json!({ "price": price });
    let first = shop.send("PATCH", &path, price("21.00"), &[("if-match", &etag)]).await;
    assert_eq!((first.status, &first.body["price"]), (StatusCode::OK, &json!("21.00")));
    let stale = shop.send("PATCH", &path, price("22.00"), &[("if-match", &etag)]).await;
    assert_eq!((stale.status, stale.problem()), (StatusCode::PRECONDITION_FAILED, "stale"));
    let unreadable = shop.send("PATCH", &path, price("22.00"), &[("if-match", "yesterday")]).await;
    assert_eq!(unreadable.status, StatusCode::BAD_REQUEST);
    assert_eq!(shop.read(&path).await["price"], "21.00");
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_stores_nothing() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 2).await;
    let before = shop.engine.journal.position();
    let path = format!("customer/{customer}/cart/checkout");
    let dry = shop.post(&format!("{path}/?dry_run=true"), Value::Null).await;
    assert_eq!(dry.status, StatusCode::OK);
    let types: Vec<_> =
        dry.body["events"].as_array().unwrap().iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!(types, ["OrderPlaced", "StockReserved", "CartCheckedOut"]);
    assert_eq!(shop.engine.journal.position(), before);
    let real = shop.post(&path, Value::Null).await;
    let mut answer = dry.body.clone();
    answer.as_object_mut().unwrap().remove("events");
    assert_eq!(real.body, answer);
    let nothing = shop.post("categories/?dry_run=true", json!({ "category_name": "Tea" })).await;
    assert_eq!((nothing.status, nothing.header("location")), (StatusCode::OK, ""));
    let same_price = json!({ "price": "20.00" });
    let unchanged = shop.send("PATCH", &format!("product/{product}/?dry_run=true"), same_price, &[]).await;
    assert_eq!((unchanged.status, &unchanged.body["events"]), (StatusCode::OK, &json!([])));
    let refused = shop.post(&format!("{path}/?dry_run=true"), Value::Null).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "cart_already_checked_out"));
}

#[tokio::test]
async fn reads_report_their_position_and_wait_for_min_position() {
    let shop = TestShop::new().await;
    let written = shop.post("categories/", json!({ "category_name": "Tea" })).await;
    let position: i64 = written.header("journal-position").parse().unwrap();
    let read = shop.send("GET", "categories/", Value::Null, &[("min-position", &position.to_string())]).await;
    assert!(read.header("projection-position").parse::<i64>().unwrap() >= position);
    assert_eq!(read.body.as_array().unwrap().len(), 1, "a caller sees its own writes");
    let beyond = shop.send("GET", "categories/", Value::Null, &[("min-position", "1000000")]).await;
    assert_eq!((beyond.status, beyond.problem()), (StatusCode::SERVICE_UNAVAILABLE, "position_not_reached"));
    assert_eq!(beyond.header("retry-after"), "1");
    let unreadable = shop.send("GET", "categories/", Value::Null, &[("min-position", "soon")]).await;
    assert_eq!(unreadable.status, StatusCode::BAD_REQUEST);

    // A command means the same with it, and routes that need not wait refuse what is malformed.
    let other = |demanded: &'static str| {
        let body = json!({ "category_name": "Coffee" });
        let shop = &shop;
        async move { shop.send("POST", "categories/", body, &[("min-position", demanded)]).await }
    };
    for malformed in ["x", "", "-1", "1.5", "1-"] {
        let refused = other(malformed).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{malformed}");
        assert_eq!(refused.body["errors"][0]["field"], "Min-Position");
        let read = shop.send("GET", "events/", Value::Null, &[("min-position", malformed)]).await;
        assert_eq!(read.status, StatusCode::BAD_REQUEST, "{malformed}");
    }
    for (place, status) in [("7-1", StatusCode::GONE), ("1-1000000", StatusCode::GONE)] {
        let refused = other(place).await;
        assert_eq!((refused.status, refused.problem()), (status, "position_gone"), "{place}");
    }
    assert_eq!(other("1000000").await.problem(), "position_not_reached");
    assert_eq!(shop.read("categories/").await.as_array().unwrap().len(), 1, "a refused command wrote something");
    assert_eq!(other("1-1").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn bad_input_is_a_problem_document_and_changes_nothing() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    let before = shop.engine.journal.position();
    let items = format!("customer/{customer}/cart/items/");
    let item = |quantity: Value| json!({ "product_id": product, "quantity": quantity });
    for (method, path, body) in [
        ("POST", items.as_str(), item(json!(0))),
        ("POST", &items, item(json!(-1))),
        ("POST", &items, item(json!(1.5))),
        ("POST", &items, item(json!("two"))),
        ("POST", &items, item(json!(1e300))),
        ("POST", &items, json!({ "product_id": product, "quantity": 1, "price": "0.01" })),
        ("POST", &items, json!([])),
        ("POST", &items, json!({})),
        ("POST", "customer/abc/cart/items/", item(json!(1))),
        ("POST", "customer/99999999999999999999/cart/items/", item(json!(1))),
        ("POST", "customer/99/cart/items/", item(json!(1))),
        ("POST", &items, json!({ "product_id": 99, "quantity": 1 })),
        ("PUT", &format!("{items}{product}/"), json!({ "quantity": -1 })),
        ("POST", "products/", json!({ "name": "X", "price": 9.99, "category": "Kitchen" })),
        ("POST", "products/", json!({ "name": "X", "price": "-1", "category": "Kitchen" })),
        ("POST", "products/", json!({ "name": "X", "price": "1.005", "category": "Kitchen" })),
        ("POST", "products/", json!({ "name": "X\u{0}", "price": "1", "category": "Kitchen" })),
        ("POST", "products/", json!({ "name": "X", "price": "1", "category": "Nowhere" })),
        ("POST", "products/", json!({ "name": "X", "price": "1", "category": "Kitchen", "stock": -1 })),
        ("POST", "products/", json!({ "name": "X", "price": "1", "category": true })),
        ("POST", "customers/", json!({ "first_name": "A", "last_name": "B", "email": "no e-mail" })),
        ("POST", "orders/", json!({ "lines": [] })),
        ("POST", "orders/", json!({ "lines": [{ "product_id": product, "quantity": 1, "colour": "red" }] })),
        ("POST", "orders/", json!({ "placed_at": "2999-01-01T00:00:00Z", "lines": [item(json!(1))] })),
        ("POST", "orders/", json!({ "placed_at": "0000-01-01T00:00:00Z", "lines": [item(json!(1))] })),
        ("POST", "orders/", json!({ "customer_id": 99, "lines": [item(json!(1))] })),
        ("POST", "order/99/cancel/", Value::Null),
        ("POST", "carts/not-a-token/items/", item(json!(1))),
        ("POST", "carts/00000000-0000-4000-8000-000000000000/items/", item(json!(1))),
        ("POST", &format!("product/{product}/stock/"), json!({ "change": 1, "count": 1 })),
        ("POST", &format!("product/{product}/stock/"), json!({ "change": 9223372036854775807_i64 })),
        ("GET", "products/?limit=1001", Value::Null),
        ("GET", "products/?cursor=zzz", Value::Null),
        ("GET", "products/?sort=colour", Value::Null),
        ("GET", "products/?min_price=cheap", Value::Null),
        ("GET", "products/?search=%00", Value::Null),
        ("GET", "products/?category=%00", Value::Null),
        ("GET", "orders/?from=yesterday", Value::Null),
        ("GET", "sales/?by=century", Value::Null),
        ("GET", "events/?stream=Order", Value::Null),
        ("GET", "events/?stream=%00/%00", Value::Null),
        ("POST", "projections/nothing/rebuild/", Value::Null),
    ] {
        let answer = shop.send(method, path, body.clone(), &[]).await;
        assert!(answer.status.is_client_error(), "{method} {path} {body}: {} {}", answer.status, answer.body);
        answer.problem();
    }
    assert_eq!(shop.engine.journal.position(), before);
}

#[tokio::test]
async fn every_wrong_field_is_listed() {
    let shop = TestShop::new().await;
    let answer = shop.post("products/", json!({ "name": "", "price": "1.234", "size": 3 })).await;
    let fields: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["name", "price", "category", "size"]);
    let address = json!({ "name": "Jo Miller", "line1": 12, "city": "Milltown", "country": "GB", "street": "x" });
    let answer =
        shop.post("orders/", json!({ "lines": [{ "quantity": "1", "size": 3 }], "shipping_address": address })).await;
    let errors = answer.body["errors"].as_array().unwrap().iter();
    let errors: Vec<_> =
        errors.map(|error| format!("{} {}", error["field"], error["message"]).replace('"', "")).collect();
    let expected = [
        "lines[0].product_id is required",
        "lines[0].quantity must be a whole number, not a string",
        "lines[0].size is not a field of this request",
        "shipping_address.line1 must be a string, not a number",
        "shipping_address.street is not a field of this request",
    ];
    assert_eq!(errors, expected);
    let lines = json!({ "lines": [{ "product_id": 1, "quantity": 1 }, { "product_id": 1, "quantity": 0 }] });
    let answer = shop.post("orders/", lines).await;
    assert_eq!(answer.body["errors"][0]["field"], "lines[1].quantity");
}

async fn raw(
    shop: &TestShop,
    method: Method,
    path: &str,
    content_type: &str,
    body: impl Into<Body>,
) -> crate::support::Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", content_type);
    shop.call(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn malformed_large_and_unknown_requests_are_problem_documents() {
    let shop = TestShop::new().await;
    let path = "/shop/api/categories/";
    let json_type = "application/json";
    for (answer, status) in [
        (raw(&shop, Method::POST, path, json_type, "{").await, StatusCode::BAD_REQUEST),
        (
            raw(&shop, Method::POST, path, json_type, b"{\"category_name\": \"\xff\"}".to_vec()).await,
            StatusCode::BAD_REQUEST,
        ),
        (raw(&shop, Method::POST, path, json_type, "[".repeat(5_000)).await, StatusCode::BAD_REQUEST),
        (raw(&shop, Method::POST, path, "text/plain", "{}").await, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (raw(&shop, Method::POST, path, json_type, " ".repeat(1024 * 1024 + 1)).await, StatusCode::PAYLOAD_TOO_LARGE),
        (raw(&shop, Method::PUT, path, json_type, "{}").await, StatusCode::METHOD_NOT_ALLOWED),
        (raw(&shop, Method::GET, "/shop/api/nothing/", json_type, "").await, StatusCode::NOT_FOUND),
        (raw(&shop, Method::GET, "/nothing", json_type, "").await, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(answer.status, status, "{}", answer.body);
        answer.problem();
    }
    let broken = raw(&shop, Method::POST, path, json_type, "{\"category_name\":\n tea}").await;
    assert_eq!(broken.body["detail"], "the body is not JSON: line 2, column 3");
    let headers = [("content-encoding", "gzip")];
    let compressed = shop.send("POST", "categories/", json!({ "category_name": "Tea" }), &headers).await;
    assert_eq!((compressed.status, compressed.problem()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding"));
    assert_eq!(compressed.header("accept-encoding"), "identity");
    let refused = raw(&shop, Method::PUT, path, json_type, "{}").await;
    assert_eq!(refused.header("allow"), "GET,HEAD,POST", "it says what the path does take");
    assert_eq!(shop.engine.journal.position(), 0);
}

#[tokio::test]
async fn every_path_answers_with_and_without_its_slash_and_repeats_the_request_id() {
    let shop = TestShop::new().await;
    for path in ["products", "products/", "products/?limit=1", "products?limit=1"] {
        let answer = shop.send("GET", path, Value::Null, &[("x-request-id", "abc")]).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (StatusCode::OK, "abc"), "{path}");
    }
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", trace), ("x-request-id", "abc")];
    shop.send("POST", "categories/", json!({ "category_name": "Tea" }), &headers).await;
    let metadata = shop.read("events/").await[0]["metadata"].clone();
    assert_eq!(metadata["correlation_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&metadata["request_id"], &metadata["actor"]), (&json!("abc"), &json!("account/1")));
}

#[tokio::test]
async fn history_shows_who_changed_what() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    shop.send("PATCH", &format!("product/{product}/"), json!({ "price": "21.00" }), &[]).await;
    let history = shop.read(&format!("product/{product}/history/")).await;
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!((&last["event_type"], &last["actor"]), (&json!("ProductRepriced"), &json!("account/1")));
    shop.guest_cart(product).await;
    let cart = shop.read("events/?type=CartOpened").await[0]["aggregate_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.read(&format!("cart/{cart}/history/")).await[0]["event_type"], "CartOpened");
    assert_eq!(shop.get("cart/unknown/history/").await.status, StatusCode::BAD_REQUEST);
    assert_eq!((&last["before"], &last["after"]), (&json!({ "price": "20.00" }), &json!({ "price": "21.00" })));
}

#[tokio::test]
async fn a_parameter_that_is_wrong_is_named() {
    let shop = TestShop::new().await;
    for (path, field, message) in [
        ("sales/?by=year", "by", "must be one of day, week, month"),
        ("sales/?from=2030-11-31", "from", "must be a date, such as 2030-01-31"),
        ("sales/?fromm=2011-03-01", "fromm", "is not a parameter of this request, which takes from, to, by, "),
        ("sales/?from=2011-03-01&from=2011-03-02", "from", "is given more than once"),
        ("abandoned-carts/?days=x", "days", "must be a whole number"),
        ("products/?in_stock=yes", "in_stock", "must be true or false"),
        ("products/?search=a%00b", "search", "must be UTF-8 without NUL characters"),
        ("customer/7/?email=jo@example.com", "email", "is not a parameter of this request, which takes none"),
        ("customer/x/orders/", "customer_id", "must be a whole number"),
        ("events/?type=Nope", "type", "names an unknown event: Nope"),
        ("events/?type=OrderPlaced,OrderPaid", "type", "names an unknown event: OrderPlaced,OrderPaid"),
        ("events/?type=OrderPlacd&stream=Order/1", "type", "names an unknown event: OrderPlacd"),
        ("events/?stream=Nope/1", "stream", "names an unknown aggregate: Nope"),
        ("events/?type=", "type", "must not be empty"),
        ("events/stream/?type=OrderPlaced", "type", "is not a parameter of this request, which takes after"),
        ("orders/?from=2026-1-31", "from", "must be a date, such as 2030-01-31"),
        ("customers/?registered_from=%2B2026-01-31", "registered_from", "must be a date, such as 2030-01-31"),
        ("products/?category=", "category", "must not be empty"),
        ("products/?search=&category=+", "category", "must not be empty"),
        ("customers/?email=", "email", "must not be empty"),
        ("orders/?reference", "reference", "must not be empty"),
        ("reactions/?reactor=", "reactor", "must not be empty"),
    ] {
        let answer = shop.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let error = &answer.body["errors"][0];
        assert_eq!(error["field"], field, "{error}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
    }
}

#[tokio::test]
async fn a_range_ends_after_its_beginning_and_an_empty_search_finds_everything() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 5).await;
    for (list, from, to) in [
        ("orders/", "from", "to"),
        ("customers/", "registered_from", "registered_to"),
        ("sales/", "from", "to"),
        ("bestsellers/", "from", "to"),
        ("stock-movements/", "from", "to"),
    ] {
        let range = |first: &str, last: &str| format!("{list}?{from}={first}&{to}={last}");
        let refused = shop.get(&range("2026-02-02", "2026-02-01")).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::BAD_REQUEST, "invalid_request"), "{list}");
        let error = json!({ "field": from, "message": format!("must not be after {to}") });
        assert_eq!(refused.body["errors"], json!([error]), "{list}");
        assert_eq!(shop.get(&range("2026-02-01", "2026-02-01")).await.status, StatusCode::OK, "{list}");
    }
    for search in ["search=", "search", "search=+"] {
        assert_eq!(shop.read(&format!("products/?{search}")).await, shop.read("products/").await);
        assert_eq!(shop.get(&format!("customers/?{search}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_command_with_a_misspelt_dry_run_is_refused() {
    let shop = TestShop::new().await;
    for query in ["dryrun=true", "dry-run=true", "dry_run=yes", "dry_run=true&x=1"] {
        let answer = shop.post(&format!("categories/?{query}"), json!({ "category_name": "Tea" })).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::BAD_REQUEST, "invalid_request"), "{query}");
    }
    assert_eq!(shop.read("categories/").await, json!([]));
}
