//! Concurrent commands: nothing is oversold, and nothing is ordered twice.

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, fresh_database};

async fn stock_of(shop: &TestShop, product: i64) -> i64 {
    shop.read(&format!("product/{product}/")).await["stock"].as_i64().unwrap()
}

fn count(answers: &[Answer], status: StatusCode) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Twenty buyers with one unit each in their carts, spread over the nodes, check out at once.
async fn twenty_buyers_of_five(nodes: &[TestShop]) {
    let shop = &nodes[0];
    let product = shop.product("Kettle", "24.90", 5).await;
    let buyers = shop.customers(20).await;
    for &buyer in &buyers {
        shop.add(buyer, product, 1).await;
    }
    let checkouts = buyers.iter().enumerate().map(|(place, buyer)| nodes[place % nodes.len()].check_out(*buyer));
    let answers = join_all(checkouts).await;

    assert_eq!(count(&answers, StatusCode::CREATED), 5);
    assert_eq!(count(&answers, StatusCode::CONFLICT), 15);
    for refused in answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT) {
        assert_eq!(refused.problem(), "items_unavailable");
        let short = json!([{
            "product_id": product, "name": "Kettle", "reason": "out_of_stock", "requested": 1, "available": 0,
        }]);
        assert_eq!(refused.body["products"], short);
    }
    for node in nodes {
        node.settle().await;
    }
    assert_eq!(stock_of(shop, product).await, 0);
    assert_eq!(shop.read("orders/").await.as_array().unwrap().len(), 5);
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_units_make_five_orders_of_twenty_buyers() {
    twenty_buyers_of_five(&[TestShop::new().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_units_make_five_orders_of_twenty_buyers_on_two_nodes() {
    let database = fresh_database().await;
    twenty_buyers_of_five(&[TestShop::on(database.clone()).await, TestShop::on(database).await]).await;
}

async fn four_checkouts(shop: &TestShop, key: Option<&str>) -> Vec<Answer> {
    let product = shop.product("Kettle", "24.90", 9).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 2).await;
    let path = format!("customer/{customer}/cart/checkout/");
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    join_all((0..4).map(|_| shop.send("POST", &path, Value::Null, &headers))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cart_checked_out_four_times_with_one_key_is_one_order_and_four_equal_answers() {
    let shop = TestShop::new().await;
    let answers = four_checkouts(&shop, Some("same")).await;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        assert_eq!(answer.body, answers[0].body);
        assert_eq!(answer.header("journal-position"), answers[0].header("journal-position"));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!(replayed, 3);
    assert_eq!(shop.read("orders/").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cart_checked_out_four_times_without_a_key_is_one_order_and_three_conflicts() {
    let shop = TestShop::new().await;
    let answers = four_checkouts(&shop, None).await;
    assert_eq!(count(&answers, StatusCode::CREATED), 1);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != StatusCode::CREATED).collect();
    assert_eq!(refused.len(), 3);
    for answer in refused {
        assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "cart_already_checked_out"));
    }
    assert_eq!(shop.read("orders/").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_give_one_answer_to_one_key() {
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let product = nodes[0].product("Kettle", "24.90", 9).await;
    let customer = nodes[0].customer("Ada").await;
    nodes[0].add(customer, product, 2).await;
    let path = format!("customer/{customer}/cart/checkout/");
    let key = [("idempotency-key", "same")];
    let answers = join_all((0..6).map(|place| nodes[place % 2].send("POST", &path, Value::Null, &key))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (StatusCode::CREATED, &answers[0].body));
    }
    nodes[0].check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lines_of_one_product_together_above_stock_are_refused_and_change_nothing() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 5).await;
    let before = shop.engine.journal.position();
    let line = json!({ "product_id": product, "quantity": 3 });
    let answer = shop.post("orders/", json!({ "lines": [line, line] })).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "items_unavailable"));
    assert_eq!(answer.body["products"][0]["requested"], 6);
    assert_eq!(shop.engine.journal.position(), before);
    assert_eq!(stock_of(&shop, product).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_emails_and_references_stay_unique_under_concurrency() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 100).await;
    let category = |place: usize| {
        let name = ["Tea", "tea"][place % 2];
        shop.post("categories/", json!({ "category_name": name }))
    };
    let answers = join_all((0..8).map(category)).await;
    assert_eq!((count(&answers, StatusCode::CREATED), count(&answers, StatusCode::CONFLICT)), (1, 7));

    let customer = |place: usize| {
        let email = ["jo@example.com", "JO@example.com"][place % 2];
        shop.post("customers/", json!({ "first_name": "Jo", "last_name": "Miller", "email": email }))
    };
    let answers = join_all((0..8).map(customer)).await;
    assert_eq!((count(&answers, StatusCode::CREATED), count(&answers, StatusCode::CONFLICT)), (1, 7));
    assert!(
        answers.iter().filter(|answer| !answer.status.is_success()).all(|answer| answer.problem() == "email_taken")
    );

    let order = json!({ "reference": "A-1", "lines": [{ "product_id": product, "quantity": 1 }] });
    let answers = join_all((0..8).map(|_| shop.post("orders/", order.clone()))).await;
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!((count(&answers, StatusCode::CREATED), count(&answers, StatusCode::OK)), (1, 7));
    assert_eq!(stock_of(&shop, product).await, 99);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_node_replays_an_answer_with_the_same_position() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let product = shop.product("Kettle", "24.90", 9).await;
    let customers = shop.customers(8).await;
    let item = json!({ "product_id": product, "quantity": 1 });
    let send = async |node: &TestShop, customer: i64, round: i64| {
        let (path, key) = (format!("customer/{customer}/cart/items/"), format!("{customer}, round {round}"));
        node.send("POST", &path, item.clone(), &[("idempotency-key", &key)]).await
    };
    // Until several commands share one append: answers of one append have one time.
    let shared = "select count(*) > count(distinct recorded_at) from idempotency";
    let mut rounds = Vec::new();
    while rounds.is_empty() || !sqlx::query_scalar::<_, bool>(shared).fetch_one(&shop.pool).await.unwrap() {
        let round = i64::try_from(rounds.len()).unwrap();
        rounds.push(join_all(customers.iter().map(|customer| send(&shop, *customer, round))).await);
    }
    let later = TestShop::on(database).await;
    for (round, answers) in (0..).zip(rounds) {
        for (customer, first) in customers.iter().zip(answers) {
            let again = send(&later, *customer, round).await;
            assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
            assert_eq!(again.header("journal-position"), first.header("journal-position"));
        }
    }
}
