//! Payment rules for buyers: which methods they are offered, and how much stock they may hold unpaid.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::database::migrate;
use cartwright::payments::{PaymentsConfig, guest_invoices_by_default};
use cartwright::shop::PaymentPolicy;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::guests::{address, as_guest};
use crate::support::paying_shop::test_card;
use crate::support::program::{data_dir, run, text};
use crate::support::{Answer, TestShop, fresh_database, tokens};

const CARD: &str = "4242424242424242";

async fn shop_with(policy: PaymentPolicy) -> TestShop {
    let payments = PaymentsConfig { test: true, ..PaymentsConfig::default() };
    TestShop::with_policy(fresh_database().await, &payments, policy).await
}

fn bounded(units: u32) -> PaymentPolicy {
    PaymentPolicy { unpaid_units: Some(units), ..PaymentPolicy::default() }
}

/// Puts units into the cart of a customer and checks out with the customer's own token.
async fn buy(shop: &TestShop, customer: i64, product: i64, units: i64, body: Value) -> Answer {
    shop.add(customer, product, units).await;
    let token = tokens::sign(&tokens::claims("customer", 7, Some(customer)));
    shop.send_with_token(&token, "POST", &format!("customer/{customer}/cart/checkout/"), body).await
}

/// Checks out a guest's cart with a unit of the product.
async fn buy_as_guest(shop: &TestShop, product: i64, body: Value) -> Answer {
    let cart = shop.guest_cart(product).await;
    shop.send_without_token("POST", &format!("{cart}checkout/"), body).await
}

fn refused(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.problem())
}

