//! The OpenAPI document: its examples and names.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::support::TestShop;
use crate::support::bad_values::resolve;

#[tokio::test]
async fn every_request_body_has_an_example_with_its_required_fields_and_no_others() {
    let shop = TestShop::new().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let mut examples = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(body) = operation.get("requestBody") else { continue };
            let content = &body["content"]["application/json"];
            let schema = resolve(&document, &content["schema"]);
            let example = content.get("example").unwrap_or(&schema["examples"][0]);
            let example = example.as_object().unwrap_or_else(|| panic!("{method} {path} has no example"));
            for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(example.contains_key(field), "{method} {path}: the example has no {field}");
            }
            if let Some(fields) = schema["properties"].as_object() {
                let unknown: Vec<_> = example.keys().filter(|field| !fields.contains_key(*field)).collect();
                assert_eq!(unknown, Vec::<&String>::new(), "{method} {path}");
            }
            examples += 1;
        }
    }
    assert!(examples > 35, "only {examples}");
}

#[tokio::test]
async fn the_name_of_every_operation_is_unique() {
    let shop = TestShop::new().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut names = BTreeSet::new();
    for name in operations.map(|operation| operation["operationId"].as_str().unwrap()) {
        assert!(names.insert(name), "{name} names two operations");
    }
}
