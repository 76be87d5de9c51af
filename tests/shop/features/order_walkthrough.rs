//! An order's whole life against the running program, as a guest, a customer and staff see it.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::program::{self, Server, wait_for};
use crate::support::tokens;

/// A client with or without a token.
struct Caller<'server> {
    server: &'server Server,
    token: Option<String>,
}

impl Caller<'_> {
    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--request", method, "--write-out", "\n%{http_code}"]);
        if let Some(token) = &self.token {
            curl.args(["--oauth2-bearer", token]);
        }
        if !body.is_null() {
            curl.args(["--json", &body.to_string()]);
        }
        let output = curl.arg(format!("{}/shop/api/{path}", self.server.address)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn done(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send("POST", path, &body);
        assert!(matches!(status, 200 | 201), "POST {path} {body}: {status} {answer}");
        answer
    }

    fn read(&self, path: &str) -> Value {
        let (status, answer) = self.send("GET", path, &Value::Null);
        assert_eq!(status, 200, "GET {path}: {answer}");
        answer
    }
}

/// Pays, ships two parcels, returns a line and refunds it; `own` reads as the buyer.
fn see_through(staff: &Caller<'_>, order: i64, own: impl Fn() -> Value) {
    let step = |action: &str, body: Value| staff.done(&format!("order/{order}/{action}/"), body);
    let states = |seen: &Value| ["status", "payment", "fulfilment"].map(|name| seen[name].as_str().unwrap().to_owned());
    let paid = wait_for("the payment", || Some(own()).filter(|seen| seen["payment"] == "paid"));
    assert_eq!((&paid["paid"], &paid["due"]), (&json!("65.45"), &json!("0.00")));
    step("process", Value::Null);
    let parcel = json!({ "carrier": "DPD", "tracking_number": "0123", "lines": [{ "line": 1, "quantity": 2 }] });
    assert_eq!(states(&step("ship", parcel)), ["processing", "paid", "partially_shipped"]);
    assert_eq!(
        states(&step("ship", json!({ "carrier": "UPS", "tracking_number": "1Z" }))),
        ["shipped", "paid", "shipped"]
    );
    step("deliver", json!({ "shipment": 1 }));
    assert_eq!(states(&step("deliver", Value::Null)), ["completed", "paid", "delivered"]);
    let back = json!({ "lines": [{ "line": 2, "quantity": 3 }] });
    let (status, quote) = staff.send("POST", &format!("order/{order}/return/?dry_run=true"), &back);
    assert_eq!((status, quote["events"].as_array().map(Vec::len)), (200, Some(2)), "{quote}");
    step("return", back);
    step("refund", json!({ "amount": "15.75" }));
    let refunded = wait_for("the refund", || Some(own()).filter(|seen| seen["refunded"] == "15.75"));
    assert_eq!(states(&refunded), ["completed", "partially_refunded", "delivered"]);
    assert_eq!(refunded["shipments"].as_array().unwrap().len(), 2);
    assert_eq!(refunded["lines"][1]["returned"], 3);
}

#[test]
fn a_guest_and_a_customer_pay_receive_two_parcels_and_return_a_line() {
    let folder = program::data_dir();
    let server = Server::spawn(program::command(folder.path()).args([
        "--listen",
        "127.0.0.1:0",
        "--no-seeds",
        "--test-payments",
    ]));
    let by = |token: Option<String>| Caller { server: &server, token };
    let staff = by(Some(tokens::ADMIN.clone()));
    staff.done("categories/", json!({ "category_name": "Kitchen" }));
    let product = |name: &str, price: &str| {
        let product = json!({ "name": name, "price": price, "category": "Kitchen", "stock": 20 });
        staff.done("products/", product)["product_id"].as_i64().unwrap()
    };
    let (kettle, mug) = (product("Kettle", "24.85"), product("Mug", "5.25"));
    let items = [json!({ "product_id": kettle, "quantity": 2 }), json!({ "product_id": mug, "quantity": 3 })];
    let payment = json!({ "method": "test", "card_number": "4242424242424242" });

    let guest = by(None);
    let cart = format!("carts/{}", guest.done("carts/", Value::Null)["cart_token"].as_str().unwrap());
    items.iter().for_each(|item| drop(guest.done(&format!("{cart}/items/"), item.clone())));
    let mut checkout = crate::support::guests::as_guest("Jo");
    checkout["payment"] = payment.clone();
    let order = guest.done(&format!("{cart}/checkout/"), checkout)["order_id"].as_i64().unwrap();
    assert_eq!(guest.send("GET", &format!("order/{order}/summary/"), &Value::Null).0, 401);
    see_through(&staff, order, || guest.read(&format!("{cart}/order/{order}/")));

    let ada = json!({ "first_name": "Ada", "last_name": "Miller", "email": "ada@example.com" });
    let ada = staff.done("customers/", ada)["customer_id"].as_i64().unwrap();
    let customer = by(Some(tokens::sign(&tokens::claims("customer", 1, Some(ada)))));
    items.iter().for_each(|item| drop(customer.done(&format!("customer/{ada}/cart/items/"), item.clone())));
    let checkout = customer.done(&format!("customer/{ada}/cart/checkout/"), json!({ "payment": payment }));
    let order = checkout["order_id"].as_i64().unwrap();
    let address = json!({ "shipping": crate::support::guests::address("Ada", "GB") });
    assert_eq!(staff.send("PUT", &format!("order/{order}/addresses/"), &address).0, 200);
    assert_eq!(customer.send("POST", &format!("order/{order}/refund/"), &Value::Null).0, 403);
    see_through(&staff, order, || customer.read(&format!("order/{order}/summary/")));

    // Two kettles of each order are kept.
    let best = staff.read("bestsellers/");
    assert_eq!(
        best,
        json!([{
            "product_id": kettle, "name": "Kettle", "price": "24.85", "total_sold": 4, "total_revenue": "99.40"
        }])
    );
    assert_eq!(staff.read("customer-stats/")[0]["total_spent"], "49.70");
    assert_eq!(staff.read("sales/?by=day")[0]["revenue"], "99.40");
    assert_eq!(staff.read(&format!("product/{mug}/"))["stock"], 20);
    // Placed, paid, sent twice, refunded; the same for both.
    let mails = || std::fs::read_dir(folder.path().join("mail")).map_or(0, |entries| entries.count());
    wait_for("the mails", || (mails() == 10).then_some(()));
    program::verify(folder.path());
}
