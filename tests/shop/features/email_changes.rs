//! The e-mail address of an account: it changes when the link in a mail to the new address is used, and not before.

use std::time::Instant;

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use cartwright::http::{Edge, RateLimits};
use cartwright::journal::JournalOptions;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::accounts::{ANOTHER, PASSWORD, access, api_key, token_in};
use crate::support::{Answer, TestShop, fresh_database};

const ZOE: &str = "zoe@example.com";
const NEW: &str = "zoe.new@example.org";

impl TestShop {
    async fn request_email(&self, token: &str, email: &str, password: &str) -> Answer {
        self.send_with_token(token, "POST", "auth/email/", json!({ "email": email, "password": password })).await
    }

    async fn confirm_email(&self, mail: &str) -> Answer {
        self.post("auth/email/confirm/", json!({ "token": token_in(mail) })).await
    }

    /// The access token of a new session.
    async fn session(&self, email: &str) -> String {
        access(&self.log_in(email, PASSWORD).await).to_owned()
    }

    async fn me(&self, token: &str) -> Answer {
        self.send_with_token(token, "GET", "auth/me/", Value::Null).await
    }
}

#[tokio::test]
async fn an_address_changes_when_the_mailed_link_is_used() {
    let shop = TestShop::new().await;
    let customer = shop.member("Zoe").await;
    let (here, there) = (shop.session(ZOE).await, shop.session(ZOE).await);
    let own = format!("customer/{customer}/");
    let before = shop.get(&own).await;
    assert_eq!(shop.request_email(&here, NEW, ANOTHER).await.problem(), "wrong_credentials");
    assert_eq!(shop.request_email(&here, "no e-mail", PASSWORD).await.body["errors"][0]["field"], "email");
    assert_eq!(shop.request_email(&here, NEW, PASSWORD).await.status, StatusCode::ACCEPTED);

    let link = shop.mails(NEW, 1).await.remove(0);
    assert!(link.replace("=\r\n", "").contains("https://shop.example.com/account/email#"), "{link}");
    let notice = shop.mails(ZOE, 2).await.remove(1);
    assert!(notice.contains("is to change") && !notice.contains('#') && !notice.contains(NEW), "{notice}");
    // Nothing has changed yet.
    assert_eq!(shop.get(&own).await.body["email"], ZOE);
    assert_eq!(shop.log_in(NEW, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.me(&there).await.status, StatusCode::OK);

    assert_eq!(shop.confirm_email(&link).await.status, StatusCode::NO_CONTENT);
    shop.settle().await;
    let after = shop.get(&own).await;
    assert_eq!(after.body["email"], NEW);
    assert_ne!(before.header("etag"), after.header("etag"));
    assert_eq!(shop.log_in(ZOE, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(shop.log_in(NEW, PASSWORD).await.status, StatusCode::OK);
    assert_eq!(shop.me(&there).await.problem(), "token_revoked", "other sessions end");
    assert_eq!(shop.me(&here).await.status, StatusCode::OK, "the session that requested the change stays");
    assert_eq!(shop.confirm_email(&link).await.problem(), "link_invalid");
    let history = shop.read("user/1/history/").await;
    assert_eq!(history.as_array().unwrap().last().unwrap()["event_type"], "AccountEmailChanged");
    let outcomes: Vec<_> =
        shop.read("audit/").await.as_array().unwrap().iter().map(|row| row["outcome"].clone()).collect();
    assert!(outcomes.contains(&json!("email_change_requested")) && outcomes.contains(&json!("email_changed")));
    let log = shop.read("events/?limit=1000").await.to_string();
    assert!(!log.contains(NEW) && !log.contains(ZOE));
    shop.check_log().await;
}

#[tokio::test]
async fn a_profile_refuses_a_new_address_of_an_account_and_names_the_way() {
    let shop = TestShop::new().await;
    let (zoe, bruno) = (shop.member("Zoe").await, shop.customer("Bruno").await);
    let token = shop.session(ZOE).await;
    let own = format!("customer/{zoe}/");
    let change = json!({ "email": NEW, "last_name": "Muller" });
    for refused in [
        shop.send_with_token(&token, "PATCH", &own, change.clone()).await,
        shop.send("PATCH", &own, change.clone(), &[]).await,
        shop.send("PATCH", &format!("{own}?dry_run=true"), change.clone(), &[]).await,
        // The answer does not depend on whether the address is taken.
        shop.send_with_token(&token, "PATCH", &own, json!({ "email": "bruno@example.com" })).await,
    ] {
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "email_needs_confirmation"));
        assert!(refused.body["detail"].as_str().unwrap().contains("POST auth/email/"), "{}", refused.body);
    }
    assert_eq!(shop.read(&own).await["last_name"], "Miller", "nothing of it is done");
    let same = json!({ "email": ZOE, "last_name": "Muller" });
    assert_eq!(shop.send_with_token(&token, "PATCH", &own, same).await.status, StatusCode::OK);
    // A customer without an account has an address that staff enter.
    let entered = shop.send("PATCH", &format!("customer/{bruno}/"), json!({ "email": NEW }), &[]).await;
    assert_eq!(entered.status, StatusCode::OK);
    assert_eq!(shop.read(&format!("customer/{bruno}/")).await["email"], NEW);
}

#[tokio::test]
async fn a_requested_change_does_not_reveal_whether_the_address_is_taken() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    shop.member("Mia").await;
    shop.customer("Bruno").await;
    let token = shop.session(ZOE).await;
    let mut times = [vec![], vec![]];
    for round in 0..7 {
        let free = format!("free{round}@example.com");
        let mut answers = Vec::new();
        for (email, times) in ["mia@example.com", free.as_str()].into_iter().zip(&mut times) {
            let started = Instant::now();
            answers.push(shop.request_email(&token, email, PASSWORD).await);
            times.push(started.elapsed());
        }
        assert_eq!((answers[0].status, &answers[0].body), (answers[1].status, &answers[1].body));
        assert_eq!(answers[0].status, StatusCode::ACCEPTED);
    }
    let [taken, free] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    });
    assert!((0.5..2.0).contains(&(taken / free)), "{taken} s and {free} s");
    // The owner of a taken address learns of it, at the address on record, and gets no link that changes anything.
    for (owner, count) in [("mia@example.com", 2), ("bruno@example.com", 1)] {
        shop.request_email(&token, &owner.to_uppercase(), PASSWORD).await;
        let mail = shop.mails(owner, count).await.pop().unwrap();
        assert!(mail.contains("already in use") && !mail.contains('#'), "{mail}");
    }
}

