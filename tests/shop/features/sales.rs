//! Sales by period, and bestsellers of a range of days.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

/// Places an order of `units` on a day.
async fn order(shop: &TestShop, product: i64, units: i64, day: &str) -> i64 {
    let lines = json!([{ "product_id": product, "quantity": units }]);
    let order = json!({ "placed_at": format!("{day}T12:00:00Z"), "lines": lines });
    shop.done("orders/", order).await["order_id"].as_i64().unwrap()
}

/// Each period as `begin orders from..to`, with `cut` if it is not complete.
async fn periods(shop: &TestShop, query: &str) -> Vec<String> {
    let (mut shown, mut next) = (Vec::new(), format!("sales/?{query}"));
    loop {
        let answer = shop.get(&next).await;
        assert_eq!(answer.status, StatusCode::OK, "{next}: {}", answer.body);
        shown.extend(answer.body.as_array().unwrap().iter().map(|row| {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            let cut = if row["complete"] == true { "" } else { " cut" };
            format!("{} {} {}..{}{cut}", text("period"), row["orders"], text("from"), text("to"))
        }));
        let Some(link) = answer.header("link").strip_prefix("</shop/api/") else { return shown };
        next = link.split('>').next().unwrap().to_owned();
    }
}

#[tokio::test]
async fn sales_list_empty_periods_and_say_which_are_cut() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 90).await;
    assert_eq!(shop.read("sales/").await, json!([]), "no order, no period");
    order(&shop, kettle, 2, "2026-01-31").await;
    order(&shop, kettle, 1, "2026-02-02").await;
    let gone = order(&shop, kettle, 5, "2026-02-03").await;
    order(&shop, kettle, 3, "2026-04-15").await;
    shop.done(&format!("order/{gone}/cancel/"), json!({})).await;
    shop.settle().await;
    let months = [
        "2026-01-01 1 2026-01-01..2026-01-31",
        "2026-02-01 1 2026-02-01..2026-02-28",
        "2026-03-01 0 2026-03-01..2026-03-31",
        "2026-04-01 1 2026-04-01..2026-04-30",
    ];
    assert_eq!(periods(&shop, "by=month").await, months);
    assert_eq!(periods(&shop, "by=month&limit=1").await, months);
    assert_eq!(
        periods(&shop, "by=month&from=2026-01-31&to=2026-03-10").await,
        [
            "2026-01-01 1 2026-01-31..2026-01-31 cut",
            "2026-02-01 1 2026-02-01..2026-02-28",
            "2026-03-01 0 2026-03-01..2026-03-10 cut",
        ]
    );
    assert_eq!(
        periods(&shop, "by=week&from=2026-01-29&to=2026-02-15").await,
        [
            "2026-01-26 1 2026-01-29..2026-02-01 cut",
            "2026-02-02 1 2026-02-02..2026-02-08",
            "2026-02-09 0 2026-02-09..2026-02-15",
        ]
    );
    let days = ["2026-01-31 1 2026-01-31..2026-01-31", "2026-02-01 0 2026-02-01..2026-02-01"];
    assert_eq!(periods(&shop, "to=2026-02-01").await, days);
    assert_eq!(periods(&shop, "from=2025-12-30&to=2025-12-30").await, ["2025-12-30 0 2025-12-30..2025-12-30"]);
    let empty = &shop.read("sales/?by=month&from=2026-03-01&to=2026-03-31").await[0];
    assert_eq!((&empty["units"], &empty["revenue"]), (&json!(0), &json!("0.00")));
    let today = shop.engine.journal.clock().now().date_naive();
    let since = periods(&shop, &format!("from={}", today - chrono::TimeDelta::days(2))).await;
    assert_eq!(since.len(), 3, "without an end, until today: {since:?}");
    let refused = shop.get("sales/?from=2026-02-01&to=2026-01-31").await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("from")));
    let bounded = shop.get("sales/?from=0001-01-01&to=9999-12-31&limit=1000").await;
    assert_eq!((bounded.status, bounded.body.as_array().unwrap().len()), (StatusCode::OK, 1000));
}

#[tokio::test]
async fn bestsellers_of_any_range_are_the_sums_of_its_days() {
    let shop = TestShop::new().await;
    let (kettle, mug) = (shop.product("Kettle", "20.00", 900).await, shop.product("Mug", "5.00", 900).await);
    let days = [
        "2025-12-31",
        "2026-01-01",
        "2026-01-15",
        "2026-01-31",
        "2026-02-01",
        "2026-02-28",
        "2026-03-01",
        "2026-04-30",
    ];
    for (number, day) in days.into_iter().enumerate() {
        order(&shop, kettle, 1 + number as i64, day).await;
        order(&shop, mug, 10 - number as i64, day).await;
    }
    let gone = order(&shop, mug, 7, "2026-02-14").await;
    shop.done(&format!("order/{gone}/cancel/"), json!({})).await;
    shop.settle().await;
    let bounds = [
        "2025-12-01",
        "2025-12-31",
        "2026-01-01",
        "2026-01-02",
        "2026-01-31",
        "2026-02-01",
        "2026-02-15",
        "2026-02-28",
        "2026-03-01",
        "2026-04-29",
        "2026-04-30",
        "2026-05-01",
    ];
    for (place, from) in bounds.iter().enumerate() {
        for to in &bounds[place..] {
            let expected: Value = sqlx::query_scalar(
                "select coalesce(jsonb_agg(jsonb_build_array(product_id, units, revenue::text) order by units desc, product_id), '[]')
                from (
                    select product_id, sum(units_sold) as units, sum(revenue) as revenue from live.bestsellers_by_day
                    where day between $1::date and $2::date group by product_id
                ) as total",
            )
            .bind(from.parse::<chrono::NaiveDate>().unwrap())
            .bind(to.parse::<chrono::NaiveDate>().unwrap())
            .fetch_one(&shop.pool)
            .await
            .unwrap();
            let found = shop.read(&format!("bestsellers/?from={from}&to={to}")).await;
            let found: Value = found
                .as_array()
                .unwrap()
                .iter()
                .map(|row| json!([row["product_id"], row["total_sold"], row["total_revenue"]]))
                .collect();
            assert_eq!(found, expected, "{from} to {to}");
        }
    }
    assert_eq!(shop.read("bestsellers/?from=2025-01-01").await, shop.read("bestsellers/").await);
    assert_eq!(shop.read("bestsellers/?to=2030-12-31").await, shop.read("bestsellers/").await);
    shop.verify().await;
}
