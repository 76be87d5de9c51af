//! Mails that strangers cause: whom they reach, how many there are, and what strangers can write into them.

use std::process::Command;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::http::{Edge, RateLimits};
use cartwright::journal::JournalOptions;
use cartwright::mail::{MailConfig, Mailer, OrderMails, Templates, UnmailableOwners, find_unmailable};
use cartwright::payments::Currency;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::ConnectOptions;

use crate::support::accounts::{ANOTHER, PASSWORD, access, token_in};
use crate::support::guests::as_guest;
use crate::support::program::{PROGRAM, text};
use crate::support::reactors::{start_all, wait_until_drained};
use crate::support::{Answer, TestShop, fresh_database};

/// A stranger's request, from an address of its own.
async fn from_stranger(shop: &TestShop, path: &str, body: Value) -> Answer {
    let request = Request::post(format!("/shop/api/{path}")).header("x-forwarded-for", "203.0.113.77");
    let request = request.header("content-type", "application/json");
    shop.send_unchanged(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn shop_behind_a_proxy() -> TestShop {
    let edge = Edge { trusted_proxies: "127.0.0.1".parse().unwrap(), ..Edge::default() };
    TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await
}

async fn start_order_mails(shop: &TestShop) -> cartwright::reactors::Reactors {
    let config = MailConfig {
        smtp_url: None,
        folder: shop.mail_dir.clone(),
        folder_max: 0,
        from: "shop@example.com".to_owned(),
        public_url: "https://shop.example.com".to_owned(),
    };
    let mails = OrderMails::new(
        shop.pool.clone(),
        Mailer::new(&config, shop.engine.journal.clock()),
        Templates::default(),
        Currency::EUR,
    );
    start_all(shop, vec![Arc::new(mails)]).await
}

/// The mail as a reader sees it, without the folds of its transport.
fn unfolded(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n")
}

#[tokio::test]
async fn the_password_of_a_registration_is_chosen_by_the_owner_of_the_mailbox() {
    let shop = shop_behind_a_proxy().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let bruno = shop.customer("Bruno").await;
    shop.add(bruno, product, 1).await;
    assert_eq!(shop.check_out(bruno).await.status, StatusCode::CREATED);
    let mut registration = json!({ "first_name": "Visit", "last_name": "Evil.example", "email": "bruno@example.com" });
    registration["password"] = json!(ANOTHER);
    let refused = from_stranger(&shop, "auth/register/", registration.clone()).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("password")));
    assert!(refused.body["detail"].as_str().unwrap().contains("chosen with the mailed link"), "{}", refused.body);
    registration.as_object_mut().unwrap().remove("password");
    assert_eq!(from_stranger(&shop, "auth/register/", registration).await.status, StatusCode::ACCEPTED);

    let mail = unfolded(&shop.mails("bruno@example.com", 1).await[0]);
    assert!(
        mail.contains("\n\nA registration with this e-mail address was requested at https://shop.example.com on "),
        "{mail}"
    );
    assert!(mail.contains(" UTC from the network 203.0.113.0/24.\n"), "{mail}");
    assert!(!mail.contains("Visit") && !mail.to_lowercase().contains("evil"), "{mail}");

    let without = from_stranger(&shop, "auth/register/confirm/", json!({ "token": token_in(&mail) })).await;
    assert_eq!(without.body["errors"][0]["field"], "password");
    let weak = shop.confirm(&mail, "password1234").await;
    assert_eq!(weak.body["errors"][0]["field"], "password");
    let confirmed = shop.confirm(&mail, PASSWORD).await;
    assert_eq!((confirmed.status, &confirmed.body), (StatusCode::CREATED, &json!({ "customer_id": bruno })));
    assert_eq!(shop.log_in("bruno@example.com", ANOTHER).await.status, StatusCode::UNAUTHORIZED);
    let tokens = shop.log_in("bruno@example.com", PASSWORD).await;
    let own = shop.send_with_token(access(&tokens), "GET", &format!("customer/{bruno}/orders/"), Value::Null).await;
    assert_eq!(own.body.as_array().unwrap().len(), 1, "{}", own.body);
    assert_eq!(shop.read(&format!("customer/{bruno}/")).await["last_name"], "Miller", "not what the stranger typed");
}

