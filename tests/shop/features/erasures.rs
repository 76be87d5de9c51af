//! Erasure of buyers with open orders: refused, or carried out when the last order is closed.

use axum::http::StatusCode;
use cartwright::domain::ids::OrderId;
use cartwright::domain::order::Order;
use cartwright::scheduler::RunReport;
use cartwright::scheduler::tasks::{TaskContext, erase_when_closed};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::guests::as_guest;
use crate::support::{Answer, TestShop, fresh_database};

fn tools(shop: &TestShop) -> TaskContext {
    TaskContext {
        journal: shop.engine.journal.clone(),
        projector: shop.engine.projector.clone(),
        pool: shop.pool.clone(),
    }
}

async fn delete(shop: &TestShop, path: &str) -> Answer {
    shop.send("DELETE", path, Value::Null, &[]).await
}

/// A customer with an address and an open order.
async fn with_open_order(shop: &TestShop) -> (i64, i64, i64) {
    let product = shop.product("Kettle", "20.00", 500).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 1).await;
    let order = shop.check_out(customer).await.body["order_id"].as_i64().unwrap();
    (product, customer, order)
}

async fn run_task(shop: &TestShop) -> u64 {
    shop.settle().await;
    erase_when_closed(&tools(shop)).run().await.unwrap().handled
}

