//! Families: products that differ in options.

use axum::http::StatusCode;
use cartwright::journal::check_log;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop};

async fn family(shop: &TestShop, name: &str) -> i64 {
    let new = json!({ "name": name, "options": ["storage", "color"] });
    shop.done("families/", new).await["family_id"].as_i64().unwrap()
}

async fn put(shop: &TestShop, product: i64, family: i64, storage: &str, color: &str) -> Answer {
    let place = json!({ "family_id": family, "options": { "storage": storage, "color": color } });
    shop.send("PUT", &format!("product/{product}/family/"), place, &[]).await
}

/// Every page of a list, as numbers of products.
async fn walk(shop: &TestShop, first: &str) -> Vec<i64> {
    let mut path = first.to_owned();
    let mut ids = Vec::new();
    loop {
        let page = shop.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        ids.extend(page.body.as_array().unwrap().iter().map(|row| row["product_id"].as_i64().unwrap()));
        let Some(link) = page.headers.get("link") else { return ids };
        let link = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap();
        path = link.strip_prefix("/shop/api/").unwrap().to_owned();
    }
}

fn problem(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.problem())
}

#[tokio::test]
async fn a_family_lists_its_products_by_option_with_price_range_and_stock() {
    let shop = TestShop::new().await;
    for (name, price, stock) in
        [("X 256", "499.00", 0), ("X 64", "199.00", 3), ("X 128", "299.50", 5), ("X red", "99.00", 4)]
    {
        shop.product(name, price, stock).await;
    }
    let x = family(&shop, "Phone X").await;
    for (product, storage, color) in [(1, "256 GB", "Black"), (2, "64 GB", "White"), (3, "64 GB", "Black")] {
        let placed = put(&shop, product, x, storage, color).await;
        assert_eq!(placed.status, StatusCode::OK, "{}", placed.body);
        let options = json!({ "storage": storage, "color": color });
        assert_eq!(placed.body, json!({ "family_id": x, "name": "Phone X", "options": options }));
        assert_eq!(shop.read(&format!("product/{product}/family/")).await, placed.body);
    }
    put(&shop, 4, x, "64 GB", "Red").await;
    shop.send("PATCH", "product/4/", json!({ "discontinued": true }), &[]).await;
    let shown = shop.get("family/1/").await;
    let row = |id: i64, name: &str, options: [&str; 2], price: &str, stock: i64, reason: Option<&str>| {
        json!({
            "product_id": id, "name": name, "options": { "storage": options[0], "color": options[1] }, "price": price,
            "stock": stock, "available": reason.is_none(), "reason": reason, "sku": null,
        })
    };
    let expected = json!({
        "family_id": 1, "name": "Phone X", "options": ["storage", "color"],
        "price_range": { "min": "199.00", "max": "499.00" }, "stock": 8, "in_stock": true, "available": true,
        "products": [
            row(3, "X 128", ["64 GB", "Black"], "299.50", 5, None),
            row(4, "X red", ["64 GB", "Red"], "99.00", 0, Some("discontinued")),
            row(2, "X 64", ["64 GB", "White"], "199.00", 3, None),
            row(1, "X 256", ["256 GB", "Black"], "499.00", 0, Some("out_of_stock")),
        ],
    });
    assert_eq!(shown.body, expected);
    // The tag of the page holds for a command until a price or a name in it changes.
    let if_match = [("if-match", shown.header("etag"))];
    let change = json!({ "name": "Phone X2", "options": ["color", "storage"] });
    let changed = shop.send("PATCH", "family/1/?dry_run=true", change.clone(), &if_match).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    shop.send("PATCH", "product/2/", json!({ "price": "189.00" }), &[]).await;
    assert_eq!(shop.send("PATCH", "family/1/", change.clone(), &if_match).await.status.as_u16(), 412);
    let changed = shop.send("PATCH", "family/1/", change, &[]).await;
    let expected = json!({ "family_id": 1, "name": "Phone X2", "options": ["color", "storage"], "product_count": 4 });
    assert_eq!(changed.body, expected);
    let products = shop.read("family/1/").await["products"].clone();
    let order: Vec<_> = products.as_array().unwrap().iter().map(|row| row["product_id"].as_i64().unwrap()).collect();
    assert_eq!(order, [3, 1, 4, 2], "by colour, then by storage");
    let history = shop.read("family/1/history/").await;
    assert_eq!(history[1]["event_type"], "FamilyProductAdded");
    assert_eq!(history[5]["before"]["name"], "Phone X");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_product_is_in_one_family_and_each_combination_belongs_to_one_product_under_concurrency() {
    let shop = TestShop::new().await;
    for number in 0..6 {
        shop.product(&format!("X {number}"), "10.00", 1).await;
    }
    let (x, y) = (family(&shop, "X").await, family(&shop, "Y").await);
    let answers = futures_util::future::join_all((1..=5).map(|product| put(&shop, product, x, "64 GB", "Red"))).await;
    let won = answers.iter().position(|answer| answer.status == StatusCode::OK).unwrap() + 1;
    let lost: Vec<_> = answers.iter().filter(|answer| answer.status != StatusCode::OK).collect();
    assert_eq!(lost.len(), 4);
    for answer in lost {
        assert_eq!(problem(answer), (409, "combination_taken"));
        assert_eq!(answer.body["product_id"], won);
    }
    let won = i64::try_from(won).unwrap();
    // It moves, all or nothing, and its combination is free again.
    let differ = json!({ "family_id": y, "options": { "storage": "64 GB", "size": "M" } });
    let differ = shop.send("PUT", &format!("product/{won}/family/"), differ, &[]).await;
    assert_eq!(problem(&differ), (400, "options_differ"));
    assert_eq!(differ.body["detail"], "the options of the family are storage, color; missing: color; unknown: size");
    assert_eq!(shop.read(&format!("product/{won}/family/")).await["family_id"], x);
    assert_eq!(put(&shop, won, y, "64 GB", "Red").await.body["family_id"], y);
    assert_eq!(put(&shop, 6, x, "64 gb", "RED").await.status, StatusCode::OK);
    let both = futures_util::future::join_all([x, y].map(|family| put(&shop, 6, family, "8 GB", "Blue"))).await;
    assert!(both.iter().all(|answer| answer.status == StatusCode::OK));
    let counts: Vec<_> = shop
        .read("families/")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["product_count"].as_i64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<i64>(), 2, "{counts:?}");

    let path = format!("product/{won}/family/");
    assert_eq!(problem(&put(&shop, won, 9, "64 GB", "Red").await), (409, "family_not_found"));
    assert_eq!(problem(&put(&shop, 99, x, "64 GB", "Red").await), (404, "product_not_found"));
    assert_eq!(
        problem(&shop.send("DELETE", &format!("family/{y}/"), Value::Null, &[]).await),
        (409, "family_has_products")
    );
    let other = shop.send("PATCH", &format!("family/{y}/"), json!({ "options": ["size"] }), &[]).await;
    assert_eq!(problem(&other), (409, "family_has_products"));
    assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(problem(&shop.send("DELETE", &path, Value::Null, &[]).await), (404, "product_not_in_family"));
    assert_eq!(problem(&shop.get(&path).await), (404, "product_not_in_family"));
    // A deleted product leaves its family.
    assert_eq!(shop.send("DELETE", "product/6/", Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    for family in [x, y] {
        let deleted = shop.send("DELETE", &format!("family/{family}/"), Value::Null, &[]).await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.body);
        assert_eq!(problem(&shop.get(&format!("family/{family}/")).await), (404, "family_not_found"));
    }
    for (body, field) in [
        (json!({ "name": "Z", "options": [] }), "options"),
        (json!({ "name": "Z", "options": ["Size", "size"] }), "options"),
        (json!({ "options": ["size"] }), "name"),
    ] {
        let refused = shop.post("families/", body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["field"]), (400, &json!(field)));
    }
    shop.check_log().await;
    shop.verify().await;
    let damage = "alter table events disable trigger user;
        update events set payload = payload || '{\"product_id\": 1}' where event_type = 'FamilyProductAdded'";
    sqlx::raw_sql(damage).execute(&shop.pool).await.unwrap();
    let broken = check_log(&shop.pool).await.unwrap().into_iter().filter(|rule| rule.offences > 0);
    assert_eq!(broken.map(|rule| rule.name).collect::<Vec<_>>(), ["families"]);
}

