//! Hostile input: code as text, fields that clients may not set, path traversal, deep and large JSON.
//!
//! Driven by the OpenAPI document, so that every route is covered.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::bad_values::{self, good, resolve};
use crate::support::furnished::{fill, furnished};
use crate::support::{Answer, TestShop};

/// Code for SQL, shells, browsers and templates; the shop treats all of it as text.
const CODE: [&str; 6] = [
    "Robert'); drop table events; --",
    "' or '1'='1",
    "\"; select pg_sleep(5); --",
    "$$; delete from account; $$",
    "<script>alert(1)</script>{{7*7}}${7*7}",
    "%_\\' || chr(0) || '",
];

/// Every operation of the document: method, path, description.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().iter();
        all.extend(methods.map(|(method, described)| (method.to_uppercase(), path.as_str(), described)));
    }
    assert!(all.len() > 60);
    all
}

fn parameters<'doc>(document: &'doc Value, described: &'doc Value, place: &str) -> Vec<&'doc str> {
    let all = bad_values::parameters(document, described);
    all.filter(|parameter| parameter["in"] == place).map(|parameter| parameter["name"].as_str().unwrap()).collect()
}

fn is_stream(described: &Value) -> bool {
    described["responses"]["200"]["content"].get("text/event-stream").is_some()
}

fn takes_body(document: &Value, described: &Value) -> bool {
    described.get("requestBody").is_some() || parameters(document, described, "query").contains(&"dry_run")
}

