//! A shop that accepts payments, its provider, and the comparison of the books of both.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::payments::{PaymentReactor, Payments, PaymentsConfig};
use cartwright::reactors::Reactors;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::card_stub::{CardStub, signature};
use crate::support::guests::as_guest;
use crate::support::reactors::{eventually, start_all};
use crate::support::{Answer, TestShop, fresh_database};

pub const GOOD: &str = "pm_card_visa";
pub const DECLINED: &str = "pm_card_chargeDeclined";

pub struct PayingShop {
    pub shop: TestShop,
    pub stub: CardStub,
    product: i64,
    reactors: Option<Reactors>,
}

pub fn pay_with(token: &str) -> Value {
    json!({ "method": "card", "token": token })
}

pub fn test_card(number: &str) -> Value {
    json!({ "method": "test", "card_number": number })
}

impl PayingShop {
    pub async fn open() -> Self {
        let stub = CardStub::start();
        let payments = stub.payments();
        Self::build(stub, payments, true).await
    }

    pub async fn with_test_cards() -> Self {
        let payments = PaymentsConfig { test: true, ..PaymentsConfig::default() };
        Self::build(CardStub::start(), payments, true).await
    }

    /// Without the payment reactor.
    pub async fn without_reactor(stub: CardStub) -> Self {
        let payments = stub.payments();
        Self::build(stub, payments, false).await
    }

    async fn build(stub: CardStub, payments: PaymentsConfig, reacts: bool) -> Self {
        let shop = TestShop::paid(fresh_database().await, &payments).await;
        let reactors = if reacts { Some(react(&shop, &payments).await) } else { None };
        let product = shop.product("Kettle", "12.50", 1_000).await;
        Self { shop, stub, product, reactors }
    }

    /// Stops the payment reactor; a second node may start another.
    pub async fn stop_reacting(&mut self) {
        self.reactors.take().unwrap().stop().await;
    }

    /// A second node on the same database.
    pub async fn second_node(&self) -> (TestShop, Reactors) {
        let shop = TestShop::paid((*self.shop.pool.connect_options()).clone(), &self.stub.payments()).await;
        let reactors = react(&shop, &self.stub.payments()).await;
        (shop, reactors)
    }

    /// The path of the checkout of a guest's cart with two kettles, at 25.00.
    pub async fn filled_cart(&self) -> String {
        let token = self.shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
        let item = json!({ "product_id": self.product, "quantity": 2 });
        self.shop.done(&format!("carts/{token}/items/"), item).await;
        format!("carts/{token}/checkout/")
    }

    /// Orders for 25.00, to be paid by a card.
    pub async fn order(&self, token: &str) -> i64 {
        self.order_paid_by("card", pay_with(token)).await
    }

    pub async fn order_paid_by(&self, method: &str, payment: Value) -> i64 {
        let cart = self.filled_cart().await;
        let mut body = as_guest("Jo");
        body["payment_method"] = json!(method);
        body["payment"] = payment;
        let placed = self.shop.post(&cart, body).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.body);
        placed.body["order_id"].as_i64().unwrap()
    }

    pub async fn cancel(&self, order: i64) -> Answer {
        self.shop.post(&format!("order/{order}/cancel/"), Value::Null).await
    }

    pub async fn summary(&self, order: i64) -> Value {
        self.shop.settle().await;
        self.shop.read(&format!("order/{order}/summary/")).await
    }

    pub async fn wait_for_state(&self, order: i64, state: &str, expected: &str) {
        eventually(&format!("order {order} to become {expected}"), async || {
            (self.summary(order).await[state] == expected).then_some(())
        })
        .await;
    }

    pub async fn wait_for_refund(&self, order: i64, amount: &str) {
        eventually(&format!("{amount} of order {order} to go back"), async || {
            (self.summary(order).await["refunded"] == amount).then_some(())
        })
        .await;
    }

    /// Waits for an event of the order.
    pub async fn wait_for_event(&self, order: i64, event: &str) {
        eventually(event, async || self.events(order).await.iter().any(|seen| seen == event).then_some(())).await;
    }

    pub async fn events(&self, order: i64) -> Vec<String> {
        let events = "select event_type from events where aggregate_type = 'Order' and aggregate_id = $1
                      order by sequence";
        sqlx::query_scalar(events).bind(order.to_string()).fetch_all(&self.shop.pool).await.unwrap()
    }

    pub async fn instrument_count(&self) -> i64 {
        sqlx::query_scalar("select count(*) from payment_instrument").fetch_one(&self.shop.pool).await.unwrap()
    }

    /// Delivers a signed message of the provider.
    pub async fn receive_message(&self, message: &Value) -> Answer {
        let body = message.to_string();
        deliver(&self.shop, &body, &signature(&body)).await
    }

    /// Waits until no reaction is due.
    pub async fn wait_until_idle(&self) {
        eventually("the reactions", async || {
            let reactor = self.shop.read("reactors/").await[0].clone();
            (reactor["lag"] == 0 && reactor["due"] == 0).then_some(())
        })
        .await;
    }

    pub async fn tables_containing(&self, value: &str) -> Vec<String> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select format('%I.%I', schemaname, tablename) from pg_tables
             where schemaname not in ('pg_catalog', 'information_schema')",
        )
        .fetch_all(&self.shop.pool)
        .await
        .unwrap();
        let mut found = Vec::new();
        for table in tables {
            let count = format!("select count(*) from {table} as row where strpos(to_jsonb(row)::text, $1) > 0");
            let rows: i64 = sqlx::query_scalar(&count).bind(value).fetch_one(&self.shop.pool).await.unwrap();
            if rows > 0 {
                found.push(table);
            }
        }
        found
    }

    /// Waits until no reaction is due, and compares the shop's books with the provider's.
    pub async fn compare_with_provider(&self) {
        self.wait_until_idle().await;
        compare_books(&self.shop.pool, &self.stub).await;
        self.shop.settle().await;
        self.shop.check_log().await;
        self.shop.verify().await;
    }
}

