//! Erasure of personal data: the log never holds any, and the few tables that do are emptied.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::http::Edge;
use cartwright::journal::JournalOptions;
use serde_json::{Value, json};

use crate::support::accounts::token_in;
use crate::support::bad_values::resolve;
use crate::support::{Answer, TestShop, fresh_database};

/// The only tables that may hold personal data; every other table, future ones too, must not.
const FORGETTABLE: [&str; 10] = [
    "public.account",
    "public.address",
    "public.api_key",
    "public.customer_profile",
    "public.entity_metadata",
    "public.mailed_link",
    "public.order_address",
    "public.order_contact",
    "public.product_imei",
    "public.sign_in",
];

/// Headers of a request.
const HEADERS: [(&str, &str); 3] =
    [("user-agent", "Zebrowser/7.3"), ("x-forwarded-for", "203.0.113.77"), ("x-request-id", "zebediah.q@example.com")];

/// Text fields of bodies that this test fills with values of its own.
const SENT: [&str; 18] = [
    "cart_token",
    "city",
    "country",
    "current_password",
    "email",
    "first_name",
    "imei",
    "last_name",
    "line1",
    "line2",
    "name",
    "new_password",
    "password",
    "postal_code",
    "refresh_token",
    "region",
    "token",
    "role",
];
/// Text fields about things, not people.
const IMPERSONAL: [&str; 44] = [
    "accessories",
    "amount",
    "brand",
    "camera_front",
    "camera_main",
    "card_number",
    "carrier",
    "category",
    "category_name",
    "code",
    "color",
    "decision",
    "description",
    "dimensions",
    "discount_code",
    "expected_total",
    "fee",
    "from",
    "kind",
    "method",
    "minimum",
    "mode",
    "model",
    "network",
    "operating_system",
    "payment_method",
    "percent",
    "placed_at",
    "price",
    "processor",
    "reason",
    "reference",
    "resolution",
    "screen_size",
    "search_language",
    "shipping_country",
    "sku",
    "slug",
    "tracking_number",
    "unit_price",
    "until",
    "url",
    "value",
    "warranty",
];

/// Values that were sent, by where they may be stored.
#[derive(Default)]
struct Sent {
    /// Stored in the erasable tables until the person is erased.
    person: Vec<String>,
    /// Of staff; these stay.
    staff: Vec<String>,
    /// Stored nowhere.
    secret: Vec<String>,
}

/// Sends a request as the client with the headers, with a key of its own, which is a secret too.
async fn send(shop: &TestShop, sent: &mut Sent, token: &str, call: (&str, &str), body: Value) -> Answer {
    let key = format!("idem-zebediah-{}", sent.secret.len());
    let bearer = format!("Bearer {token}");
    let mut headers = HEADERS.to_vec();
    // On public routes the admin is admitted too, and must not count as the person.
    let anonymous_headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
    headers.extend(if token.is_empty() { &anonymous_headers[1..] } else { &anonymous_headers[..] });
    let mut request = Request::builder().method(call.0).uri(format!("/shop/api/{}", call.1));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let answer = shop.send_unchanged(request.header("content-type", "application/json").body(body).unwrap()).await;
    sent.secret.push(key);
    answer
}

fn kept(list: &mut Vec<String>, value: &str) -> Value {
    list.push(value.to_owned());
    json!(value)
}

