//! Facets: each value counts the products that the list has with the value as a further filter.

use axum::http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::TestShop;

/// Spellings of few brands, as staff type them.
const BRANDS: [&str; 6] = ["Acme", "ACME", "acmé", "Äcme", "Ringo", "ringo"];
const NAMES: [&str; 3] = ["color", "Color", "Größe"];
const VALUES: [&str; 6] = ["Black", "BLACK", "Bläck", "1,5 l; \"x\"", "1,5 L; \"X\"", "größe:m"];

#[derive(Clone, Debug)]
struct NewProduct {
    brand: Option<usize>,
    phone_brand: Option<usize>,
    category: i64,
    price: u32,
    /// The spelling of the family's option, and the value.
    option: Option<(usize, usize)>,
    stock: i64,
    discontinued: bool,
    later_brand: Option<usize>,
}

fn new_product() -> impl Strategy<Value = NewProduct> {
    let brand = || proptest::option::weighted(0.7, 0..BRANDS.len());
    let option = proptest::option::weighted(0.7, (0..NAMES.len(), 0..VALUES.len()));
    let later = proptest::option::weighted(0.3, 0..BRANDS.len());
    let product = (brand(), brand(), 1..4i64, 1..40u32, option, 0..2i64, prop::bool::weighted(0.15), later);
    product.prop_map(|(brand, phone_brand, category, price, option, stock, discontinued, later_brand)| NewProduct {
        brand,
        phone_brand,
        category,
        price,
        option,
        stock,
        discontinued,
        later_brand,
    })
}

async fn create(shop: &TestShop, place: usize, new: &NewProduct) {
    let mut body = json!({
        "name": if place.is_multiple_of(3) { format!("Steel pot {place}") } else { format!("Pan {place}") },
        "price": format!("{}.50", new.price), "category": new.category, "stock": new.stock,
    });
    if let Some(brand) = new.brand {
        body["brand"] = json!(BRANDS[brand]);
    }
    if let Some(brand) = new.phone_brand {
        body["phone"] = json!({ "brand": BRANDS[brand], "color": "Black" });
    }
    let product = shop.done("products/", body).await["product_id"].as_i64().unwrap();
    if let Some((name, value)) = new.option {
        // A second option keeps the combinations apart.
        let options = json!({ NAMES[name]: VALUES[value], "number": place.to_string() });
        let family = i64::try_from(name).unwrap() + 1;
        let put = json!({ "family_id": family, "options": options });
        let placed = shop.send("PUT", &format!("product/{product}/family/"), put, &[]).await;
        assert_eq!(placed.status, StatusCode::OK, "{}", placed.body);
        if place.is_multiple_of(7) {
            shop.send("DELETE", &format!("product/{product}/family/"), Value::Null, &[]).await;
        }
    }
    let path = format!("product/{product}/");
    if let Some(brand) = new.later_brand {
        shop.send("PATCH", &path, json!({ "brand": BRANDS[brand], "price": "77.00" }), &[]).await;
    }
    if new.discontinued {
        shop.send("PATCH", &path, json!({ "discontinued": true }), &[]).await;
    }
    if place.is_multiple_of(11) {
        shop.send("DELETE", &path, Value::Null, &[]).await;
    }
}

/// Each value of the facets, as the parameters of the list, and the number that it shows.
fn clicks(facets: &Value) -> Vec<(String, i64)> {
    let text = |value: &Value| utf8_percent_encode(value.as_str().unwrap(), NON_ALPHANUMERIC).to_string();
    let groups = |facet: &str| facets[facet].as_array().unwrap().clone();
    let counted = |group: &Value| group["products"].as_i64().unwrap();
    let mut clicks = vec![(String::new(), counted(facets))];
    for group in groups("categories") {
        clicks.push((format!("category_id={}", group["category_id"]), counted(&group)));
    }
    for group in groups("brands") {
        clicks.push((format!("brand={}", text(&group["brand"])), counted(&group)));
    }
    for group in groups("prices") {
        let highest = group["max_price"].as_str().map(|price| format!("&max_price={price}")).unwrap_or_default();
        clicks.push((format!("min_price={}{highest}", text(&group["min_price"])), counted(&group)));
    }
    for option in groups("options") {
        for value in option["values"].as_array().unwrap() {
            let chosen = json!({ option["name"].as_str().unwrap(): value["value"] }).to_string();
            clicks.push((format!("options={}", text(&json!(chosen))), counted(value)));
        }
    }
    clicks
}

