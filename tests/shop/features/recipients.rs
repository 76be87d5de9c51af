//! Recipients and addresses of orders: given by guests, copied from customers, and erased on demand.

use axum::http::StatusCode;
use cartwright::domain::customer::Country;
use cartwright::domain::ids::{AddressId, CartId, CustomerId};
use cartwright::domain::refusal::Refusal;
use cartwright::journal::{Actor, CommandError, Context};
use cartwright::shop::{Checkout, Destination, KnownAddress, Recipients};
use serde_json::{Value, json};

use crate::support::guests::{address, as_guest};
use crate::support::{Answer, TestShop};

impl TestShop {
    async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(&format!("select count(*) from {table}")).fetch_one(&self.pool).await.unwrap()
    }
}

#[tokio::test]
async fn a_guest_order_needs_a_recipient_and_an_address() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let cart = shop.guest_cart(product).await;
    let check_out = format!("{cart}checkout/");
    let named = |answer: &Answer| -> Vec<String> {
        let errors = answer.body["errors"].as_array().unwrap().iter();
        errors
            .map(|error| format!("{} {}", error["field"].as_str().unwrap(), error["message"].as_str().unwrap()))
            .collect()
    };
    let nothing = shop.send_without_token("POST", &check_out, Value::Null).await;
    assert_eq!(nothing.problem(), "invalid_request");
    assert_eq!(named(&nothing), ["name is required", "email is required", "shipping_address is required"]);
    let mut partly = as_guest("Jo");
    partly["email"] = json!("no e-mail");
    partly["shipping_address"] = json!({ "name": "Jo", "line1": "12 Mill Lane", "country": "XX" });
    let refused = shop.send_without_token("POST", &check_out, partly).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let beginnings = ["email must be", "shipping_address.city is required", "shipping_address.country must be"];
    assert_eq!(named(&refused).len(), beginnings.len(), "{}", refused.body);
    for (error, beginning) in named(&refused).iter().zip(beginnings) {
        assert!(error.starts_with(beginning), "{error}");
    }
    assert_eq!((shop.count("order_contact").await, shop.count("order_address").await), (0, 0));

    let mut body = as_guest("Jo");
    body["billing_address"] = address("Bo", "FR");
    let ordered = shop.send_without_token("POST", &check_out, body).await;
    assert_eq!(ordered.status, StatusCode::CREATED, "{}", ordered.body);
    let order = format!("/shop/api/{cart}order/{}/", ordered.body["order_id"]);
    assert_eq!(ordered.header("location"), order, "where a guest may look");
    assert_eq!((shop.count("order_contact").await, shop.count("order_address").await), (1, 2));
    assert_eq!(shop.send_without_token("POST", &check_out, as_guest("Jo")).await.problem(), "cart_already_checked_out");
}

#[tokio::test]
async fn an_order_keeps_the_customers_address_as_it_was_until_the_customer_is_erased() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    for name in ["Ada", "Office"] {
        shop.done(&format!("customer/{ada}/addresses/"), address(name, "GB")).await;
    }
    shop.add(ada, product, 1).await;
    shop.add(bruno, product, 1).await;
    let check_out = |customer: i64| format!("customer/{customer}/cart/checkout/");
    let foreign = shop.post(&check_out(bruno), json!({ "shipping_address_id": 1 })).await;
    assert_eq!((foreign.status, foreign.problem()), (StatusCode::CONFLICT, "address_not_found"));
    let unknown = shop.post(&check_out(ada), json!({ "shipping_address_id": 1, "billing_address_id": 3 })).await;
    assert_eq!(unknown.problem(), "address_not_found");
    assert_eq!(shop.count("order_address").await, 0);

    // A quote for one country does not hold for an address in another.
    let elsewhere = json!({ "shipping_address_id": 1, "shipping_country": "FR" });
    for quote in ["", "?dry_run=true"] {
        let refused = shop.post(&format!("{}{quote}", check_out(ada)), elsewhere.clone()).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "address_changed"), "{quote}");
    }

    let body = json!({ "shipping_address_id": 1, "billing_address_id": 2 });
    let send = async || shop.send("POST", &check_out(ada), body.clone(), &[("idempotency-key", "once")]).await;
    let ordered = send().await;
    assert_eq!(ordered.status, StatusCode::CREATED, "{}", ordered.body);
    let own = format!("customer/{ada}/addresses/");
    shop.send("PATCH", &format!("{own}1/"), json!({ "city": "Elsewhere" }), &[]).await;
    shop.send("DELETE", &format!("{own}2/"), Value::Null, &[]).await;
    let again = send().await;
    assert_eq!(
        (again.header("idempotent-replayed"), &again.body),
        ("true", &ordered.body),
        "though the address is gone"
    );

    shop.settle().await;
    let export = shop.read(&format!("customer/{ada}/export/")).await;
    let kept = export["orders"][0]["addresses"].as_array().unwrap();
    let kinds: Vec<_> = kept.iter().map(|address| (address["kind"].as_str().unwrap(), &address["city"])).collect();
    assert_eq!(kinds, [("shipping", &json!("Milltown")), ("billing", &json!("Milltown"))]);
    assert_eq!(kept[1]["name"], "Office Miller");
    // An order without an address is still accepted.
    assert_eq!(shop.check_out(bruno).await.status, StatusCode::CREATED);

    shop.done(&format!("order/{}/cancel/", ordered.body["order_id"]), Value::Null).await;
    let erased = shop.send("DELETE", &format!("customer/{ada}/"), Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.count("order_address").await, 0);
}

