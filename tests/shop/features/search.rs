//! Search of products: filters, relevance, facets, and the language of the stemmer.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

/// A shop with some products, and their numbers.
async fn furnished() -> (TestShop, Vec<i64>) {
    let shop = TestShop::new().await;
    let kitchen = shop.category("Kitchen").await;
    let garden = shop.category("Garden tools").await;
    let mut numbers = Vec::new();
    for (category, product) in [
        (
            kitchen,
            json!({ "name": "Steel kettle", "price": "24.90", "description": "Boils 1.7 litres.", "sku": "KET-17" }),
        ),
        (
            kitchen,
            json!({ "name": "Café crème cups", "price": "12.00", "description": "Six cups of porcelain, 50% off_season" }),
        ),
        (
            garden,
            json!({ "name": "Watering can", "price": "9.99", "description": "Made of steel; fits beside a kettle." }),
        ),
        (
            garden,
            json!({
                "name": "Umbrella", "price": "120.00", "brand": "Pluvia",
                "specifications": { "Frame": "fibreglass", "Sizes": [{ "span": "3 metres" }] }
            }),
        ),
        (
            kitchen,
            json!({
                "name": "Talker 9", "price": "399.00",
                "phone": { "brand": "Ringo", "model": "T9", "operating_system": "Symbian", "color": "Turquoise" }
            }),
        ),
    ] {
        let mut body = product;
        body["category"] = json!(category);
        body["stock"] = json!(3);
        let created = shop.send("POST", "products/", body, &[]).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        numbers.push(created.body["product_id"].as_i64().unwrap());
    }
    (shop, numbers)
}