#[tokio::test]
async fn a_collapsed_list_shows_one_product_of_each_family_in_every_order_and_on_any_page_size() {
    let shop = TestShop::new().await;
    let other = shop.category("Other").await;
    // Names and prices in different orders, so that each order has another first product of each family.
    let names = ["E", "B", "H", "A", "F", "C", "G", "D"];
    let prices = [5, 9, 1, 7, 3, 2, 8, 4];
    let stocks = [1, 0, 1, 0, 1, 1, 0, 1];
    for ((name, price), stock) in names.iter().zip(prices).zip(stocks) {
        shop.product(name, &format!("{price}.00"), stock).await;
    }
    let (x, y) = (family(&shop, "X").await, family(&shop, "Y").await);
    for (product, family) in [(1, x), (2, x), (3, x), (5, y), (6, y), (7, y)] {
        put(&shop, product, family, &product.to_string(), "Red").await;
    }
    let families = |product: i64| match product {
        1..=3 => x,
        5..=7 => y,
        alone => 100 + alone,
    };
    shop.send("PATCH", "product/6/", json!({ "category": other }), &[]).await;
    for sort in ["name", "price_asc", "price_desc", "newest"] {
        for filter in ["", "&in_stock=true", "&min_price=3", "&category=Other", "&search=b", "&in_stock=false"] {
            let all = walk(&shop, &format!("products/?sort={sort}{filter}")).await;
            let mut seen = Vec::new();
            let mut expected = all;
            expected.retain(|product| {
                let new = !seen.contains(&families(*product));
                seen.push(families(*product));
                new
            });
            for limit in [1, 2, 100] {
                let path = format!("products/?sort={sort}{filter}&collapse=family&limit={limit}");
                assert_eq!(walk(&shop, &path).await, expected, "{path}");
            }
            let whole = shop.read(&format!("products/?sort={sort}{filter}&collapse=family&all=true")).await;
            assert_eq!(whole.as_array().unwrap().len(), expected.len());
        }
        let mut of_family = walk(&shop, &format!("products/?sort={sort}&family={x}")).await;
        of_family.sort_unstable();
        assert_eq!(of_family, [1, 2, 3]);
    }
    let collapsed = shop.read("products/?collapse=family").await;
    let expected = json!({
        "product_id": 2, "name": "B", "price": "9.00", "stock": 0, "category": "Goods",
        "family": { "family_id": x, "name": "X", "products": 3, "min_price": "1.00", "max_price": "9.00", "in_stock": true, "available": true },
    });
    let shown = collapsed.as_array().unwrap().iter().find(|row| row["product_id"] == 2).unwrap();
    let mut expected = expected;
    expected["category"] = shown["category"].clone();
    assert_eq!(shown, &expected);
    assert_eq!(collapsed[0]["family"], Value::Null, "a product without a family");
    assert!(shop.read("products/").await[0].get("family").is_none());
    assert_eq!(shop.read("products/?family=99").await, json!([]));
    assert_eq!(shop.get("products/?collapse=color").await.status, StatusCode::BAD_REQUEST);
    // A page knows that its rows may have moved.
    let page = shop.get("products/?collapse=family&limit=1").await;
    let next = page.header("link").split(['<', '>']).nth(1).unwrap().strip_prefix("/shop/api/").unwrap().to_owned();
    shop.send("DELETE", "product/2/family/", Value::Null, &[]).await;
    assert_eq!(shop.get(&next).await.headers["walk-moved"], "true");
}

