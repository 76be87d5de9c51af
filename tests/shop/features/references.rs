//! References of other systems: the same request again finds its order, another one is refused.

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{TestShop, fresh_database};

async fn place(shop: &TestShop, order: &Value) -> crate::support::Answer {
    shop.post("orders/", order.clone()).await
}

fn is_replay_of(answer: &crate::support::Answer, first: &Value) -> bool {
    answer.status == StatusCode::OK && answer.header("idempotent-replayed") == "true" && answer.body == *first
}

/// A request, and others with its reference that ask for something else.
async fn requests(shop: &TestShop) -> (Value, Vec<Value>) {
    let (kettle, mug) = (shop.product("Kettle", "20.00", 500).await, shop.product("Mug", "5.00", 500).await);
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    let line = json!({ "product_id": kettle, "quantity": 2, "unit_price": "18.50" });
    let order = json!({
        "customer_id": ada, "placed_at": "2026-05-01T12:30:00Z", "reference": "A-1",
        "lines": [line, { "product_id": mug, "quantity": 1 }],
    });
    let change = |path: &str, value: Value| {
        let mut other = order.clone();
        *other.pointer_mut(path).unwrap() = value;
        other
    };
    let others = vec![
        change("/customer_id", json!(bruno)),
        change("/customer_id", Value::Null),
        change("/placed_at", json!("2026-05-01T12:30:01Z")),
        change("/lines/0/quantity", json!(3)),
        change("/lines/0/product_id", json!(mug)),
        change("/lines/0/unit_price", json!("18.51")),
        change("/lines", json!([line])),
        change("/lines", json!([{ "product_id": mug, "quantity": 1 }, line])),
    ];
    (order, others)
}

#[tokio::test]
async fn the_same_request_with_a_used_reference_is_a_replay_and_another_one_is_refused() {
    let shop = TestShop::new().await;
    let (order, others) = requests(&shop).await;
    let first = place(&shop, &order).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (StatusCode::CREATED, ""));
    let position = shop.engine.journal.position();
    // The same time and price in other words.
    let mut again = order.clone();
    again["placed_at"] = json!("2026-05-01T14:30:00.000+02:00");
    again["lines"][0]["unit_price"] = json!("18.5");
    for repeated in [&order, &again] {
        let answer = place(&shop, repeated).await;
        assert!(is_replay_of(&answer, &first.body), "{} {}", answer.status, answer.body);
    }
    let mut without_price = order.clone();
    without_price["lines"][0].as_object_mut().unwrap().remove("unit_price");
    let mut agreed_price = order.clone();
    agreed_price["lines"][1]["unit_price"] = json!("5.00");
    let mut without_time = order.clone();
    without_time.as_object_mut().unwrap().remove("placed_at");
    for other in others.iter().chain([&without_price, &agreed_price, &without_time]) {
        let refused = place(&shop, other).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (StatusCode::UNPROCESSABLE_ENTITY, "reference_reused"),
            "{other}"
        );
        assert_eq!(refused.body["order_id"], first.body["order_id"]);
        let tried = shop.post("orders/?dry_run=true", other.clone()).await;
        assert_eq!(tried.problem(), "reference_reused");
    }
    assert_eq!(shop.engine.journal.position(), position);

    // A key of its own keeps the answer of the replay.
    for _ in 0..2 {
        let keyed = shop.send("POST", "orders/", order.clone(), &[("idempotency-key", "k-1")]).await;
        assert!(is_replay_of(&keyed, &first.body), "{} {}", keyed.status, keyed.body);
    }
}

#[tokio::test]
async fn a_price_change_does_not_make_the_same_request_another_one() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 50).await;
    let order = json!({ "reference": "A-2", "lines": [{ "product_id": kettle, "quantity": 1 }] });
    let first = place(&shop, &order).await;
    shop.send("PATCH", &format!("product/{kettle}/"), json!({ "price": "99.00" }), &[]).await;
    assert!(is_replay_of(&place(&shop, &order).await, &first.body));
}

#[tokio::test]
async fn orders_from_before_are_compared_by_what_they_hold() {
    let shop = TestShop::new().await;
    let (order, others) = requests(&shop).await;
    let mut older = order.clone();
    older["reference"] = json!("unused");
    let first = place(&shop, &older).await;
    shop.settle().await;
    // The order as an earlier version would have stored it.
    for statement in [
        "alter table events disable trigger user",
        "update events set payload = payload - 'request_digest' || '{\"reference\": \"A-1\"}' where event_type = 'OrderPlaced'",
        "update events set aggregate_id = 'order-reference:A-1' where event_type = 'ClaimTaken' and aggregate_id like '%:unused'",
    ] {
        sqlx::query(statement).execute(&shop.pool).await.unwrap();
    }
    let node = TestShop::on((*shop.pool.connect_options()).clone()).await;
    assert!(is_replay_of(&place(&node, &order).await, &first.body));
    for other in &others {
        let refused = place(&node, other).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (StatusCode::UNPROCESSABLE_ENTITY, "reference_reused"),
            "{other}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_with_one_reference_on_two_nodes_one_wins() {
    let database = fresh_database().await;
    let (first, second) = (TestShop::on(database.clone()).await, TestShop::on(database).await);
    let kettle = first.product("Kettle", "20.00", 50).await;
    second.settle().await;
    let order = |quantity| json!({ "reference": "A-3", "lines": [{ "product_id": kettle, "quantity": quantity }] });
    let answers = join_all((0..8).map(|place: usize| {
        let node = [&first, &second][place % 2];
        node.post("orders/", order(1 + place / 2 % 2))
    }))
    .await;
    let created = answers.iter().find(|answer| answer.status == StatusCode::CREATED).expect("one wins");
    for answer in &answers {
        let same = answer.body["lines"] == created.body["lines"];
        let expected = same || answer.problem() == "reference_reused";
        assert!(expected, "{} {}", answer.status, answer.body);
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::UNPROCESSABLE_ENTITY).count(), 4);
    first.check_log().await;
}