/// Sends a message with a signature.
pub async fn deliver(shop: &TestShop, body: &str, signature: &str) -> Answer {
    let request = Request::post("/shop/api/payments/webhook/").header("stripe-signature", signature);
    shop.send_unchanged(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn react(shop: &TestShop, payments: &PaymentsConfig) -> Reactors {
    let payments = Payments::new(payments, &shop.pool).unwrap();
    let reactor = PaymentReactor::new(payments, shop.engine.journal.clone(), shop.pool.clone());
    start_all(shop, vec![Arc::new(reactor)]).await
}

/// The money of one order according to the log, in cents.
#[derive(Debug, sqlx::FromRow)]
struct InTheLog {
    order_id: i64,
    total: i64,
    paid: i64,
    references: Vec<String>,
    refunded: i64,
    cancelled: bool,
}

/// Compares the log with the provider's ledger.
///
/// Every order is charged at most once and with its total, refunds agree, and no authorisation is left over.
pub async fn compare_books(pool: &PgPool, stub: &CardStub) {
    let orders: Vec<InTheLog> = sqlx::query_as(
        "select aggregate_id::bigint as order_id,
            coalesce(sum((payload ->> 'total')::numeric * 100) filter (where event_type = 'OrderPlaced'), 0)::bigint
                as total,
            coalesce(sum((payload ->> 'amount')::numeric * 100) filter (where event_type in ('OrderPaid', 'OrderPartiallyPaid')), 0)::bigint
                as paid,
            coalesce(array_agg(payload ->> 'reference') filter (where event_type in ('OrderPaid', 'OrderPartiallyPaid')), '{}') as references,
            coalesce(sum((payload ->> 'amount')::numeric * 100) filter (where event_type = 'OrderRefunded'), 0)::bigint
                as refunded,
            bool_or(event_type = 'OrderCancelled') as cancelled
         from events where aggregate_type = 'Order' group by aggregate_id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(!orders.is_empty());
    let ledger = stub.ledger();
    for order in &orders {
        let charges = ledger.charges(order.order_id);
        let captured: Vec<_> = charges.iter().filter(|charge| charge.status == "succeeded").collect();
        assert_eq!(charges.len(), captured.len(), "something is still held: {order:?} {charges:?}");
        let ids: Vec<_> = captured.iter().map(|charge| charge.id.clone()).collect();
        assert_eq!(order.references, ids, "{order:?}: the same payments, and one at the most");
        assert!(ids.len() <= 1, "{order:?}");
        let taken: i64 = captured.iter().map(|charge| charge.captured).sum();
        assert_eq!(order.paid, taken, "{order:?} {charges:?}");
        assert!(taken == 0 || taken == order.total, "{order:?} {charges:?}");
        let back: i64 = ids.iter().map(|id| ledger.refunded(id)).sum();
        assert_eq!(order.refunded, back, "{order:?}");
        assert!(!order.cancelled || taken == back, "a cancelled order keeps money: {order:?}");
    }
    let known: i64 = orders.iter().map(|order| order.paid).sum();
    let all: i64 = ledger.payments.iter().map(|payment| payment.captured).sum();
    assert_eq!(known, all, "the provider took money that no order knows of");
}
