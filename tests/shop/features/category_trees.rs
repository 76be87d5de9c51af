//! Categories below categories.

use axum::http::StatusCode;
use cartwright::journal::check_log;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop};

async fn below(shop: &TestShop, name: &str, parent: Option<i64>) -> Answer {
    shop.post("categories/", json!({ "category_name": name, "parent_id": parent })).await
}

async fn move_below(shop: &TestShop, category: i64, parent: Option<i64>) -> Answer {
    shop.send("PATCH", &format!("categories/{category}/"), json!({ "parent_id": parent }), &[]).await
}

fn problem(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.problem())
}

/// A tree: 1 Home (2 Kitchen (3 Kettles), 4 Garden), 5 Toys; a product in each of 1, 3, 4 and 5.
async fn tree(shop: &TestShop) {
    for (name, parent) in
        [("Home", None), ("Kitchen", Some(1)), ("Kettles", Some(2)), ("Garden", Some(1)), ("Toys", None)]
    {
        assert_eq!(below(shop, name, parent).await.status, StatusCode::CREATED);
    }
    for (name, price, category) in
        [("Mat", "10.00", 1), ("Kettle", "20.00", 3), ("Hose", "30.00", 4), ("Ball", "5.00", 5)]
    {
        let product = json!({ "name": name, "price": price, "category": category, "stock": 2 });
        shop.done("products/", product).await;
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn categories_form_a_tree_that_filters_and_figures_can_follow() {
    let shop = TestShop::new().await;
    tree(&shop).await;
    let category = |id: i64, name: &str, products: i64, parent: Option<i64>| json!({ "category_id": id, "category_name": name, "product_count": products, "parent_id": parent });
    assert_eq!(shop.read("categories/3/").await, category(3, "Kettles", 1, Some(2)));
    assert_eq!(shop.read("categories/").await[0], category(4, "Garden", 1, Some(1)));
    assert_eq!(names(&shop.read("products/?category=Home").await), ["Mat"]);
    assert_eq!(names(&shop.read("products/?category=Home&subtree=true").await), ["Hose", "Kettle", "Mat"]);
    assert_eq!(names(&shop.read("products/?category_id=2&subtree=true&sort=price_asc").await), ["Kettle"]);
    assert_eq!(names(&shop.read("products/?category=2&subtree=false").await), Vec::<&str>::new());
    assert_eq!(shop.get("products/?subtree=true").await.body["errors"][0]["field"], "subtree");
    let order = json!({ "lines": [{ "product_id": 2, "quantity": 1 }, { "product_id": 4, "quantity": 1 }] });
    shop.done("orders/", order).await;
    let sold = shop.read("bestsellers/?category=Home&subtree=true").await;
    assert_eq!((names(&sold), shop.read("bestsellers/?category=Home").await), (vec!["Kettle"], json!([])));

    let stats = |name: &str, products: i64, stock: i64, price: &str, id: i64, parent: Option<i64>| {
        json!({
            "category_name": name, "product_count": products, "total_stock": stock, "avg_price": price,
            "category_id": id, "parent_id": parent,
        })
    };
    let expected = json!([
        stats("Home", 3, 5, "20.00", 1, None),
        stats("Garden", 1, 2, "30.00", 4, Some(1)),
        stats("Kettles", 1, 1, "20.00", 3, Some(2)),
        stats("Kitchen", 1, 1, "20.00", 2, Some(1)),
        stats("Toys", 1, 1, "5.00", 5, None),
    ]);
    assert_eq!(shop.read("category-stats/?subtree=true").await, expected);
    let second = shop.get("category-stats/?subtree=true&limit=2").await;
    let next = second.header("link").split(['<', '>']).nth(1).unwrap().strip_prefix("/shop/api/").unwrap().to_owned();
    assert_eq!(shop.read(&next).await[0], expected[2]);
    let own = shop.read("category-stats/").await;
    let kitchen = json!({ "category_name": "Kitchen", "product_count": 0, "total_stock": 0, "avg_price": "0.00" });
    assert_eq!(own.as_array().unwrap().last(), Some(&kitchen));

    // A move takes the categories below along.
    assert_eq!(move_below(&shop, 2, Some(5)).await.status, StatusCode::OK);
    assert_eq!(names(&shop.read("products/?category=Toys&subtree=true").await), ["Ball", "Kettle"]);
    assert_eq!(shop.get("categories/2/").await.header("etag"), "\"3\"");
    let history = shop.read("categories/2/history/").await;
    assert_eq!((&history[2]["before"]["parent_id"], &history[2]["after"]["parent_id"]), (&json!(1), &json!(5)));
    move_below(&shop, 2, None).await;
    assert_eq!(shop.read("categories/2/").await["parent_id"], Value::Null);
    // An absent parent keeps the place.
    move_below(&shop, 3, Some(4)).await;
    shop.send("PATCH", "categories/3/", json!({ "category_name": "Pots" }), &[]).await;
    assert_eq!(shop.read("categories/3/").await["parent_id"], 4);
    shop.check_log().await;
    shop.verify().await;
    let damage = "alter table events disable trigger user;
        update events set payload = payload || '{\"parent_id\": 3}'
        where event_type = 'CategoryCreated' and aggregate_id = '4'";
    sqlx::raw_sql(damage).execute(&shop.pool).await.unwrap();
    let broken = check_log(&shop.pool).await.unwrap().into_iter().filter(|rule| rule.offences > 0);
    assert_eq!(broken.map(|rule| rule.name).collect::<Vec<_>>(), ["categories"]);
}

#[tokio::test]
async fn no_category_is_below_itself_whatever_moves_come_at_once() {
    let shop = TestShop::new().await;
    tree(&shop).await;
    for (category, parent) in [(1, 1), (1, 2), (1, 3)] {
        assert_eq!(problem(&move_below(&shop, category, Some(parent)).await), (409, "category_below_itself"));
    }
    assert_eq!(problem(&move_below(&shop, 1, Some(9)).await), (409, "category_not_found"));
    assert_eq!(problem(&below(&shop, "Lost", Some(9)).await), (409, "category_not_found"));
    assert_eq!(problem(&move_below(&shop, 9, None).await), (404, "category_not_found"));
    assert_eq!(problem(&shop.send("DELETE", "categories/2/", Value::Null, &[]).await), (409, "category_has_children"));
    // Home below Toys and Toys below Home, at once.
    for _ in 0..4 {
        let answers =
            futures_util::future::join_all([move_below(&shop, 1, Some(5)), move_below(&shop, 5, Some(1))]).await;
        let mut codes: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [200, 409]);
        for category in [1, 5] {
            assert_eq!(move_below(&shop, category, None).await.status, StatusCode::OK);
        }
    }
    // Eight levels, and no more: by creation, by a move of one, or of a subtree.
    let mut parent = 5;
    for level in 2..=8 {
        let made = below(&shop, &format!("Level {level}"), Some(parent)).await;
        assert_eq!(made.status, StatusCode::CREATED);
        parent = made.body["category_id"].as_i64().unwrap();
    }
    assert_eq!(problem(&below(&shop, "Level 9", Some(parent)).await), (409, "too_many_levels"));
    assert_eq!(problem(&move_below(&shop, 4, Some(parent)).await), (409, "too_many_levels"));
    assert_eq!(problem(&move_below(&shop, 1, Some(parent - 2)).await), (409, "too_many_levels"));
    assert_eq!(move_below(&shop, 4, Some(parent - 1)).await.status, StatusCode::OK);
    let leaf = format!("categories/{parent}/");
    assert_eq!(shop.send("DELETE", &leaf, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(problem(&move_below(&shop, 4, Some(parent)).await), (409, "category_not_found"));
    let head = shop.engine.journal.position();
    let planned = shop.send("PATCH", "categories/4/?dry_run=true", json!({ "parent_id": null }), &[]).await;
    assert_eq!(planned.body["events"].as_array().unwrap().len(), 2);
    assert_eq!(shop.send("PATCH", "categories/4/", json!({}), &[]).await.status, StatusCode::OK);
    assert_eq!(shop.engine.journal.position(), head);
    shop.check_log().await;
    shop.verify().await;
}
