//! Every list as CSV and as JSON lines: which format is answered, what is in it, and from which state.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use cartwright::http::WholeListLimits;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::furnished::{fill, furnished};
use crate::support::{TestShop, tokens};

const CSV: &str = "text/csv; charset=utf-8; header=present";
const JSON_LINES: &str = "application/x-ndjson";

/// The answer to an admin's read with an `Accept`.
async fn read(shop: &TestShop, method: &str, path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let request = request.header("authorization", format!("Bearer {}", *tokens::ADMIN)).body(Body::empty());
    let answer = shop.router.clone().oneshot(request.unwrap()).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, headers, String::from_utf8(body.into()).unwrap())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The rows of a CSV text as objects of its columns.
fn rows_of(text: &str) -> (Vec<String>, Vec<Value>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        rows.push(Value::Object(columns.iter().cloned().zip(record.iter().map(Value::from)).collect()));
    }
    (columns, rows)
}

/// A value as its cell, without columns for the fields of objects.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The routes of the description that answer a JSON array.
fn lists(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().unwrap();
    let is_list =
        |item: &Value| item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array";
    paths.iter().filter(|(_, item)| is_list(item)).map(|(path, _)| path.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_of_the_description_is_answered_as_csv_and_json_lines() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let lists = lists(&document);
    assert!(lists.len() > 35, "{lists:?}");
    let mut with_rows = 0;
    for list in &lists {
        let content = document["paths"][list]["get"]["responses"]["200"]["content"].as_object().unwrap();
        assert_eq!(content.keys().collect::<Vec<_>>(), ["application/json", JSON_LINES, "text/csv"], "{list}");
        let separator = if list.ends_with("stock-movements") { "?product_id=1" } else { "" };
        let path = format!("{}{separator}", fill(list, &token));
        let (status, headers, json) = read(&shop, "GET", &path, "application/json").await;
        let failed = status != StatusCode::OK;
        assert!(header(&headers, "vary").contains("Accept"), "{path}: {headers:?}");
        let (csv_status, csv_headers, csv) = read(&shop, "GET", &path, "text/csv").await;
        assert_eq!(csv_status, status, "{path}: {csv}");
        if failed {
            assert_eq!(header(&csv_headers, "content-type"), "application/problem+json", "{path}");
            continue;
        }
        assert_eq!(header(&csv_headers, "content-type"), CSV, "{path}");
        assert!(header(&csv_headers, "vary").contains("Accept"), "{path}");
        let expected: Vec<Value> = serde_json::from_str(&json).unwrap();
        let (columns, rows) = rows_of(&csv);
        assert_eq!(rows.len(), expected.len(), "{path}: {csv}");
        for (row, expected) in rows.iter().zip(&expected) {
            for (field, value) in expected.as_object().unwrap() {
                let flat = row.get(field).map(|found| found.as_str().unwrap().trim_start_matches('\'').to_owned());
                let nested = columns.iter().any(|column| column.starts_with(&format!("{field}.")));
                assert!(flat == Some(cell(value)) || nested, "{path}: {field} is {value}, not {flat:?} of {columns:?}");
            }
        }
        let (_, lines_headers, lines) = read(&shop, "GET", &path, JSON_LINES).await;
        assert_eq!(header(&lines_headers, "content-type"), JSON_LINES, "{path}");
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, expected, "{path}");
        let (status, headers, body) = read(&shop, "GET", &path, "text/html, application/xml;q=0.9").await;
        assert_eq!(
            (status, header(&headers, "content-type")),
            (StatusCode::NOT_ACCEPTABLE, "application/problem+json")
        );
        assert!(body.contains("\"not_acceptable\"") && body.contains("text/csv"), "{path}: {body}");
        let (status, headers, body) = read(&shop, "HEAD", &path, "text/csv").await;
        assert_eq!((status, header(&headers, "content-type"), body.as_str()), (StatusCode::OK, CSV, ""), "{path}");
        with_rows += usize::from(!expected.is_empty());
    }
    assert!(with_rows > 20, "only {with_rows} lists have rows");
    // Other reads have one format each.
    for (path, accept, status) in [
        ("/shop/api/product/1", "text/csv", StatusCode::NOT_ACCEPTABLE),
        ("/shop/api/product/1", "text/html, */*;q=0.1", StatusCode::OK),
        ("/shop/api/customer/1/cart", "application/json", StatusCode::OK),
    ] {
        assert_eq!(read(&shop, "GET", path, accept).await.0, status, "{path} as {accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_list_is_whole_quoted_and_safe_for_spreadsheets() {
    let shop = TestShop::new().await;
    for name in ["=HYPERLINK(\"http://x\")", "Tea, \"green\"", "Tässe"] {
        shop.product(name, "1.50", 3).await;
    }
    let (_, _, csv) = read(&shop, "GET", "/shop/api/products/?sort=newest", "text/csv").await;
    assert!(csv.starts_with("product_id,name,price,stock,category\r\n"), "{csv}");
    assert!(csv.contains("\r\n2,\"Tea, \"\"green\"\"\",1.50,3,"), "{csv}");
    assert!(csv.contains("\r\n1,\"'=HYPERLINK(\"\"http://x\"\")\",1.50,3,"), "{csv}");
    // More rows than a page has, of a list in pages: all of one snapshot, although customers register meanwhile.
    let customers = "insert into live.customers (customer_id, registered_at, version)
         select number, '2020-01-01'::timestamptz + number * interval '1 minute', 1 from generate_series(1, 2500) as number";
    let profiles = "insert into public.customer_profile (customer_id, first_name, last_name, email, changed_at)
         select number, 'Jo', 'Doe', 'jo' || number || '@example.com', now() from generate_series(1, 2500) as number";
    for statement in [customers, profiles] {
        sqlx::query(statement).execute(&shop.pool).await.unwrap();
    }
    let request = Request::get("/shop/api/customers/").header("accept", "text/csv");
    let request = request.header("authorization", format!("Bearer {}", *tokens::ADMIN)).body(Body::empty()).unwrap();
    let answer = shop.router.clone().oneshot(request).await.unwrap();
    sqlx::query("delete from live.customers where customer_id < 1000").execute(&shop.pool).await.unwrap();
    let csv = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let (_, rows) = rows_of(std::str::from_utf8(&csv).unwrap());
    let ids: Vec<i64> = rows.iter().map(|row| row["customer_id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(ids, (1..=2500).rev().collect::<Vec<_>>());
    // A page in another format.
    let (_, headers, csv) = read(&shop, "GET", "/shop/api/customers/?limit=2", "text/csv").await;
    assert_eq!(rows_of(&csv).1.len(), 2);
    assert!(header(&headers, "link").contains("rel=\"next\""), "{headers:?}");
    let (status, _, problem) = read(&shop, "GET", "/shop/api/customers/?limt=2", "text/csv").await;
    assert!(status == StatusCode::BAD_REQUEST && problem.contains("limt"), "{problem}");
    let (status, ..) = read(&shop, "GET", "/shop/api/customers/?registered_from=yesterday", "text/csv").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_csv_lists_are_sent_at_once_and_each_has_a_time_limit() {
    let limits = WholeListLimits { time: Duration::from_secs(1), ..WholeListLimits::default() };
    let shop = TestShop::with_whole_lists(limits).await;
    sqlx::query("insert into live.customer_stats select number, 0, 0 from generate_series(1, 60000) as number")
        .execute(&shop.pool)
        .await
        .unwrap();
    let open = async |path: &str, token: &str| {
        let request = Request::get(format!("/shop/api/{path}")).header("accept", "text/csv");
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        shop.router.clone().oneshot(request).await.unwrap()
    };
    let (admin, reader) = (tokens::ADMIN.as_str(), tokens::sign(&tokens::claims("reader", 2, None)));
    let reader = reader.as_str();
    let (first, second) = (open("customer-stats/", admin).await, open("customer-stats/", reader).await);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    for path in ["customer-stats/", "orders/"] {
        let third = open(path, admin).await;
        assert_eq!(
            (third.status(), header(third.headers(), "retry-after")),
            (StatusCode::SERVICE_UNAVAILABLE, "5"),
            "{path}"
        );
    }
    // A client that does not read in time gets no end of the list.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut chunks = first.into_body().into_data_stream();
    let mut ended = Ok(());
    while let Some(chunk) = chunks.next().await {
        ended = chunk.map(drop);
    }
    assert!(ended.is_err(), "the list ended regularly");
    drop((second, chunks));
    let mut again = open("orders/", admin).await;
    while again.status() == StatusCode::SERVICE_UNAVAILABLE {
        tokio::task::yield_now().await;
        again = open("orders/", admin).await;
    }
    assert_eq!(again.status(), StatusCode::OK);
    let empty = to_bytes(again.into_body(), usize::MAX).await.unwrap();
    assert_eq!(rows_of(std::str::from_utf8(&empty).unwrap()).1, Vec::<Value>::new());
    assert_eq!(json!([]), shop.read("orders/").await);
}
