//! Every GET has an `ETag`, and answers 304 to a client that knows it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::domain::picture::MediaBase;
use cartwright::journal::{Actor, Context};
use cartwright::shop::ChangeMediaBase;
use image::ImageFormat;
use serde_json::{Value, json};

use crate::support::furnished::{fill, furnished};
use crate::support::guests::address;
use crate::support::pictures::{picture, upload};
use crate::support::{Answer, TestShop};

/// What these show changes between two requests.
const VOLATILE: [&str; 5] =
    ["/metrics", "/health/ready", "/shop/api/clock", "/shop/api/projections", "/shop/api/tasks"];
const STREAM: &str = "/shop/api/events/stream";

async fn get(shop: &TestShop, method: &str, path: &str, known: Option<&str>) -> (StatusCode, String, bool) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    let answer = shop.call(request.body(Body::empty()).unwrap()).await;
    (answer.status, answer.header("etag").to_owned(), answer.header("vary").eq_ignore_ascii_case("accept"))
}

#[tokio::test]
async fn every_read_has_a_tag_and_is_not_sent_again_to_a_client_that_knows_it() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let mut answered = 1;
    let mut refused = Vec::new();
    let described = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item.get("get").is_some());
    for path in described.map(|(path, _)| path.as_str()).chain(["/openapi.json", "/docs/", "/problems/not_found"]) {
        if path == STREAM {
            continue;
        }
        let url = fill(path, &token);
        let (status, tag, varies) = get(&shop, "GET", &url, None).await;
        if status != StatusCode::OK {
            refused.push(format!("{path}: {status}"));
            continue;
        }
        answered += 1;
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2 && varies, "GET {path}: {tag}");
        let (status, ..) = get(&shop, "GET", &url, Some("*")).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED, "GET {path} with *");
        if !VOLATILE.contains(&path) {
            for method in ["GET", "HEAD"] {
                let (status, again, _) = get(&shop, method, &url, Some(&format!("\"other\", W/{tag}"))).await;
                assert_eq!((status, &again), (StatusCode::NOT_MODIFIED, &tag), "{method} {path}");
            }
            assert_eq!(get(&shop, "HEAD", &url, None).await, (StatusCode::OK, tag, true), "HEAD {path}");
        }
    }
    assert!(answered > 55 && refused.len() < 6, "{answered} reads have a tag; refused: {refused:?}");
}

