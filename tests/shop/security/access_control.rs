//! Access control: every route with every kind of caller.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cartwright::accounts::TokenKeys;
use cartwright::domain::account::Role;
use cartwright::journal::{Actor, Context};
use cartwright::shop::{ChangeAccount, RevokeKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::support::TestShop;
use crate::support::accounts::api_key;
use crate::support::tokens::{self, claims, sign};

/// The callers that a route admits besides admins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Open {
    /// Takes no token.
    Blind,
    Public,
    User,
    OwnerReader,
    OwnerEditor,
    Reader,
    Editor,
    Admin,
}

use Open::{Admin, Blind, Editor, OwnerEditor, OwnerReader, Public, Reader, User};

/// The whole matrix, written down apart from the code.
const MATRIX: &[(&str, &str, Open)] = &[
    ("POST", "auth/register", Blind),
    ("POST", "auth/register/confirm", Blind),
    ("POST", "auth/login", Blind),
    ("POST", "auth/refresh", Blind),
    ("POST", "auth/logout", Public),
    ("POST", "auth/password", User),
    ("POST", "auth/email", User),
    ("POST", "auth/email/confirm", Blind),
    ("POST", "auth/reset", Blind),
    ("POST", "auth/reset/confirm", Blind),
    ("GET", "auth/me", User),
    ("GET", "auth/sessions", User),
    ("DELETE", "auth/session/{session_id}", User),
    ("GET", "users", Admin),
    ("POST", "users", Admin),
    ("GET", "user/{account_id}", Admin),
    ("PATCH", "user/{account_id}", Admin),
    ("GET", "user/{account_id}/history", Admin),
    ("GET", "keys", Reader),
    ("POST", "keys", Reader),
    ("DELETE", "key/{key_id}", Reader),
    ("GET", "audit", Admin),
    ("GET", "products", Public),
    ("POST", "products", Editor),
    ("GET", "products/facets", Public),
    ("GET", "product/{product_id}", Public),
    ("PATCH", "product/{product_id}", Editor),
    ("DELETE", "product/{product_id}", Editor),
    ("GET", "product/{product_id}/imei", Editor),
    ("POST", "product/{product_id}/stock", Editor),
    ("GET", "product/{product_id}/images", Public),
    ("POST", "product/{product_id}/images", Editor),
    ("PUT", "product/{product_id}/images/order", Editor),
    ("PUT", "product/{product_id}/images/{image_id}", Editor),
    ("DELETE", "product/{product_id}/images/{image_id}", Editor),
    ("GET", "/media/{picture}", Blind),
    ("GET", "product/{product_id}/family", Public),
    ("PUT", "product/{product_id}/family", Editor),
    ("DELETE", "product/{product_id}/family", Editor),
    ("GET", "families", Public),
    ("POST", "families", Editor),
    ("GET", "family/{family_id}", Public),
    ("PATCH", "family/{family_id}", Editor),
    ("DELETE", "family/{family_id}", Editor),
    ("GET", "family/{family_id}/history", Reader),
    ("GET", "categories/{category_id}/history", Reader),
    ("POST", "products/bulk", Editor),
    ("POST", "products/reprice", Editor),
    ("POST", "stock/bulk", Editor),
    ("POST", "stock/receive", Editor),
    ("GET", "categories", Public),
    ("POST", "categories", Editor),
    ("GET", "categories/{category_id}", Public),
    ("PATCH", "categories/{category_id}", Editor),
    ("DELETE", "categories/{category_id}", Editor),
    ("GET", "customers", Reader),
    ("POST", "customers", Editor),
    ("GET", "customer/{customer_id}", OwnerReader),
    ("PATCH", "customer/{customer_id}", OwnerEditor),
    ("DELETE", "customer/{customer_id}", OwnerEditor),
    ("DELETE", "customer/{customer_id}/erasure", Editor),
    ("GET", "erasures", Reader),
    ("GET", "customer/{customer_id}/orders", OwnerReader),
    ("GET", "customer/{customer_id}/export", OwnerEditor),
    ("GET", "customer/{customer_id}/addresses", OwnerReader),
    ("POST", "customer/{customer_id}/addresses", OwnerEditor),
    ("PATCH", "customer/{customer_id}/addresses/{address_id}", OwnerEditor),
    ("DELETE", "customer/{customer_id}/addresses/{address_id}", OwnerEditor),
    ("GET", "customer/{customer_id}/wishlist", OwnerReader),
    ("PUT", "customer/{customer_id}/wishlist/{product_id}", OwnerEditor),
    ("DELETE", "customer/{customer_id}/wishlist/{product_id}", OwnerEditor),
    ("GET", "customer/{customer_id}/wishlist/history", Reader),
    ("GET", "customer/{customer_id}/cart", OwnerReader),
    ("PATCH", "customer/{customer_id}/cart", OwnerEditor),
    ("DELETE", "customer/{customer_id}/cart", OwnerEditor),
    ("POST", "customer/{customer_id}/cart/items", OwnerEditor),
    ("PUT", "customer/{customer_id}/cart/items/{product_id}", OwnerEditor),
    ("DELETE", "customer/{customer_id}/cart/items/{product_id}", OwnerEditor),
    ("POST", "customer/{customer_id}/cart/checkout", OwnerEditor),
    ("POST", "customer/{customer_id}/cart/merge", OwnerEditor),
    ("POST", "carts", Public),
    ("GET", "carts/{cart_token}", Public),
    ("PATCH", "carts/{cart_token}", Public),
    ("DELETE", "carts/{cart_token}", Public),
    ("POST", "carts/{cart_token}/items", Public),
    ("PUT", "carts/{cart_token}/items/{product_id}", Public),
    ("DELETE", "carts/{cart_token}/items/{product_id}", Public),
    ("POST", "carts/{cart_token}/checkout", Public),
    ("GET", "carts/{cart_token}/order/{order_id}", Public),
    ("POST", "carts/{cart_token}/order/{order_id}/pay", Public),
    ("GET", "pricing/shipping", Reader),
    ("PUT", "pricing/shipping", Admin),
    ("GET", "pricing/taxes", Reader),
    ("PUT", "pricing/taxes", Admin),
    ("GET", "settings", Reader),
    ("PATCH", "settings", Admin),
    ("GET", "discounts", Reader),
    ("POST", "discounts", Editor),
    ("GET", "discount/{code}", Reader),
    ("PATCH", "discount/{code}", Editor),
    ("DELETE", "discount/{code}", Editor),
    ("GET", "orders", Reader),
    ("POST", "orders", Editor),
    ("GET", "orders/short", Reader),
    ("GET", "order/{order_id}", OwnerReader),
    ("PATCH", "order/{order_id}", Editor),
    ("GET", "order/{order_id}/summary", OwnerReader),
    ("PUT", "order/{order_id}/addresses", Editor),
    ("PUT", "order/{order_id}/contact", Editor),
    ("DELETE", "order/{order_id}/contact", Editor),
    ("DELETE", "order/{order_id}/contact/erasure", Editor),
    ("POST", "order/{order_id}/process", Editor),
    ("POST", "order/{order_id}/pay", OwnerEditor),
    ("POST", "order/{order_id}/ship", Editor),
    ("POST", "order/{order_id}/deliver", Editor),
    ("POST", "order/{order_id}/cancel", OwnerEditor),
    ("POST", "order/{order_id}/return", Editor),
    ("POST", "order/{order_id}/refund", Editor),
    ("GET", "order-moves", Blind),
    ("GET", "payment-methods", Blind),
    ("POST", "payments/webhook", Blind),
    ("GET", "bestsellers", Reader),
    ("GET", "low-stock", Reader),
    ("GET", "customer-stats", Reader),
    ("GET", "category-stats", Reader),
    ("GET", "sales", Reader),
    ("GET", "never-ordered", Reader),
    ("GET", "abandoned-carts", Reader),
    ("GET", "stock-movements", Reader),
    ("GET", "events", Reader),
    ("GET", "event-types", Reader),
    ("GET", "events/stream", Reader),
    ("GET", "order/{order_id}/history", Reader),
    ("GET", "product/{product_id}/history", Reader),
    ("GET", "customer/{customer_id}/history", Reader),
    ("GET", "cart/{cart_id}/history", Reader),
    ("GET", "projections", Reader),
    ("POST", "projections/{name}/rebuild", Admin),
    ("GET", "clock", Reader),
    ("GET", "scheduler", Reader),
    ("POST", "scheduler/{name}/run", Admin),
    ("GET", "webhooks", Admin),
    ("POST", "webhooks", Admin),
    ("GET", "webhook/{webhook_id}", Admin),
    ("PATCH", "webhook/{webhook_id}", Admin),
    ("DELETE", "webhook/{webhook_id}", Admin),
    ("POST", "webhook/{webhook_id}/secret", Admin),
    ("GET", "webhook/{webhook_id}/deliveries", Admin),
    ("POST", "webhook/{webhook_id}/deliveries/{event_id}/redeliver", Admin),
    ("GET", "reactors", Admin),
    ("GET", "reactions", Admin),
    ("POST", "reactions/{reaction_id}/retry", Admin),
    ("DELETE", "reactions/{reaction_id}", Admin),
    ("GET", "reaction-decisions", Admin),
    ("GET", "/health/live", Blind),
    ("GET", "/health/ready", Blind),
    ("GET", "/metrics", Reader),
];

