//! Carts of guests: tokens that need no row, carts that enter the log with their first item, and guessed codes.

use axum::http::{Request, StatusCode};
use cartwright::domain::cart::CartChange;
use cartwright::domain::ids::{CartId, ProductId};
use cartwright::domain::quantity::Quantity;
use cartwright::http::{Edge, RateLimits};
use cartwright::journal::{Actor, Context, JournalOptions};
use cartwright::shop::{ChangeCart, RequestedCart};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::accounts::PASSWORD;
use crate::support::guests::as_guest;
use crate::support::{Answer, TestShop, fresh_database};

async fn issue(shop: &TestShop) -> String {
    let issued = shop.send_without_token("POST", "carts/", Value::Null).await;
    assert_eq!(issued.status, StatusCode::CREATED);
    let token = issued.body["cart_token"].as_str().unwrap().to_owned();
    assert_eq!(issued.header("location"), format!("/shop/api/carts/{token}/"));
    assert!(token.parse::<Uuid>().is_ok(), "a token is a UUID");
    token
}

#[tokio::test]
async fn a_thousand_opened_carts_leave_the_log_unchanged() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 5).await;
    let position = shop.engine.journal.position();
    let mut token = String::new();
    for _ in 0..1_000 {
        token = issue(&shop).await;
    }
    let log: i64 = sqlx::query_scalar("select position from journal_head").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(log, position);
    let item = json!({ "product_id": kettle, "quantity": 2 });
    shop.done(&format!("carts/{token}/items/"), item).await;
    let events = shop.read(&format!("events/?after={position}")).await;
    let types: Vec<_> = events.as_array().unwrap().iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!(types, ["CartOpened", "CartItemAdded"]);
    assert!(!events.to_string().contains(&token));
}

#[tokio::test]
async fn an_unused_token_is_an_empty_cart_for_every_command() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "20.00", 5).await, shop.customer("Ada").await);
    shop.add(ada, kettle, 1).await;
    let position = shop.engine.journal.position();
    let token = issue(&shop).await;
    let cart = format!("carts/{token}/");
    let read = shop.get(&cart).await;
    assert_eq!((read.status, &read.body), (StatusCode::OK, &json!({ "items": [], "total": "0.00" })));
    let etag = read.header("etag").to_owned();
    let emptied = shop.send("DELETE", &cart, Value::Null, &[("if-match", &etag)]).await;
    assert_eq!((emptied.status, &emptied.body["items"]), (StatusCode::OK, &json!([])));
    let checked_out = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Jo")).await;
    assert_eq!((checked_out.status, checked_out.problem()), (StatusCode::CONFLICT, "cart_empty"));
    let removed = shop.send("DELETE", &format!("{cart}items/{kettle}/"), Value::Null, &[]).await;
    assert_eq!((removed.status, removed.problem()), (StatusCode::NOT_FOUND, "item_not_found"));
    let order = shop.get(&format!("{cart}order/1/")).await;
    assert_eq!((order.status, order.problem()), (StatusCode::NOT_FOUND, "order_not_found"));
    let merge = json!({ "cart_token": token });
    let merged = shop.post(&format!("customer/{ada}/cart/merge/"), merge).await;
    assert_eq!((merged.status, &merged.body["items"][0]["quantity"]), (StatusCode::OK, &json!(1)));
    let unknown = json!({ "product_id": 99, "quantity": 1 });
    assert_eq!(shop.post(&format!("{cart}items/"), unknown).await.status, StatusCode::CONFLICT);
    let dry = json!({ "product_id": kettle, "quantity": 1 });
    let dry = shop.post(&format!("{cart}items/?dry_run=true"), dry).await;
    assert_eq!(dry.body["events"].as_array().unwrap().len(), 2);
    assert_eq!(shop.engine.journal.position(), position, "nothing of this is stored");

    // A quantity that is set opens the cart too.
    let set =
        shop.send("PUT", &format!("{cart}items/{kettle}/"), json!({ "quantity": 2 }), &[("if-match", &etag)]).await;
    assert_eq!((set.status, &set.body["total"]), (StatusCode::OK, &json!("40.00")));
    assert_eq!(shop.read("events/?type=CartOpened").await.as_array().unwrap().len(), 1);
    let placed = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Jo")).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let order = placed.header("location").replace("/shop/api/", "");
    assert_eq!(shop.send_without_token("GET", &order, Value::Null).await.body["total_amount"], "40.00");
}

#[tokio::test]
async fn an_invented_an_altered_and_an_expired_token_are_not_found() {
    let shop = TestShop::new().await;
    let (kettle, ada) = (shop.product("Kettle", "20.00", 5).await, shop.customer("Ada").await);
    let issued = issue(&shop).await.parse::<Uuid>().unwrap();
    let tokens = shop.accounts.cart_tokens();
    let invented = uuid::Builder::from_random_bytes([7; 16]).into_uuid();
    let of_version_8 = uuid::Builder::from_custom_bytes([7; 16]).into_uuid();
    let altered = Uuid::from_u128(issued.as_u128() ^ (1 << 60));
    let expired = tokens.issue(Utc::now() - TimeDelta::days(31));
    let item = json!({ "product_id": kettle, "quantity": 1 });
    for (kind, token) in
        [("invented", invented), ("of version 8", of_version_8), ("altered", altered), ("expired", expired)]
    {
        for (method, path, body) in [
            ("GET", "", Value::Null),
            ("DELETE", "", Value::Null),
            ("POST", "items/", item.clone()),
            ("POST", "checkout/", as_guest("Jo")),
        ] {
            let refused = shop.send_without_token(method, &format!("carts/{token}/{path}"), body).await;
            assert_eq!((refused.status, refused.problem()), (StatusCode::NOT_FOUND, "cart_not_found"), "{kind}");
        }
        let merge = shop.post(&format!("customer/{ada}/cart/merge/"), json!({ "cart_token": token })).await;
        assert_eq!((merge.status, merge.problem()), (StatusCode::CONFLICT, "cart_not_found"), "{kind}");
    }
    let young = tokens.issue(Utc::now() - TimeDelta::days(30) + TimeDelta::minutes(1));
    assert_eq!(shop.get(&format!("carts/{young}/")).await.status, StatusCode::OK);
    // A cart that is in the log ends by its own expiry, not by that of its token.
    let started = RequestedCart { cart_id: CartId::of_token(expired), issued: true };
    put_in(&shop, started, kettle).await;
    assert_eq!(shop.read(&format!("carts/{expired}/")).await["total"], "20.00");
}