/// Commands that change what single resources show.
fn changes(token: &str) -> Vec<(&'static str, String, Value)> {
    let to = |path: &str| fill(path, token);
    let named = |name: &str| json!({ "name": name, "price": "1.00", "category": 1, "stock": 1 });
    let place =
        |storage: &str, color: &str| json!({ "family_id": 1, "options": { "storage": storage, "color": color } });
    let mut changes = vec![
        ("POST", to("products/"), named("Pot")),
        ("POST", to("categories/"), json!({ "category_name": "Tea" })),
        ("PATCH", to("categories/{category_id}/"), json!({ "category_name": "Kitchens" })),
        ("PATCH", to("categories/{category_id}/"), json!({ "parent_id": 2 })),
        ("POST", to("products/"), named("Pan")),
        ("PUT", to("product/2/family/"), place("64 GB", "Black")),
        ("PUT", to("product/{product_id}/family/"), place("256 GB", "White")),
        ("PATCH", to("family/{family_id}/"), json!({ "name": "Phone Y" })),
        ("PATCH", to("family/{family_id}/"), json!({ "options": ["color", "storage"] })),
        ("POST", to("product/{product_id}/stock/"), json!({ "change": 5 })),
        ("POST", to("product/2/stock/"), json!({ "count": 0 })),
        ("PUT", to("customer/{customer_id}/cart/items/1/"), json!({ "quantity": 3 })),
        ("POST", to("customer/{customer_id}/cart/items/"), json!({ "product_id": 2, "quantity": 1 })),
        ("PUT", to("carts/{cart_token}/items/1/"), json!({ "quantity": 3 })),
        ("PATCH", to("customer/{customer_id}/"), json!({ "first_name": "Eva" })),
        ("PATCH", to("customer/{customer_id}/"), json!({ "last_name": "Smith" })),
        ("PATCH", to("customer/{customer_id}/"), json!({ "email": "eva@example.com" })),
        ("PATCH", to("customer/{customer_id}/"), json!({ "metadata": { "a": "b" } })),
        ("PATCH", to("order/{order_id}/"), json!({ "metadata": { "a": "b" } })),
        ("PUT", to("order/{order_id}/contact/"), json!({ "name": "Joan" })),
        ("PUT", to("order/{order_id}/contact/"), json!({ "email": "joan@example.com" })),
        ("PUT", to("order/{order_id}/addresses/"), json!({ "shipping": address("Joan", "DE") })),
        ("PUT", to("order/{order_id}/addresses/"), json!({ "billing": address("Joan", "FR") })),
        ("POST", to("order/{order_id}/pay/"), json!({})),
        ("POST", to("order/{order_id}/refund/"), json!({ "amount": "1.00" })),
        ("POST", to("order/{order_id}/process/"), Value::Null),
        ("POST", to("order/{order_id}/ship/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })),
        ("POST", to("order/{order_id}/deliver/"), json!({ "shipment": 1 })),
        ("POST", to("order/{order_id}/cancel/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })),
        ("POST", to("order/{order_id}/return/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })),
        ("PATCH", to("discount/{code}/"), json!({ "kind": "percent", "value": "5" })),
        ("PATCH", to("discount/{code}/"), json!({ "from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z" })),
        ("PATCH", to("discount/{code}/"), json!({ "total_limit": 5, "minimum": "1.00" })),
        ("POST", to("carts/{cart_token}/checkout/"), checkout("Bo")),
        ("PATCH", to("discount/{code}/"), json!({ "customer_limit": 1 })),
        ("DELETE", to("discount/{code}/"), Value::Null),
        ("PUT", to("pricing/shipping/"), json!({ "fees": [{ "country": "GB", "from": "0.00", "fee": "4.90" }] })),
        ("PUT", to("pricing/taxes/"), json!({ "inclusive": true, "rates": [{ "country": "GB", "percent": "20" }] })),
        ("PATCH", to("settings/"), json!({ "search_language": "german" })),
        ("PATCH", to("settings/"), json!({ "low_stock_threshold": 3 })),
        ("PATCH", to("product/2/"), json!({ "discontinued": true })),
    ];
    let product = [
        json!({ "name": "Teapot" }),
        json!({ "price": "21.00" }),
        json!({ "description": "For tea." }),
        json!({ "sku": "TEA-1" }),
        json!({ "slug": "tea-pot" }),
        json!({ "brand": "Acme" }),
        json!({ "specifications": { "litres": 1 } }),
        json!({ "weight_g": 900 }),
        json!({ "dimensions": "9 cm" }),
        json!({ "supplier_id": 9 }),
        json!({ "metadata": { "shelf": "A" } }),
        json!({ "phone": { "color": "Black" } }),
        json!({ "low_stock_threshold": 4 }),
        json!({ "category": 2 }),
        json!({ "on_sale": false }),
        json!({ "discontinued": true }),
    ];
    changes.extend(product.into_iter().map(|body| ("PATCH", to("product/{product_id}/"), body)));
    changes
}

fn checkout(name: &str) -> Value {
    let email = format!("{}@example.com", name.to_lowercase());
    json!({ "name": name, "email": email, "shipping_address": address(name, "GB"), "discount_code": "WELCOME" })
}

/// What is shown, without the units in stock that the tag of a cart leaves out by its description.
fn shown(path: &str, mut body: Value) -> Value {
    if path.contains("cart") {
        for item in body.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
            item["in_stock"].take();
        }
    }
    body
}

/// Each value in a body, by its place.
fn leaves(place: &str, body: &Value, found: &mut BTreeMap<String, Value>) {
    let mut inner = |name: &str, value: &Value| leaves(&format!("{place}/{name}"), value, found);
    match body {
        Value::Object(fields) if !fields.is_empty() => fields.iter().for_each(|(name, value)| inner(name, value)),
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|value| inner("*", value)),
        value => drop(found.insert(place.to_owned(), value.clone())),
    }
}

/// Parts of the places of what no command here changes: numbers, times, and what an order keeps from when it was placed.
const FIXED: [&str; 19] = [
    "_id",
    "_at",
    "/line",
    "/order_date",
    "/pay_by",
    "/code",
    "/kind",
    "/quantity",
    "/reference",
    "/price_per_unit",
    "/subtotal",
    "/product_name",
    "/in_stock",
    "/payment_",
    "/shipping_country",
    "/pricing",
    "/addresses/",
    "/customer_name",
    "/total_amount",
];

/// Every answer of a resource that has its own tag, by tag; a body that changes under its tag would be 304 to a client.
#[derive(Default)]
struct Seen {
    bodies: BTreeMap<(String, String), Value>,
    first: BTreeMap<String, BTreeMap<String, Value>>,
    changed: BTreeSet<String>,
}

impl Seen {
    fn record(&mut self, path: &str, answer: Answer, after: &str) {
        let tag = answer.header("etag").to_owned();
        if answer.status != StatusCode::OK || tag.starts_with("\"d") {
            return;
        }
        let body = shown(path, answer.body);
        let mut found = BTreeMap::new();
        leaves(path, &body, &mut found);
        let first = self.first.entry(path.to_owned()).or_insert_with(|| found.clone());
        let is_other = |(place, value): &(&String, &Value)| first.get(*place) != Some(*value);
        self.changed.extend(found.iter().filter(is_other).map(|(place, _)| place.clone()));
        self.changed.extend(first.keys().filter(|place| !found.contains_key(*place)).cloned());
        let earlier = self.bodies.entry((path.to_owned(), tag.clone())).or_insert_with(|| body.clone());
        assert_eq!(*earlier, body, "GET {path} shows something else with the tag {tag} after {after}");
    }
}

#[tokio::test]
async fn a_tag_names_one_body_for_every_caller_and_after_every_change() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let described = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item.get("get").is_some());
    let mut paths = Vec::new();
    for (path, _) in described {
        let url = fill(path, &token);
        let Some(read) = url.strip_prefix("/shop/api/").filter(|_| path != STREAM) else { continue };
        let (_, tag, _) = get(&shop, "GET", &url, None).await;
        if tag.starts_with('"') && !tag.starts_with("\"d") {
            paths.push(read.to_owned());
        }
    }
    assert!(paths.len() > 12, "{paths:?}");
    let mut seen = Seen::default();
    let read_all = async |seen: &mut Seen, after: &str| {
        for path in &paths {
            seen.record(path, shop.get(path).await, after);
            seen.record(path, shop.send_without_token("GET", path, Value::Null).await, after);
        }
    };
    read_all(&mut seen, "nothing").await;
    for (method, path, body) in changes(&token) {
        let answer = shop.send(method, &path, body.clone(), &[]).await;
        assert!(answer.status.is_success(), "{method} {path} {body}: {} {}", answer.status, answer.body);
        shop.settle().await;
        read_all(&mut seen, &format!("{method} {path} {body}")).await;
    }
    let added = upload(&shop, "POST", "product/1/images/", &picture(8, 8, [1, 2, 3], ImageFormat::Png)).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    read_all(&mut seen, "a second image").await;
    let order = json!({ "image_ids": [added.body["image_id"], 1] });
    assert!(shop.send("PUT", "product/1/images/order/", order, &[]).await.status.is_success());
    read_all(&mut seen, "another main image").await;
    let operator = Actor { id: "operator".to_owned(), role: "admin" };
    let base = Some("https://media.example.com".parse::<MediaBase>().unwrap());
    shop.engine.journal.run(ChangeMediaBase { base }, Context::of(operator)).await.unwrap();
    shop.settle().await;
    read_all(&mut seen, "another address of images").await;
    let places: BTreeSet<_> = seen.first.values().flat_map(BTreeMap::keys).collect();
    let never: Vec<_> = places
        .into_iter()
        .filter(|place| !seen.changed.contains(*place) && !FIXED.iter().any(|fixed| place.contains(fixed)))
        .collect();
    assert!(never.is_empty(), "no change of this test changes {never:#?}");
}

/// Reads that are kept for every caller, and those of personal data.
#[tokio::test]
async fn every_read_says_how_long_caches_may_keep_it() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let reads = document["paths"].as_object().unwrap().iter().filter_map(|(path, item)| Some((path, item.get("get")?)));
    let mut wrong = Vec::new();
    for (path, operation) in reads.filter(|(path, _)| *path != STREAM) {
        let is_public = operation["security"].as_array().unwrap().contains(&json!({}));
        let names_caller = path.contains("{cart_token}");
        let url = fill(path, &token);
        let request = |accept: &str| Request::get(&url).header("accept", accept).body(Body::empty()).unwrap();
        for accept in ["*/*", "text/csv, */*;q=0.1"] {
            let (guest, staff) = (shop.send_unchanged(request(accept)).await, shop.call(request(accept)).await);
            for (caller, answer) in [("guest", guest), ("staff", staff)] {
                let header = answer.header("cache-control").to_owned();
                let expected: &[&str] = match (answer.status, is_public && !names_caller, caller) {
                    (StatusCode::OK, true, _) if path.starts_with("/media/") => {
                        &["public, max-age=31536000, immutable"]
                    }
                    (StatusCode::OK, true, "guest") => &["no-cache"],
                    (StatusCode::OK, true, _) => &["no-cache", "private, no-cache"],
                    (StatusCode::OK, false, "staff") => &["no-store", "private, no-cache"],
                    _ => &["no-store"],
                };
                if !expected.contains(&header.as_str()) {
                    wrong.push(format!("{path} for {caller}, {accept}: {} {header:?}", answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
