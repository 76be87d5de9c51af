//! Every query parameter of a read changes the answer: a filter that is accepted and ignored would mislead its client.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::furnished::{fill, furnished};

/// Parts of a list, which `features::ranked_lists` and the tests of each list cover.
const PARTS: [&str; 3] = ["limit", "cursor", "all"];
/// Without something to show in this test: pictures are bytes, a stream never ends, and reactions have to fail first.
const ELSEWHERE: [&str; 3] = ["/media/{picture}", "/shop/api/events/stream", "/shop/api/reactions"];

/// Each read, with its parameters in the form `base&parameter=value`: the answer differs from that of `base` alone.
const EFFECTS: [(&str, &[&str]); 19] = [
    ("/shop/api/abandoned-carts", &["&days=0"]),
    (
        "/shop/api/bestsellers",
        &["&from=2099-01-01", "&to=2001-01-01", "&category=Nowhere", "&category_id=99", "category_id=2&subtree=true"],
    ),
    ("/shop/api/buyers", &["&from=2099-01-01", "&to=2001-01-01"]),
    ("/shop/api/cart/{cart_id}", &["&view=full"]),
    ("/shop/api/carts/{cart_token}", &["&view=full"]),
    ("/shop/api/category-sales", &["&from=2099-01-01", "&to=2001-01-01"]),
    ("/shop/api/category-stats", &["&subtree=true"]),
    ("/shop/api/customer/{customer_id}/cart", &["&view=full"]),
    (
        "/shop/api/customers",
        &["&search=zzz", "&email=zzz@example.com", "&registered_from=2099-01-01", "&registered_to=2001-01-01"],
    ),
    ("/shop/api/event-types", &["&type=OrderPlaced"]),
    ("/shop/api/events", &["&after=1", "&type=OrderPlaced", "&stream=Order/1", "&newest_first=true"]),
    ("/shop/api/low-stock", &["&threshold=1000"]),
    ("/shop/api/order-states", &["&from=2099-01-01", "&to=2001-01-01", "&open=true"]),
    (
        "/shop/api/orders",
        &[
            "&status=cancelled",
            "&payment=paid",
            "&fulfilment=shipped",
            "&reference=zzz",
            "&email=zzz@example.com",
            "&product_id=99",
            "&customer_id=99",
            "&customer=99",
            "&from=2099-01-01",
            "&to=2001-01-01",
            "&category_id=99",
            "&city=zzz",
            "&refund=requested",
            "&cancelled=true",
            "&buyer=guest",
            "&view=full",
        ],
    ),
    ("/shop/api/products", &PRODUCT_FILTERS),
    ("/shop/api/products/facets", &FACET_FILTERS),
    ("/shop/api/sales", &["&from=2026-01-01", "&to=2001-01-01", "&by=month"]),
    ("/shop/api/stock-movements", &["&product_id=99", "&from=2099-01-01", "&to=2001-01-01"]),
    ("/shop/api/users", &["&staff=true", "&email=zzz@example.com"]),
];

const PRODUCT_FILTERS: [&str; 22] = [
    "&category=Nowhere",
    "&category_id=99",
    "category_id=2&subtree=true",
    "&min_price=999",
    "&max_price=1",
    "&search=zzz",
    "&in_stock=false",
    "&sort=price_desc",
    "&family=99",
    "&collapse=family",
    "&sku=ZZZ",
    "&discontinued=true",
    "&view=full",
    "&slug=zzz",
    "&brand=zzz",
    "&model=zzz",
    "&color=zzz",
    "&storage=1",
    "&ram=1",
    "&on_sale=false",
    "&supplier_id=9",
    "&options=%7B%22a%22%3A%22b%22%7D",
];

const FACET_FILTERS: [&str; 18] = [
    "&category=Nowhere",
    "&category_id=99",
    "category_id=2&subtree=true",
    "&min_price=999",
    "&max_price=1",
    "&search=zzz",
    "&in_stock=false",
    "search=ketle&sort=relevance",
    "&family=99",
    "&slug=zzz",
    "&brand=zzz",
    "&model=zzz",
    "&color=zzz",
    "&storage=1",
    "&ram=1",
    "&on_sale=false",
    "&supplier_id=9",
    "&options=%7B%22a%22%3A%22b%22%7D",
];

async fn body(shop: &TestShop, url: &str, query: &str) -> Value {
    let answer = shop.call(Request::get(format!("{url}?{query}")).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{url}?{query}: {}", answer.body);
    answer.body
}

#[tokio::test]
async fn every_parameter_of_a_read_changes_its_answer() {
    let (shop, token) = furnished().await;
    shop.done("categories/", json!({ "category_name": "All" })).await;
    let moved = shop.send("PATCH", "categories/1/", json!({ "parent_id": 2 }), &[]).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
    // Before the kettle by name, and below it in price.
    shop.product("Anvil", "5.00", 3).await;
    let lines = json!([{ "product_id": 1, "quantity": 1 }]);
    let cancelled = shop.done("orders/", json!({ "customer_id": 1, "lines": lines })).await;
    shop.done(&format!("order/{}/cancel/", cancelled["order_id"]), json!({})).await;
    let customer = "insert into account (account_id, email, role, customer_id, opened_at)
        values (900, 'customer@example.com', 'customer', 900, clock_timestamp())";
    sqlx::raw_sql(customer).execute(&shop.pool).await.unwrap();
    shop.settle().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let (mut ignored, mut untried) = (Vec::new(), Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        let names =
            parameters.filter(|parameter| parameter["in"] == "query").filter_map(|query| query["name"].as_str());
        let described: BTreeSet<_> = names.filter(|name| !PARTS.contains(name)).collect();
        // Some histories have one event here; `features::history` reads them in both orders.
        let is_elsewhere = ELSEWHERE.contains(&path.as_str()) || path.ends_with("/history");
        if described.is_empty() || is_elsewhere {
            continue;
        }
        let effects = EFFECTS.iter().find(|(read, _)| read == path).map_or(&[][..], |(_, effects)| effects);
        let mut tried = BTreeSet::new();
        for effect in effects {
            let (base, parameter) = effect.rsplit_once('&').unwrap();
            tried.insert(parameter.split('=').next().unwrap());
            let url = fill(path, &token);
            if body(&shop, &url, base).await == body(&shop, &url, effect.trim_start_matches('&')).await {
                ignored.push(format!("{path}: {effect}"));
            }
        }
        untried.extend(described.difference(&tried).map(|name| format!("{path}: {name}")));
    }
    assert!(ignored.is_empty() && untried.is_empty(), "without effect: {ignored:#?}; not tried: {untried:#?}");
}
