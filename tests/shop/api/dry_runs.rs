//! Dry runs agree with the command: the same refusal, also for what only the writer's transaction checks, and no trace.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use serde_json::{Value, json};

use crate::support::accounts::api_key;
use crate::support::furnished::furnished;
use crate::support::guests::{address, as_guest};
use crate::support::{Answer, TestShop};

/// Sends a command as a dry run and then as itself, and checks that both have one outcome. Returns the command's answer.
async fn agree(shop: &TestShop, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
    let before = trace(shop).await;
    let dry = shop.send(method, &format!("{path}?dry_run=true"), body.clone(), headers).await;
    assert_eq!(trace(shop).await, before, "a dry run of {method} {path} left a trace");
    let real = shop.send(method, path, body, headers).await;
    if real.status.is_success() {
        assert_eq!(dry.status, StatusCode::OK, "{method} {path}: {}", dry.body);
        assert_eq!(dry.header("idempotent-replayed"), real.header("idempotent-replayed"), "{method} {path}");
    } else {
        assert_eq!((dry.status, dry.problem()), (real.status, real.problem()), "{method} {path}");
    }
    real
}

/// Everything that a command can write, with the end of the log. Requested mails are not in it, because the mail task
/// removes them meanwhile.
async fn trace(shop: &TestShop) -> Value {
    let tables = [
        "account",
        "address",
        "api_key",
        "customer_profile",
        "events",
        "idempotency",
        "order_address",
        "order_contact",
        "payment_instrument",
        "webhook",
    ];
    let counts = tables.map(|table| format!("'{table}', (select jsonb_agg(t order by t::text) from {table} as t)"));
    let everything =
        format!("select jsonb_build_object('head', (select position from journal_head), {})", counts.join(", "));
    sqlx::query_scalar(&everything).fetch_one(&shop.pool).await.unwrap()
}

