//! A server killed between the provider's operation and its record in the log.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::card_stub::{CardStub, KEY, WEBHOOK_SECRET};
use crate::support::client::Client;
use crate::support::failpoints::{assert_killed, server_on};
use crate::support::paying_shop::{GOOD, compare_books, pay_with};
use crate::support::program::{Server, ask, data_dir, embedded_database, verify, wait_for};

fn server(folder: &std::path::Path, port: u16, points: &str, stub: &CardStub) -> Server {
    let mut command = server_on(folder, port, points);
    command.env("SHOP_CARD_URL", stub.url.as_str()).env("SHOP_CARD_KEY", KEY);
    Server::spawn(command.env("SHOP_CARD_WEBHOOK_SECRET", WEBHOOK_SECRET))
}

fn wait_for_state(client: &mut Client, order: &Value, payment: &str) {
    wait_for(payment, || {
        let summary = client.get(&format!("order/{order}/summary/")).body;
        (summary["payment"] == payment).then_some(())
    });
}

#[test]
fn a_server_killed_between_the_providers_answer_and_the_log_charges_and_refunds_once() {
    let (folder, stub) = (data_dir(), CardStub::start());
    let mut running = server(folder.path(), 0, "", &stub);
    let port = running.port();
    let mut client = Client::new(&[port], 0);
    let mut send = |path: &str, key: &str, body: &Value| client.send("POST", path, key, body).unwrap().body;
    send("categories/", "category", &json!({ "category_name": "Kitchen" }));
    let kettle = json!({ "name": "Kettle", "price": "25.00", "category": "Kitchen", "stock": 100 });
    let product = send("products/", "product", &kettle)["product_id"].clone();
    for point in ["payment-authorised", "payment-captured", "payment-refunded"] {
        running.signal(Signal::SIGTERM);
        assert_eq!(running.wait(), Some(0));
        running = server(folder.path(), port, &format!("{point}=return(kill)"), &stub);
        let mut client = Client::new(&[port], 0);
        let person = json!({ "first_name": "Ada", "last_name": "Miller", "email": format!("{point}@example.com") });
        let customer = client.send("POST", "customers/", &format!("{point} customer"), &person).unwrap().body;
        let cart = format!("customer/{}/cart/", customer["customer_id"]);
        let item = json!({ "product_id": product, "quantity": 1 });
        client.send("POST", &format!("{cart}items/"), &format!("{point} item"), &item).unwrap();
        let checkout = (format!("{cart}checkout/"), json!({ "payment": pay_with(GOOD) }));
        // The answer may be lost with the server; the next server answers the same request.
        let placed = client.send("POST", &checkout.0, &format!("{point} order"), &checkout.1);
        if point == "payment-refunded" {
            let order = placed.unwrap().body["order_id"].clone();
            wait_for_state(&mut client, &order, "paid");
            let _ = client.send("POST", &format!("order/{order}/refund/"), "refund", &json!({ "amount": "5.00" }));
        }
        assert_killed(running.ended(), point);

        running = server(folder.path(), port, "", &stub);
        let mut client = Client::new(&[port], 0);
        let placed = client.send("POST", &checkout.0, &format!("{point} order"), &checkout.1).unwrap();
        assert!(placed.replayed, "{point}");
        let expected = if point == "payment-refunded" { "partially_refunded" } else { "paid" };
        wait_for_state(&mut client, &placed.body["order_id"], expected);
    }
    ask(&embedded_database(folder.path()), async |pool| {
        let left = "select count(*) from payment_instrument";
        assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap(), 0);
        compare_books(pool, &stub).await;
    });
    let ledger = stub.ledger();
    assert_eq!((ledger.payments.len(), ledger.refunds.len()), (3, 1));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(), Some(0));
    verify(folder.path());
}
