//! Starting reactors beside a test's shop, and waiting for their work.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cartwright::reactors::{Reactor, ReactorOptions, Reactors};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;

use super::TestShop;

/// Options with short pauses.
fn quick() -> ReactorOptions {
    let short = Duration::from_millis(10);
    ReactorOptions {
        max_attempts: 3,
        first_retry: Duration::from_millis(60),
        poll_interval: short,
        ..ReactorOptions::default()
    }
}

pub async fn start_all(shop: &TestShop, reactors: Vec<Arc<dyn Reactor>>) -> Reactors {
    let connect: PgConnectOptions = (*shop.pool.connect_options()).clone();
    let log = shop.engine.journal.known_log();
    Reactors::start_with(connect, shop.pool.clone(), log, reactors, &quick()).await.unwrap()
}

/// Repeats `look` until it returns a value.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn reactor(shop: &TestShop) -> Value {
    shop.read("reactors/").await[0].clone()
}

/// Waits until no event is unread and no reaction is due.
pub async fn wait_until_drained(shop: &TestShop) {
    eventually("the reactions", async || {
        let reactor = reactor(shop).await;
        (reactor["lag"] == 0 && reactor["due"] == 0).then_some(())
    })
    .await;
}
