//! Reactions that wait for an operator, as if their receivers had refused them.

use super::TestShop;

/// Parks a delivery of each of the first events of the log.
pub async fn park_deliveries(shop: &TestShop, count: i64, reason: &str) {
    for number in 0..count {
        shop.category(&format!("Parked {number}")).await;
    }
    sqlx::raw_sql(
        "insert into reactor (name, position, started_at) values ('webhooks', 0, clock_timestamp())
         on conflict (name) do nothing",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    let parked = "insert into reaction (reactor, position, target, attempts, parked_at, reason)
         select 'webhooks', position, '7', 5, clock_timestamp(), $2 from generate_series(1, $1) as position";
    sqlx::query(parked).bind(count).bind(reason).execute(&shop.pool).await.unwrap();
}
