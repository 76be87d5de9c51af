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
            if let Some(lines) = body["content"].get("application/x-ndjson") {
                assert!(
                    lines["example"].as_str().is_some_and(|rows| rows.ends_with('\n')),
                    "{method} {path}: no example"
                );
                continue;
            }
            let Some(content) = body["content"].get("application/json") else { continue };
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

#[tokio::test]
async fn every_response_is_described_and_every_reference_leads_somewhere() {
    let shop = TestShop::new().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let (mut references, mut responses) = (0, 0);
    visit(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is outside the document"));
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            references += 1;
        }
        for (status, response) in value.get("responses").and_then(Value::as_object).into_iter().flatten() {
            let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described || response.get("$ref").is_some(), "{status} is not described in {value}");
            responses += 1;
        }
    });
    assert!(references > 500 && responses > 500, "{references} references, {responses} responses");
}

/// Calls `look` with every object of the document.
fn visit(value: &Value, look: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(fields) => {
            look(value);
            fields.values().for_each(|field| visit(field, look));
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
        _ => {}
    }
}
