//! Entity tags: what a read shows decides its `ETag`, and the writer computes the same tag for `If-Match`.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use futures_util::future::join;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop};

async fn etag(shop: &TestShop, path: &str) -> String {
    shop.get(path).await.header("etag").to_owned()
}

async fn patch(shop: &TestShop, path: &str, body: Value) -> Answer {
    shop.send("PATCH", path, body, &[]).await
}

#[tokio::test]
async fn stock_that_moves_disturbs_the_tag_of_a_cart_only_when_an_item_runs_out() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "20.00", 9).await, shop.customer("Ada").await);
    shop.add(ada, kettle, 3).await;
    let cart = format!("customer/{ada}/cart/");
    let first = etag(&shop, &cart).await;
    let order = |quantity: i64| json!({ "lines": [{ "product_id": kettle, "quantity": quantity }] });
    shop.done("orders/", order(6)).await;
    assert_eq!(shop.read(&cart).await["items"][0]["in_stock"], 3);
    assert_eq!(etag(&shop, &cart).await, first);
    shop.done("orders/", order(1)).await;
    let short = etag(&shop, &cart).await;
    assert_ne!(short, first);
    let refused = shop.send("POST", &format!("{cart}checkout/"), json!({}), &[("if-match", &first)]).await;
    assert_eq!(refused.problem(), "stale");
    let refused = shop.send("POST", &format!("{cart}checkout/"), json!({}), &[("if-match", &short)]).await;
    assert_eq!(refused.problem(), "items_unavailable");
    shop.done(&format!("product/{kettle}/stock/"), json!({ "change": 1 })).await;
    assert_eq!(etag(&shop, &cart).await, first, "what is shown is as it was");
    let placed = shop.send("POST", &format!("{cart}checkout/"), json!({}), &[("if-match", &first)]).await;
    assert_eq!(placed.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_product_shows_its_category_and_an_order_its_customer() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "20.00", 9).await, shop.customer("Ada").await);
    shop.add(ada, kettle, 1).await;
    shop.check_out(ada).await;
    let guests = shop.done("orders/", json!({ "lines": [{ "product_id": kettle, "quantity": 1 }] })).await;
    let (product, category, guests) =
        (format!("product/{kettle}/"), "categories/1/", format!("order/{}/", guests["order_id"]));
    let reads = [product.as_str(), category, "order/1/", "order/1/summary/", &guests];
    let mut before = BTreeMap::new();
    for path in reads {
        before.insert(path, etag(&shop, path).await);
    }
    assert_eq!(patch(&shop, category, json!({ "category_name": "Tea kitchen" })).await.status, StatusCode::OK);
    assert_eq!(patch(&shop, &format!("customer/{ada}/"), json!({ "last_name": "Smith" })).await.status, StatusCode::OK);
    for path in reads {
        let changed = etag(&shop, path).await != before[path];
        assert_eq!(changed, path != guests, "{path}");
    }
    assert_eq!(
        shop.read(category).await,
        json!({ "category_id": 1, "category_name": "Tea kitchen", "product_count": 1, "parent_id": null })
    );
    for (method, path, body) in [
        ("PATCH", product.as_str(), json!({ "price": "21.00" })),
        ("POST", "order/1/process/", Value::Null),
        ("PATCH", category, json!({ "category_name": "Kitchen" })),
    ] {
        let read = path.trim_end_matches("process/");
        let stale = shop.send(method, path, body.clone(), &[("if-match", &before[read])]).await;
        assert_eq!((stale.status, stale.problem()), (StatusCode::PRECONDITION_FAILED, "stale"), "{path}");
        let current = etag(&shop, read).await;
        assert_eq!(shop.send(method, path, body, &[("if-match", &current)]).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(shop.get("categories/99/").await.problem(), "category_not_found");
}

#[tokio::test]
async fn a_client_that_knows_what_is_shown_gets_304() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "20.00", 9).await, shop.customer("Ada").await);
    shop.add(ada, kettle, 1).await;
    for path in [format!("customer/{ada}/cart/"), format!("product/{kettle}/"), format!("customer/{ada}/")] {
        let tag = etag(&shop, &path).await;
        for known in [tag.clone(), format!("\"0\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            let unchanged = shop.send("GET", &path, Value::Null, &[("if-none-match", &known)]).await;
            assert_eq!((unchanged.status, unchanged.header("etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
            assert_eq!((&unchanged.body, unchanged.header("content-type")), (&Value::Null, ""));
        }
        let changed = shop.send("GET", &path, Value::Null, &[("if-none-match", "\"0\"")]).await;
        assert_eq!(changed.status, StatusCode::OK);
    }
}

/// A change of the shop. Numbers of products, customers and orders are taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Reprice { product: usize, cents: u32 },
    Rename { product: usize, name: u8 },
    MoveProduct { product: usize, category: usize },
    RenameCategory { category: usize, name: u8 },
    Count { product: usize, units: u8 },
    Discontinue { product: usize },
    Delete { product: usize },
    Add { customer: usize, product: usize, quantity: u8 },
    Set { customer: usize, product: usize, quantity: u8 },
    Order { customer: usize, product: usize, quantity: u8 },
    RenameCustomer { customer: usize, name: u8 },
    CheckOut { customer: usize },
    Process { order: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let index = || 0..60usize;
    prop_oneof![
        1 => (index(), 1..500u32).prop_map(|(product, cents)| Step::Reprice { product, cents }),
        1 => (index(), 0..3u8).prop_map(|(product, name)| Step::Rename { product, name }),
        1 => (index(), index()).prop_map(|(product, category)| Step::MoveProduct { product, category }),
        1 => (index(), 0..9u8).prop_map(|(category, name)| Step::RenameCategory { category, name }),
        3 => (index(), 0..9u8).prop_map(|(product, units)| Step::Count { product, units }),
        1 => (index(),).prop_map(|(product,)| Step::Discontinue { product }),
        1 => (index(),).prop_map(|(product,)| Step::Delete { product }),
        3 => (index(), index(), 1..4u8).prop_map(|(customer, product, quantity)| Step::Add { customer, product, quantity }),
        3 => (index(), index(), 0..6u8).prop_map(|(customer, product, quantity)| Step::Set { customer, product, quantity }),
        1 => (index(), index(), 1..4u8).prop_map(|(customer, product, quantity)| Step::Order { customer, product, quantity }),
        1 => (index(), 0..3u8).prop_map(|(customer, name)| Step::RenameCustomer { customer, name }),
        1 => (index(),).prop_map(|(customer,)| Step::CheckOut { customer }),
        1 => (index(),).prop_map(|(order,)| Step::Process { order }),
    ]
}

const PRODUCTS: usize = 5;
const CUSTOMERS: usize = 2;
const CATEGORIES: usize = 2;

/// Sends the step; it may be refused.
async fn take(shop: &TestShop, step: Step) {
    let product = |product: usize| product % PRODUCTS + 1;
    let customer = |customer: usize| customer % CUSTOMERS + 1;
    let category = |category: usize| category % CATEGORIES + 1;
    let (method, path, body) = match step {
        Step::Reprice { product: id, cents } => {
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            ("PATCH", format!("product/{}/", product(id)), json!({ "price": price }))
        }
        Step::Rename { product: id, name } => {
            ("PATCH", format!("product/{}/", product(id)), json!({ "name": format!("Mug {name}") }))
        }
        Step::MoveProduct { product: id, category: to } => {
            ("PATCH", format!("product/{}/", product(id)), json!({ "category": category(to) }))
        }
        Step::RenameCategory { category: id, name } => {
            ("PATCH", format!("categories/{}/", category(id)), json!({ "category_name": format!("Cups {name}") }))
        }
        Step::Count { product: id, units } => {
            ("POST", format!("product/{}/stock/", product(id)), json!({ "count": units }))
        }
        Step::Discontinue { product: id } => {
            ("PATCH", format!("product/{}/", product(id)), json!({ "discontinued": true }))
        }
        Step::Delete { product: id } => ("DELETE", format!("product/{}/", product(id)), Value::Null),
        Step::Add { customer: buyer, product: id, quantity } => (
            "POST",
            format!("customer/{}/cart/items/", customer(buyer)),
            json!({ "product_id": product(id), "quantity": quantity }),
        ),
        Step::Set { customer: buyer, product: id, quantity } => (
            "PUT",
            format!("customer/{}/cart/items/{}/", customer(buyer), product(id)),
            json!({ "quantity": quantity }),
        ),
        Step::Order { customer: buyer, product: id, quantity } => {
            let lines = json!([{ "product_id": product(id), "quantity": quantity }]);
            ("POST", "orders/".to_owned(), json!({ "customer_id": customer(buyer), "lines": lines }))
        }
        Step::RenameCustomer { customer: buyer, name } => {
            ("PATCH", format!("customer/{}/", customer(buyer)), json!({ "last_name": format!("Miller {name}") }))
        }
        Step::CheckOut { customer: buyer } => {
            ("POST", format!("customer/{}/cart/checkout/", customer(buyer)), Value::Null)
        }
        Step::Process { order } => ("POST", format!("order/{}/process/", order % 3 + 1), Value::Null),
    };
    let answer = shop.send(method, &path, body, &[]).await;
    assert!(!answer.status.is_server_error(), "{method} {path}: {}", answer.body);
}

/// Every tagged read, with a command on the same thing that changes nothing.
fn tagged() -> Vec<(String, &'static str, String, Value)> {
    let mut tagged = Vec::new();
    for product in 1..=PRODUCTS {
        tagged.push((format!("product/{product}/"), "PATCH", format!("product/{product}/"), json!({})));
    }
    for customer in 1..=CUSTOMERS {
        let cart = format!("customer/{customer}/cart/");
        tagged.push((cart.clone(), "DELETE", format!("{cart}?dry_run=true"), Value::Null));
        tagged.push((format!("customer/{customer}/"), "PATCH", format!("customer/{customer}/"), json!({})));
    }
    for category in 1..=CATEGORIES {
        let path = format!("categories/{category}/");
        tagged.push((path.clone(), "PATCH", format!("{path}?dry_run=true"), json!({ "category_name": "Cups" })));
    }
    for order in 1..=3 {
        for read in ["", "summary/"] {
            let path = format!("order/{order}/process/?dry_run=true");
            tagged.push((format!("order/{order}/{read}"), "POST", path, Value::Null));
        }
    }
    tagged
}

/// What is shown, without the units in stock that the tag of a cart leaves out.
fn shown(mut body: Value) -> Value {
    for item in body.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        item["in_stock"].take();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn after_any_history_the_writer_computes_the_tag_that_the_read_shows() {
    let shop = TestShop::new().await;
    shop.category("Mugs").await;
    shop.category("Pots").await;
    for number in 1..=PRODUCTS {
        let product = json!({ "name": format!("Mug {number}"), "price": "5.00", "category": "Mugs", "stock": 5 });
        shop.done("products/", product).await;
    }
    shop.customers(CUSTOMERS).await;
    let steps = proptest::collection::vec(step(), 80).new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mut seen: BTreeMap<String, (String, Value)> = BTreeMap::new();
    for step in steps {
        take(&shop, step.clone()).await;
        for (read, method, command, body) in tagged() {
            let answer = shop.get(&read).await;
            if answer.status != StatusCode::OK {
                continue;
            }
            let tag = answer.header("etag").to_owned();
            assert!(!tag.is_empty(), "{read}");
            let checked = shop.send(method, &command, body.clone(), &[("if-match", &tag)]).await;
            assert_ne!(
                checked.status,
                StatusCode::PRECONDITION_FAILED,
                "{step:?}: {read} shows {tag}: {}",
                checked.body
            );
            let current = (tag.clone(), shown(answer.body));
            if let Some((old_tag, old_shown)) = seen.insert(read.clone(), current.clone())
                && old_shown != current.1
            {
                assert_ne!(old_tag, tag, "{step:?} changes what {read} shows");
                let stale = shop.send(method, &command, body, &[("if-match", &old_tag)]).await;
                assert_eq!(stale.problem(), "stale", "{step:?}: {read}");
            }
        }
    }
    assert!(seen.len() > PRODUCTS + CUSTOMERS, "{:?}", seen.keys());
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_with_a_tag_never_charges_a_price_that_was_not_seen() {
    let nodes = [TestShop::new().await];
    let nodes = [TestShop::on((*nodes[0].pool.connect_options()).clone()).await, nodes.into_iter().next().unwrap()];
    let shop = &nodes[0];
    let kettle = shop.product("Kettle", "10.00", 500).await;
    let product = format!("product/{kettle}/");
    let mut refused = 0;
    for round in 0..25 {
        let customer = shop.customer(&format!("Buyer{round}")).await;
        shop.add(customer, kettle, 1).await;
        let cart = format!("customer/{customer}/cart/");
        let seen = shop.get(&cart).await;
        let (tag, total) = (seen.header("etag").to_owned(), seen.body["total"].clone());
        let price = json!({ "price": format!("{}.00", 11 + round) });
        let reprice = nodes[1].send("PATCH", &product, price, &[]);
        let path = format!("{cart}checkout/");
        let tag = [("if-match", tag.as_str())];
        let check_out = shop.send("POST", &path, json!({}), &tag);
        let (placed, repriced) = if round % 2 == 0 {
            join(check_out, reprice).await
        } else {
            let (repriced, placed) = join(reprice, check_out).await;
            (placed, repriced)
        };
        assert_eq!(repriced.status, StatusCode::OK);
        match placed.status {
            StatusCode::CREATED => assert_eq!(placed.body["total_amount"], total),
            _ => {
                assert_eq!(placed.problem(), "stale");
                refused += 1;
            }
        }
        shop.settle().await;
    }
    eprintln!("{refused} of 25 checkouts were refused");
    shop.check_log().await;
}