async fn names(shop: &TestShop, query: &str) -> Vec<String> {
    let answer = shop.get(&format!("products/?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
    let rows = answer.body.as_array().unwrap().clone();
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn relevance_ranks_and_tolerates_inflections_accents_and_typing_errors() {
    let (shop, _) = furnished().await;
    for (search, found) in [
        ("kettle", &["Steel kettle", "Watering can"][..]),
        ("KETTLES", &["Steel kettle", "Watering can"]),
        ("ketle", &["Steel kettle", "Watering can"]),
        ("kettel%20stele", &["Steel kettle", "Watering can"]),
        ("the%20kettle%20of%20steel", &["Steel kettle", "Watering can"]),
        ("kett", &["Steel kettle", "Watering can"]),
        ("ettl", &["Steel kettle", "Watering can"]),
        ("ket-17", &["Steel kettle"]),
        ("creme%20cafe", &["Café crème cups"]),
        ("umbrelas", &["Umbrella"]),
        ("pluvia", &["Umbrella"]),
        ("fibreglass%20umbrella", &["Umbrella"]),
        ("span%203%20metres", &[]),
        ("3%20metres", &["Umbrella"]),
        ("symbian%20turquoise", &["Talker 9"]),
        ("ringo%20t9", &["Talker 9"]),
        ("garden%20steel", &["Watering can"]),
        ("gardn%20umbrella", &["Umbrella"]),
        ("kettle%20zebra", &[]),
        ("KETT'%20%7C%20'(", &["Steel kettle", "Watering can"]),
        ("%27%29%26%21%3A%2A%20kettle", &["Steel kettle", "Watering can"]),
    ] {
        assert_eq!(names(&shop, &format!("search={search}&sort=relevance")).await, found, "{search}");
    }
    // Not a word: nothing to rank, and the filter as it is.
    assert_eq!(names(&shop, "search=%25&sort=relevance").await, ["Café crème cups"]);
    let narrowed = names(&shop, "search=kettle&sort=relevance&category=Kitchen&max_price=30&in_stock=true").await;
    assert_eq!(narrowed, ["Steel kettle"]);
    let missing = shop.get("products/?sort=relevance").await;
    assert_eq!((missing.status, missing.body["errors"][0]["field"].as_str()), (StatusCode::BAD_REQUEST, Some("sort")));

    let first = shop.get("products/?search=kettle&sort=relevance&limit=1").await;
    assert_eq!(first.body[0]["name"], "Steel kettle");
    let link = first.header("link").to_owned();
    let next = link.split(['<', '>']).nth(1).unwrap().split_once("/shop/api/").unwrap().1.to_owned();
    let second = shop.get(&next).await;
    assert_eq!(second.body[0]["name"], "Watering can");
    assert_eq!(second.body.as_array().unwrap().len(), 1);
    assert!(second.headers.get("link").is_none());
}

#[tokio::test]
async fn a_search_filter_takes_every_sign_as_text_in_each_order() {
    let (shop, _) = furnished().await;
    for sort in ["name", "price_asc", "price_desc", "newest"] {
        for (search, found) in [
            ("kettle", 2),
            ("ettl%20TEEL", 2),
            ("kettles", 0),
            ("Cafe%20creme", 1),
            ("%25", 1),
            ("50%25", 1),
            ("off_season", 1),
            ("offxseason", 0),
            ("_", 1),
            ("litres.", 1),
            ("1.7", 1),
            ("%27%20or%20true", 0),
            ("%5C", 0),
            ("%26%7C%21", 0),
            ("", 5),
            ("pluvia", 0),
        ] {
            assert_eq!(names(&shop, &format!("search={search}&sort={sort}")).await.len(), found, "{search} by {sort}");
        }
    }
    let long = "kettle".repeat(1_600);
    let words: String = (0..2_500).map(|number| format!("k{number:03}+")).collect();
    for search in [long.as_str(), words.as_str()] {
        for sort in ["name", "relevance"] {
            let answer = shop.get(&format!("products/?search={search}&sort={sort}")).await;
            assert_eq!((answer.status, &answer.body), (StatusCode::OK, &json!([])));
        }
    }
    for sort in ["name", "relevance"] {
        let nul = shop.get(&format!("products/?search=a%00b&sort={sort}")).await;
        assert!(nul.status == StatusCode::OK || nul.status == StatusCode::BAD_REQUEST, "{}", nul.body);
    }
}

#[tokio::test]
async fn search_follows_changes_and_the_language_of_the_shop() {
    let (shop, numbers) = furnished().await;
    let change = |body: Value| shop.send("PATCH", "settings/", body, &[]);
    assert_eq!(names(&shop, "search=kettled&sort=relevance").await.len(), 2, "an English stem");
    assert!(change(json!({ "search_language": "german" })).await.status.is_success());
    assert_eq!(names(&shop, "search=boils&sort=relevance").await, ["Steel kettle"]);
    let product = format!("product/{}/", numbers[3]);
    let renamed = shop.send("PATCH", &product, json!({ "name": "Häuser aus Holz", "sku": "H-1" }), &[]).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
    assert_eq!(names(&shop, "search=hausern&sort=relevance").await, ["Häuser aus Holz"]);
    assert_eq!(names(&shop, "search=umbrella&sort=relevance").await, Vec::<String>::new());
    assert_eq!(names(&shop, "search=pluvia%20h-1&sort=relevance").await, ["Häuser aus Holz"]);
    assert_eq!(shop.send("DELETE", &product, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(names(&shop, "search=holz&sort=relevance").await, Vec::<String>::new());
    let discontinued =
        shop.send("PATCH", &format!("product/{}/", numbers[0]), json!({ "discontinued": true }), &[]).await;
    assert_eq!(discontinued.status, StatusCode::OK);
    assert_eq!(names(&shop, "search=kettle&sort=relevance").await, ["Watering can"]);
    let words: i64 = sqlx::query_scalar(
        "select count(*) from product_search_words where word in ('umbrella', 'holz', 'pluvia')
         or products <> (select count(*) from product_search where document @@ ('''' || word || '''')::tsquery)",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(words, 0, "the vocabulary has the words of the documents and no others");
    shop.verify().await;
}

#[tokio::test]
async fn facets_count_what_the_list_holds() {
    let (shop, numbers) = furnished().await;
    let all = shop.read("products/facets/").await;
    assert_eq!(all["products"], 5);
    let category =
        |place: usize| (all["categories"][place]["category"].clone(), all["categories"][place]["products"].clone());
    assert_eq!((category(0), category(1)), ((json!("Kitchen"), json!(3)), (json!("Garden tools"), json!(2))));
    assert_eq!(all["brands"], json!([{ "brand": "Pluvia", "products": 1 }, { "brand": "Ringo", "products": 1 }]));
    assert_eq!(
        all["prices"],
        json!([
            { "min_price": "5.00", "max_price": "9.99", "products": 1 },
            { "min_price": "10.00", "max_price": "24.99", "products": 2 },
            { "min_price": "100.00", "max_price": "249.99", "products": 1 },
            { "min_price": "250.00", "max_price": "499.99", "products": 1 },
        ])
    );
    for (query, products) in [
        ("search=steel", 2),
        ("search=ketle", 0),
        ("search=ketle&sort=relevance", 2),
        ("search=zzz", 0),
        ("category=Kitchen", 3),
        ("category=Kitchen&search=steel", 1),
        ("min_price=10&max_price=24.99", 2),
        ("in_stock=true", 5),
        ("in_stock=false", 0),
        ("search=e&in_stock=true", 5),
    ] {
        let facets = shop.read(&format!("products/facets/?{query}")).await;
        let listed = shop.read(&format!("products/?{query}")).await;
        assert_eq!(facets["products"], products, "{query}");
        assert_eq!(listed.as_array().unwrap().len(), products, "{query}");
        let counted = |facet: &str| -> i64 {
            facets[facet].as_array().unwrap().iter().map(|group| group["products"].as_i64().unwrap()).sum()
        };
        assert_eq!(json!([counted("categories"), counted("prices")]), json!([products, products]), "{query}");
    }
    let repriced = shop.send("PATCH", &format!("product/{}/", numbers[2]), json!({ "price": "3" }), &[]).await;
    assert_eq!(repriced.status, StatusCode::OK);
    let cheap = shop.read("products/facets/?max_price=4.99").await;
    assert_eq!(cheap["prices"], json!([{ "min_price": "0.00", "max_price": "4.99", "products": 1 }]));
    let unknown = shop.get("products/facets/?colour=red").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}