#[tokio::test]
async fn a_password_stored_with_an_older_registration_opens_nothing() {
    let shop = TestShop::new().await;
    shop.register("Zoe").await;
    let mail = shop.mails("zoe@example.com", 1).await.remove(0);
    // As earlier versions stored it: the hash of a password that the requester chose.
    let hash = shop.accounts.passwords().hash(&ANOTHER.to_owned().try_into().unwrap()).await.unwrap();
    let store = "update mailed_link set password_hash = $1, network = null";
    assert_eq!(sqlx::query(store).bind(hash.expose()).execute(&shop.pool).await.unwrap().rows_affected(), 1);
    let old = shop.post("auth/register/confirm/", json!({ "token": token_in(&mail) })).await;
    assert_eq!(old.body["errors"][0]["field"], "password");
    assert_eq!(shop.confirm(&mail, PASSWORD).await.status, StatusCode::CREATED);
    assert_eq!(shop.log_in("zoe@example.com", ANOTHER).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.log_in("zoe@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_checkouts_to_one_address_are_limited_like_requested_mails() {
    let edge = Edge { rate_limits: RateLimits::new(0, 10), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let product = shop.product("Kettle", "20.00", 500).await;
    let mut carts = Vec::new();
    for _ in 0..151 {
        carts.push(shop.guest_cart(product).await);
    }
    let check_out = async |cart: &str, email: &str, query: &str| {
        let mut body = as_guest("Jo");
        body["email"] = json!(email);
        shop.send_without_token("POST", &format!("{cart}checkout/{query}"), body).await
    };
    // A dry run mails nothing and counts nothing.
    for _ in 0..20 {
        let planned = check_out(&carts[0], "jo@example.com", "?dry_run=true").await;
        assert_eq!(planned.status, StatusCode::OK, "{}", planned.body);
    }
    let emails = ["jo@example.com", "JO@example.com", "jo+shop@example.com"];
    let answers = join_all(
        carts[..150].iter().enumerate().map(|(place, cart)| check_out(cart, emails[place % emails.len()], "")),
    );
    let answers = answers.await;
    let placed = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert!((10..=13).contains(&placed), "{placed} of 150");
    for refused in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        assert_eq!((refused.status, refused.problem()), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"));
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    let stock = shop.read(&format!("product/{product}/")).await["stock"].as_i64().unwrap();
    assert_eq!(stock, 500 - i64::try_from(placed).unwrap(), "a refused checkout reserves nothing");
    // A dry run does not reveal that the address is at its limit, and others are not limited.
    assert_eq!(check_out(&carts[150], "jo@example.com", "?dry_run=true").await.status, StatusCode::OK);
    let requested = shop.post("auth/reset/", json!({ "email": "jo@example.com" })).await;
    assert_eq!(requested.status, StatusCode::TOO_MANY_REQUESTS, "all mails to an address count together");
    assert_eq!(check_out(&carts[150], "mia@example.com", "").await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_guest_checkouts_do_not_block_mails_to_the_address() {
    let edge = Edge { rate_limits: RateLimits::new(0, 10), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let product = shop.product("Kettle", "20.00", 500).await;
    let filled = shop.guest_cart(product).await;
    let empty = shop.send_without_token("POST", "carts/", Value::Null).await.body["cart_token"].clone();
    let empty = format!("carts/{}/", empty.as_str().unwrap());
    let forged = format!("carts/{}/", uuid::Uuid::new_v4());
    let check_out = async |cart: &str, expected_total: Option<&str>| {
        let mut body = as_guest("Victim");
        body["expected_total"] = json!(expected_total);
        shop.send_without_token("POST", &format!("{cart}checkout/"), body).await
    };
    for (cart, status) in [(&forged, 404), (&empty, 409), (&filled, 409)] {
        for _ in 0..20 {
            let refused = check_out(cart, Some("0.01")).await;
            assert_eq!(refused.status.as_u16(), status, "{}", refused.body);
        }
    }
    // Each order counts, and a repeated answer to an idempotency key is no other order.
    let body = json!(as_guest("Victim")).to_string();
    for attempt in 0..20 {
        let request = Request::post(format!("/shop/api/{filled}checkout/")).header("idempotency-key", "k");
        let request = request.header("content-type", "application/json");
        let placed = shop.send_unchanged(request.body(Body::from(body.clone())).unwrap()).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{attempt}: {}", placed.body);
    }
    let reset = async || shop.post("auth/reset/", json!({ "email": "victim@example.com" })).await.status;
    for attempt in 1..10 {
        assert_eq!(reset().await, StatusCode::ACCEPTED, "{attempt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyers_text_neither_leads_a_mail_nor_becomes_a_link() {
    let shop = TestShop::new().await;
    let reactors = start_order_mails(&shop).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let cart = shop.guest_cart(product).await;
    let mut body = as_guest("Victim");
    body["name"] = json!("You won! https://evil.example/claim www.evil.example");
    body["shipping_address"]["name"] = json!("<a href=\"https://evil.example\">claim</a>");
    body["shipping_address"]["line1"] = json!("win@evil.example");
    body["shipping_address"]["city"] = json!("evil.example/claim");
    let order = shop.send_without_token("POST", &format!("{cart}checkout/"), body).await.body["order_id"].clone();
    shop.done(&format!("order/{order}/cancel/"), json!({ "reason": "see http://evil.example" })).await;
    let mails = shop.mails("victim@example.com", 2).await;
    for mail in mails.iter().map(|mail| unfolded(mail)) {
        let (head, content) = mail.split_once("\n\n").unwrap();
        assert!(!head.contains("won") && !head.contains("evil"), "{head}");
        for linked in ["http://evil", "https://evil", "www.evil", "evil.example", "@evil"] {
            assert!(!content.contains(linked), "{linked}: {content}");
        }
        let (text, html) = content.split_once("text/html").unwrap();
        for part in [text, html] {
            let (greeting, own) = (part.find("Hello,").unwrap(), part.find("evil").unwrap());
            assert!(greeting < own && part[greeting..own].contains(&format!("order {order}")), "{part}");
        }
        assert!(text.contains("\nhttps://shop.example.com\n"), "the shop's own links stay: {text}");
        assert!(!html.contains("<a href=\"https: "), "{html}");
        assert!(html.contains("href=\"https:&#x2f;&#x2f;shop.example.com\""), "{html}");
    }
    wait_until_drained(&shop).await;
    reactors.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_addresses_that_cannot_be_mailed_are_shown_and_park_nothing() {
    let shop = TestShop::new().await;
    let reactors = start_order_mails(&shop).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (zoe, ada) = (shop.member("Zoe").await, shop.customer("Ada").await);
    assert_eq!(find_unmailable(&shop.pool).await.unwrap(), UnmailableOwners::default());
    let cart = shop.guest_cart(product).await;
    let order =
        shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Jo")).await.body["order_id"].clone();
    shop.mails("jo@example.com", 1).await;
    // As a version with a weaker rule stored them.
    for (table, email) in [
        ("account", "zo..e@example.com"),
        ("customer_profile", "zo..e@example.com"),
        ("order_contact", "jo@-example.com"),
    ] {
        sqlx::query(&format!("update {table} set email = $1 where email like 'zoe@%' or email like 'jo@%'"))
            .bind(email)
            .execute(&shop.pool)
            .await
            .unwrap();
    }
    // Every read of them works.
    for path in [
        format!("customer/{zoe}/"),
        format!("customer/{zoe}/export/"),
        format!("order/{order}/summary/"),
        "users/".to_owned(),
    ] {
        shop.read(&path).await;
    }
    assert!(shop.read("customer-stats/").await.to_string().contains("zo..e@example.com"));
    let tokens = shop.log_in("zo..e@example.com", PASSWORD).await;
    shop.add(zoe, product, 1).await;
    assert_eq!(shop.check_out(zoe).await.status, StatusCode::CREATED);
    shop.done(&format!("order/{order}/cancel/"), json!({})).await;
    // The notice to the old address is skipped, and the link goes to the new one.
    let change = json!({ "email": "zoe.new@example.com", "password": PASSWORD });
    let requested = shop.send_with_token(access(&tokens), "POST", "auth/email/", change).await;
    assert_eq!(requested.status, StatusCode::ACCEPTED);
    let link = shop.mails("zoe.new@example.com", 1).await.remove(0);
    // An order whose buyer gets a mail, which proves that mails are sent.
    shop.add(ada, product, 1).await;
    shop.check_out(ada).await;
    shop.mails("ada@example.com", 1).await;
    wait_until_drained(&shop).await;
    assert_eq!(shop.read("reactions/?state=parked").await, json!([]));
    let order = order.as_i64().unwrap();
    let expected = UnmailableOwners { customers: vec![zoe], accounts: vec![], orders: vec![order] };
    assert_eq!(find_unmailable(&shop.pool).await.unwrap(), expected);
    let url = shop.pool.connect_options().to_url_lossy();
    let status = Command::new(PROGRAM).arg("status").env("DATABASE_URL", url.as_str()).output().unwrap();
    let printed = text(&status);
    for line in [
        format!("1 customer has an e-mail address that cannot be mailed: {zoe}\n"),
        format!("1 order of a guest has an e-mail address that cannot be mailed: {order}\n"),
    ] {
        assert!(printed.contains(&line), "{printed}");
    }

    let confirm = json!({ "token": token_in(&link) });
    assert_eq!(shop.post("auth/email/confirm/", confirm).await.status, StatusCode::NO_CONTENT);
    let expected = UnmailableOwners { customers: vec![], ..expected };
    assert_eq!(find_unmailable(&shop.pool).await.unwrap(), expected);
    let waiting: i64 = sqlx::query_scalar("select count(*) from mailed_link where due_at is not null")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(waiting, 0, "nothing is retried");
    reactors.stop().await;
}
