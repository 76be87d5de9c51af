//! Movements of the stock: every change of what is on hand or reserved, with its event.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

fn column<'rows>(movements: &'rows Value, field: &str) -> Vec<&'rows Value> {
    movements.as_array().unwrap().iter().map(|movement| &movement[field]).collect()
}

/// All pages of a list.
async fn walk(shop: &TestShop, path: &str) -> Vec<Value> {
    let (mut rows, mut next) = (Vec::new(), path.to_owned());
    loop {
        let page = shop.get(&next).await;
        assert_eq!(page.status, StatusCode::OK, "{next}: {}", page.body);
        rows.extend(page.body.as_array().unwrap().clone());
        let Some(link) = page.header("link").split(['<', '>']).nth(1).map(str::to_owned) else { return rows };
        next = link.strip_prefix("/shop/api/").unwrap().to_owned();
    }
}

#[tokio::test]
async fn every_change_of_the_stock_is_shown_with_its_event_order_and_both_levels() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 10).await;
    shop.product("Cup", "2.00", 0).await;
    shop.customer("Ada").await;
    assert_eq!(shop.read("stock-movements/?product_id=2").await, json!([]), "no unit was received");
    let lines = json!([{ "product_id": kettle, "quantity": 3 }]);
    shop.done("orders/", json!({ "customer_id": 1, "lines": lines })).await;
    shop.done("order/1/pay/", json!({})).await;
    shop.done("order/1/process/", Value::Null).await;
    let shipped = json!({ "collected": true, "lines": [{ "line": 1, "quantity": 2 }] });
    shop.done("order/1/ship/", shipped).await;
    shop.done("order/1/cancel/", json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    shop.done("order/1/return/", json!({ "lines": [{ "line": 1, "quantity": 1, "restock": true }] })).await;
    shop.done("product/1/stock/", json!({ "count": 4, "reason": "a shelf fell" })).await;
    shop.done("product/2/stock/", json!({ "change": 7, "reason": "delivery 4711" })).await;
    shop.send("PATCH", "product/1/", json!({ "price": "21.00" }), &[]).await;

    let movements = shop.read("stock-movements/?product_id=1").await;
    assert_eq!(
        column(&movements, "event_type"),
        ["StockCorrected", "StockReturned", "StockReleased", "StockShipped", "StockReserved", "StockReceived",]
    );
    let order = json!(1);
    assert_eq!(column(&movements, "order_id"), [&Value::Null, &order, &order, &order, &order, &Value::Null]);
    let levels = |at: &str| {
        let level = |level: &&Value| (level["on_hand"].as_i64().unwrap(), level["reserved"].as_i64().unwrap());
        column(&movements, at).iter().map(level).collect::<Vec<_>>()
    };
    assert_eq!(levels("before"), [(9, 0), (8, 0), (8, 1), (10, 3), (10, 0), (0, 0)]);
    assert_eq!(levels("after"), [(4, 0), (9, 0), (8, 0), (8, 1), (10, 3), (10, 0)]);
    assert_eq!((&movements[0]["reason"], &movements[0]["product_id"]), (&json!("a shelf fell"), &json!(1)));
    assert!(movements[0]["actor"].as_str().unwrap().starts_with("account/"), "{}", movements[0]);
    let event = &shop.read("events/?type=StockCorrected").await[0];
    for field in ["position", "event_id", "recorded_at"] {
        assert_eq!(movements[0][field], event[field], "{field}");
    }

    let all = shop.read("stock-movements/").await;
    assert_eq!((all.as_array().unwrap().len(), &all[0]["product_id"]), (7, &json!(2)));
    assert!(column(&all, "position").iter().map(|position| position.as_i64().unwrap()).rev().is_sorted());
    assert_eq!(walk(&shop, "stock-movements/?limit=2").await, *all.as_array().unwrap());
    assert_eq!(walk(&shop, "stock-movements/?limit=4&product_id=1").await, *movements.as_array().unwrap());
    assert_eq!(shop.read("stock-movements/?product_id=99").await, json!([]));
    for (query, field) in [
        ("product_id=x", "product_id"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("limit=0", "limit"),
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("cursor=x", "cursor"),
    ] {
        let refused = shop.get(&format!("stock-movements/?{query}")).await;
        assert_eq!(
            (refused.problem(), &refused.body["errors"][0]["field"]),
            ("invalid_request", &json!(field)),
            "{query}"
        );
    }
}

/// Appends events of product 1: sequence, type and payload.
async fn add_events(shop: &TestShop, events: &str) {
    let insert = format!(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         select 'Product', '1', added.sequence, added.event_type, '1.0', added.payload, '{{}}'
         from ({events}) as added (sequence, event_type, payload)"
    );
    sqlx::query(&insert).execute(&shop.pool).await.unwrap();
}

#[tokio::test]
async fn movements_of_some_days_are_found_in_a_long_log() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 0).await;
    shop.engine.projector.stop().await;
    // A day has 100 events of the product: 90 new prices and 10 receipts; 60 days.
    add_events(
        &shop,
        "select 1 + number, kind.event_type, jsonb_build_object(
             'event', kind.event_type, 'price', '1.00', 'previous_price', '2.00', 'quantity', 1, 'reason', null,
             'on_hand', number, 'reserved', 0
         )
         from generate_series(1, 6000) as number
         cross join lateral (
             select case when number % 10 = 0 then 'StockReceived' else 'ProductRepriced' end as event_type
         ) as kind
         order by number",
    )
    .await;
    let dated = "alter table events disable trigger user;
        update events set recorded_at = timestamptz '2040-01-01 00:00Z' + (sequence - 1) * interval '864 seconds'
        where aggregate_type = 'Product' and sequence > 1;
        alter table events enable trigger user";
    sqlx::raw_sql(dated).execute(&shop.pool).await.unwrap();
    for product in ["", "&product_id=1"] {
        let days = async |query: &str| walk(&shop, &format!("stock-movements/?limit=7{query}{product}")).await;
        let fifth = days("&from=2040-01-05&to=2040-01-05").await;
        let recorded: Vec<_> = fifth.iter().map(|movement| movement["recorded_at"].as_str().unwrap()).collect();
        assert_eq!((recorded.len(), recorded[0], recorded[9]), (10, "2040-01-05T21:36:00Z", "2040-01-05T00:00:00Z"));
        assert_eq!(days("&from=2040-02-28").await.len(), 21);
        assert_eq!(days("&to=2040-01-02").await.len(), 19);
        assert_eq!(days("&to=2039-01-01").await.len() + days("&from=2041-01-01").await.len(), 0);
        assert_eq!(days("").await.len(), 600);
    }
    // A page reads a bounded part of the stream: with few movements in it, a page is short and has a next one.
    add_events(
        &shop,
        "select 6001 + number, 'ProductRepriced',
             jsonb_build_object('event', 'ProductRepriced', 'price', '1.00', 'previous_price', '2.00')
         from generate_series(1, 4500) as number",
    )
    .await;
    let first = shop.get("stock-movements/?product_id=1&limit=5").await;
    assert_eq!((first.body.as_array().unwrap().len(), first.header("link").is_empty()), (0, false));
    let all = walk(&shop, "stock-movements/?product_id=1&limit=1000").await;
    let positions: Vec<_> = all.iter().map(|movement| movement["position"].as_i64().unwrap()).collect();
    assert!(positions.len() == 600 && positions.iter().rev().is_sorted(), "{} movements", positions.len());
}
