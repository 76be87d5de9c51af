//! The audit of logins and failures, and the actor of every event.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::domain::account::Role;
use cartwright::http::Edge;
use cartwright::journal::JournalOptions;
use serde_json::{Value, json};

use crate::support::accounts::api_key;
use crate::support::accounts::{PASSWORD, access, token_in};
use crate::support::guests::as_guest;
use crate::support::{Answer, TestShop, fresh_database};

async fn behind_a_proxy() -> TestShop {
    let edge = Edge { trusted_proxies: "127.0.0.1".parse().unwrap(), ..Edge::default() };
    TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await
}

/// Sends a request from an address, with `Trailer/1` for a browser.
async fn from(shop: &TestShop, address: &str, token: &str, path: &str, body: Value) -> Answer {
    let request = Request::post(format!("/shop/api/{path}")).header("content-type", "application/json");
    let request = request.header("x-forwarded-for", address).header("user-agent", "Trailer/1");
    let request = if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
    shop.send_unchanged(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn every_outcome_of_a_log_in_is_in_the_audit_with_a_shortened_address() {
    let shop = behind_a_proxy().await;
    shop.member("Zoe").await;
    let (v4, v6) = ("203.0.113.77", "2001:db8:1:2:3:4:5:6");
    let login = |email: &str, password: &str| json!({ "email": email, "password": password });
    let tokens = from(&shop, v4, "", "auth/login/", login("zoe@example.com", PASSWORD)).await;
    from(&shop, v6, "", "auth/login/", login("zoe@example.com", "not my password")).await;
    from(&shop, v6, "", "auth/login/", login("unknown.at.all@example.com", "not my password")).await;
    let refresh = json!({ "refresh_token": tokens.body["refresh_token"] });
    from(&shop, v4, "", "auth/refresh/", refresh.clone()).await;
    from(&shop, v4, "", "auth/refresh/", refresh).await;
    let tokens = from(&shop, v4, "", "auth/login/", login("zoe@example.com", PASSWORD)).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "green teapot with lid" });
    let changed = from(&shop, v4, access(&tokens), "auth/password/", change).await;
    from(&shop, v4, access(&changed), "auth/logout/", json!({})).await;
    from(&shop, v6, "", "auth/reset/", json!({ "email": "unknown.at.all@example.com" })).await;
    shop.send("PATCH", "user/1/", json!({ "disabled": true }), &[]).await;
    from(&shop, v4, "", "auth/login/", login("zoe@example.com", "green teapot with lid")).await;

    let audit = shop.read("audit/").await;
    let rows: Vec<_> = audit.as_array().unwrap().iter().rev().collect();
    let outcomes: Vec<_> = rows
        .iter()
        .map(|row| {
            let address = row["address"].as_str().unwrap();
            (row["outcome"].as_str().unwrap(), row["account_id"].as_i64(), address)
        })
        .collect();
    let (v4, v6) = ("203.0.113.0", "2001:db8:1::");
    assert_eq!(
        outcomes,
        [
            ("logged_in", Some(1), v4),
            ("wrong_password", Some(1), v6),
            ("unknown_address", None, v6),
            ("token_reused", Some(1), v4),
            ("logged_in", Some(1), v4),
            ("password_changed", Some(1), v4),
            ("logged_out", Some(1), v4),
            ("reset_requested", None, v6),
            ("account_disabled", Some(1), v4),
        ]
    );
    assert!(rows.iter().all(|row| row["user_agent"] == "Trailer/1"));
    assert!(!audit.to_string().contains("unknown.at.all") && !audit.to_string().contains("zoe"), "{audit}");
}

#[tokio::test]
async fn records_with_a_retention_time_are_deleted_after_it() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    for password in ["wrong one, sorry", "wrong two, sorry", PASSWORD, PASSWORD] {
        shop.log_in("zoe@example.com", password).await;
    }
    shop.post("auth/reset/", json!({ "email": "zoe@example.com" })).await;
    shop.mails("zoe@example.com", 2).await;
    for age in [
        "update sign_in set happened_at = happened_at - interval '91 days' where outcome = 'wrong_password'",
        "update sign_in set happened_at = happened_at - interval '89 days' where outcome = 'logged_in'",
        "update mailed_link set expires_at = clock_timestamp() - interval '1 second'",
        "update session set expires_at = clock_timestamp() - interval '1 second'
         where session_id = (select min(session_id::text)::uuid from session)",
        "insert into revocation values (gen_random_uuid(), clock_timestamp() - interval '1 second')",
    ] {
        sqlx::query(age).execute(&shop.pool).await.unwrap();
    }
    shop.accounts.delete_expired(90).await.unwrap();
    let outcomes: Vec<String> =
        sqlx::query_scalar("select outcome from sign_in order by sign_in_id").fetch_all(&shop.pool).await.unwrap();
    assert_eq!(outcomes, ["logged_in", "logged_in", "reset_requested"]);
    let left: (i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from mailed_link), (select count(*) from session),
            (select count(*) from refresh_token), (select count(*) from revocation)",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(left, (0, 1, 1, 0));
    shop.accounts.delete_expired(0).await.unwrap();
    assert_eq!(shop.read("audit/").await, json!([]));
}

