//! Reads and verifications while rebuilds swap the tables that they read.

use std::sync::atomic::{AtomicBool, Ordering};

use cartwright::projector::{Projection, rebuild, verify};
use serde_json::json;

use crate::support::TestShop;

const ROUNDS: usize = 20;

/// Repeats `look` while projections are rebuilt.
async fn while_rebuilt(shop: &TestShop, names: &[&str], look: impl AsyncFn()) {
    let done = AtomicBool::new(false);
    let rebuilds = async {
        for round in 0..ROUNDS {
            let projection = Projection::find(names[round % names.len()]).unwrap();
            rebuild(&shop.pool, projection, &|_| ()).await.unwrap();
        }
        done.store(true, Ordering::Relaxed);
    };
    let looks = async {
        while !done.load(Ordering::Relaxed) {
            look().await;
        }
    };
    futures_util::future::join(rebuilds, looks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_and_an_order_are_complete_while_their_tables_are_swapped() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    shop.check_out(customer).await;
    shop.add(customer, product, 2).await;
    shop.settle().await;
    while_rebuilt(&shop, &["carts", "cart_items", "products", "orders", "order_lines"], async || {
        let cart = shop.read(&format!("customer/{customer}/cart/")).await;
        assert_eq!(cart["total"], "49.80", "{cart}");
        let order = shop.read("order/1/summary/").await;
        assert_eq!(order["lines"].as_array().unwrap().len(), 1, "{order}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_passes_while_its_table_is_swapped() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "24.90", 9).await;
    shop.settle().await;
    let products = Projection::find("products").unwrap();
    while_rebuilt(&shop, &["products"], async || {
        let found = verify(&shop.pool, products, &|_| ()).await.unwrap();
        assert_eq!((found.rows, found.different), (1, 0), "{:?}", found.examples);
    })
    .await;
}

#[tokio::test]
async fn an_order_has_the_date_that_its_checkout_answered() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 9).await;
    for (number, placed_at) in ["2025-06-29T23:59:59.9999999Z", "2016-12-31T23:59:60.5Z"].into_iter().enumerate() {
        let lines = json!([{ "product_id": product, "quantity": 1 }]);
        let order = shop.done("orders/", json!({ "placed_at": placed_at, "lines": lines })).await;
        shop.settle().await;
        let read = shop.read(&format!("order/{}/", number + 1)).await;
        assert_eq!(order["order_date"], read[0]["order_date"], "{placed_at}");
        let sales = shop.read(&format!("sales/?from={0}&to={0}", order["order_date"].as_str().unwrap())).await;
        assert_eq!(sales[0]["orders"], 1, "{placed_at}: {sales}");
    }
}