fn with_limit(query: &str) -> String {
    if query.is_empty() { "limit=1000".to_owned() } else { format!("limit=1000&{query}") }
}

#[tokio::test]
async fn each_value_of_a_facet_counts_what_the_list_has_with_it() {
    let shop = TestShop::new().await;
    for category in ["Kitchen", "Garden", "Küche"] {
        shop.category(category).await;
    }
    for name in NAMES {
        shop.done("families/", json!({ "name": name, "options": [name, "number"] })).await;
    }
    let products = proptest::collection::vec(new_product(), 60).new_tree(&mut TestRunner::deterministic()).unwrap();
    for (place, new) in products.current().iter().enumerate() {
        create(&shop, place, new).await;
    }
    let mut clicked = 0;
    for filter in [
        "",
        "category_id=1",
        "category=Kitchen&subtree=true",
        "brand=ACME",
        "in_stock=true",
        "on_sale=true",
        "color=black",
        "min_price=10&max_price=30",
        "family=1",
        "search=steel",
        "search=an",
        "search=pots&sort=relevance",
        "search=pan&in_stock=false&min_price=5",
        "options=%7B%22GROSSE%22%3A%22black%22%7D",
    ] {
        let facets = shop.read(&format!("products/facets/?{filter}")).await;
        for (click, counted) in clicks(&facets) {
            let is_replaced = |parameter: &str| {
                let name = parameter.split('=').next().unwrap();
                filter.contains(name) || (name == "category_id" && filter.contains("category"))
            };
            if !click.is_empty() && click.split('&').any(is_replaced) {
                continue;
            }
            let query = [filter, &click].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
            let listed = shop.read(&format!("products/?{}", with_limit(&query))).await;
            assert_eq!(listed.as_array().unwrap().len(), usize::try_from(counted).unwrap(), "{filter} and {click}");
            let narrowed = shop.read(&format!("products/facets/?{query}")).await;
            assert_eq!(narrowed["products"], counted, "{filter} and {click}");
            clicked += 1;
        }
    }
    assert!(clicked > 100, "{clicked}");
    shop.verify().await;
}

#[tokio::test]
async fn spellings_of_one_brand_or_option_are_one_group_under_the_most_used() {
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let x = shop.done("families/", json!({ "name": "X", "options": ["Größe", "n"] })).await["family_id"].clone();
    for (place, (brand, phone, value)) in
        [("acme", "Ringo", "groß"), ("ACME", "acmé", "Groß"), ("Acme", "ACME", "GROSS"), ("Zap", "Acme", "Groß")]
            .into_iter()
            .enumerate()
    {
        let phone = json!({ "brand": phone });
        let new = json!({ "name": "Pot", "price": "5", "category": "Kitchen", "brand": brand, "phone": phone });
        let product = shop.done("products/", new).await["product_id"].clone();
        let options = json!({ "Größe": value, "n": place.to_string() });
        let put = json!({ "family_id": x, "options": options });
        let placed = shop.send("PUT", &format!("product/{product}/family/"), put, &[]).await;
        assert_eq!(placed.status, StatusCode::OK, "{}", placed.body);
    }
    let facets = shop.read("products/facets/").await;
    let brand = |name: &str, products: i64| json!({ "brand": name, "products": products });
    // Of two spellings used alike, the first in the order of their letters.
    assert_eq!(facets["brands"], json!([brand("Acme", 4), brand("Ringo", 1), brand("Zap", 1)]));
    assert_eq!(facets["options"][0], json!({ "name": "Größe", "values": [{ "value": "Groß", "products": 4 }] }));
    assert_eq!(shop.read("products/?options=%7B%22grosse%22%3A%22GROSS%22%7D").await.as_array().unwrap().len(), 4);
    shop.send("PATCH", "product/2/", json!({ "discontinued": true }), &[]).await;
    shop.send("DELETE", "product/4/", Value::Null, &[]).await;
    let facets = shop.read("products/facets/").await;
    assert_eq!(facets["brands"], json!([brand("Acme", 2), brand("Ringo", 1)]));
    assert_eq!(facets["options"][0]["values"], json!([{ "value": "GROSS", "products": 2 }]));

    for (parameter, field) in [
        ("sort=name", "sort"),
        ("sort=newest", "sort"),
        ("sort=relevance", "sort"),
        ("options=red", "options"),
        ("options=%7B%7D", "options"),
    ] {
        let refused = shop.get(&format!("products/facets/?{parameter}")).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    shop.verify().await;
}
