//! Text that people type and read: names, addresses, e-mail addresses, and when two names are the same.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::guests::as_guest;

/// The fields that a 400 names.
fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
    errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_address_that_no_mail_reaches_is_refused_at_every_door() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    let product = shop.product("Kettle", "10.00", 5).await;
    let cart = shop.guest_cart(product).await;
    let doors = |email: &str| {
        let mut guest = as_guest("Jo");
        guest["email"] = json!(email);
        [
            ("POST", "customers/".to_owned(), json!({ "first_name": "Jo", "email": email })),
            ("PATCH", format!("customer/{customer}/"), json!({ "email": email })),
            ("POST", "users/".to_owned(), json!({ "email": email, "role": "reader" })),
            ("POST", "auth/register/".to_owned(), json!({ "first_name": "Jo", "email": email })),
            ("POST", "auth/reset/".to_owned(), json!({ "email": email })),
            ("POST", format!("{cart}checkout/"), guest),
        ]
    };
    let unreachable = [
        "jo..x@example.com",
        ".jo@example.com",
        "<jo@example.com>",
        "jo@example.com,",
        "jo@-example.com",
        "jo@example",
        "jo\u{200b}@example.com",
    ];
    for email in unreachable {
        for (method, path, body) in doors(email) {
            let refused = shop.send(method, &path, body, &[]).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{method} {path} {email}");
            assert!(fields(&refused.body).contains(&"email"), "{method} {path} {email}: {}", refused.body);
        }
    }
    for email in ["jo+shop@example.com", "Jo.O'Neil@example.co.uk", "jo@bücher.example"] {
        let (method, path, body) = &doors(email)[0];
        let accepted = shop.send(method, path, body.clone(), &[]).await;
        assert_eq!(accepted.status, StatusCode::CREATED, "{email}: {}", accepted.body);
    }
}

#[tokio::test]
async fn an_address_lacks_a_postal_code_only_where_the_country_does() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    let path = format!("customer/{customer}/addresses/");
    let address =
        |country: &str| json!({ "name": "Ada", "line1": "1 Main Street", "city": "Town", "country": country });
    for country in ["HK", "AE", "IE"] {
        let added = shop.send("POST", &path, address(country), &[]).await;
        assert_eq!(added.status, StatusCode::CREATED, "{country}: {}", added.body);
    }
    assert_eq!(shop.read(&path).await[0]["postal_code"], "");
    for postal_code in [Value::Null, json!(""), json!(" ")] {
        let mut german = address("DE");
        german["postal_code"] = postal_code;
        let refused = shop.send("POST", &path, german, &[]).await;
        assert_eq!((refused.status, fields(&refused.body)), (StatusCode::BAD_REQUEST, vec!["postal_code"]));
    }
    let first = format!("{path}1/");
    let moved = shop.send("PATCH", &first, json!({ "country": "DE" }), &[]).await;
    assert_eq!((moved.status, moved.problem()), (StatusCode::CONFLICT, "postal_code_required"));
    let moved = shop.send("PATCH", &first, json!({ "country": "DE", "postal_code": "28195" }), &[]).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
    let cleared = shop.send("PATCH", &first, json!({ "postal_code": "" }), &[]).await;
    assert_eq!(cleared.problem(), "postal_code_required");

    let product = shop.product("Kettle", "10.00", 5).await;
    let cart = shop.guest_cart(product).await;
    let mut guest = as_guest("Jo");
    guest["shipping_address"] = address("DE");
    let refused = shop.send_without_token("POST", &format!("{cart}checkout/"), guest.clone()).await;
    assert!(refused.body.to_string().contains("postal_code is required in DE"), "{}", refused.body);
    guest["shipping_address"] = address("HK");
    let ordered = shop.send_without_token("POST", &format!("{cart}checkout/"), guest).await;
    assert_eq!(ordered.status, StatusCode::CREATED, "{}", ordered.body);
}

