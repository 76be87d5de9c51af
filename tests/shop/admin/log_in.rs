//! Log in, log out, and what ends a session.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use cartwright::http::{Edge, RateLimits};
use cartwright::journal::JournalOptions;
use serde_json::{Value, json};

use crate::support::accounts::PASSWORD;
use crate::support::visitor::Visitor;
use crate::support::{TestShop, fresh_database};

const COOKIE: &str = "staff";

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends_at_once() {
    let shop = TestShop::new().await;
    let visitor = Visitor::new(&shop, Role::Editor).await;

    // Without a session every page leads to the log-in, and from there back.
    let page = visitor.get("/admin/categories?x=1").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(page.header("location"), "/admin/log-in?next=%2Fadmin%2Fcategories%3Fx%3D1");
    let form = visitor.visit(page.header("location")).await;
    assert_eq!(form.form("/admin/log-in").value("next"), "/admin/categories?x=1");
    let part = visitor.get_part("/admin/products/1/price").await;
    assert_eq!(part.header("hx-redirect"), "/admin/log-in", "a script loads the log-in as a page");
    assert_eq!(visitor.get("/admin").await.header("location"), "/admin/");

    // A wrong password begins no session, and keeps the address.
    let wrong = visitor.submit(&form, "/admin/log-in", &[("email", &visitor.email), ("password", "wrong")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.html.contains("The e-mail address or the password is wrong."), "{}", wrong.html);
    assert_eq!(wrong.form("/admin/log-in").value("email"), visitor.email);
    assert_eq!(wrong.form("/admin/log-in").value("password"), "");
    assert_eq!(visitor.cookie(COOKIE), None);

    let fields = [("email", visitor.email.as_str()), ("password", visitor.password.as_str())];
    let entered = visitor.submit(&wrong, "/admin/log-in", &fields).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/admin/categories?x=1"));
    let set = entered.header("set-cookie");
    assert!(set.contains("; Path=/; HttpOnly; SameSite=Lax") && !set.contains("Secure"), "{set}");
    assert!(!set.contains("Max-Age") && !set.contains("Domain"), "it ends with the browser: {set}");
    let page = visitor.visit("/admin/categories").await;
    assert!(page.html.contains(&visitor.email) && page.html.contains("editor"), "{}", page.html);

    // Another log-in of the same browser ends the session before.
    let first = visitor.cookie(COOKIE).unwrap();
    assert_eq!(visitor.log_in("/admin/").await.status, StatusCode::SEE_OTHER);
    assert_ne!(visitor.cookie(COOKIE).unwrap(), first);
    let earlier = Visitor::with_account(&shop, "", "");
    earlier.set_cookie(COOKIE, &first);
    assert_eq!(earlier.get("/admin/categories").await.status, StatusCode::SEE_OTHER, "the earlier cookie is dead");

    // Many requests at once share the session.
    let requests = (0..8).map(|_| visitor.get("/admin/categories"));
    for page in futures_util::future::join_all(requests).await {
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    }

    // My account lists the sessions, and ends another one.
    let other = Visitor::with_account(&shop, &visitor.email, &visitor.password);
    other.log_in("").await;
    let account = visitor.visit("/admin/account").await;
    let mut ends = account.forms();
    ends.retain(|form| form.action.ends_with("/end"));
    assert_eq!(ends.len(), 1, "not the own session: {}", account.html);
    let ended = visitor.submit(&account, &ends[0].action, &[]).await;
    assert!(visitor.follow(&ended).await.html.contains("The session was ended."));
    assert!(
        !visitor.visit("/admin/account").await.html.contains("The session was ended."),
        "the message is shown once"
    );
    assert_eq!(other.get("/admin/categories").await.status, StatusCode::SEE_OTHER);

    // Log out.
    let page = visitor.visit("/admin/categories").await;
    let cookie = visitor.cookie(COOKIE).unwrap();
    let left = visitor.submit(&page, "/admin/log-out", &[]).await;
    assert!(visitor.follow(&left).await.html.contains("You are logged out."));
    assert_eq!(visitor.cookie(COOKIE), None);
    visitor.set_cookie(COOKIE, &cookie);
    assert_eq!(
        visitor.get("/admin/categories").await.status,
        StatusCode::SEE_OTHER,
        "the session has ended in the shop"
    );
}

#[tokio::test]
async fn a_password_change_and_a_disabled_account_end_sessions() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let second = Visitor::with_account(&shop, &visitor.email, &visitor.password);
    second.log_in("").await;

    let page = visitor.visit("/admin/account").await;
    let fields = |current: &'static str, new: &'static str, again: &'static str| {
        [("current_password", current), ("new_password", new), ("new_password_again", again)]
    };
    for (changes, field, message) in [
        (fields("wrong", PASSWORD, PASSWORD), "current_password", "Is wrong"),
        (fields("wrong", PASSWORD, "another"), "new_password_again", "Is not the same password"),
        (fields("wrong", "short", "short"), "new_password", ""),
    ] {
        let refused = visitor.submit(&page, "/admin/account/password", &changes).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
        assert!(refused.html.contains(&format!("id=\"{field}-error\">{message}")), "{}", refused.html);
        assert!(!refused.html.contains(PASSWORD), "passwords are not sent back");
    }
    let password = visitor.password.clone();
    let changes =
        [("current_password", password.as_str()), ("new_password", PASSWORD), ("new_password_again", PASSWORD)];
    let changed = visitor.submit(&page, "/admin/account/password", &changes).await;
    assert!(visitor.follow(&changed).await.html.contains("The password was changed."));
    assert_eq!(second.get("/admin/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(visitor.get("/admin/account").await.status, StatusCode::OK);

    let users = shop.read("users/").await;
    let user = users.as_array().unwrap().iter().find(|user| user["email"] == visitor.email.as_str()).unwrap();
    let path = format!("user/{}/", user["account_id"]);
    assert_eq!(shop.send("PATCH", &path, json!({ "disabled": true }), &[]).await.status, StatusCode::OK);
    assert_eq!(visitor.get("/admin/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        Visitor::with_account(&shop, &visitor.email, PASSWORD).log_in("").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn customers_cannot_enter_and_no_address_leads_elsewhere() {
    let shop = TestShop::new().await;
    let customer = shop.member("Jo").await;
    let visitor = Visitor::with_account(&shop, "jo@example.com", PASSWORD);
    let refused = visitor.log_in("").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.html.contains("belongs to a customer"), "{}", refused.html);
    assert_eq!(visitor.cookie(COOKIE), None);
    // A customer's own refresh token as the cookie opens nothing either.
    let tokens = shop.log_in("jo@example.com", PASSWORD).await.body;
    visitor.set_cookie(COOKIE, tokens["refresh_token"].as_str().unwrap());
    let refused = visitor.get("/admin/categories").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.html.contains("Categories"), "{}", refused.html);
    assert!(customer > 0);

    let visitor = Visitor::new(&shop, Role::Reader).await;
    for next in ["https://evil.example/", "//evil.example/admin/", "/\\evil.example", "javascript:alert(1)", "/docs"] {
        assert_eq!(visitor.log_in(next).await.header("location"), "/admin/", "{next}");
    }
    // An access token is no cookie.
    visitor.set_cookie(COOKIE, &crate::support::tokens::ADMIN);
    assert_eq!(visitor.get("/admin/categories").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host_and_attempts_are_limited_like_those_of_the_api() {
    let edge =
        Edge { trusted_proxies: "127.0.0.1".parse().unwrap(), rate_limits: RateLimits::new(0, 4), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let mut visitor = Visitor::new(&shop, Role::Admin).await;
    visitor.headers = vec![("x-forwarded-proto", "https".to_owned()), ("x-forwarded-for", "203.0.113.9".to_owned())];
    let entered = visitor.log_in("").await;
    let set = entered.header("set-cookie");
    assert!(set.starts_with("__Host-staff=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set}");
    visitor.visit("/admin/categories").await;

    let mut guess = Visitor::with_account(&shop, &visitor.email, "wrong");
    guess.headers = visitor.headers.clone();
    for _ in 0..3 {
        assert_eq!(guess.log_in("").await.status, StatusCode::UNAUTHORIZED);
    }
    let limited = guess.log_in("").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS, "the first log-in counted too");
    assert!(limited.html.contains("Too many attempts. Try again in"), "{}", limited.html);
    assert!(!limited.header("retry-after").is_empty());
    guess.headers = vec![("x-forwarded-for", "203.0.113.10".to_owned())];
    assert_eq!(guess.log_in("").await.status, StatusCode::UNAUTHORIZED, "another address has its own limit");
    let audit = shop.read("audit/").await;
    assert_eq!(audit[0]["address"], "203.0.113.0", "the log-in records the browser's network: {audit}");
}

#[tokio::test]
async fn a_page_counts_once_against_the_limit_of_its_caller() {
    let edge = Edge { rate_limits: RateLimits::new(3, 0), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    // Each page makes several calls.
    for _ in 0..3 {
        assert_eq!(visitor.get("/admin/products").await.status, StatusCode::OK);
    }
    let refused = visitor.get("/admin/products").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_forged_form_changes_nothing() {
    let shop = TestShop::new().await;
    let (visitor, other) =
        (Visitor::logged_in(&shop, Role::Editor).await, Visitor::logged_in(&shop, Role::Editor).await);
    let page = visitor.visit("/admin/categories").await;
    let token = page.form("/admin/categories").value("csrf").to_owned();
    let foreign = other.visit("/admin/categories").await.form("/admin/categories").value("csrf").to_owned();
    let body = |csrf: &str| Some(format!("category_name=Forged&parent_id=&csrf={csrf}"));
    let same = ("sec-fetch-site", "same-origin");
    for (csrf, headers) in [
        ("", &[same][..]),
        ("nonsense", &[same]),
        (&foreign, &[same]),
        (&token, &[("sec-fetch-site", "cross-site")]),
        (&token, &[("sec-fetch-site", "same-site")]),
        (&token, &[("origin", "https://evil.example")]),
        (&token, &[("origin", "null")]),
        (&token, &[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example.com")]),
        ("", &[same, ("x-csrf-token", foreign.as_str())]),
        ("", &[same, ("content-type", "text/plain")]),
        ("", &[same, ("content-type", "multipart/form-data; boundary=x")]),
    ] {
        let refused = visitor.send("POST", "/admin/categories", body(csrf), headers).await;
        assert!(refused.status.is_client_error(), "{csrf} {headers:?}: {}", refused.status);
    }
    assert_eq!(shop.read("categories/").await, json!([]));
    // Other methods are no way around.
    for method in ["PUT", "DELETE", "PATCH"] {
        let refused = visitor.send(method, "/admin/categories", body(""), &[same]).await;
        assert!(refused.status.is_client_error(), "{method}: {}", refused.status);
    }
    let log_in = format!("email={}&password={}", visitor.email, visitor.password);
    let headers = [("sec-fetch-site", "cross-site")];
    assert_eq!(visitor.send("POST", "/admin/log-in", Some(log_in), &headers).await.status, StatusCode::FORBIDDEN);

    // The true form, as a form and as a script sends it.
    let made = visitor.send("POST", "/admin/categories", body(&token), &[("origin", "https://shop.example.com")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    let headers = [same, ("x-csrf-token", token.as_str()), ("hx-request", "true")];
    let made = visitor.send("POST", "/admin/categories", Some("category_name=Second".to_owned()), &headers).await;
    assert_eq!(made.status, StatusCode::NO_CONTENT, "{}", made.html);
    assert!(made.header("hx-redirect").starts_with("/admin/categories/"));
    assert_eq!(shop.read("categories/").await.as_array().map(Vec::len), Some(2));
    assert_ne!(shop.get("audit/").await.body, Value::Null);
}