#[tokio::test]
async fn a_dry_run_is_refused_as_the_command_is() {
    let (shop, guest) = furnished().await;
    let (_, _, _) = api_key(&shop, "grace", Role::Editor).await;
    shop.customer("Bruno").await;
    shop.product("Cup", "5.00", 1).await;
    shop.done("customer/1/addresses/", address("Ada", "GB")).await;
    let person = |email: &str| json!({ "first_name": "Eve", "last_name": "Miller", "email": email });
    let line = |product: i64, quantity: i64| json!({ "lines": [{ "product_id": product, "quantity": quantity }] });
    let product = |category: &str| json!({ "name": "Pot", "price": "1.00", "category": category });
    let code = |code: &str| json!({ "discount_code": code });
    let cases = [
        // Only constraints in the transaction of the events know these.
        ("POST", "customers/".to_owned(), person("ADA@example.com"), "email_taken"),
        ("POST", "users/".to_owned(), json!({ "email": "grace@example.com", "role": "reader" }), "email_taken"),
        (
            "POST",
            "customer/1/cart/checkout/".to_owned(),
            json!({ "shipping_address_id": 1, "shipping_country": "FR" }),
            "address_changed",
        ),
        // Claims and states of the aggregates know these.
        ("POST", "categories/".to_owned(), json!({ "category_name": "kitchen" }), "category_name_taken"),
        ("POST", "discounts/".to_owned(), json!({ "code": "Welcome", "kind": "free_shipping" }), "discount_exists"),
        ("POST", "products/".to_owned(), product("Garden"), "category_not_found"),
        ("DELETE", "categories/1/".to_owned(), Value::Null, "category_has_products"),
        ("DELETE", "product/1/".to_owned(), Value::Null, "product_ordered"),
        ("PATCH", "product/99/".to_owned(), json!({ "price": "1.00" }), "product_not_found"),
        ("POST", "orders/".to_owned(), line(2, 9), "items_unavailable"),
        ("POST", "orders/".to_owned(), line(99, 1), "items_unavailable"),
        (
            "POST",
            "orders/".to_owned(),
            json!({ "customer_id": 99, "lines": line(1, 1)["lines"] }),
            "customer_not_found",
        ),
        ("POST", "order/99/pay/".to_owned(), Value::Null, "order_not_found"),
        ("POST", "order/1/refund/".to_owned(), json!({ "amount": "1.00" }), "illegal_move"),
        ("POST", "customer/1/cart/checkout/".to_owned(), json!({ "shipping_address_id": 9 }), "address_not_found"),
        ("POST", "customer/1/cart/checkout/".to_owned(), code("NOSUCH"), "discount_not_found"),
        ("DELETE", "customer/1/cart/items/2/".to_owned(), Value::Null, "item_not_found"),
        ("DELETE", "customer/1/addresses/9/".to_owned(), Value::Null, "address_not_found"),
        ("PATCH", "customer/99/".to_owned(), json!({ "first_name": "X" }), "customer_not_found"),
        ("PATCH", "webhook/9/".to_owned(), json!({ "active": false }), "webhook_not_found"),
        ("PATCH", "user/9/".to_owned(), json!({ "disabled": true }), "account_not_found"),
        ("PATCH", "discount/NOSUCH/".to_owned(), json!({ "total_limit": 5 }), "discount_not_found"),
        ("DELETE", "discount/NOSUCH/".to_owned(), Value::Null, "discount_not_found"),
    ];
    for (method, path, body, code) in cases {
        let real = agree(&shop, method, &path, body, &[]).await;
        assert_eq!(real.problem(), code, "{method} {path}: {}", real.body);
    }
    let stale = agree(&shop, "PATCH", "product/1/", json!({ "price": "2.00" }), &[("if-match", "\"99\"")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    agree(&shop, "POST", &format!("carts/{guest}/checkout/"), as_guest("Jo"), &[]).await;
    let again = agree(&shop, "POST", &format!("carts/{guest}/checkout/"), as_guest("Jo"), &[]).await;
    assert_eq!(again.problem(), "cart_already_checked_out");
    shop.settle().await;
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_dry_run_that_succeeds_leaves_numbers_mails_and_rows_as_they_were() {
    let (shop, _) = furnished().await;
    for (method, path, body) in [
        ("POST", "customers/", json!({ "first_name": "Eve", "last_name": "Miller", "email": "eve@example.com" })),
        ("POST", "users/", json!({ "email": "staff@example.com", "role": "reader" })),
        ("POST", "webhooks/", json!({ "url": "https://example.com/x", "event_types": ["*"] })),
        ("POST", "customer/1/addresses/", address("Ada", "GB")),
        ("PATCH", "customer/1/", json!({ "first_name": "Ada Maria" })),
        ("POST", "customer/1/cart/checkout/", json!({ "shipping_address_id": 1 })),
        ("DELETE", "customer/1/addresses/1/", Value::Null),
        ("DELETE", "webhook/1/", Value::Null),
    ] {
        let real = agree(&shop, method, path, body, &[]).await;
        assert!(real.status.is_success(), "{method} {path}: {}", real.body);
    }
    // Mails are sent in the order of their requests, so one of the dry run would be there before the command's.
    assert_eq!(shop.mails("staff@example.com", 1).await.len(), 1);
    shop.settle().await;
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_dry_run_with_an_idempotency_key_answers_as_the_command_would_and_keeps_no_answer() {
    let shop = TestShop::new().await;
    let key = [("idempotency-key", "k1")];
    let named = |name: &str| json!({ "category_name": name });
    let first = agree(&shop, "POST", "categories/", named("Tea"), &key).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let again = agree(&shop, "POST", "categories/", named("Tea"), &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    let other = agree(&shop, "POST", "categories/", named("Coffee"), &key).await;
    assert_eq!(other.problem(), "idempotency_key_reused");
    // Another node stored the answer.
    let node = TestShop::on((*shop.pool.connect_options()).clone()).await;
    let replayed = agree(&node, "POST", "categories/", named("Tea"), &key).await;
    assert_eq!(replayed.header("idempotent-replayed"), "true");
}

/// Dry runs between commands see the commands before them, and the commands see nothing of the dry runs.
#[tokio::test]
async fn dry_runs_and_commands_at_once_do_not_disturb_each_other_on_two_nodes() {
    let shop = TestShop::new().await;
    let other = TestShop::on((*shop.pool.connect_options()).clone()).await;
    let person = |number: usize| json!({ "first_name": "Eve", "last_name": "Miller", "email": format!("eve{number}@example.com") });
    let sent = (0..60).map(|number| {
        let (node, body) = (if number % 2 == 0 { &shop } else { &other }, person(number / 4));
        let path = if number % 4 < 2 { "customers/" } else { "customers/?dry_run=true" };
        async move { (path, node.post(path, body).await) }
    });
    let answers = futures_util::future::join_all(sent).await;
    let created = answers.iter().filter(|(_, answer)| answer.status == StatusCode::CREATED).count();
    assert_eq!(created, 15, "each address once");
    for (path, answer) in &answers {
        let refused = answer.status == StatusCode::CONFLICT && answer.problem() == "email_taken";
        let accepted = answer.status == if path.contains("dry") { StatusCode::OK } else { StatusCode::CREATED };
        assert!(refused || accepted, "{path}: {} {}", answer.status, answer.body);
    }
    let customers: i64 =
        sqlx::query_scalar("select count(*) from customer_profile").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(customers, 15);
    shop.settle().await;
    shop.check_log().await;
}

#[tokio::test]
async fn a_dry_run_does_not_wait_long_for_a_lock_and_holds_none_afterwards() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Ada").await;
    let mut holder = shop.pool.begin().await.unwrap();
    sqlx::query("select from customer_profile where customer_id = $1 for update")
        .bind(customer)
        .execute(&mut *holder)
        .await
        .unwrap();
    let change = json!({ "first_name": "Maria" });
    let path = format!("customer/{customer}/?dry_run=true");
    let refused = shop.send("PATCH", &path, change.clone(), &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    assert_ne!(refused.header("retry-after"), "");
    shop.category("Tea").await;
    holder.rollback().await.unwrap();
    assert_eq!(shop.send("PATCH", &path, change, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_change_without_a_dry_run_refuses_to_be_one() {
    let (shop, _) = furnished().await;
    for (method, path) in [
        ("POST", "scheduler/cancel_unpaid/run/"),
        ("POST", "projections/bestsellers/rebuild/"),
        ("POST", "reactions/1/retry/"),
        ("DELETE", "reactions/1/"),
        ("POST", "webhook/1/deliveries/0199f3b2-7c1e-4d6a-9b5e-3f2a1c0d8e77/redeliver/"),
        ("POST", "auth/logout/"),
    ] {
        let refused = shop.send(method, &format!("{path}?dry_run=true"), Value::Null, &[]).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            "{method} {path}"
        );
    }
}