async fn count_events(shop: &TestShop, event_type: &str) -> i64 {
    sqlx::query_scalar("select count(*) from events where event_type = $1")
        .bind(event_type)
        .fetch_one(&shop.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_customer_with_an_open_order_is_not_erased() {
    let shop = TestShop::new().await;
    let (_, customer, order) = with_open_order(&shop).await;
    let path = format!("customer/{customer}/");
    let before = shop.engine.journal.position();
    for query in ["", "?dry_run=true"] {
        let refused = delete(&shop, &format!("{path}{query}")).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "open_orders"));
        assert_eq!(refused.body["order_ids"], json!([order]));
    }
    let unknown = delete(&shop, &format!("{path}?when=today")).await;
    assert_eq!((unknown.status, &unknown.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("when")));
    let unknown = delete(&shop, &format!("{path}?wen=orders_closed")).await;
    assert_eq!((unknown.status, &unknown.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("wen")));
    assert_eq!(shop.engine.journal.position(), before);
    assert_eq!(delete(&shop, "customer/99/").await.problem(), "customer_not_found");

    shop.done(&format!("order/{order}/cancel/"), Value::Null).await;
    assert_eq!(delete(&shop, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(delete(&shop, &path).await.problem(), "customer_not_found");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn an_erasure_waits_until_the_last_order_is_closed() {
    let shop = TestShop::new().await;
    let (product, customer, order) = with_open_order(&shop).await;
    let path = format!("customer/{customer}/");
    let plain = shop.read(&path).await;
    assert_eq!(plain.get("erasure_requested_at"), None);
    for _ in 0..2 {
        let waiting = delete(&shop, &format!("{path}?when=orders_closed")).await;
        assert_eq!(waiting.status, StatusCode::ACCEPTED, "{}", waiting.body);
        assert_eq!(waiting.body, json!({ "waiting": true, "open_orders": [order] }));
    }
    assert_eq!(count_events(&shop, "CustomerErasureRequested").await, 1);
    let seen = shop.read(&path).await;
    assert_eq!((seen["erasure_requested_at"].is_string(), &seen["email"]), (true, &plain["email"]));
    let listed = shop.read("erasures/").await;
    assert_eq!(
        (&listed[0]["customer_id"], &listed[0]["order_id"], &listed[0]["open_orders"]),
        (&json!(customer), &Value::Null, &json!([order]))
    );

    // Nothing new can keep the erasure waiting.
    shop.add(customer, product, 1).await;
    assert_eq!(shop.check_out(customer).await.problem(), "erasure_requested");
    let of_staff = json!({ "customer_id": customer, "lines": [{ "product_id": product, "quantity": 1 }] });
    assert_eq!(shop.post("orders/", of_staff).await.problem(), "erasure_requested");

    assert_eq!(run_task(&shop).await, 0);
    shop.complete_order(order).await;
    assert_eq!(run_task(&shop).await, 1);
    assert_eq!(run_task(&shop).await, 0);
    assert_eq!(count_events(&shop, "CustomerErased").await, 1);
    assert_eq!(shop.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.read("erasures/").await, json!([]));
    assert_eq!(shop.read("customer-stats/").await[0]["name"], "Erased customer");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn an_idempotency_key_tells_an_erasure_that_waits_from_one_at_once() {
    let shop = TestShop::new().await;
    let (_, customer, _) = with_open_order(&shop).await;
    let path = format!("customer/{customer}/");
    let waits = format!("{path}?when=orders_closed");
    let key = [("idempotency-key", "k1")];
    let first = shop.send("DELETE", &waits, Value::Null, &key).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.body);
    let again = shop.send("DELETE", &waits, Value::Null, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    let other = shop.send("DELETE", &path, Value::Null, &key).await;
    assert_eq!(other.problem(), "idempotency_key_reused");
}

#[tokio::test]
async fn staff_withdraw_an_erasure_that_waits() {
    let shop = TestShop::new().await;
    let (product, customer, order) = with_open_order(&shop).await;
    let path = format!("customer/{customer}/");
    delete(&shop, &format!("{path}?when=orders_closed")).await;
    for _ in 0..2 {
        assert_eq!(delete(&shop, &format!("{path}erasure/")).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(count_events(&shop, "CustomerErasureWithdrawn").await, 1);
    assert_eq!(shop.read(&path).await.get("erasure_requested_at"), None);
    shop.complete_order(order).await;
    assert_eq!(run_task(&shop).await, 0);
    shop.add(customer, product, 1).await;
    assert_eq!(shop.check_out(customer).await.status, StatusCode::CREATED);
    shop.verify().await;
}

#[tokio::test]
async fn the_data_of_a_guest_waits_for_the_order_too() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let cart = shop.guest_cart(product).await;
    let placed = shop.send_without_token("POST", &format!("{cart}checkout/"), as_guest("Jo")).await;
    let order = placed.body["order_id"].as_i64().unwrap();
    let path = format!("order/{order}/contact/");
    let refused = delete(&shop, &path).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "open_orders"));
    assert_eq!(refused.body["order_ids"], json!([order]));
    let waiting = async || delete(&shop, &format!("{path}?when=orders_closed")).await;
    assert_eq!(waiting().await.status, StatusCode::ACCEPTED);
    assert_eq!(shop.read("erasures/").await[0]["order_id"], order);
    assert_eq!(delete(&shop, &format!("{path}erasure/")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.read("erasures/").await, json!([]));
    assert_eq!(waiting().await.body, json!({ "waiting": true, "open_orders": [order] }));

    assert_eq!(run_task(&shop).await, 0);
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["contact"]["name"], "Jo Miller");
    shop.complete_order(order).await;
    assert_eq!(run_task(&shop).await, 1);
    assert_eq!(run_task(&shop).await, 0);
    let erased = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!((&erased["contact"], &erased["addresses"]), (&Value::Null, &json!([])));
    assert_eq!(delete(&shop, &path).await.status, StatusCode::NO_CONTENT, "again does no harm");
    shop.check_log().await;
    shop.verify().await;
}

/// Whichever comes first, no order belongs to a customer who was erased while it was open.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_placed_while_its_customer_is_erased_is_counted_or_refused() {
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let product = nodes[0].product("Kettle", "20.00", 500).await;
    let customers = nodes[0].customers(24).await;
    for &customer in &customers {
        nodes[0].add(customer, product, 1).await;
    }
    let nodes = &nodes;
    let race = customers.iter().enumerate().map(|(place, &customer)| async move {
        let path = format!("customer/{customer}/");
        join(nodes[place % 2].check_out(customer), delete(&nodes[(place + 1) % 2], &path)).await
    });
    let outcomes = join_all(race).await;
    for (ordered, erased) in &outcomes {
        match (ordered.status, erased.status) {
            (StatusCode::CREATED, StatusCode::CONFLICT) => {
                assert!(["open_orders", "orders_changed"].contains(&erased.problem()), "{}", erased.body);
            }
            (StatusCode::NOT_FOUND, StatusCode::NO_CONTENT) => {}
            other => panic!("{other:?}: {} {}", ordered.body, erased.body),
        }
    }
    let orphans: i64 = sqlx::query_scalar(
        "select count(*) from events as placed join events as erased
             on erased.aggregate_type = 'Customer' and erased.aggregate_id = placed.payload ->> 'customer_id'
         where placed.event_type = 'OrderPlaced' and erased.event_type = 'CustomerErased'",
    )
    .fetch_one(&nodes[0].pool)
    .await
    .unwrap();
    assert_eq!(orphans, 0);
    nodes[0].check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_erase_a_waiting_customer_once() {
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let (_, customer, order) = with_open_order(&nodes[0]).await;
    delete(&nodes[0], &format!("customer/{customer}/?when=orders_closed")).await;
    nodes[0].complete_order(order).await;
    for node in &nodes {
        node.settle().await;
    }
    let tasks = nodes.each_ref().map(|node| erase_when_closed(&tools(node)));
    let reports = join(tasks[0].run(), tasks[1].run()).await;
    let handled: u64 = [reports.0.unwrap(), reports.1.unwrap()].iter().map(|report: &RunReport| report.handled).sum();
    assert_eq!((handled, count_events(&nodes[0], "CustomerErased").await), (1, 1));
}

/// An order of the customer that changes after the look is found in the commit, so it is looked at again.
#[tokio::test]
async fn an_erasure_that_knows_older_orders_is_refused() {
    use cartwright::domain::ids::CustomerId;
    use cartwright::domain::refusal::Refusal;
    use cartwright::journal::{Actor, CommandError, Context};
    use cartwright::shop::{EraseCustomer, KnownOrders};

    let shop = TestShop::new().await;
    let (_, customer, order) = with_open_order(&shop).await;
    shop.complete_order(order).await;
    let position = shop.engine.journal.position();
    let refund = json!({ "amount": "5.00" });
    shop.done(&format!("order/{order}/refund/"), refund).await;
    let erase = |position: i64| {
        let orders = KnownOrders { open: vec![], position };
        let erase = EraseCustomer { customer_id: CustomerId(customer), account_id: None, orders, when_closed: false };
        shop.engine.journal.run(erase, Context::of(Actor { id: "test".to_owned(), role: "admin" }))
    };
    assert_eq!(erase(position).await.unwrap_err(), CommandError::Refused(Refusal::OrdersChanged));
    erase(shop.engine.journal.position()).await.unwrap();
}

/// The read table and the order itself agree, in every stage of an order.
#[tokio::test]
async fn the_read_tables_know_which_orders_are_open() {
    let shop = TestShop::new().await;
    let (product, customer, first) = with_open_order(&shop).await;
    let steps: [&[(&str, Value)]; 9] = [
        &[("cancel", Value::Null)],
        &[("pay", json!({})), ("cancel", Value::Null)],
        &[("process", Value::Null)],
        &[("process", Value::Null), ("ship", json!({ "collected": true }))],
        &[("process", Value::Null), ("ship", json!({ "collected": true })), ("deliver", Value::Null)],
        &[("pay", json!({})), ("process", Value::Null), ("ship", json!({ "collected": true }))],
        &[
            ("pay", json!({})),
            ("process", Value::Null),
            ("ship", json!({ "collected": true })),
            ("deliver", Value::Null),
        ],
        &[
            ("pay", json!({})),
            ("process", Value::Null),
            ("ship", json!({ "collected": true })),
            ("return", json!({ "lines": [{ "line": 1, "quantity": 2 }], "refund": true })),
        ],
        &[
            ("process", Value::Null),
            ("ship", json!({ "collected": true })),
            ("deliver", Value::Null),
            ("return", json!({ "lines": [{ "line": 1, "quantity": 1 }] })),
        ],
    ];
    let mut orders = vec![first];
    for moves in steps {
        let body = json!({ "customer_id": customer, "lines": [{ "product_id": product, "quantity": 2 }] });
        let order = shop.done("orders/", body).await["order_id"].as_i64().unwrap();
        for (action, body) in moves {
            shop.done(&format!("order/{order}/{action}/"), body.clone()).await;
        }
        orders.push(order);
    }
    let mut open = Vec::new();
    for &order in &orders {
        if shop.engine.journal.read::<Order>(OrderId(order)).await.unwrap().placed().unwrap().is_open() {
            open.push(order);
        }
    }
    assert_eq!(open.len(), 6, "{open:?} of {orders:?}");
    let refused = delete(&shop, &format!("customer/{customer}/")).await;
    assert_eq!(refused.body["order_ids"], json!(open));
}