#[tokio::test]
async fn an_address_that_moved_to_another_country_stops_the_order() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    shop.done(&format!("customer/{ada}/addresses/"), address("Ada", "GB")).await;
    shop.add(ada, product, 1).await;
    let check_out = async |country: &str| {
        let country = Some(Country::try_from(country.to_owned()).unwrap());
        let shipping = Some(Destination::Known(KnownAddress { address_id: AddressId(1), country }));
        let recipients = Recipients { shipping, ..Recipients::default() };
        let checkout = Checkout { recipients, ..Checkout::of(CartId::Customer(CustomerId(ada))) };
        let context = Context::of(Actor { id: "test".to_owned(), role: "admin" });
        shop.engine.journal.run(checkout, context).await
    };
    let before = shop.engine.journal.position();
    assert_eq!(check_out("FR").await.unwrap_err(), CommandError::Refused(Refusal::AddressChanged));
    assert_eq!(shop.engine.journal.position(), before);
    assert_eq!(check_out("GB").await.unwrap().answer.order_id, 1, "the number is given to the next");
    shop.settle().await;
    shop.check_log().await;
}

#[tokio::test]
async fn a_guest_reads_own_orders_with_the_cart_token_and_is_erased_on_demand() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (cart, other) = (shop.guest_cart(product).await, shop.guest_cart(product).await);
    let order = async |cart: &str, name: &str| {
        let ordered = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest(name)).await;
        ordered.body["order_id"].as_i64().unwrap()
    };
    let (mine, theirs) = (order(&cart, "Jo").await, order(&other, "Kim").await);
    let see = async |cart: &str, order: i64| {
        shop.send_without_token("GET", &format!("{cart}order/{order}/"), Value::Null).await
    };
    let seen = see(&cart, mine).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    assert_eq!(seen.body["contact"], json!({ "name": "Jo Miller", "email": "jo@example.com" }));
    assert_eq!(
        (&seen.body["addresses"][0]["kind"], &seen.body["addresses"][0]["city"]),
        (&json!("shipping"), &json!("Milltown"))
    );
    assert_eq!((&seen.body["total_amount"], &seen.body["status"]), (&json!("20.00"), &json!("pending")));
    let mut by_staff = shop.read(&format!("order/{mine}/summary/")).await;
    by_staff["allowed"] = seen.body["allowed"].clone();
    assert_eq!(by_staff, seen.body, "as the staff see it, except for the moves that they may make");
    for (cart, order) in [(&cart, theirs), (&other, mine), (&cart, 99)] {
        let hidden = see(cart, order).await;
        assert_eq!((hidden.status, hidden.problem()), (StatusCode::NOT_FOUND, "order_not_found"));
    }
    assert_eq!(
        shop.send_without_token("GET", &format!("order/{mine}/summary/"), Value::Null).await.status,
        StatusCode::UNAUTHORIZED
    );

    let forget = async |order: i64| shop.send("DELETE", &format!("order/{order}/contact/"), Value::Null, &[]).await;
    shop.done(&format!("order/{mine}/cancel/"), Value::Null).await;
    for _ in 0..2 {
        assert_eq!(forget(mine).await.status, StatusCode::NO_CONTENT, "again does no harm");
    }
    shop.settle().await;
    let after = see(&cart, mine).await.body;
    assert_eq!((&after["contact"], &after["addresses"]), (&Value::Null, &json!([])));
    assert_eq!(after["total_amount"], "20.00");
    assert_eq!((shop.count("order_contact").await, shop.count("order_address").await), (1, 1), "the other guest's");
    let history = shop.read(&format!("order/{mine}/history/")).await;
    let erased = history.as_array().unwrap().iter().filter(|event| event["event_type"] == "OrderContactErased");
    assert_eq!(erased.count(), 1);

    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 1).await;
    let of_customer = shop.check_out(ada).await.body["order_id"].as_i64().unwrap();
    assert_eq!(forget(of_customer).await.problem(), "order_of_customer");
    assert_eq!(forget(99).await.problem(), "order_not_found");
    shop.settle().await;
    shop.verify().await;
}