/// The actor of a history's newest entry.
async fn newest(shop: &TestShop, path: &str) -> (String, String) {
    let history = shop.read(path).await;
    let last = history.as_array().unwrap().last().unwrap();
    (last["actor"].as_str().unwrap().to_owned(), last["role"].as_str().unwrap().to_owned())
}

fn actor(id: &str, role: &str) -> (String, String) {
    (id.to_owned(), role.to_owned())
}

#[tokio::test]
async fn every_event_has_an_actor_and_histories_name_it() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (account, key_id, key) = api_key(&shop, "notebook", Role::Editor).await;
    shop.accounts.refresh().await.unwrap();
    let customer = shop.member("Zoe").await;
    let owner = access(&shop.log_in("zoe@example.com", PASSWORD).await).to_owned();
    let zoe = shop.send_with_token(&owner, "GET", "auth/me/", Value::Null).await.body["account_id"].clone();
    let (own, goods) = (format!("customer/{customer}/"), format!("product/{product}/"));

    assert_eq!(newest(&shop, &format!("{goods}history/")).await, actor("account/1", "admin"));
    shop.send_with_token(&key, "PATCH", &goods, json!({ "price": "21.00" })).await;
    let machine = actor(&format!("account/{account}/key/{key_id}"), "editor");
    assert_eq!(newest(&shop, &format!("{goods}history/")).await, machine);
    // The registration was confirmed by its link, before any account existed; the admin's token was ignored.
    assert_eq!(newest(&shop, &format!("{own}history/")).await, actor("guest", "guest"));
    shop.send_with_token(&owner, "PATCH", &own, json!({ "last_name": "Muller" })).await;
    let herself = actor(&format!("account/{zoe}"), "customer");
    assert_eq!(newest(&shop, &format!("{own}history/")).await, herself);
    shop.send_with_token(&key, "PATCH", &own, json!({ "last_name": "Moller" })).await;
    assert_eq!(newest(&shop, &format!("{own}history/")).await, machine);

    let item = json!({ "product_id": product, "quantity": 1 });
    shop.send_with_token(&owner, "POST", &format!("{own}cart/items/"), item.clone()).await;
    let order =
        shop.send_with_token(&owner, "POST", &format!("{own}cart/checkout/"), Value::Null).await.body["order_id"]
            .clone();
    assert_eq!(newest(&shop, &format!("order/{order}/history/")).await, herself);
    assert_eq!(newest(&shop, &format!("cart/{customer}/history/")).await, herself);
    shop.send_with_token(&key, "POST", &format!("order/{order}/process/"), Value::Null).await;
    assert_eq!(newest(&shop, &format!("order/{order}/history/")).await, machine);
    shop.post(&format!("order/{order}/cancel/"), Value::Null).await;
    assert_eq!(newest(&shop, &format!("order/{order}/history/")).await, actor("account/1", "admin"));

    let guest = async |path: &str, body: Value| {
        let request = Request::post(format!("/shop/api/{path}")).header("content-type", "application/json");
        shop.send_unchanged(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let token = guest("carts/", json!({})).await.body["cart_token"].as_str().unwrap().to_owned();
    guest(&format!("carts/{token}/items/"), item).await;
    let order = guest(&format!("carts/{token}/checkout/"), as_guest("Jo")).await;
    assert_eq!(order.status, StatusCode::CREATED, "{}", order.body);
    let history = format!("order/{}/history/", order.body["order_id"]);
    assert_eq!(newest(&shop, &history).await, actor("guest", "guest"));

    shop.post("auth/reset/", json!({ "email": "zoe@example.com" })).await;
    let token = token_in(&shop.mails("zoe@example.com", 2).await[1]);
    shop.post("auth/reset/confirm/", json!({ "token": token, "new_password": "green teapot with lid" })).await;
    shop.send("DELETE", &own, Value::Null, &[]).await;
    assert_eq!(newest(&shop, &format!("{own}history/")).await, actor("account/1", "admin"));

    let nobodys: i64 = sqlx::query_scalar(
        "select count(*) from events where coalesce(metadata ->> 'actor', '') = ''
            or metadata ->> 'role' not in ('guest', 'customer', 'reader', 'editor', 'admin', 'system')
            or coalesce(metadata ->> 'role', '') = '' or coalesce(metadata ->> 'request_id', '') = ''",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(nobodys, 0);
}
