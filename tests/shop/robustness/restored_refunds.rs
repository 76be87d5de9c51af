//! A restore loses a refund that the provider has made: it is found there, and not made again.

use axum::http::StatusCode;
use cartwright::reactors;
use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::dumps::Dump;
use crate::support::paying_shop::{GOOD, PayingShop};
use crate::support::reactors::eventually;
use crate::support::tokens::{claims, sign};

async fn refund(shop: &PayingShop, order: i64, amount: &str) -> Answer {
    let token = format!("Bearer {}", sign(&claims("admin", 900_001, None)));
    let path = format!("order/{order}/refund/");
    let body = json!({ "amount": amount, "reason": "damaged" });
    eventually("the refund", async || {
        let answer = shop.shop.send("POST", &path, body.clone(), &[("authorization", &token)]).await;
        assert!(!answer.status.is_client_error(), "{}", answer.body);
        answer.status.is_success().then_some(answer)
    })
    .await
}

async fn refunded(shop: &PayingShop) -> Vec<(Value, String)> {
    sqlx::query_as(
        "select payload -> 'amount', event_type from events where event_type like 'OrderRefund%' order by position",
    )
    .fetch_all(&shop.shop.pool)
    .await
    .unwrap()
}

fn ledger(shop: &PayingShop) -> Vec<i64> {
    shop.stub.ledger().refunds.iter().map(|refund| refund.amount).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pg_dump and psql"]
async fn a_refund_that_a_restore_has_lost_is_found_at_the_provider() {
    let shop = PayingShop::open().await;
    let (one, two) = (shop.order(GOOD).await, shop.order(GOOD).await);
    for order in [one, two] {
        shop.wait_for_state(order, "payment", "paid").await;
    }
    shop.wait_until_idle().await;
    let database = (*shop.shop.pool.connect_options()).clone();
    let dump = Dump::of(&database);
    for order in [one, two] {
        assert!(refund(&shop, order, "10.00").await.status == StatusCode::OK);
        shop.wait_for_event(order, "OrderRefunded").await;
    }
    shop.wait_until_idle().await;
    assert_eq!(ledger(&shop), [1_000, 1_000]);

    dump.replace(&database).await;
    refund(&shop, one, "10.00").await;
    eventually("the refund that was made", async || (refunded(&shop).await.len() == 2).then_some(())).await;
    assert_eq!(ledger(&shop), [1_000, 1_000], "it is recorded, and not made again");

    // Another amount may be meant in addition: the operator decides.
    refund(&shop, two, "5.00").await;
    let parked = eventually("the decision", async || {
        let parked = reactors::list(&shop.shop.pool, Some(reactors::ReactionState::Parked), None, 0, 10).await.unwrap();
        parked.into_iter().find(|reaction| reaction.event_type == "OrderRefundRequested")
    })
    .await;
    assert!(parked.reason.as_ref().unwrap().contains("another refund"), "{parked:?}");
    assert_eq!(ledger(&shop), [1_000, 1_000]);
    assert!(reactors::retry(&shop.shop.pool, parked.reaction_id, "ops").await.unwrap());
    eventually("the other refund", async || (refunded(&shop).await.len() == 4).then_some(())).await;
    assert_eq!(ledger(&shop), [1_000, 1_000, 500]);
    // Once recorded, an adopted refund is known.
    refund(&shop, one, "2.00").await;
    eventually("the next refund", async || (refunded(&shop).await.len() == 6).then_some(())).await;
    assert_eq!(ledger(&shop), [1_000, 1_000, 500, 200]);
}