/// The values that each table of the database contains: `table: value`.
async fn scan(shop: &TestShop, values: &[String]) -> BTreeSet<(String, String)> {
    shop.settle().await;
    let tables: Vec<(String,)> = sqlx::query_as(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    assert!(tables.len() > 20 && tables.iter().any(|(table,)| table.starts_with("live_orders_")), "{tables:?}");
    let mut found = BTreeSet::new();
    for (table,) in tables {
        let rows: Vec<String> = sqlx::query_scalar(&format!("select to_jsonb(row)::text from {table} as row"))
            .fetch_all(&shop.pool)
            .await
            .unwrap();
        let rows = rows.join("\n").to_lowercase();
        for value in values {
            let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            if rows.contains(&value.to_lowercase()) || rows.contains(&hex) {
                found.insert((table.clone(), value.clone()));
            }
        }
    }
    found
}

fn tables_in(found: &BTreeSet<(String, String)>) -> BTreeSet<&str> {
    found.iter().map(|(table, _)| table.as_str()).collect()
}

/// Lives a whole life as a customer; returns the number, the last access and refresh tokens, and an unused link's token.
async fn live(shop: &TestShop, sent: &mut Sent, product: i64) -> (i64, String, String, String) {
    let (email, old_email) = ("zebediah.q@example.com", "zeb.old@example.com");
    let password = "zebra crossing at noon";
    let registration = json!({
        "first_name": kept(&mut sent.person, "Zebediah"), "last_name": kept(&mut sent.person, "Quistgaard"),
        "email": kept(&mut sent.person, old_email),
    });
    let asked = send(shop, sent, "", ("POST", "auth/register/"), registration.clone()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    // Read before it is confirmed.
    let early = scan(shop, &sent.person).await;
    assert_eq!(tables_in(&early), BTreeSet::from(["public.mailed_link"]));
    let token = token_in(&shop.mails(old_email, 1).await[0]);
    let confirm = json!({ "token": kept(&mut sent.secret, &token), "password": kept(&mut sent.secret, password) });
    let confirmed = send(shop, sent, "", ("POST", "auth/register/confirm/"), confirm).await;
    let customer = confirmed.body["customer_id"].as_i64().unwrap();

    let wrong = json!({ "email": old_email, "password": kept(&mut sent.secret, "zebra with spots") });
    assert_eq!(send(shop, sent, "", ("POST", "auth/login/"), wrong).await.status, StatusCode::UNAUTHORIZED);
    let tokens =
        send(shop, sent, "", ("POST", "auth/login/"), json!({ "email": old_email, "password": password })).await;
    let mut access = tokens.body["access_token"].as_str().unwrap().to_owned();
    let refresh = tokens.body["refresh_token"].as_str().unwrap().to_owned();
    sent.secret.extend([access.clone(), refresh.clone()]);
    let tokens = send(shop, sent, "", ("POST", "auth/refresh/"), json!({ "refresh_token": refresh })).await;
    sent.secret.push(tokens.body["refresh_token"].as_str().unwrap().to_owned());

    // A link to the address that is about to be given up.
    send(shop, sent, "", ("POST", "auth/reset/"), json!({ "email": old_email })).await;
    shop.mails(old_email, 2).await;
    let change = json!({
        "first_name": kept(&mut sent.person, "Philippos"), "last_name": kept(&mut sent.person, "Xanthopoulos"),
    });
    let own = format!("customer/{customer}/");
    assert_eq!(send(shop, sent, &access, ("PATCH", &own), change).await.status, StatusCode::OK);
    change_email(shop, sent, &access, email, password).await;
    let address = json!({
        "name": kept(&mut sent.person, "Recipient Zweig"), "line1": kept(&mut sent.person, "17 Zinnia Way"),
        "line2": kept(&mut sent.person, "Zinc door"), "postal_code": kept(&mut sent.person, "ZQ7 7QZ"),
        "city": kept(&mut sent.person, "Zaltbommel"), "region": kept(&mut sent.person, "Zeeuwland"), "country": "NL",
    });
    let path = format!("{own}addresses/");
    for _ in 0..2 {
        assert_eq!(send(shop, sent, &access, ("POST", &path), address.clone()).await.status, StatusCode::CREATED);
    }
    let change = json!({ "city": kept(&mut sent.person, "Zierikzee") });
    assert_eq!(send(shop, sent, &access, ("PATCH", &format!("{path}1/")), change).await.status, StatusCode::OK);
    let removed = send(shop, sent, &access, ("DELETE", &format!("{path}2/")), Value::Null).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);

    let cart = send(shop, sent, "", ("POST", "carts/"), Value::Null).await.body["cart_token"].clone();
    let item = json!({ "product_id": product, "quantity": 1 });
    let items = format!("carts/{}/items/", cart.as_str().unwrap());
    assert_eq!(send(shop, sent, "", ("POST", &items), item.clone()).await.status, StatusCode::OK);
    let merge = json!({ "cart_token": kept(&mut sent.secret, cart.as_str().unwrap()), "mode": "sum" });
    let merged = send(shop, sent, &access, ("POST", &format!("{own}cart/merge/")), merge).await;
    assert_eq!(merged.status, StatusCode::OK, "{}", merged.body);
    let pairs = |sent: &mut Sent, value: &str| json!({ "metadata": { "note": kept(&mut sent.person, value) } });
    let note = pairs(sent, "for Zuleika's party");
    let noted = send(shop, sent, &access, ("PATCH", &format!("{own}cart/")), note).await;
    assert_eq!(noted.status, StatusCode::OK, "{}", noted.body);
    let (customers_note, orders_note) = (pairs(sent, "brother of Zeno"), pairs(sent, "left with Zelig"));
    let noted = shop.send("PATCH", &own, customers_note, &[]).await;
    assert_eq!(noted.status, StatusCode::OK, "{}", noted.body);
    let to_address = json!({ "shipping_address_id": 1, "billing_address_id": 1 });
    let ordered = send(shop, sent, &access, ("POST", &format!("{own}cart/checkout/")), to_address).await;
    assert_eq!(ordered.status, StatusCode::CREATED);
    send(shop, sent, &access, ("POST", &format!("{own}cart/items/")), item).await;
    let order = format!("order/{}/", ordered.body["order_id"]);
    assert_eq!(shop.read(&format!("{order}summary/")).await["metadata"]["note"], "for Zuleika's party");
    assert_eq!(shop.send("PATCH", &order, orders_note, &[]).await.status, StatusCode::OK);
    let note = pairs(sent, "again for Zuleika");
    assert_eq!(send(shop, sent, &access, ("PATCH", &format!("{own}cart/")), note).await.status, StatusCode::OK);

    let another = kept(&mut sent.secret, "quagga crossing at noon");
    let change = json!({ "current_password": password, "new_password": another });
    let changed = send(shop, sent, &access, ("POST", "auth/password/"), change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    sent.secret.push(changed.body["access_token"].as_str().unwrap().to_owned());
    send(shop, sent, "", ("POST", "auth/reset/"), json!({ "email": email })).await;
    let token = token_in(&shop.mails(email, 2).await[1]);
    let reset =
        json!({ "token": kept(&mut sent.secret, &token), "new_password": kept(&mut sent.secret, "okapi in fog") });
    assert_eq!(send(shop, sent, "", ("POST", "auth/reset/confirm/"), reset).await.status, StatusCode::NO_CONTENT);

    let login = json!({ "email": email, "password": "okapi in fog" });
    let tokens = send(shop, sent, "", ("POST", "auth/login/"), login).await;
    access = tokens.body["access_token"].as_str().unwrap().to_owned();
    let refresh = tokens.body["refresh_token"].as_str().unwrap().to_owned();
    sent.secret.extend([access.clone(), refresh.clone()]);
    // What is requested and not used: a password, an account for the same address, another address.
    send(shop, sent, "", ("POST", "auth/reset/"), json!({ "email": email })).await;
    let unused = token_in(&shop.mails(email, 3).await[2]);
    sent.secret.push(unused.clone());
    let mut again = registration;
    again["email"] = json!(email);
    send(shop, sent, "", ("POST", "auth/register/"), again).await;
    shop.mails(email, 4).await;
    let other = kept(&mut sent.person, "zeb.third@example.com");
    let change = json!({ "email": other, "password": "okapi in fog" });
    assert_eq!(send(shop, sent, &access, ("POST", "auth/email/"), change).await.status, StatusCode::ACCEPTED);
    sent.secret.push(token_in(&shop.mails("zeb.third@example.com", 1).await[0]));
    (customer, access, refresh, unused)
}

/// Changes the e-mail address with the mailed link.
async fn change_email(shop: &TestShop, sent: &mut Sent, access: &str, email: &str, password: &str) {
    let change = json!({ "email": kept(&mut sent.person, email), "password": password });
    assert_eq!(send(shop, sent, access, ("POST", "auth/email/"), change).await.status, StatusCode::ACCEPTED);
    let token = token_in(&shop.mails(email, 1).await[0]);
    let confirm = json!({ "token": kept(&mut sent.secret, &token) });
    let confirmed = send(shop, sent, "", ("POST", "auth/email/confirm/"), confirm).await;
    assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{}", confirmed.body);
}

/// Orders as a guest; returns the order.
async fn order_as_guest(shop: &TestShop, sent: &mut Sent, product: i64) -> i64 {
    let cart = send(shop, sent, "", ("POST", "carts/"), Value::Null).await.body["cart_token"].clone();
    let cart = format!("carts/{}/", cart.as_str().unwrap());
    let item = json!({ "product_id": product, "quantity": 1 });
    assert_eq!(send(shop, sent, "", ("POST", &format!("{cart}items/")), item).await.status, StatusCode::OK);
    let note = json!({ "metadata": { "note": kept(&mut sent.person, "gift for Zacharias") } });
    assert_eq!(send(shop, sent, "", ("PATCH", &cart), note).await.status, StatusCode::OK);
    let mut address = |name: &str, line1: &str, postal_code: &str, city: &str| {
        json!({
            "name": kept(&mut sent.person, name), "line1": kept(&mut sent.person, line1),
            "postal_code": kept(&mut sent.person, postal_code), "city": kept(&mut sent.person, city), "country": "NL",
        })
    };
    let shipping = address("Zacharias Quint", "3 Zodiac Row", "QZ1 1ZQ", "Zoutkamp");
    let billing = address("Zelda Quint", "4 Zodiac Row", "QZ1 1ZX", "Zuidhorn");
    let guest = json!({
        "name": kept(&mut sent.person, "Zacharias van Quint"), "email": kept(&mut sent.person, "zach.guest@example.com"),
        "shipping_address": shipping, "billing_address": billing,
    });
    let ordered = send(shop, sent, "", ("POST", &format!("{cart}checkout/")), guest).await;
    assert_eq!(ordered.status, StatusCode::CREATED, "{}", ordered.body);
    ordered.body["order_id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_erasable_tables_hold_personal_data_and_erasing_empties_them() {
    let edge = Edge { trusted_proxies: "127.0.0.1".parse().unwrap(), ..Edge::default() };
    let journal = JournalOptions { snapshot_every: 2, ..JournalOptions::default() };
    let shop = TestShop::behind(edge, fresh_database().await, journal).await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let mut sent = Sent::default();
    sent.secret.push("203.0.113.77".to_owned());

    let imei = json!({ "imei": kept(&mut sent.staff, "356938035643809") });
    shop.send("PATCH", &format!("product/{product}/"), imei, &[]).await;
    let user = json!({ "email": kept(&mut sent.staff, "zora.staff@example.com"), "role": "editor" });
    shop.done("users/", user).await;
    let token = token_in(&shop.mails("zora.staff@example.com", 1).await[0]);
    let choose =
        json!({ "token": kept(&mut sent.secret, &token), "new_password": kept(&mut sent.secret, "zoril at dusk") });
    shop.post("auth/reset/confirm/", choose).await;
    let editor = shop.log_in("zora.staff@example.com", "zoril at dusk").await.body["access_token"].clone();
    let key = json!({ "name": kept(&mut sent.staff, "Zoras notebook"), "role": "reader" });
    let made = shop.send_with_token(editor.as_str().unwrap(), "POST", "keys/", key).await;
    sent.secret.push(made.body["api_key"].as_str().unwrap().to_owned());

    let (customer, access, refresh, unused) = live(&shop, &mut sent, product).await;
    let guests_order = order_as_guest(&shop, &mut sent, product).await;
    let agent = vec![HEADERS[0].1.to_owned()];

    let known = scan(&shop, &sent.person).await;
    let known_staff = scan(&shop, &sent.staff).await;
    let known_agent = scan(&shop, &agent).await;
    let all: BTreeSet<_> = [&known, &known_staff, &known_agent].into_iter().flatten().cloned().collect();
    let tables = tables_in(&all);
    assert_eq!(tables, BTreeSet::from(FORGETTABLE), "{all:?}");
    assert_eq!(tables_in(&known_agent), BTreeSet::from(["public.sign_in"]));
    assert_eq!(scan(&shop, &sent.secret).await, BTreeSet::new());
    let held = known.iter().any(|(table, value)| table == "public.mailed_link" && value == "zeb.old@example.com");
    assert!(!held, "a link to an address that was given up");
    let snapshots: i64 = sqlx::query_scalar("select count(*) from stream_snapshot where aggregate_type = 'Customer'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert!(snapshots > 0);

    let own = format!("customer/{customer}/");
    let its_order = shop.read(&format!("{own}orders/")).await[0]["order_id"].as_i64().unwrap();
    for order in [its_order, guests_order] {
        shop.complete_order(order).await;
    }
    let password = json!({ "password": "okapi in fog" });
    let erased = send(&shop, &mut sent, &access, ("DELETE", &own), password).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT);
    for path in [own.as_str(), "auth/me/"] {
        assert_eq!(shop.send_with_token(&access, "GET", path, Value::Null).await.problem(), "token_revoked", "at once");
    }
    assert_eq!(shop.refresh(&json!(refresh)).await.status, StatusCode::UNAUTHORIZED);
    let login = shop.log_in("zebediah.q@example.com", "okapi in fog").await;
    assert_eq!(login.status, StatusCode::UNAUTHORIZED);
    let reset = json!({ "token": unused, "new_password": "bongo in the rain" });
    assert_eq!(shop.post("auth/reset/confirm/", reset).await.problem(), "link_invalid");

    let left = scan(&shop, &sent.person).await;
    assert_eq!(
        tables_in(&left),
        BTreeSet::from(["public.entity_metadata", "public.order_address", "public.order_contact"]),
        "the guest: {left:?}"
    );
    let forgotten = shop.send("DELETE", &format!("order/{guests_order}/contact/"), Value::Null, &[]).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    assert_eq!(scan(&shop, &sent.person).await, BTreeSet::new());
    assert_eq!(scan(&shop, &sent.secret).await, BTreeSet::new());
    for (path, status) in [("", StatusCode::NOT_FOUND), ("export/", StatusCode::NOT_FOUND)] {
        assert_eq!(shop.get(&format!("{own}{path}")).await.status, status);
    }
    assert_eq!(shop.read(&format!("{own}addresses/")).await, json!([]));
    assert_eq!(shop.get(&format!("{own}cart/")).await.body["items"], json!([]));
    assert_eq!(shop.check_out(customer).await.status, StatusCode::NOT_FOUND);
    // Attempts with an unknown address belong to no account; they expire.
    let attributed: i64 =
        sqlx::query_scalar("select count(*) from sign_in where account_id is not null and user_agent = $1")
            .bind(&agent[0])
            .fetch_one(&shop.pool)
            .await
            .unwrap();
    assert_eq!(attributed, 0);
    let sessions: i64 =
        sqlx::query_scalar("select count(*) from session join account using (account_id) where role = 'customer'")
            .fetch_one(&shop.pool)
            .await
            .unwrap();
    assert_eq!(sessions, 0);
    let stats = shop.read("customer-stats/").await;
    assert_eq!((&stats[0]["name"], &stats[0]["total_spent"]), (&json!("Erased customer"), &json!("20.00")));
    shop.check_log().await;
    shop.verify().await;
    // The address is free again.
    let other = json!({ "first_name": "Jo", "last_name": "Miller", "email": "zebediah.q@example.com" });
    assert_eq!(shop.post("customers/", other).await.status, StatusCode::CREATED);
}

/// A new field must be sent by the test above, or be listed as not personal.
#[tokio::test]
async fn every_text_field_is_classified_as_personal_or_not() {
    let shop = TestShop::new().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let mut fields = BTreeSet::new();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        collect(&document, &operation["requestBody"]["content"]["application/json"]["schema"], &mut fields);
    }
    let known: BTreeSet<_> = SENT.into_iter().chain(IMPERSONAL).map(str::to_owned).collect();
    assert_eq!(fields, known);
}

fn collect(document: &Value, schema: &Value, fields: &mut BTreeSet<String>) {
    let schema = resolve(document, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let field = resolve(document, field);
        let kinds = field["type"].to_string();
        let among = field["oneOf"].as_array().into_iter().flatten().map(|one| resolve(document, one));
        let objects: Vec<_> = among.chain([field]).filter(|one| one.get("properties").is_some()).collect();
        if objects.is_empty() && (kinds.contains("string") || field.get("oneOf").is_some()) {
            fields.insert(name.clone());
        }
        objects.into_iter().for_each(|object| collect(document, object, fields));
        collect(document, &field["items"], fields);
        collect(document, field, fields);
    }
}
