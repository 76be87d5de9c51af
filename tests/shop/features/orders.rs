//! The life of orders over HTTP: paid, shipped in parcels, returned, refunded, and counted in statistics.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

/// Two products in one order: 4 kettles at 24.90 and 2 mugs at 5.25, in all 110.10.
async fn ordered(shop: &TestShop) -> (i64, i64, i64, i64) {
    let kettle = shop.product("Kettle", "24.90", 10).await;
    let mug = shop.product("Mug", "5.25", 10).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, kettle, 4).await;
    shop.add(customer, mug, 2).await;
    let order = shop.check_out(customer).await.body["order_id"].as_i64().unwrap();
    shop.address_order(order).await;
    (order, kettle, mug, customer)
}

async fn stock(shop: &TestShop, product: i64) -> Value {
    shop.read(&format!("product/{product}/")).await["stock"].clone()
}

fn states(body: &Value) -> [&str; 3] {
    ["status", "payment", "fulfilment"].map(|state| body[state].as_str().unwrap())
}

#[tokio::test]
async fn an_order_is_paid_sent_in_two_parcels_partly_returned_and_refunded() {
    let shop = TestShop::new().await;
    let (order, kettle, mug, customer) = ordered(&shop).await;
    let step = async |action: &str, body: Value| shop.done(&format!("order/{order}/{action}/"), body).await;
    let summary = async || shop.read(&format!("order/{order}/summary/")).await;

    let paid = step("pay", json!({ "reference": "transfer 7" })).await;
    assert_eq!(
        (states(&paid), &paid["paid"], &paid["due"]),
        (["pending", "paid", "unfulfilled"], &json!("110.10"), &json!("0.00"))
    );
    step("process", Value::Null).await;
    let sent = json!({ "carrier": "dhl", "tracking_number": "JD014600", "lines": [{ "line": 1, "quantity": 3 }] });
    let first = step("ship", sent).await;
    assert_eq!(states(&first), ["processing", "paid", "partially_shipped"]);
    let second = step("ship", json!({ "carrier": "Cargo bike" })).await;
    assert_eq!(states(&second), ["shipped", "paid", "shipped"]);
    let delivered = step("deliver", json!({ "shipment": 1 })).await;
    assert_eq!(states(&delivered), ["shipped", "paid", "shipped"]);
    assert_eq!(states(&step("deliver", Value::Null).await), ["completed", "paid", "delivered"]);

    let seen = summary().await;
    assert_eq!(seen["shipments"][0]["tracking_url"].as_str().unwrap().split('=').next_back(), Some("JD014600"));
    assert_eq!(seen["shipments"][0]["carrier"], "DHL");
    assert_eq!(seen["shipments"][0]["lines"], json!([{ "line": 1, "product_id": kettle, "quantity": 3 }]));
    assert_eq!(seen["shipments"][1]["carrier"], "Cargo bike");
    assert_eq!(seen["shipments"][1]["tracking_url"], Value::Null);
    assert!(seen["shipments"][1]["delivered_at"].is_string());
    assert_eq!(seen["allowed"], json!(["return", "refund"]));
    assert_eq!((stock(&shop, kettle).await, stock(&shop, mug).await), (json!(6), json!(8)));

    let lines = json!([{ "line": 1, "quantity": 1 }, { "line": 2, "quantity": 1, "restock": false }]);
    let back = json!({ "lines": lines, "reason": "dented" });
    let dry = shop.post(&format!("order/{order}/return/?dry_run=true"), back.clone()).await;
    assert_eq!(
        dry.body["stock"],
        json!([{ "product_id": kettle, "stock": 7 }]),
        "a dry run shows the stock that would be"
    );
    assert_eq!(dry.body["events"].as_array().unwrap().len(), 2);
    assert_eq!(stock(&shop, kettle).await, json!(6), "and changes nothing");
    let returned = step("return", back).await;
    assert_eq!((states(&returned), &returned["refundable"]), (["completed", "paid", "delivered"], &json!("110.10")));
    assert_eq!((stock(&shop, kettle).await, stock(&shop, mug).await), (json!(7), json!(8)));
    let bestsellers = shop.read("bestsellers/").await;
    assert_eq!((&bestsellers[0]["total_sold"], &bestsellers[0]["total_revenue"]), (&json!(3), &json!("74.70")));
    assert_eq!((&bestsellers[1]["total_sold"], &bestsellers[1]["total_revenue"]), (&json!(1), &json!("5.25")));
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], "110.10", "no money has gone back yet");

    let refused = shop.post(&format!("order/{order}/refund/"), json!({ "amount": "110.11" })).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("refund_too_large")));
    let refunded = step("refund", json!({ "amount": "30.15", "reason": "dented" })).await;
    assert_eq!(
        (states(&refunded), &refunded["refunded"]),
        (["completed", "partially_refunded", "delivered"], &json!("30.15"))
    );
    let stats = shop.read("customer-stats/").await;
    assert_eq!((&stats[0]["customer_id"], &stats[0]["total_spent"]), (&json!(customer), &json!("79.95")));
    assert_eq!(shop.read("sales/?by=day").await[0]["revenue"], "79.95");
    assert_eq!(shop.read("sales/?by=day").await[0]["units"], 4);
    let seen = summary().await;
    assert_eq!(seen["refunds"][0]["amount"], "30.15");
    assert_eq!((&seen["lines"][0]["shipped"], &seen["lines"][0]["returned"]), (&json!(4), &json!(1)));

    let rest = json!([{ "line": 1, "quantity": 3 }, { "line": 2, "quantity": 1 }]);
    let all = step("return", json!({ "lines": rest, "refund": true })).await;
    assert_eq!((states(&all), &all["refundable"]), (["completed", "refunded", "returned"], &json!("0.00")));
    assert_eq!(shop.read("bestsellers/").await, json!([]));
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], "0.00");
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test]
async fn units_that_were_not_shipped_are_available_again_and_not_charged() {
    let shop = TestShop::new().await;
    let (order, kettle, mug, _) = ordered(&shop).await;
    let back = |line: i64, quantity: i64| json!({ "lines": [{ "line": line, "quantity": quantity }] });
    let path = format!("order/{order}/cancel/");
    let taken = shop.done(&path, back(1, 1)).await;
    assert_eq!((&taken["credited"], &taken["due"]), (&json!("24.90"), &json!("85.20")));
    assert_eq!(stock(&shop, kettle).await, json!(7));
    let paid = shop.done(&format!("order/{order}/pay/"), Value::Null).await;
    assert_eq!(paid["paid"], "85.20");
    shop.done(&path, back(2, 2)).await;
    let cancelled = shop.done(&path, back(1, 3)).await;
    assert_eq!(states(&cancelled), ["cancelled", "refunded", "unfulfilled"]);
    assert_eq!((stock(&shop, kettle).await, stock(&shop, mug).await), (json!(10), json!(10)));
    assert_eq!(shop.read("bestsellers/").await, json!([]));
    assert_eq!(shop.read("sales/?by=day").await, json!([]));
    assert_eq!(shop.read("customer-stats/").await[0]["total_orders"], 0);
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test]
async fn a_cancellation_returns_stock_and_money() {
    let shop = TestShop::new().await;
    let (order, kettle, _, _) = ordered(&shop).await;
    shop.done(&format!("order/{order}/pay/"), Value::Null).await;
    let cancelled = shop.done(&format!("order/{order}/cancel/"), json!({ "reason": "changed mind" })).await;
    assert_eq!(
        (states(&cancelled), &cancelled["refunded"]),
        (["cancelled", "refunded", "unfulfilled"], &json!("110.10"))
    );
    assert_eq!(stock(&shop, kettle).await, json!(10));
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], "0.00");
    let again = shop.post(&format!("order/{order}/ship/"), Value::Null).await;
    assert_eq!(
        (again.status, &again.body["code"], &again.body["allowed"]),
        (StatusCode::CONFLICT, &json!("illegal_move"), &json!([]))
    );
    shop.verify().await;
    shop.check_log().await;
}

