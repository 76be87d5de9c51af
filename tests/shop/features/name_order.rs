//! Lists by name, filters by name, and search: as people sort and look for names, on every server alike.

use axum::http::StatusCode;
use cartwright::projector::{PROJECTIONS, text_key};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::TestShop;

/// One field of each row.
fn column(rows: &Value, field: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

/// One field of each row of a list, page by page.
async fn walk(shop: &TestShop, path: &str, field: &str) -> Vec<String> {
    let (mut all, mut path) = (Vec::new(), path.to_owned());
    loop {
        let page = shop.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        all.extend(column(&page.body, field));
        let Some(next) = page.header("link").strip_prefix("</shop/api/").and_then(|link| link.split_once('>')) else {
            return all;
        };
        path = next.0.to_owned();
    }
}

const SORTED: [&str; 8] = ["10 pack", "9 pack", "apfel", "Äpfel", "apple", "Ça va", "Zebra", "Žižek"];

#[tokio::test]
async fn lists_by_name_sort_as_people_sort_also_across_pages() {
    let shop = TestShop::new().await;
    for name in ["Žižek", "Zebra", "apple", "apfel", "Ça va", "Äpfel", "10 pack", "9 pack"] {
        shop.done("categories/", json!({ "category_name": name })).await;
        let product = json!({ "name": name, "price": "1.00", "category": name, "description": "all of them" });
        shop.done("products/", product).await;
    }
    shop.settle().await;
    for (path, field) in [
        ("products/?limit=1", "name"),
        ("products/?limit=3&search=ALL", "name"),
        ("categories/?limit=2", "category_name"),
        ("category-stats/?limit=2", "category_name"),
    ] {
        assert_eq!(walk(&shop, path, field).await, SORTED, "{path}");
    }
    let collation = "select attcollation::regcollation::text from pg_attribute
                     where attname = 'name_key' and attrelid = any($1::regclass[])";
    let tables = vec!["live.products", "live.categories", "live.category_stats"];
    let collations: Vec<String> = sqlx::query_scalar(collation).bind(&tables).fetch_all(&shop.pool).await.unwrap();
    assert_eq!(collations, [r#""C""#; 3], "the server's collation has no say");
}

#[tokio::test]
async fn search_and_filters_by_name_ignore_accents_and_the_exact_name_comes_first() {
    let shop = TestShop::new().await;
    for (category, name) in [("Café", "Crème brûlée"), ("Cafe", "Cup"), ("Straße", "ŁÓDŹ map"), ("2024", "Calendar")]
    {
        shop.done("categories/", json!({ "category_name": category })).await;
        let product = json!({ "name": name, "price": "1.00", "category": category, "description": "O’Neil's" });
        shop.done("products/", product).await;
    }
    shop.settle().await;
    let found = async |query: &str| column(&shop.read(&format!("products/?{query}")).await, "name");
    assert_eq!(found("search=creme%20BRULEE").await, ["Crème brûlée"]);
    assert_eq!(found("search=Cre%CC%80me").await, ["Crème brûlée"]);
    assert_eq!(found("search=lodz").await, ["ŁÓDŹ map"]);
    assert_eq!(found("search=o'neil").await.len(), 4);
    for sort in ["name", "price_asc", "price_desc", "newest"] {
        assert_eq!(found(&format!("sort={sort}&search=creme")).await, ["Crème brûlée"], "{sort}");
        assert_eq!(found(&format!("sort={sort}&category=2024")).await, ["Calendar"], "{sort}");
    }
    assert_eq!(found("category=caf%C3%A9").await, ["Crème brûlée"]);
    assert_eq!(found("category=cafe").await, ["Cup"]);
    assert_eq!(found("category=strasse").await, ["ŁÓDŹ map"]);
    assert_eq!(found("category=tea").await, [""; 0]);
    assert_eq!(found("category=2024").await, ["Calendar"]);
    assert_eq!(found("category=3").await, ["ŁÓDŹ map"], "a number");
    assert_eq!(found("category_id=3").await, ["ŁÓDŹ map"]);
    assert_eq!(found("category_id=2024").await, [""; 0]);
    for query in ["category=3&category_id=3", "category=a%00b", "search=a%00b", "category_id=x"] {
        assert_eq!(shop.get(&format!("products/?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    // A category with the number 5, and one that is called so: the number wins, category_id names either.
    shop.done("categories/", json!({ "category_name": "Fifth" })).await;
    let called = shop.done("categories/", json!({ "category_name": "5" })).await["category_id"].clone();
    for (name, category) in [("Numbered", json!(5)), ("Called", json!("5"))] {
        shop.done("products/", json!({ "name": name, "price": "1.00", "category": category })).await;
    }
    shop.settle().await;
    assert_eq!(found("category=5").await, ["Numbered"]);
    assert_eq!(found(&format!("category_id={called}")).await, ["Called"]);
    assert_eq!(shop.get("bestsellers/?category=strasse").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_keys_of_rust_and_of_sql_are_the_same() {
    let shop = TestShop::new().await;
    let schema = "select nspname::text from pg_namespace where nspname ~ '^fact_[0-9a-f]{12}$'";
    let schema: String = sqlx::query_scalar(schema).fetch_one(&shop.pool).await.unwrap();
    let mut runner = TestRunner::deterministic();
    let any_text = prop_oneof!["[ -~]{0,40}", "[ -~À-ʯͰ-ԯ]{0,40}", "[^\\x00]{0,30}", "[a-e\u{300}-\u{36f}ßøæİ]{0,20}"];
    let mut texts: Vec<String> = (0..2_000).map(|_| any_text.new_tree(&mut runner).unwrap().current()).collect();
    texts.extend((1..0x3_0000).filter_map(char::from_u32).map(|letter| format!("{letter}A")));
    let keys =
        format!("select {schema}.text_key(text) from unnest($1::text[]) with ordinality as t (text, n) order by n");
    let keys: Vec<String> = sqlx::query_scalar(&keys).bind(&texts).fetch_all(&shop.pool).await.unwrap();
    for (text, key) in texts.iter().zip(keys) {
        assert_eq!(text_key(text), key, "{text:?}");
    }
    let sorted = "select text from unnest($1::text[]) as text order by text collate \"C\"";
    let mut keys: Vec<String> = SORTED.iter().map(|name| text_key(name)).collect();
    let by_sql: Vec<String> = sqlx::query_scalar(sorted).bind(&keys).fetch_all(&shop.pool).await.unwrap();
    keys.sort();
    assert_eq!(keys, by_sql, "Rust and collation \"C\" compare bytes");
    assert!(PROJECTIONS.iter().any(|projection| projection.name == "categories"));
}

#[tokio::test]
async fn a_discontinued_product_comes_back_with_what_changed_meanwhile() {
    let shop = TestShop::new().await;
    shop.done("categories/", json!({ "category_name": "Tea" })).await;
    shop.done("categories/", json!({ "category_name": "Kitchen" })).await;
    let product = json!({ "name": "Kettle", "price": "10.00", "category": "Tea", "stock": 4, "sku": "K-1" });
    let product = shop.done("products/", product).await["product_id"].clone();
    let path = format!("product/{product}/");
    let patch = async |body: Value| shop.send("PATCH", &path, body, &[]).await;
    let shown = async || {
        shop.settle().await;
        let names = column(&shop.read("products/").await, "name").len();
        let low = column(&shop.read("low-stock/").await, "name").len();
        (names, low, shop.read("category-stats/").await)
    };
    let stats = |name: &str, other: &str, stock: i64, price: &str| {
        json!([
            { "category_name": name, "product_count": 1, "total_stock": stock, "avg_price": price },
            { "category_name": other, "product_count": 0, "total_stock": 0, "avg_price": "0.00" },
        ])
    };
    assert_eq!(shown().await, (1, 1, stats("Tea", "Kitchen", 4, "10.00")));
    assert_eq!(patch(json!({ "discontinued": true })).await.status, StatusCode::OK);
    assert_eq!(shown().await.0, 0);
    assert_eq!(patch(json!({ "price": "12.00", "category": "Kitchen" })).await.status, StatusCode::OK);
    shop.done(&format!("{path}stock/"), json!({ "change": 3 })).await;
    assert_eq!(shown().await.2[0]["product_count"], 0);
    let back = patch(json!({ "discontinued": false })).await;
    assert_eq!((back.status, &back.body["discontinued"]), (StatusCode::OK, &json!(false)));
    assert_eq!(shown().await, (1, 1, stats("Kitchen", "Tea", 7, "12.00")));
    let history = shop.read(&format!("{path}history/")).await;
    assert_eq!(history.as_array().unwrap().last().unwrap()["event_type"], "ProductRelisted");
    // Several changes in one batch end in the same figures.
    for discontinued in [true, false, true, false, true] {
        patch(json!({ "discontinued": discontinued })).await;
    }
    assert_eq!((shown().await.0, shown().await.1), (0, 0));
    patch(json!({ "discontinued": false })).await;
    shop.verify().await;
}

#[tokio::test]
async fn a_sku_moves_to_another_product_in_one_commit_each() {
    let shop = TestShop::new().await;
    let (first, second) = (shop.product("Kettle", "10.00", 1).await, shop.product("Cup", "2.00", 1).await);
    let patch = async |product: i64, sku: Value| {
        shop.send("PATCH", &format!("product/{product}/"), json!({ "sku": sku }), &[]).await
    };
    assert_eq!(patch(first, json!("K-1")).await.body["sku"], "K-1");
    assert_eq!(patch(second, json!("k-1")).await.problem(), "sku_taken");
    assert_eq!(patch(first, json!("k-1")).await.body["sku"], "k-1", "another case of its own");
    assert_eq!(patch(second, json!("K-1")).await.problem(), "sku_taken");
    assert_eq!(patch(first, json!("K-2")).await.body["sku"], "K-2");
    assert_eq!(patch(second, json!("K-1")).await.body["sku"], "K-1");
    for (removed, again) in [(Value::Null, "K-2"), (json!(""), "K-3")] {
        assert_eq!(patch(first, removed).await.body["sku"], Value::Null);
        assert_eq!(patch(first, json!(again)).await.body["sku"], again);
    }
    assert_eq!(patch(first, json!("\u{200b}")).await.status, StatusCode::BAD_REQUEST);
    shop.settle().await;
    assert_eq!(shop.read(&format!("product/{first}/")).await["sku"], "K-3");
    let unchanged =
        shop.send("PATCH", &format!("product/{first}/?dry_run=true"), json!({ "price": "3.00" }), &[]).await;
    assert_eq!(unchanged.body["events"].as_array().unwrap().len(), 1, "an absent SKU stays");
}