#[tokio::test]
async fn only_the_newest_link_works_and_once() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let token = shop.session(ZOE).await;
    shop.request_email(&token, "typo@example.com", PASSWORD).await;
    let superseded = shop.mails("typo@example.com", 1).await.remove(0);
    shop.request_email(&token, NEW, PASSWORD).await;
    let link = shop.mails(NEW, 1).await.remove(0);
    assert_eq!(shop.confirm_email(&superseded).await.problem(), "link_invalid");
    let answers = join_all((0..4).map(|_| shop.confirm_email(&link))).await;
    let done = answers.iter().filter(|answer| answer.status == StatusCode::NO_CONTENT).count();
    assert_eq!(done, 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer.status != StatusCode::NO_CONTENT);
    refused.for_each(|answer| assert_eq!(answer.problem(), "link_invalid"));
    // A link serves only its purpose.
    shop.request_email(&token, ZOE, PASSWORD).await;
    let mails = shop.mails(ZOE, 4).await;
    let link = token_in(mails.iter().rfind(|mail| mail.contains("Please confirm your new")).unwrap());
    let reset = json!({ "token": link, "new_password": ANOTHER });
    assert_eq!(shop.post("auth/reset/confirm/", reset).await.problem(), "link_invalid");
    let register = json!({ "token": link, "password": ANOTHER });
    assert_eq!(shop.post("auth/register/confirm/", register).await.problem(), "link_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_used_while_another_is_requested_does_not_wait() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let token = shop.session(ZOE).await;
    for round in 0..6 {
        let (first, second) = (format!("first{round}@example.com"), format!("second{round}@example.com"));
        assert_eq!(shop.request_email(&token, &first, PASSWORD).await.status, StatusCode::ACCEPTED);
        let link = shop.mails(&first, 1).await.remove(0);
        let requests = join_all((0..3).map(|_| shop.request_email(&token, &second, PASSWORD)));
        let (used, requested) = tokio::join!(shop.confirm_email(&link), requests);
        let outcomes = [StatusCode::NO_CONTENT, StatusCode::BAD_REQUEST];
        assert!(outcomes.contains(&used.status), "round {round}: {} {}", used.status, used.body);
        let accepted = requested.iter().all(|answer| answer.status == StatusCode::ACCEPTED);
        assert!(accepted, "round {round}: {requested:?}");
    }
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    let deadlocks: i64 = sqlx::query_scalar(deadlocks).fetch_one(&shop.pool).await.unwrap();
    assert_eq!(deadlocks, 0);
    shop.check_log().await;
}

