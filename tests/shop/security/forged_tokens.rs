//! Forged tokens, and sessions that an attacker started.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cartwright::accounts::TokenKeys;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::accounts::{PASSWORD, access, token_in};
use crate::support::tokens::{ADMIN, claims, key, sign};

/// A key of an attacker.
fn other_key() -> EncodingKey {
    let folder = tempfile::tempdir().unwrap();
    TokenKeys::create_key_file(folder.path()).unwrap();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    EncodingKey::from_ed_der(&std::fs::read(file).unwrap())
}

#[tokio::test]
async fn only_tokens_with_the_shops_signature_are_accepted() {
    let shop = TestShop::new().await;
    let admin = claims("admin", 1, None);
    let (ours, key) = key();
    let header = || Header { kid: Some(ours.clone()), ..Header::new(Algorithm::EdDSA) };
    let forged = other_key();
    let with_kid = |kid: &str| encode(&Header { kid: Some(kid.to_owned()), ..header() }, &admin, &forged).unwrap();
    let kids = ["../../../dev/null", "/proc/self/environ", "' or '1'='1", "x' union select ''--", "", "\u{0}", "%00"];
    let mut bad: Vec<(String, String)> = kids.iter().map(|kid| (format!("kid {kid:?}"), with_kid(kid))).collect();
    bad.push(("a long kid".to_owned(), with_kid(&"k".repeat(9_000))));
    bad.push(("no kid".to_owned(), encode(&Header { kid: None, ..header() }, &admin, &key).unwrap()));
    let url = Some("https://attacker.example/keys.json".to_owned());
    bad.push(("jku".to_owned(), encode(&Header { jku: url.clone(), ..header() }, &admin, &forged).unwrap()));
    bad.push(("x5u".to_owned(), encode(&Header { x5u: url.clone(), ..header() }, &admin, &forged).unwrap()));
    let x5c = Some(vec!["MIIB".to_owned()]);
    bad.push(("x5c".to_owned(), encode(&Header { x5c, ..header() }, &admin, &forged).unwrap()));
    let nested = Header { cty: Some("JWT".to_owned()), ..header() };
    bad.push(("nested".to_owned(), encode(&nested, &json!({ "jwt": *ADMIN }), &key).unwrap()));
    let crit = Some(vec!["http://shop.example/not-understood".to_owned()]);
    bad.push(("crit".to_owned(), encode(&Header { crit, ..header() }, &admin, &key).unwrap()));
    let honest: Vec<&str> = ADMIN.split('.').collect();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let jwk = json!({ "alg": "EdDSA", "kid": ours, "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43) } });
    bad.push(("jwk".to_owned(), format!("{}.{}.{}", part(&jwk), honest[1], honest[2])));
    bad.push(("four parts".to_owned(), format!("{}.{}", *ADMIN, honest[2])));
    bad.push(("two parts".to_owned(), format!("{}.{}", honest[0], honest[1])));
    bad.push(("padded".to_owned(), format!("{}==", *ADMIN)));
    bad.push(("huge".to_owned(), format!("{}.{}.{}", honest[0], "A".repeat(12_000), honest[2])));
    for (claim, value) in [
        ("exp", json!("9999999999")),
        ("exp", json!(9e99)),
        ("exp", json!(-1)),
        ("sub", json!("1; drop table account")),
        ("sub", json!(1)),
        ("role", json!("superuser")),
        ("role", json!(["admin"])),
        ("sid", json!("unknown")),
        ("iss", json!(["cartwright", "elsewhere!"])),
    ] {
        let mut claims = admin.clone();
        claims[claim] = value.clone();
        // A list of issuers with ours in it is accepted; only the shop can have signed it.
        if claim != "iss" {
            bad.push((format!("{claim} {value}"), sign(&claims)));
        }
    }
    for (what, token) in bad {
        let answer = shop.send_with_token(&token, "GET", "auth/me/", Value::Null).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        assert!(["invalid_token", "token_expired"].contains(&answer.problem()), "{what}");
    }
    // Headers that point to keys elsewhere are ignored.
    let with_jku = encode(&Header { jku: url, ..header() }, &admin, &key).unwrap();
    assert_eq!(shop.send_with_token(&with_jku, "GET", "auth/me/", Value::Null).await.status, StatusCode::OK);
    for header in ["Basic YWRtaW46YWRtaW4=", "Bearer", "Token abc", "bearer  "] {
        let answer = shop.send("GET", "auth/me/", Value::Null, &[("authorization", header)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{header}");
    }
}

#[tokio::test]
async fn a_request_with_two_authorizations_has_none() {
    let shop = TestShop::new().await;
    let bearer = format!("Bearer {}", *ADMIN);
    let request = Request::get("/shop/api/auth/me").header("authorization", &bearer).header("authorization", &bearer);
    let answer = shop.send_unchanged(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::UNAUTHORIZED, "invalid_token"));
}

#[tokio::test]
async fn a_mailed_link_serves_only_its_purpose() {
    let shop = TestShop::new().await;
    shop.register("Zoe").await;
    let token = token_in(&shop.mails("zoe@example.com", 1).await[0]);
    let confirm = async || shop.post("auth/register/confirm/", json!({ "token": token, "password": PASSWORD })).await;
    let reset = json!({ "token": token, "new_password": "green teapot with lid" });
    assert_eq!(shop.post("auth/reset/confirm/", reset).await.problem(), "link_invalid");
    let confirmed = confirm().await;
    assert_eq!(confirmed.status, StatusCode::CREATED);
    let fields: Vec<_> = confirmed.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["customer_id"]);
    assert_eq!(confirm().await.problem(), "link_invalid");
    let sessions: i64 = sqlx::query_scalar("select count(*) from session").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(sessions, 0);
    for body in [json!({ "refresh_token": token }), json!({ "refresh_token": "" })] {
        assert_eq!(shop.post("auth/refresh/", body).await.status, StatusCode::UNAUTHORIZED);
    }
    // Each login starts a new session, whatever token came with it.
    let first = shop.log_in("zoe@example.com", PASSWORD).await;
    let login = json!({ "email": "zoe@example.com", "password": PASSWORD });
    let second = shop.send_with_token(access(&first), "POST", "auth/login/", login).await;
    assert_ne!(access(&first), access(&second));
    assert_ne!(first.body["refresh_token"], second.body["refresh_token"]);
    shop.send_with_token(access(&first), "POST", "auth/logout/", Value::Null).await;
    assert_eq!(shop.send_with_token(access(&second), "GET", "auth/me/", Value::Null).await.status, StatusCode::OK);
    assert_eq!(shop.send_with_token(access(&first), "GET", "auth/me/", Value::Null).await.problem(), "token_revoked");
}

#[tokio::test]
async fn an_expired_token_is_ignored_on_public_routes() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let mut old = claims("customer", 1, Some(1));
    old["exp"] = json!(chrono::Utc::now().timestamp() - 60);
    let old = sign(&old);
    let login = json!({ "email": "zoe@example.com", "password": PASSWORD });
    let tokens = shop.send_with_token(&old, "POST", "auth/login/", login).await;
    assert_eq!(tokens.status, StatusCode::OK);
    let refresh = json!({ "refresh_token": tokens.body["refresh_token"] });
    assert_eq!(shop.send_with_token(&old, "POST", "auth/refresh/", refresh).await.status, StatusCode::OK);
    for path in ["auth/me/", "products/", "customer/1/"] {
        assert_eq!(shop.send_with_token(&old, "GET", path, Value::Null).await.problem(), "token_expired", "{path}");
    }
}