/// A kind of caller, and the number of rules that admit it.
struct Kind {
    name: &'static str,
    header: Box<dyn Fn() -> Option<String>>,
    admits: fn(Open) -> Result<(), StatusCode>,
}

const UNKNOWN: StatusCode = StatusCode::UNAUTHORIZED;
const REFUSED: StatusCode = StatusCode::FORBIDDEN;

fn allow(allowed: bool, otherwise: StatusCode) -> Result<(), StatusCode> {
    if allowed { Ok(()) } else { Err(otherwise) }
}

/// A bad token is refused wherever a token is read.
fn bad(open: Open) -> Result<(), StatusCode> {
    allow(open == Blind, UNKNOWN)
}

fn with_role(role: &'static str, customer_id: Option<i64>) -> Box<dyn Fn() -> Option<String>> {
    // A session of its own for each request, because one of them logs out.
    Box::new(move || Some(sign(&claims(role, 900_001, customer_id))))
}

fn fixed(token: String) -> Box<dyn Fn() -> Option<String>> {
    Box::new(move || Some(token.clone()))
}

/// Forged, expired and malformed tokens.
async fn bad_tokens(shop: &TestShop) -> Vec<(&'static str, String)> {
    let admin = claims("admin", 900_001, None);
    let (key_id, _) = tokens::key();
    let header = |algorithm| Header { kid: Some(key_id.clone()), ..Header::new(algorithm) };

    let mut expired = admin.clone();
    expired["exp"] = json!(chrono::Utc::now().timestamp() - 1);
    let mut of_another_shop = admin.clone();
    of_another_shop["iss"] = json!("elsewhere");
    let mut eternal = admin.clone();
    eternal.as_object_mut().unwrap().remove("exp");

    // Another key under the id of ours.
    let folder = tempfile::tempdir().unwrap();
    TokenKeys::create_key_file(folder.path()).unwrap();
    let other = std::fs::read(std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path()).unwrap();
    let forged = encode(&header(Algorithm::EdDSA), &admin, &EncodingKey::from_ed_der(&other)).unwrap();

    // The public key, which is no secret, as the secret of another algorithm.
    let public: Vec<u8> = sqlx::query_scalar("select public_key from token_key where key_id = $1")
        .bind(&key_id)
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    let confused = encode(&header(Algorithm::HS256), &admin, &EncodingKey::from_secret(&public)).unwrap();

    // No algorithm, and no signature.
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = |algorithm: &str| {
        format!("{}.{}.", part(&json!({ "alg": algorithm, "typ": "JWT", "kid": key_id })), part(&admin))
    };

    // The claims of a customer's token made an admin's.
    let honest = sign(&claims("customer", 900_001, Some(1)));
    let pieces: Vec<_> = honest.split('.').collect();
    let altered = format!("{}.{}.{}", pieces[0], part(&admin), pieces[2]);

    let mut revoked = admin.clone();
    let session = Uuid::new_v4();
    revoked["sid"] = json!(session);
    let revoked = sign(&revoked);
    sqlx::query("select end_session($1)").bind(session).execute(&shop.pool).await.unwrap();

    let (disabled_account, _, disabled_key) = api_key(shop, "disabled", Role::Admin).await;
    let (account_id, key_id, revoked_key) = api_key(shop, "revoked", Role::Admin).await;
    let context = || Context::of(Actor { id: "test".to_owned(), role: "admin" });
    let disable = ChangeAccount { account_id: disabled_account, role: None, disabled: Some(true) };
    shop.engine.journal.run(disable, context()).await.unwrap();
    shop.engine.journal.run(RevokeKey { account_id, key_id }, context()).await.unwrap();
    shop.accounts.refresh().await.unwrap();

    vec![
        ("expired", sign(&expired)),
        ("of another shop", sign(&of_another_shop)),
        ("without an end", sign(&eternal)),
        ("forged", forged),
        ("with the public key as secret", confused),
        ("without algorithm", none("none")),
        ("without Algorithm", none("nOnE")),
        ("altered", altered),
        ("revoked", revoked),
        ("an API key of a disabled account", disabled_key),
        ("a revoked API key", revoked_key),
        ("an API key that never was", format!("shop_{}", "A".repeat(43))),
        ("an empty API key", "shop_".to_owned()),
        ("nonsense", "nonsense".to_owned()),
        ("empty", String::new()),
    ]
}