#[tokio::test]
async fn of_two_accounts_that_request_one_address_one_gets_it() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    shop.member("Mia").await;
    let (zoe, mia) = (shop.session(ZOE).await, shop.session("mia@example.com").await);
    for token in [&zoe, &mia] {
        assert_eq!(shop.request_email(token, NEW, PASSWORD).await.status, StatusCode::ACCEPTED);
    }
    let links = shop.mails(NEW, 2).await;
    let answers = join_all(links.iter().map(|link| shop.confirm_email(link))).await;
    let mut codes: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [204, 409], "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status == StatusCode::CONFLICT).unwrap();
    assert_eq!(refused.problem(), "email_taken");
    shop.check_log().await;
}

#[tokio::test]
async fn a_new_password_an_erasure_and_time_invalidate_a_requested_change() {
    let shop = TestShop::new().await;
    let customer = shop.member("Zoe").await;
    let mut sent = 0;
    let mut requested = async || {
        let token = shop.session(ZOE).await;
        assert_eq!(shop.request_email(&token, NEW, PASSWORD).await.status, StatusCode::ACCEPTED);
        sent += 1;
        (token, shop.mails(NEW, sent).await.pop().unwrap())
    };
    let (token, link) = requested().await;
    let change = json!({ "current_password": PASSWORD, "new_password": PASSWORD });
    assert_eq!(shop.send_with_token(&token, "POST", "auth/password/", change).await.status, StatusCode::OK);
    assert_eq!(shop.confirm_email(&link).await.problem(), "link_invalid", "a new password cancels the change");

    let (_, link) = requested().await;
    let set = async |disabled: bool| shop.send("PATCH", "user/1/", json!({ "disabled": disabled }), &[]).await.status;
    assert_eq!(set(true).await, StatusCode::OK);
    assert_eq!(shop.confirm_email(&link).await.problem(), "account_disabled");
    assert_eq!(set(false).await, StatusCode::OK);

    let expire = "update mailed_link set expires_at = clock_timestamp() - interval '1 second'";
    sqlx::query(expire).execute(&shop.pool).await.unwrap();
    assert_eq!(shop.confirm_email(&link).await.problem(), "link_invalid");

    let (_, link) = requested().await;
    let export = shop.read(&format!("customer/{customer}/export/")).await;
    let links = export["mailed_links"].as_array().unwrap();
    assert!(links.iter().any(|link| link["purpose"] == "change_email" && link["email"] == NEW), "{links:?}");
    assert_eq!(
        shop.send("DELETE", &format!("customer/{customer}/"), Value::Null, &[]).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(shop.confirm_email(&link).await.problem(), "link_invalid");
    let left: i64 = sqlx::query_scalar("select count(*) from mailed_link where account_id is not null")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn staff_change_their_own_address_and_api_keys_change_none() {
    let shop = TestShop::new().await;
    let (_, _, key) = api_key(&shop, "machine", Role::Admin).await;
    assert_eq!(shop.request_email(&key, NEW, PASSWORD).await.problem(), "forbidden");
    shop.done("users/", json!({ "email": "ed@example.com", "role": "editor" })).await;
    let choose = json!({ "token": token_in(&shop.mails("ed@example.com", 1).await[0]), "new_password": PASSWORD });
    assert_eq!(shop.post("auth/reset/confirm/", choose).await.status, StatusCode::NO_CONTENT);
    let token = shop.session("ed@example.com").await;
    assert_eq!(shop.request_email(&token, "edward@example.com", PASSWORD).await.status, StatusCode::ACCEPTED);
    let link = shop.mails("edward@example.com", 1).await.remove(0);
    assert_eq!(shop.confirm_email(&link).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.log_in("edward@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_cannot_change_while_its_owner_opens_an_account() {
    let shop = TestShop::new().await;
    for round in 0..8 {
        let (name, new) = (format!("Bruno{round}"), format!("new{round}@example.com"));
        let (customer, old) = (shop.customer(&name).await, format!("bruno{round}@example.com"));
        shop.post("auth/reset/", json!({ "email": old })).await;
        let choose = json!({ "token": token_in(&shop.mails(&old, 1).await[0]), "new_password": PASSWORD });
        let path = format!("customer/{customer}/");
        let (opened, changed) = tokio::join!(
            shop.post("auth/reset/confirm/", choose),
            shop.send("PATCH", &path, json!({ "email": new }), &[])
        );
        let outcome = (opened.status.as_u16(), changed.status.as_u16());
        match outcome {
            (204, 409) => assert_eq!(changed.problem(), "email_needs_confirmation"),
            (400, 200) => assert_eq!(opened.problem(), "link_invalid"),
            other => panic!("{other:?}: {} {}", opened.body, changed.body),
        }
    }
    let differ: i64 = sqlx::query_scalar(
        "select count(*) from account join customer_profile as profile using (customer_id)
         where account.email <> profile.email",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(differ, 0);
}

#[tokio::test]
async fn erasing_ones_account_asks_for_the_password() {
    let edge = Edge { rate_limits: RateLimits::new(0, 4), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let (zoe, bruno) = (shop.member("Zoe").await, shop.customer("Bruno").await);
    let token = shop.session(ZOE).await;
    let own = format!("customer/{zoe}/");
    let erase = async |body: Value| {
        let headers = [("authorization", &*format!("Bearer {token}")), ("idempotency-key", "erase")];
        shop.send("DELETE", &own, body, &headers).await
    };
    for body in [Value::Null, json!({}), json!({ "password": null })] {
        let missing = erase(body).await;
        assert_eq!(
            (missing.status, &missing.body["errors"][0]["field"]),
            (StatusCode::BAD_REQUEST, &json!("password"))
        );
    }
    let wrong = erase(json!({ "password": ANOTHER })).await;
    assert_eq!((wrong.status, wrong.problem()), (StatusCode::UNAUTHORIZED, "wrong_credentials"));
    // Each attempt counts like a login: one registration, one login and one attempt were made before.
    assert_eq!(erase(json!({ "password": ANOTHER })).await.problem(), "wrong_credentials");
    let limited = erase(json!({ "password": PASSWORD })).await;
    assert_eq!((limited.status, limited.header("retry-after").is_empty()), (StatusCode::TOO_MANY_REQUESTS, false));
    assert_eq!(shop.get(&own).await.status, StatusCode::OK);

    let staff = shop.send("DELETE", &format!("customer/{bruno}/"), json!({ "password": PASSWORD }), &[]).await;
    assert_eq!(staff.body["errors"][0]["field"], "password");
    let staff = shop.send("DELETE", &format!("customer/{bruno}/"), Value::Null, &[]).await;
    assert_eq!(staff.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn no_hash_of_the_password_is_stored_when_an_account_is_erased() {
    let shop = TestShop::new().await;
    let zoe = shop.member("Zoe").await;
    let token = shop.session(ZOE).await;
    let headers = [("authorization", &*format!("Bearer {token}")), ("idempotency-key", "erase")];
    let stored =
        async || sqlx::query_scalar::<_, i64>("select count(*) from idempotency").fetch_one(&shop.pool).await.unwrap();
    let before = stored().await;
    let erased = shop.send("DELETE", &format!("customer/{zoe}/"), json!({ "password": PASSWORD }), &headers).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
    assert_eq!(stored().await, before);
    assert_eq!(shop.me(&token).await.problem(), "token_revoked");
}