async fn stock(shop: &TestShop, product: i64) -> Value {
    shop.read(&format!("product/{product}/")).await["stock"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_the_operator_leaves_out_is_for_staff_only() {
    let shop = shop_with(PaymentPolicy { methods: "test".parse().unwrap(), ..PaymentPolicy::default() }).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    let offered = json!([{ "method": "test", "online": true, "guests": true, "currency": "EUR" }]);
    assert_eq!(shop.read("payment-methods/").await, offered);
    for body in [json!({}), json!({ "payment_method": "invoice" })] {
        let answer = buy(&shop, ada, product, 1, body.clone()).await;
        assert_eq!(refused(&answer), (409, "payment_method_unavailable"), "{body}");
        assert_eq!(answer.body["offered"], json!(["test"]));
        let mut guest = as_guest("Jo");
        guest.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        assert_eq!(refused(&buy_as_guest(&shop, product, guest).await), (409, "payment_method_unavailable"));
    }
    assert_eq!(stock(&shop, product).await, 50);
    let by_card = buy(&shop, ada, product, 1, json!({ "payment": test_card(CARD) })).await;
    assert_eq!(by_card.status, StatusCode::CREATED, "{}", by_card.body);
    // Staff check out for a customer, and record what was paid.
    shop.add(ada, product, 1).await;
    let order = shop.check_out(ada).await.body["order_id"].clone();
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["payment_method"], "invoice");
    assert_eq!(shop.done(&format!("order/{order}/pay/"), json!({})).await["payment"], "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_the_operator_leaves_out_charges_for_staff_only() {
    let shop = shop_with(PaymentPolicy { methods: "invoice".parse().unwrap(), ..PaymentPolicy::default() }).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    let payment = json!({ "payment": test_card(CARD) });
    assert_eq!(refused(&buy(&shop, ada, product, 1, payment.clone()).await), (409, "payment_method_unavailable"));
    let order = buy(&shop, ada, product, 1, json!({})).await.body["order_id"].clone();
    let token = tokens::sign(&tokens::claims("customer", 7, Some(ada)));
    let pay = format!("order/{order}/pay/");
    let answer = shop.send_with_token(&token, "POST", &pay, payment.clone()).await;
    assert_eq!(refused(&answer), (409, "payment_method_unavailable"));
    assert_eq!(shop.done(&pay, payment).await["payment"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_counts_as_an_invoice_which_new_shops_do_not_offer_to_guests() {
    let shop = shop_with(PaymentPolicy { guest_invoices: false, ..PaymentPolicy::default() }).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let gift = shop.product("Gift", "0.00", 50).await;
    let ada = shop.customer("Ada").await;
    let listed = shop.read("payment-methods/").await;
    let for_guests = listed.as_array().unwrap().iter().map(|method| (&method["method"], &method["guests"]));
    assert_eq!(for_guests.collect::<Vec<_>>(), [(&json!("invoice"), &json!(false)), (&json!("test"), &json!(true))]);

    // A quote needs no method.
    let cart = shop.guest_cart(product).await;
    let quote = json!({ "shipping_country": "GB" });
    let quote = shop.send_without_token("POST", &format!("{cart}checkout/?dry_run=true"), quote).await;
    assert_eq!((quote.status, &quote.body["total_amount"]), (StatusCode::OK, &json!("20.00")), "{}", quote.body);

    let mut by_invoice = as_guest("Jo");
    by_invoice["payment_method"] = json!("invoice");
    for body in [as_guest("Jo"), by_invoice] {
        let answer = buy_as_guest(&shop, product, body).await;
        assert_eq!(refused(&answer), (409, "payment_method_unavailable"));
        assert_eq!(answer.body["offered"], json!(["test"]));
    }
    let mut by_card = as_guest("Jo");
    by_card["payment"] = test_card(CARD);
    assert_eq!(buy_as_guest(&shop, product, by_card).await.status, StatusCode::CREATED);
    // An order with nothing to pay needs no method, and a customer may pay by invoice.
    assert_eq!(buy_as_guest(&shop, gift, as_guest("Jo")).await.status, StatusCode::CREATED);
    let order = buy(&shop, ada, product, 1, json!({})).await.body["order_id"].clone();
    let summary = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!(summary["payment_method"], "invoice");
    assert!(summary["pay_by"].is_string());
}

#[tokio::test]
async fn a_shop_from_before_keeps_invoices_for_guests() {
    let connect = fresh_database().await;
    let shop = TestShop::on(connect.clone()).await;
    assert!(!guest_invoices_by_default(&shop.pool).await.unwrap(), "a new shop");
    // The database as an earlier version leaves it, without and with orders.
    for trace in [None, Some("insert into scheduler_task (name, due_at) values ('cancel_unpaid', now())")] {
        for statement in ["drop table shop_origin, unpaid_stock", "delete from _sqlx_migrations where version = 17"]
            .into_iter()
            .chain(trace)
        {
            sqlx::query(statement).execute(&shop.pool).await.unwrap();
        }
        migrate(&connect).await.unwrap();
        assert_eq!(guest_invoices_by_default(&shop.pool).await.unwrap(), trace.is_some());
    }
}

#[test]
fn the_status_says_whether_guests_may_pay_by_invoice() {
    let folder = data_dir();
    let _server = crate::support::program::Server::start(folder.path());
    let status = text(&run(folder.path(), &["status"]));
    assert!(status.contains("guests may not pay by invoice"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_holds_a_bounded_number_of_unpaid_units() {
    let shop = shop_with(bounded(5)).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    assert_eq!(refused(&buy(&shop, bruno, product, 6, json!({})).await), (409, "too_many_unpaid_units"));
    let order = buy(&shop, ada, product, 3, json!({})).await.body["order_id"].clone();
    let position = shop.engine.journal.position();
    assert_eq!(refused(&buy(&shop, ada, product, 3, json!({})).await), (409, "too_many_unpaid_units"));
    assert_eq!(shop.engine.journal.position(), position + 1, "the item in the cart alone");
    assert_eq!(stock(&shop, product).await, 47, "nothing is reserved");

    // Each way in which the order stops to hold units unpaid makes room.
    shop.done(&format!("order/{order}/pay/"), json!({ "amount": "0.01" })).await;
    let token = tokens::sign(&tokens::claims("customer", 7, Some(ada)));
    let check_out = async || {
        let path = format!("customer/{ada}/cart/checkout/");
        shop.send_with_token(&token, "POST", &path, json!({})).await
    };
    let second = check_out().await.body["order_id"].clone();
    shop.add(ada, product, 3).await;
    assert_eq!(refused(&check_out().await), (409, "too_many_unpaid_units"));
    shop.done(&format!("order/{second}/cancel/"), json!({})).await;
    let third = check_out().await.body["order_id"].clone();
    shop.add(ada, product, 5).await;
    assert_eq!(refused(&check_out().await), (409, "too_many_unpaid_units"));
    // Staff are not bound, and their orders are not counted.
    let by_staff = json!({ "customer_id": ada, "lines": [{ "product_id": product, "quantity": 20 }] });
    shop.done("orders/", by_staff).await;
    shop.done(&format!("order/{third}/pay/"), json!({})).await;
    assert_eq!(check_out().await.status, StatusCode::CREATED);
    let held: i64 =
        sqlx::query_scalar("select sum(units)::bigint from unpaid_stock").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(held, 5);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_known_by_address_email_and_network() {
    let shop = shop_with(bounded(1)).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let guest = |name: &str, email: &str, street: &str| {
        let mut body = as_guest(name);
        body["email"] = json!(email);
        body["shipping_address"] = address(name, "GB");
        body["shipping_address"]["line1"] = json!(street);
        body
    };
    assert_eq!(
        buy_as_guest(&shop, product, guest("Jo", "jo@example.com", "1 Mill Lane")).await.status,
        StatusCode::CREATED
    );
    for again in [guest("Al", "JO@example.com", "2 Mill Lane"), guest("Al", "al@example.com", "1  mill lane")] {
        assert_eq!(refused(&buy_as_guest(&shop, product, again).await), (409, "too_many_unpaid_units"));
    }
    // A customer with the same shipping address.
    let ada = shop.customer("Ada").await;
    let mut home = address("Ada", "GB");
    home["line1"] = json!("1 Mill Lane");
    let home = shop.done(&format!("customer/{ada}/addresses/"), home).await["address_id"].clone();
    let answer = buy(&shop, ada, product, 1, json!({ "shipping_address_id": home })).await;
    assert_eq!(refused(&answer), (409, "too_many_unpaid_units"));

    // Guests of one network hold ten times as much; an IPv6 network is a /64.
    let from = async |client: &str, number: usize| {
        let cart = shop.guest_cart(product).await;
        let name = format!("Guest{number}");
        let body = guest(&name, &format!("{name}@example.org"), &format!("{number} Main Street"));
        let request = Request::post(format!("/shop/api/{cart}checkout/")).header("content-type", "application/json");
        let request = request.header("x-forwarded-for", client).body(Body::from(body.to_string()));
        shop.send_unchanged(request.unwrap()).await
    };
    for number in 0..10 {
        let placed = from(&format!("2001:db8::{number}"), number).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.body);
    }
    assert_eq!(refused(&from("2001:db8::99", 10).await), (409, "too_many_unpaid_units"));
    assert_eq!(from("203.0.113.7", 11).await.status, StatusCode::CREATED);

    // An erased guest is counted no longer, and no row shows who it was.
    let rows: i64 = sqlx::query_scalar("select count(*) from unpaid_stock where length(holder) <> 16")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    sqlx::query("select write_forget_order_contact('{\"order_id\": 1}', now())").execute(&shop.pool).await.unwrap();
    let rows: i64 =
        sqlx::query_scalar("select count(*) from unpaid_stock where order_id = 1").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_checkouts_at_once_on_two_nodes_stay_within_the_bound() {
    let database = fresh_database().await;
    let payments = PaymentsConfig::default();
    let first = TestShop::with_policy(database.clone(), &payments, bounded(5)).await;
    let second = TestShop::with_policy(database, &payments, bounded(5)).await;
    let product = first.product("Kettle", "20.00", 50).await;
    second.settle().await;
    let mut carts = Vec::new();
    for _ in 0..16 {
        carts.push(first.guest_cart(product).await);
    }
    let answers = join_all(carts.iter().enumerate().map(|(place, cart)| {
        let node = if place % 2 == 0 { &first } else { &second };
        let mut body = as_guest("Jo");
        body["shipping_address"]["line1"] = json!(format!("{place} Mill Lane"));
        async move { node.send_without_token("POST", &format!("{cart}checkout/"), body).await }
    }))
    .await;
    let placed = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(placed, 5);
    let others = answers.iter().filter(|answer| answer.status != StatusCode::CREATED);
    others.for_each(|answer| assert_eq!(refused(answer), (409, "too_many_unpaid_units")));
    first.settle().await;
    assert_eq!(stock(&first, product).await, 45);
    first.check_log().await;
}
