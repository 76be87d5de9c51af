//! Accounts from their owner's side: registration, login, refresh, passwords, mailed links, API keys.

use std::time::Instant;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::accounts::ACCESS_TOKEN_LIFE;
use cartwright::domain::account::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::accounts::{ANOTHER, PASSWORD, access, api_key, token_in};

#[tokio::test]
async fn a_customer_registers_logs_in_refreshes_and_logs_out() {
    let shop = TestShop::new().await;
    let customer = shop.member("Zoe").await;
    let tokens = shop.log_in("ZOE@example.com", PASSWORD).await;
    assert_eq!(tokens.body["expires_in"], ACCESS_TOKEN_LIFE.as_secs());
    assert_eq!(tokens.header("cache-control"), "no-store");
    let me = shop.send_with_token(access(&tokens), "GET", "auth/me/", Value::Null).await.body;
    assert_eq!((&me["role"], &me["customer_id"]), (&json!("customer"), &json!(customer)));
    let own = format!("customer/{customer}/");
    assert_eq!(shop.send_with_token(access(&tokens), "GET", &own, Value::Null).await.body["email"], "zoe@example.com");

    let next = shop.refresh(&tokens.body["refresh_token"]).await;
    assert_eq!(shop.send_with_token(access(&next), "GET", &own, Value::Null).await.status, StatusCode::OK);
    let left = shop.send_with_token(access(&next), "POST", "auth/logout/", Value::Null).await;
    assert_eq!(left.status, StatusCode::NO_CONTENT);
    for token in [access(&tokens), access(&next)] {
        assert_eq!(shop.send_with_token(token, "GET", &own, Value::Null).await.problem(), "token_revoked");
    }
    assert_eq!(shop.refresh(&next.body["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_session() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let tokens = shop.log_in("zoe@example.com", PASSWORD).await;
    let next = shop.refresh(&tokens.body["refresh_token"]).await;
    assert_eq!(shop.refresh(&tokens.body["refresh_token"]).await.problem(), "invalid_refresh_token");
    assert_eq!(shop.refresh(&next.body["refresh_token"]).await.problem(), "invalid_refresh_token");
    assert_eq!(shop.send_with_token(access(&next), "GET", "auth/me/", Value::Null).await.problem(), "token_revoked");

    // Concurrently too: one request may succeed, and its session ends as well.
    let other = shop.log_in("zoe@example.com", PASSWORD).await;
    let answers = join_all((0..8).map(|_| shop.refresh(&other.body["refresh_token"]))).await;
    let winners: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(shop.refresh(&winners[0].body["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
    let audit = shop.read("audit/").await;
    assert!(audit.as_array().unwrap().iter().any(|row| row["outcome"] == "token_reused"), "{audit}");
}

#[tokio::test]
async fn an_account_lists_its_sessions_and_ends_one() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    shop.member("Amy").await;
    let (first, second) =
        (shop.log_in("zoe@example.com", PASSWORD).await, shop.log_in("zoe@example.com", PASSWORD).await);
    let amy = shop.log_in("amy@example.com", PASSWORD).await;
    let list = async |tokens| shop.send_with_token(access(tokens), "GET", "auth/sessions/", Value::Null).await.body;
    let sessions = list(&second).await;
    let current: Vec<_> = sessions.as_array().unwrap().iter().map(|session| session["current"].clone()).collect();
    assert_eq!(current, [json!(true), json!(false)], "newest first: {sessions}");
    let path = format!("auth/session/{}/", sessions[1]["session_id"].as_str().unwrap());
    let end = async |tokens| shop.send_with_token(access(tokens), "DELETE", &path, Value::Null).await;
    assert_eq!(end(&amy).await.problem(), "session_not_found", "another account's session");
    assert_eq!(end(&second).await.status, StatusCode::NO_CONTENT);
    assert_eq!(end(&second).await.problem(), "session_not_found");
    let me = shop.send_with_token(access(&first), "GET", "auth/me/", Value::Null).await;
    assert_eq!(me.problem(), "token_revoked");
    assert_eq!(shop.refresh(&first.body["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(list(&second).await.as_array().map(Vec::len), Some(1));
    let key = api_key(&shop, "robot", Role::Admin).await.2;
    assert_eq!(shop.send_with_token(&key, "DELETE", &path, Value::Null).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn no_response_reveals_whether_an_account_exists() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let reset = async |email: &str| shop.post("auth/reset/", json!({ "email": email })).await;
    let (known, unknown) = (reset("zoe@example.com").await, reset("unknown@example.com").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let (again, fresh) = (shop.register("Zoe").await, shop.register("Mia").await);
    assert_eq!((again.status, &again.body), (fresh.status, &fresh.body));
    let (wrong, stranger) =
        (shop.log_in("zoe@example.com", ANOTHER).await, shop.log_in("unknown@example.com", ANOTHER).await);
    assert_eq!((wrong.status, wrong.problem()), (StatusCode::UNAUTHORIZED, "wrong_credentials"));
    assert_eq!((wrong.status, &wrong.body), (stranger.status, &stranger.body));

    // The owner of the address learns by mail what the response does not reveal.
    let mails = shop.mails("zoe@example.com", 3).await;
    assert!(mails[2].contains("You already have an account"), "{}", mails[2]);
    shop.mails("mia@example.com", 1).await;
    // The request for an unknown address is done with, and no mail was written.
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from mailed_link where lower(email) = 'unknown@example.com'")
            .fetch_one(&shop.pool)
            .await
            .unwrap();
    assert_eq!(waiting, 0);

    // Both take one argon2id computation; skipping it would show as a factor.
    let mut times = [vec![], vec![]];
    for _ in 0..9 {
        for (email, times) in ["zoe@example.com", "unknown@example.com"].into_iter().zip(&mut times) {
            let started = Instant::now();
            shop.log_in(email, ANOTHER).await;
            times.push(started.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    });
    assert!((0.5..2.0).contains(&(known / unknown)), "{known} s and {unknown} s");
}

#[tokio::test]
async fn one_of_two_registrations_with_one_email_succeeds() {
    let shop = TestShop::new().await;
    join_all([shop.register("Zoe"), shop.register("Zoe")]).await;
    let mails = shop.mails("zoe@example.com", 2).await;
    let answers = join_all(mails.iter().map(|mail| shop.confirm(mail, PASSWORD))).await;
    let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(made, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status.is_success() || answer.status == StatusCode::CONFLICT));
    assert_eq!(shop.read("users/").await.as_array().unwrap().len(), 1);
    assert_eq!(shop.read("customer-stats/").await.as_array().unwrap().len(), 1);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_link_that_is_used_in_parallel_works_once() {
    let shop = TestShop::new().await;
    let zoe = json!({ "first_name": "Zoe", "last_name": "Miller", "email": "ZOE@example.com" });
    for (name, by_staff) in [("Ada", false), ("Zoe", true)] {
        if by_staff {
            shop.done("customers/", zoe.clone()).await;
        }
        shop.register(name).await;
        let email =
            if by_staff { "ZOE@example.com".to_owned() } else { format!("{}@example.com", name.to_lowercase()) };
        let mail = &shop.mails(&email, 1).await[0];
        let answers = join_all((0..12).map(|_| shop.confirm(mail, PASSWORD))).await;
        let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
        assert_eq!(made, 1, "{answers:?}");
        let refused = answers.iter().filter(|answer| answer.status != StatusCode::CREATED);
        refused.for_each(|answer| {
            assert_eq!((answer.status, answer.problem()), (StatusCode::BAD_REQUEST, "link_invalid"));
        });
    }
}

#[tokio::test]
async fn a_disabled_account_is_mailed_no_link() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let set = async |disabled: bool| shop.send("PATCH", "user/1/", json!({ "disabled": disabled }), &[]).await.status;
    assert_eq!(set(true).await, StatusCode::OK);
    let registered = shop.register("Zoe").await;
    let reset = shop.post("auth/reset/", json!({ "email": "zoe@example.com" })).await;
    assert_eq!((registered.status, &registered.body), (reset.status, &reset.body), "the answer reveals nothing");
    assert_eq!(reset.status, StatusCode::ACCEPTED);
    for mail in &shop.mails("zoe@example.com", 3).await[1..] {
        assert!(mail.contains("Your account is disabled") && !mail.contains("/account/"), "{mail}");
    }
    assert_eq!(set(false).await, StatusCode::OK);
    shop.post("auth/reset/", json!({ "email": "zoe@example.com" })).await;
    let token = token_in(&shop.mails("zoe@example.com", 4).await[3]);
    let choose = json!({ "token": token, "new_password": ANOTHER });
    assert_eq!(shop.post("auth/reset/confirm/", choose).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_mailed_link_works_once() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let before = shop.log_in("zoe@example.com", PASSWORD).await;
    shop.post("auth/reset/", json!({ "email": "zoe@example.com" })).await;
    let token = token_in(&shop.mails("zoe@example.com", 2).await[1]);
    let reset = json!({ "token": token, "new_password": ANOTHER });
    let answers = join_all((0..4).map(|_| shop.post("auth/reset/confirm/", reset.clone()))).await;
    let done = answers.iter().filter(|answer| answer.status == StatusCode::NO_CONTENT).count();
    assert_eq!(done, 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer.status != StatusCode::NO_CONTENT);
    refused.for_each(|answer| assert_eq!(answer.problem(), "link_invalid"));
    assert_eq!(shop.log_in("zoe@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.log_in("zoe@example.com", ANOTHER).await.status, StatusCode::OK);
    assert_eq!(shop.send_with_token(access(&before), "GET", "auth/me/", Value::Null).await.problem(), "token_revoked");

    // An expired link is refused.
    shop.post("auth/reset/", json!({ "email": "zoe@example.com" })).await;
    let token = token_in(&shop.mails("zoe@example.com", 3).await[2]);
    let expire = "update mailed_link set expires_at = clock_timestamp() - interval '1 second'";
    sqlx::query(expire).execute(&shop.pool).await.unwrap();
    let late = shop.post("auth/reset/confirm/", json!({ "token": token, "new_password": PASSWORD })).await;
    assert_eq!(late.problem(), "link_invalid");
}

#[tokio::test]
async fn a_password_change_ends_every_other_session() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let (here, there) =
        (shop.log_in("zoe@example.com", PASSWORD).await, shop.log_in("zoe@example.com", PASSWORD).await);
    let change = |current: &str| json!({ "current_password": current, "new_password": ANOTHER });
    let wrong = shop.send_with_token(access(&here), "POST", "auth/password/", change("not my password")).await;
    assert_eq!(wrong.problem(), "wrong_credentials");
    let weak = json!({ "current_password": PASSWORD, "new_password": "password1234" });
    let weak = shop.send_with_token(access(&here), "POST", "auth/password/", weak).await;
    assert_eq!((weak.status, &weak.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("new_password")));
    let changed = shop.send_with_token(access(&here), "POST", "auth/password/", change(PASSWORD)).await;
    assert_eq!(shop.send_with_token(access(&changed), "GET", "auth/me/", Value::Null).await.status, StatusCode::OK);
    for ended in [&here, &there] {
        assert_eq!(
            shop.send_with_token(access(ended), "GET", "auth/me/", Value::Null).await.problem(),
            "token_revoked"
        );
        assert_eq!(shop.refresh(&ended.body["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(shop.log_in("zoe@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let history = shop.read("user/1/history/").await;
    assert_eq!(history[1]["event_type"], "AccountPasswordChanged");
    assert_eq!((&history[1]["actor"], &history[1]["role"]), (&json!("account/1"), &json!("customer")));
}

#[tokio::test]
async fn a_disabled_account_is_logged_out_at_once() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let tokens = shop.log_in("zoe@example.com", PASSWORD).await;
    let disabled = shop.send("PATCH", "user/1/", json!({ "disabled": true }), &[]).await;
    assert_eq!(disabled.status, StatusCode::OK);
    assert_eq!(shop.send_with_token(access(&tokens), "GET", "auth/me/", Value::Null).await.problem(), "token_revoked");
    assert_eq!(shop.log_in("zoe@example.com", PASSWORD).await.problem(), "wrong_credentials");
    shop.send("PATCH", "user/1/", json!({ "disabled": false }), &[]).await;
    assert_eq!(shop.log_in("zoe@example.com", PASSWORD).await.status, StatusCode::OK);
    let promoted = shop.send("PATCH", "user/1/", json!({ "role": "admin" }), &[]).await;
    assert_eq!(promoted.problem(), "role_does_not_fit");
}

#[tokio::test]
async fn a_customer_entered_by_staff_gets_an_account_by_a_mailed_link() {
    let shop = TestShop::new().await;
    let customer = shop.customer("Bruno").await;
    shop.post("auth/reset/", json!({ "email": "bruno@example.com" })).await;
    let token = token_in(&shop.mails("bruno@example.com", 1).await[0]);
    let reset = shop.post("auth/reset/confirm/", json!({ "token": token, "new_password": PASSWORD })).await;
    assert_eq!(reset.status, StatusCode::NO_CONTENT);
    let tokens = shop.log_in("bruno@example.com", PASSWORD).await;
    let own = shop.send_with_token(access(&tokens), "GET", &format!("customer/{customer}/"), Value::Null).await;
    assert_eq!(own.body["first_name"], "Bruno");
}

#[tokio::test]
async fn staff_create_and_revoke_api_keys() {
    let shop = TestShop::new().await;
    let user = json!({ "email": "ed@example.com", "role": "editor" });
    let account = shop.done("users/", user).await["account_id"].as_i64().unwrap();
    let token = token_in(&shop.mails("ed@example.com", 1).await[0]);
    shop.post("auth/reset/confirm/", json!({ "token": token, "new_password": PASSWORD })).await;
    let tokens = shop.log_in("ed@example.com", PASSWORD).await;
    let editor = access(&tokens);

    let wish = json!({ "name": "notebook", "role": "editor" });
    let key_header = [("authorization", &*format!("Bearer {editor}")), ("idempotency-key", "one")];
    let made = shop.send("POST", "keys/", wish.clone(), &key_header).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let again = shop.send("POST", "keys/", wish, &key_header).await;
    assert_eq!((&again.body["key_id"], &again.body["api_key"]), (&made.body["key_id"], &Value::Null));
    let key = made.body["api_key"].as_str().unwrap();
    let more = shop.send_with_token(editor, "POST", "keys/", json!({ "name": "too much", "role": "admin" })).await;
    assert_eq!(more.problem(), "key_exceeds_account");

    let category =
        async || shop.send_with_token(key, "POST", "categories/", json!({ "category_name": "Kitchen" })).await.status;
    assert_eq!(category().await, StatusCode::CREATED);
    let keys = shop.send_with_token(editor, "GET", "keys/", Value::Null).await.body;
    assert!(keys[0]["last_used_at"].is_string(), "{keys}");
    let actor = shop.read("events/?type=CategoryCreated").await[0]["metadata"]["actor"].clone();
    assert_eq!(actor, format!("account/{account}/key/{}", made.body["key_id"].as_str().unwrap()));

    // A key never has more rights than its account has now.
    shop.send("PATCH", &format!("user/{account}/"), json!({ "role": "reader" }), &[]).await;
    assert_eq!(category().await, StatusCode::FORBIDDEN);
    assert_eq!(shop.send_with_token(key, "GET", "bestsellers/", Value::Null).await.status, StatusCode::OK);
    let path = format!("key/{}/", made.body["key_id"].as_str().unwrap());
    assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.send_with_token(key, "GET", "bestsellers/", Value::Null).await.problem(), "invalid_token");
}

#[tokio::test]
async fn the_token_of_a_guest_cart_is_stored_nowhere() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    // With an idempotency key that another guest behind the same address may use too.
    let open = async || shop.send("POST", "carts/", Value::Null, &[("idempotency-key", "1")]).await.body;
    let token = open().await["cart_token"].as_str().unwrap().to_owned();
    assert_ne!(open().await["cart_token"], token);
    let item = json!({ "product_id": product, "quantity": 2 });
    let cart = shop.done(&format!("carts/{token}/items/"), item).await;
    assert_eq!(cart["total"], "40.00");
    let log = shop.read("events/?limit=1000").await.to_string();
    assert!(log.contains("CartItemAdded") && !log.contains(&token), "{log}");
    for table in ["idempotency", "stream_snapshot", "live.carts", "live.cart_items"] {
        let rows: Value =
            sqlx::query_scalar(&format!("select coalesce(jsonb_agg(to_jsonb(row)), '[]') from {table} as row"))
                .fetch_one(&shop.pool)
                .await
                .unwrap();
        assert!(!rows.to_string().contains(&token), "{table}");
    }
    // The id in the log does not open the cart.
    let id = shop.read("events/?type=CartOpened").await[0]["aggregate_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.get(&format!("carts/{id}/")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn links_in_mails_open_pages() {
    let shop = TestShop::new().await;
    shop.register("Zoe").await;
    let mail = shop.mails("zoe@example.com", 1).await.remove(0).replace("=\r\n", "");
    assert!(mail.contains("https://shop.example.com/account/confirm#"), "{mail}");
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/account/confirm", "text/html; charset=utf-8"),
        ("/account/email", "text/html; charset=utf-8"),
        ("/account/reset", "text/html; charset=utf-8"),
        ("/account/account.js", "text/javascript; charset=utf-8"),
        ("/account/account.css", "text/css; charset=utf-8"),
    ] {
        let page = shop.send_unchanged(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, kind), "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn a_login_can_merge_a_guest_cart() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let customer = shop.member("Zoe").await;
    shop.add(customer, product, 1).await;
    let token = shop.done("carts/", Value::Null).await["cart_token"].clone();
    let cart = format!("carts/{}/", token.as_str().unwrap());
    shop.done(&format!("{cart}items/"), json!({ "product_id": product, "quantity": 2 })).await;
    let login = json!({ "email": "zoe@example.com", "password": PASSWORD, "cart_token": token });
    let tokens = shop.post("auth/login/", login.clone()).await;
    assert_eq!(tokens.body["cart_merged"], true);
    let merged = shop.send_with_token(access(&tokens), "GET", &format!("customer/{customer}/cart/"), Value::Null).await;
    assert_eq!(merged.body["items"][0]["quantity"], 3);
    assert_eq!(shop.get(&cart).await.status, StatusCode::NOT_FOUND);
    // A second login has no cart to merge and still succeeds.
    let again = shop.post("auth/login/", login).await;
    assert_eq!((again.status, &again.body["cart_merged"]), (StatusCode::OK, &json!(false)));
}

#[tokio::test]
async fn an_api_key_cannot_create_keys_or_manage_accounts() {
    let shop = TestShop::new().await;
    let (account, _, key) = api_key(&shop, "machine", Role::Admin).await;
    for (method, path, body) in [
        ("POST", "keys/".to_owned(), json!({ "name": "another", "role": "reader" })),
        ("POST", "users/".to_owned(), json!({ "email": "eve@example.com", "role": "admin" })),
        ("PATCH", format!("user/{account}/"), json!({ "disabled": true })),
        ("POST", "auth/password/".to_owned(), json!({ "current_password": PASSWORD, "new_password": ANOTHER })),
    ] {
        assert_eq!(shop.send_with_token(&key, method, &path, body).await.problem(), "forbidden", "{method} {path}");
    }
    assert_eq!(shop.send_with_token(&key, "GET", "users/", Value::Null).await.body.as_array().unwrap().len(), 1);
}