#[tokio::test]
async fn stock_counts_what_is_not_on_sale_and_available_says_what_can_be_ordered() {
    let shop = TestShop::new().await;
    let x = family(&shop, "X").await;
    for (product, stock) in [(1, 3), (2, 0), (3, 4)] {
        shop.product(&format!("X {product}"), &format!("{product}.00"), stock).await;
        put(&shop, product, x, &product.to_string(), "Red").await;
    }
    let change = |product: i64, change: Value| {
        let path = format!("product/{product}/");
        let shop = &shop;
        async move { assert_eq!(shop.send("PATCH", &path, change, &[]).await.status, StatusCode::OK) }
    };
    // Products, lowest and highest price, stock in any product, and whether a unit can be ordered.
    let both = async |range: (i64, &str, &str), stock: i64, in_stock: bool, available: bool| {
        let listed = shop.read("products/?collapse=family&sort=price_asc").await[0]["family"].clone();
        let (products, min, max) = range;
        let expected = json!({
            "family_id": x, "name": "X", "products": products, "min_price": min, "max_price": max,
            "in_stock": in_stock, "available": available,
        });
        assert_eq!(listed, expected);
        let page = shop.read(&format!("family/{x}/")).await;
        let shown = ["price_range", "stock", "in_stock", "available"].map(|field| page[field].clone());
        assert_eq!(json!(shown), json!([{ "min": min, "max": max }, stock, in_stock, available]));
        for row in shop.read(&format!("products/?family={x}")).await.as_array().unwrap() {
            let same = page["products"].as_array().unwrap().iter().find(|same| same["product_id"] == row["product_id"]);
            assert_eq!(same.unwrap()["stock"], row["stock"]);
        }
        let filtered = shop.read("products/?collapse=family&in_stock=true").await;
        assert_eq!(filtered.as_array().unwrap().len(), usize::from(in_stock));
    };
    both((3, "1.00", "3.00"), 7, true, true).await;
    change(1, json!({ "on_sale": false })).await;
    both((3, "1.00", "3.00"), 7, true, true).await;
    change(3, json!({ "on_sale": false })).await;
    both((3, "1.00", "3.00"), 7, true, false).await;
    change(1, json!({ "discontinued": true })).await;
    both((2, "2.00", "3.00"), 4, true, false).await;
    shop.done("product/3/stock/", json!({ "count": 0 })).await;
    both((2, "2.00", "3.00"), 0, false, false).await;
}