#[tokio::test]
async fn two_names_of_the_same_letters_are_one_name() {
    let shop = TestShop::new().await;
    let category = |name: &str| json!({ "category_name": name });
    let first = shop.done("categories/", category("Café")).await;
    for same in ["Cafe\u{301}", "CAFÉ", " café ", "Café\u{200d}"] {
        let refused = shop.send("POST", "categories/", category(same), &[]).await;
        let expected = if same.contains('\u{200d}') { "invalid_request" } else { "category_name_taken" };
        assert_eq!(refused.problem(), expected, "{same:?}");
    }
    shop.done("categories/", category("Cafe")).await;
    let kettle = json!({ "name": "Kettle", "price": "1.00", "category": "CAFE\u{301}", "sku": "Ü-1" });
    let product = shop.done("products/", kettle.clone()).await["product_id"].clone();
    shop.settle().await;
    assert_eq!(shop.read(&format!("product/{product}/")).await["category"], "Café");
    let mut other = kettle;
    other["sku"] = json!("u\u{308}-1");
    assert_eq!(shop.send("POST", "products/", other, &[]).await.problem(), "sku_taken");
    let renamed = shop.send("PATCH", &format!("categories/{}/", first["category_id"]), category("CAFÉ"), &[]).await;
    assert_eq!(renamed.status, StatusCode::OK);

    let order =
        |reference: &str| json!({ "reference": reference, "lines": [{ "product_id": product, "quantity": 1 }] });
    shop.done(&format!("product/{product}/stock/"), json!({ "change": 5 })).await;
    let placed = shop.send("POST", "orders/", order("Größe  7"), &[]).await;
    let again = shop.send("POST", "orders/", order("GRO\u{308}SSE 7"), &[]).await;
    assert_eq!(placed.body["order_id"], again.body["order_id"]);
}

#[tokio::test]
async fn a_text_without_visible_characters_or_with_hidden_ones_is_refused() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    let product = shop.product("Kettle", "10.00", 5).await;
    let address = |line: &str| json!({ "name": "Ada", "line1": line, "city": "Town", "country": "HK" });
    for text in ["\u{200b}", "x\u{202e}y", "\u{2066}x\u{2069}", "x\u{ad}", "\u{feff}x", "\u{3164}"] {
        let doors = [
            ("POST", "categories/".to_owned(), json!({ "category_name": text }), "category_name"),
            ("PATCH", format!("product/{product}/"), json!({ "name": text }), "name"),
            ("PATCH", format!("product/{product}/"), json!({ "description": format!("a\n{text}") }), "description"),
            ("POST", format!("product/{product}/stock/"), json!({ "change": 1, "reason": text }), "reason"),
            ("POST", "customers/".to_owned(), json!({ "first_name": text, "email": "jo@example.com" }), "first_name"),
            ("PATCH", format!("customer/{customer}/"), json!({ "last_name": text }), "last_name"),
            ("POST", format!("customer/{customer}/addresses/"), address(text), "line1"),
        ];
        for (method, path, body, field) in doors {
            let refused = shop.send(method, &path, body, &[]).await;
            assert_eq!(
                (refused.status, fields(&refused.body)),
                (StatusCode::BAD_REQUEST, vec![field]),
                "{path} {text:?}"
            );
        }
    }
    for text in ["👩‍🍳 apron", "❤️", "خانه‌ها", "שלום"] {
        shop.done("categories/", json!({ "category_name": text })).await;
    }
}

#[tokio::test]
async fn a_person_with_one_name_is_shown_without_stray_spaces() {
    let shop = TestShop::new().await;
    let body = json!({ "first_name": "Sukarno", "email": "sukarno@example.com" });
    let customer = shop.done("customers/", body).await["customer_id"].clone();
    let product = shop.product("Kettle", "10.00", 5).await;
    let order = json!({ "customer_id": customer, "lines": [{ "product_id": product, "quantity": 1 }] });
    let order = shop.done("orders/", order).await["order_id"].clone();
    shop.settle().await;
    assert_eq!(shop.read(&format!("customer/{customer}/")).await["last_name"], "");
    assert_eq!(shop.read(&format!("order/{order}/")).await[0]["customer_name"], "Sukarno");
    assert_eq!(shop.read("customer-stats/").await[0]["name"], "Sukarno");
    let path = format!("customer/{customer}/");
    shop.send("PATCH", &path, json!({ "last_name": "Putra" }), &[]).await;
    assert_eq!(shop.read(&format!("order/{order}/")).await[0]["customer_name"], "Sukarno Putra");
    shop.send("PATCH", &path, json!({ "last_name": "" }), &[]).await;
    assert_eq!(shop.read(&format!("order/{order}/")).await[0]["customer_name"], "Sukarno");
}