#[tokio::test]
async fn illegal_moves_are_refused_by_name_and_change_nothing() {
    let shop = TestShop::new().await;
    let (order, ..) = ordered(&shop).await;
    shop.done(&format!("order/{order}/process/"), Value::Null).await;
    let position = shop.engine.journal.position();
    for (action, body, status, code) in [
        ("ship", json!({ "lines": [] }), 400, "invalid_request"),
        ("ship", json!({ "lines": [{ "line": 3, "quantity": 1 }] }), 400, "line_not_found"),
        ("ship", json!({ "lines": [{ "line": 1, "quantity": 5 }] }), 409, "too_many_units"),
        (
            "ship",
            json!({ "lines": [{ "line": 1, "quantity": 1 }, { "line": 1, "quantity": 1 }] }),
            400,
            "line_named_twice",
        ),
        ("ship", json!({ "lines": [{ "line": 1, "quantity": 0 }] }), 400, "invalid_request"),
        ("ship", json!({ "parcel": 1 }), 400, "invalid_request"),
        ("deliver", Value::Null, 409, "illegal_move"),
        ("return", json!({ "lines": [] }), 400, "invalid_request"),
        ("return", json!({ "lines": [{ "line": i64::MAX, "quantity": 1 }] }), 400, "line_not_found"),
        ("return", json!({ "lines": [{ "line": -1, "quantity": 1 }] }), 400, "line_not_found"),
        ("refund", Value::Null, 409, "illegal_move"),
        ("refund", json!({ "amount": "-1" }), 400, "invalid_request"),
        ("pay", json!({ "method": "cash" }), 400, "invalid_request"),
        ("pay", json!({ "method": "invoice" }), 400, "not_an_online_method"),
    ] {
        let answer = shop.post(&format!("order/{order}/{action}/"), body.clone()).await;
        let seen = (answer.status.as_u16(), answer.body["code"].as_str().unwrap());
        assert_eq!(seen, (status, code), "{action} {body}: {}", answer.body);
        if status == 409 {
            let states = "status: processing, payment: pending, fulfilment: unfulfilled";
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains(states) && detail.contains("; allowed: pay, "), "{action}: {detail}");
            assert_eq!(answer.body["states"]["payment"], "pending", "{action}");
        }
    }
    assert_eq!(shop.engine.journal.position(), position);
}

#[tokio::test]
async fn the_moves_are_listed() {
    let shop = TestShop::new().await;
    let moves = shop.read("order-moves/").await;
    let moves = moves.as_array().unwrap();
    assert!(moves.contains(&json!({ "action": "ship", "state": "status", "from": "processing", "to": "shipped" })));
    assert!(moves.iter().all(|row| ["status", "payment", "fulfilment"].contains(&row["state"].as_str().unwrap())));
}