/// Adds a unit by a use case, as a shop of an earlier time did.
async fn put_in(shop: &TestShop, cart: RequestedCart, product: i64) {
    let change = CartChange::Add { product_id: ProductId(product), quantity: Quantity::new(1).unwrap() };
    let guest = Context::of(Actor { id: "guest".to_owned(), role: "guest" });
    shop.engine.journal.run(ChangeCart { cart, change }, guest).await.unwrap();
    shop.settle().await;
}

#[tokio::test]
async fn a_token_from_before_keeps_its_cart_and_its_orders() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 5).await;
    let ada = shop.member("Ada").await;
    let mut old = [Uuid::new_v4(), Uuid::new_v4()];
    for token in &mut old {
        put_in(&shop, RequestedCart { cart_id: CartId::of_token(*token), issued: true }, kettle).await;
    }
    let cart = format!("carts/{}/", old[0]);
    assert_eq!(shop.read(&cart).await["total"], "20.00");
    let item = json!({ "product_id": kettle, "quantity": 1 });
    assert_eq!(shop.send_without_token("POST", &format!("{cart}items/"), item).await.body["total"], "40.00");
    let placed = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Jo")).await;
    let order = placed.header("location").replace("/shop/api/", "");
    assert_eq!(shop.send_without_token("GET", &order, Value::Null).await.body["total_amount"], "40.00");
    let login = json!({ "email": "ada@example.com", "password": PASSWORD, "cart_token": old[1] });
    assert_eq!(shop.post("auth/login/", login).await.body["cart_merged"], true);
    assert_eq!(shop.read(&format!("customer/{ada}/cart/")).await["total"], "20.00");
}

#[tokio::test]
async fn every_node_accepts_the_tokens_of_every_other() {
    let first = TestShop::new().await;
    let second = TestShop::on((*first.pool.connect_options()).clone()).await;
    let kettle = first.product("Kettle", "20.00", 5).await;
    let cart = format!("carts/{}/", issue(&first).await);
    assert_eq!(second.send_without_token("GET", &cart, Value::Null).await.status, StatusCode::OK);
    let item = json!({ "product_id": kettle, "quantity": 1 });
    assert_eq!(second.send_without_token("POST", &format!("{cart}items/"), item).await.status, StatusCode::OK);
    let secrets: i64 = sqlx::query_scalar("select count(*) from shared_secret").fetch_one(&first.pool).await.unwrap();
    assert_eq!(secrets, 1);
}

#[tokio::test]
async fn attempts_at_discount_codes_are_limited_and_buyers_without_a_code_are_not() {
    let edge =
        Edge { rate_limits: RateLimits::new(0, 5), trusted_proxies: "127.0.0.1".parse().unwrap(), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let kettle = shop.product("Kettle", "20.00", 500).await;
    let cart = shop.guest_cart(kettle).await;
    let attempt = async |address: &str, query: &str, code: Option<&str>| -> Answer {
        let mut body = as_guest("Jo");
        if let Some(code) = code {
            body["discount_code"] = json!(code);
        }
        let request = Request::post(format!("/shop/api/{cart}checkout/{query}"))
            .header("x-forwarded-for", address)
            .header("content-type", "application/json");
        shop.send_unchanged(request.body(body.to_string().into()).unwrap()).await
    };
    for number in 0..5 {
        let query = if number % 2 == 0 { "" } else { "?dry_run=true" };
        let guess = attempt("203.0.113.9", query, Some(&format!("GUESS-{number}"))).await;
        assert_eq!(guess.problem(), "discount_not_found");
    }
    for query in ["", "?dry_run=true"] {
        let limited = attempt("203.0.113.9", query, Some("GUESS-6")).await;
        assert_eq!((limited.status, limited.problem()), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"));
        assert!(!limited.header("retry-after").is_empty());
    }
    for _ in 0..20 {
        assert_eq!(attempt("203.0.113.9", "?dry_run=true", None).await.status, StatusCode::OK);
    }
    assert_eq!(attempt("203.0.113.10", "", Some("GUESS-7")).await.problem(), "discount_not_found");
    // Staff can list the codes.
    let ada = shop.customer("Ada").await;
    shop.add(ada, kettle, 1).await;
    for _ in 0..20 {
        let by_staff = json!({ "discount_code": "NONE" });
        assert_eq!(
            shop.post(&format!("customer/{ada}/cart/checkout/"), by_staff).await.problem(),
            "discount_not_found"
        );
    }
    assert_eq!(attempt("203.0.113.9", "", None).await.status, StatusCode::CREATED);
}