#[tokio::test]
async fn every_route_admits_exactly_its_callers() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let owner = shop.customer("Owner").await;
    let other = shop.customer("Other").await;
    shop.add(owner, product, 1).await;
    let order = shop.check_out(owner).await.body["order_id"].as_i64().unwrap();
    shop.settle().await;
    let cart_token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    let (account_id, key_id, reader_key) = api_key(&shop, "notebook", Role::Reader).await;
    let ids = [
        ("{customer_id}", owner.to_string()),
        ("{address_id}", "1".to_owned()),
        ("{product_id}", product.to_string()),
        ("{category_id}", "1".to_owned()),
        ("{image_id}", "1".to_owned()),
        ("{picture}", format!("{}.jpg", "0".repeat(64))),
        ("{family_id}", "1".to_owned()),
        ("{order_id}", order.to_string()),
        ("{account_id}", account_id.to_string()),
        ("{key_id}", key_id.to_string()),
        ("{cart_id}", owner.to_string()),
        ("{cart_token}", cart_token),
        ("{name}", "bestsellers".to_owned()),
        ("{reaction_id}", "1".to_owned()),
        ("{webhook_id}", "1".to_owned()),
        ("{event_id}", key_id.to_string()),
        ("{code}", "SPRING-24".to_owned()),
    ];
    let mut kinds = vec![
        Kind { name: "none", header: Box::new(|| None), admits: |open| allow(matches!(open, Public | Blind), UNKNOWN) },
        Kind {
            name: "owner",
            header: with_role("customer", Some(owner)),
            admits: |open| allow(matches!(open, Public | Blind | User | OwnerReader | OwnerEditor), REFUSED),
        },
        Kind {
            name: "other customer",
            header: with_role("customer", Some(other)),
            admits: |open| allow(matches!(open, Public | Blind | User), REFUSED),
        },
        Kind {
            name: "reader",
            header: with_role("reader", None),
            admits: |open| allow(matches!(open, Public | Blind | User | OwnerReader | Reader), REFUSED),
        },
        Kind {
            name: "reader's API key",
            header: fixed(reader_key),
            admits: |open| allow(matches!(open, Public | Blind | User | OwnerReader | Reader), REFUSED),
        },
        Kind { name: "editor", header: with_role("editor", None), admits: |open| allow(open != Admin, REFUSED) },
        Kind { name: "admin", header: with_role("admin", None), admits: |_| Ok(()) },
    ];
    for (name, token) in bad_tokens(&shop).await {
        kinds.push(Kind { name, header: fixed(token), admits: bad });
    }

    let description = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let mut walked = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let short = path.strip_prefix("/shop/api/").unwrap_or(path);
            let row = MATRIX.iter().find(|row| (row.0, row.1) == (method.as_str(), short));
            let open = row.unwrap_or_else(|| panic!("{method} {path} has no row in the matrix")).2;
            for kind in &kinds {
                let mut target = ids.iter().fold(path.clone(), |path, (name, id)| path.replace(name, id));
                if method != "GET" && !short.starts_with("auth/") {
                    target.push_str("?dry_run=true");
                }
                let mut request = Request::builder().method(method.as_str()).uri(&target);
                if let Some(token) = (kind.header)() {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                // Without a token it needs the session in its body.
                let body = if short == "auth/logout" { r#"{"refresh_token": "unknown"}"# } else { "" };
                let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
                let answer = shop.router.clone().oneshot(request).await.unwrap();
                let status = answer.status();
                let seen = if status == UNKNOWN || status == REFUSED { Err(status) } else { Ok(()) };
                // An API key has no session, so it can neither change a password nor create keys.
                let is_key = kind.name == "reader's API key" && method == "POST";
                let expected = match (kind.admits)(open) {
                    Ok(()) if is_key && ["auth/email", "auth/password", "keys"].contains(&short) => None,
                    expected => Some(expected),
                };
                if let Some(expected) = expected {
                    assert_eq!(seen, expected, "{method} {target} by {}: {status}", kind.name);
                }
                if status == UNKNOWN {
                    assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{method} {target}");
                }
                walked += 1;
            }
        }
    }
    assert_eq!(walked, MATRIX.len() * kinds.len(), "the matrix has rows for routes that are not there");

    // A refusal names its reason.
    for (role, customer, path, reason) in [
        (
            "customer",
            Some(other),
            format!("customer/{owner}/cart/"),
            format!("the path names customer {owner}; this account belongs to customer {other}"),
        ),
        (
            "customer",
            Some(other),
            format!("order/{order}/"),
            format!("the order belongs to another customer; this account belongs to customer {other}"),
        ),
        (
            "customer",
            Some(owner),
            "orders/".to_owned(),
            "the route needs the role reader or a higher one; this caller has customer".to_owned(),
        ),
        ("editor", None, "webhooks/".to_owned(), "the route needs the role admin; this caller has editor".to_owned()),
    ] {
        let token = sign(&claims(role, 900_001, customer));
        let refused = shop.send_with_token(&token, "GET", &path, Value::Null).await;
        assert_eq!((refused.status, &refused.body["detail"]), (REFUSED, &json!(reason)), "{path}");
    }
}