fn body_schema(described: &Value) -> &Value {
    &described["requestBody"]["content"]["application/json"]["schema"]
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn call(shop: &TestShop, method: &str, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    shop.call(request.body(body.into()).unwrap()).await
}

async fn document(shop: &TestShop) -> Value {
    call(shop, "GET", "/openapi.json", Body::empty()).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn code_in_any_field_or_parameter_is_treated_as_text() {
    let (shop, token) = furnished().await;
    let document = document(&shop).await;
    let mut sent = 0;
    for (method, path, described) in operations(&document) {
        if is_stream(described) {
            continue;
        }
        let command = parameters(&document, described, "query").contains(&"dry_run");
        let target = fill(path, &token) + if command { "?dry_run=true" } else { "" };
        let mut cases = Vec::new();
        for name in parameters(&document, described, "query") {
            let separator = if target.contains('?') { '&' } else { '?' };
            let with = |code: &&str| (format!("{target}{separator}{name}={}", encode(code)), Value::Null);
            cases.extend(CODE.iter().filter(|_| name != "dry_run").map(with));
        }
        let schema = resolve(&document, body_schema(described));
        for field in schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
            for code in CODE {
                let mut body = good(&document, schema, &token);
                body[field] = json!(code);
                cases.push((target.clone(), body));
            }
        }
        for (target, body) in cases {
            let started = Instant::now();
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer = call(&shop, &method, &target, body).await;
            assert!(!answer.status.is_server_error(), "{method} {target}: {} {}", answer.status, answer.body);
            assert!(started.elapsed() < Duration::from_secs(5), "{method} {target} took {:?}", started.elapsed());
            sent += 1;
        }
    }
    assert!(sent > 300, "only {sent}");
    assert_eq!(shop.read("product/1/").await["name"], "Kettle");
    shop.check_log().await;
}

#[tokio::test]
async fn code_is_stored_and_compared_unchanged() {
    let shop = TestShop::new().await;
    let harmless = shop.product("Kettle", "20.00", 9).await;
    for (number, code) in CODE.into_iter().enumerate() {
        let category = shop.done("categories/", json!({ "category_name": code })).await["category_id"].clone();
        let product = json!({ "name": code, "price": "1.00", "category": category, "description": code, "stock": 5 });
        let product = shop.done("products/", product).await["product_id"].as_i64().unwrap();
        let stored = shop.read(&format!("product/{product}/")).await;
        assert_eq!(
            (&stored["name"], &stored["description"], &stored["category"]),
            (&json!(code), &json!(code), &json!(code))
        );
        let found = shop.read(&format!("products/?search={}", encode(code))).await;
        assert_eq!((found.as_array().unwrap().len(), &found[0]["product_id"]), (1, &json!(product)), "{code}");
        let found = shop.read(&format!("products/?category={}", encode(code))).await;
        assert_eq!((found.as_array().unwrap().len(), &found[0]["product_id"]), (1, &json!(product)), "{code}");

        let person = json!({ "first_name": code, "last_name": code, "email": format!("c{number}@example.com") });
        let customer = shop.done("customers/", person).await["customer_id"].as_i64().unwrap();
        let address = json!({ "name": code, "line1": code, "postal_code": "1", "city": code, "country": "GB" });
        shop.done(&format!("customer/{customer}/addresses/"), address).await;
        let export = shop.read(&format!("customer/{customer}/export/")).await;
        for value in [&export["first_name"], &export["addresses"][0]["line1"], &export["addresses"][0]["city"]] {
            assert_eq!(value, code);
        }
        let order = json!({ "reference": code, "lines": [{ "product_id": product, "quantity": 1 }] });
        let first = shop.done("orders/", order.clone()).await;
        assert_eq!(shop.done("orders/", order).await["order_id"], first["order_id"], "the reference is the same");
    }
    let none = shop.read(&format!("products/?search={}", encode("%"))).await;
    assert!(none.as_array().unwrap().iter().all(|found| found["product_id"] != harmless), "{none}");
    assert_eq!(shop.log_in("' or 1=1 --", "' or '1'='1").await.status, StatusCode::UNAUTHORIZED);
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_traverses_upwards() {
    let (shop, token) = furnished().await;
    let document = document(&shop).await;
    let before = shop.engine.journal.position();
    let climbs = [
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..",
        "%2e%2e",
        "..%5c..%5c",
        "%252e%252e%252f",
        "....//....//",
        "..;/",
        "1%00.json",
        "%00",
        "1%2f..%2f2",
        "1;a=b",
    ];
    let climbs: Vec<_> = climbs.into_iter().map(str::to_owned).chain(["a".repeat(7_000)]).collect();
    for (method, path, described) in operations(&document) {
        for name in parameters(&document, described, "path") {
            for climb in &climbs {
                let target = fill(&path.replace(&format!("{{{name}}}"), climb), &token);
                let answer = call(&shop, &method, &target, Body::empty()).await;
                assert!(answer.status.is_client_error(), "{method} {target:.100}: {}", answer.status);
                answer.problem();
            }
        }
    }
    for path in ["/docs/..%2f..%2fCargo.toml", "/docs/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/shop/api/%00"] {
        let status = call(&shop, "GET", path, Body::empty()).await.status;
        assert!(status.is_client_error() || status.is_redirection(), "{path}: {status}");
    }
    assert_eq!(shop.engine.journal.position(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_clients_may_not_set_is_refused() {
    let (shop, token) = furnished().await;
    let document = document(&shop).await;
    let before = shop.engine.journal.position();
    let tables = async || {
        let rows = "select (select jsonb_agg(a order by account_id) from account a)::text
                    || (select jsonb_agg(p order by customer_id) from customer_profile p)::text
                    || (select count(*) from mailed_link)::text || (select count(*) from session)::text";
        sqlx::query_scalar::<_, String>(rows).fetch_one(&shop.pool).await.unwrap()
    };
    let rows_before = tables().await;
    let forbidden = [
        ("role", json!("admin")),
        ("customer_id", json!(1)),
        ("account_id", json!(1)),
        ("is_admin", json!(true)),
        ("disabled", json!(false)),
        ("password_hash", json!("$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA")),
        ("actor", json!("account/1")),
        ("registered_at", json!("2020-01-01T00:00:00Z")),
        ("version", json!(1)),
        ("total", json!("0.00")),
        ("__proto__", json!({ "role": "admin" })),
    ];
    let mut sent = 0;
    for (method, path, described) in operations(&document) {
        // Uploads and JSON lines name their unknown fields in tests of their own.
        let content = described.pointer("/requestBody/content");
        let is_other = content.is_some_and(|content| content.get("application/json").is_none());
        if is_other || !takes_body(&document, described) {
            continue;
        }
        let schema = resolve(&document, body_schema(described));
        let known = &schema["properties"];
        if !schema.is_null() && known.is_null() {
            // A provider's message is authenticated by its signature, and its fields are the provider's.
            continue;
        }
        for (field, value) in forbidden.iter().filter(|(field, _)| known.get(field).is_none()) {
            let mut body = if schema.is_null() { json!({}) } else { good(&document, schema, &token) };
            body[*field] = value.clone();
            let answer = call(&shop, &method, &fill(path, &token), body.to_string()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path} with {field}: {}", answer.body);
            let named = answer.body["errors"].as_array().unwrap().iter().any(|error| error["field"] == *field);
            assert!(named, "{method} {path} with {field}: {}", answer.body);
            sent += 1;
        }
    }
    assert!(sent > 250, "only {sent}");
    assert_eq!((shop.engine.journal.position(), tables().await), (before, rows_before));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_is_deep_large_or_ambiguous_is_refused_quickly() {
    let shop = TestShop::new().await;
    let mut keys: String = (0..60_000).map(|number| format!("\"k{number}\":1,")).collect();
    keys.pop();
    let bodies = [
        ("deep objects", "{\"a\":".repeat(100_000)),
        ("deep lists", "[".repeat(100_000)),
        ("deep and closed", format!("{{\"name\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
        ("a long string", json!({ "category_name": "x".repeat(1_000_000) }).to_string()),
        ("a long key", json!({ "x".repeat(1_000_000): 1 }).to_string()),
        ("a long number", format!("{{\"category_name\":{}}}", "9".repeat(1_000_000))),
        ("many keys", format!("{{{keys}}}")),
        ("a long list", format!("{{\"category_name\":[{}1],\"lines\":[{0}1]}}", "1,".repeat(200_000))),
        ("a key twice", r#"{"category_name":"A","category_name":"B"}"#.to_owned()),
        ("a key twice, within", r#"{"category_name":"A","x":{"y":1,"y":2}}"#.to_owned()),
        ("half a surrogate", r#"{"category_name":"\ud800"}"#.to_owned()),
        ("too much", " ".repeat(1_048_577)),
        ("far too much", "x".repeat(20_000_000)),
    ];
    for path in ["/shop/api/categories", "/shop/api/orders", "/shop/api/auth/register", "/shop/api/auth/login"] {
        for (what, body) in &bodies {
            let expected = if body.len() > 1_048_576 { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            let started = Instant::now();
            let answer = call(&shop, "POST", path, body.clone()).await;
            assert_eq!(answer.status, expected, "{path}: {what}");
            assert!(started.elapsed() < Duration::from_secs(3), "{path}: {what} took {:?}", started.elapsed());
            let length = answer.body.to_string().len();
            assert!(length < 50_000, "{path}: {what} is answered with {length} bytes");
            answer.problem();
        }
    }
    assert_eq!(shop.read("categories/").await, json!([]));
    let marked = "\u{feff}{\"category_name\":\"A\"}".to_owned();
    assert_eq!(call(&shop, "POST", "/shop/api/categories", marked).await.status, StatusCode::CREATED);
}
