//! Reactors beside a test's shop, and waiting for what they do.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cartwright::reactors::{Reactor, ReactorOptions, Reactors};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;

use super::TestShop;

/// Reactors that lose no time.
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
    let head = shop.engine.journal.head();
    Reactors::start_with(connect, shop.pool.clone(), head, reactors, &quick()).await.unwrap()
}

/// Looks again and again until there is something to see.
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

/// Waits until nothing is left to do.
pub async fn drained(shop: &TestShop) {
    eventually("the reactions", async || {
        let reactor = reactor(shop).await;
        (reactor["lag"] == 0 && reactor["due"] == 0).then_some(())
    })
    .await;
}
