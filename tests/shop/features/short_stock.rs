//! A count that finds fewer units than orders reserve: what is sold, what is shipped, and which orders must wait.

use axum::http::StatusCode;
use base64::Engine;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{TestShop, fresh_database};

/// Orders of staff for a product, paid and in process.
async fn orders(shop: &TestShop, product: i64, quantities: &[i64]) -> Vec<i64> {
    let mut orders = Vec::new();
    for quantity in quantities {
        let lines = json!([{ "product_id": product, "quantity": quantity }]);
        let order = shop.done("orders/", json!({ "lines": lines })).await["order_id"].as_i64().unwrap();
        shop.address_order(order).await;
        for step in ["pay", "process"] {
            shop.done(&format!("order/{order}/{step}/"), Value::Null).await;
        }
        orders.push(order);
    }
    orders
}

async fn short(shop: &TestShop) -> Vec<(i64, i64, i64)> {
    let rows = shop.read("orders/short/").await;
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (number(row, "order_id"), number(row, "unshipped"), number(row, "missing"))).collect()
}

#[tokio::test]
async fn a_count_below_what_is_reserved_is_accepted_and_nothing_is_sold_below_zero() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "10.00", 10).await;
    let mug = shop.product("Mug", "5.00", 4).await;
    let orders = orders(&shop, kettle, &[2, 3]).await;
    let path = format!("product/{kettle}/stock/");
    assert_eq!(shop.post(&path, json!({ "change": -6 })).await.problem(), "below_reserved");
    assert_eq!(short(&shop).await, []);

    let counted = shop.done(&path, json!({ "count": 3, "reason": "stock-taking" })).await;
    let expected = json!({ "product_id": kettle, "stock": 0, "on_hand": 3, "reserved": 5, "missing": 2 });
    assert_eq!(counted, expected);
    let seen = shop.read(&format!("product/{kettle}/")).await;
    assert_eq!((&seen["stock"], &seen["on_hand"], &seen["reserved"]), (&json!(0), &json!(3), &json!(5)));
    assert_eq!(shop.read("products/?search=kettle").await[0]["stock"], 0);
    assert_eq!(shop.read("products/?in_stock=true&search=kettle").await, json!([]));
    assert_eq!(shop.read("low-stock/").await[0]["stock"], 0);
    assert_eq!(shop.read("category-stats/").await[0]["total_stock"], 4, "nothing is taken from other products");
    let facts: (i64, i64) = sqlx::query_as(
        "select on_hand, reserved from fact.stock_level where product_id = $1 order by position desc limit 1",
    )
    .bind(kettle)
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(facts, (3, 5));

    // Nothing more is sold.
    let line = json!({ "product_id": kettle, "quantity": 1 });
    let refused = shop.post("orders/", json!({ "lines": [line] })).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "items_unavailable"));
    let customer = shop.customer("Ada").await;
    shop.add(customer, kettle, 1).await;
    let cart = shop.read(&format!("customer/{customer}/cart/")).await;
    let item = &cart["items"][0];
    assert_eq!(
        (&item["available"], &item["reason"], &item["in_stock"]),
        (&json!(false), &json!("out_of_stock"), &json!(0))
    );
    assert_eq!(shop.check_out(customer).await.problem(), "items_unavailable");

    // The earlier order is served first, so the later one lacks two units.
    assert_eq!(short(&shop).await, [(orders[1], 3, 2)]);
    let row = shop.read("orders/short/").await[0].clone();
    assert_eq!((&row["product_name"], &row["on_hand"], &row["reserved"]), (&json!("Kettle"), &json!(3), &json!(5)));
    assert_eq!((&row["product_id"], &row["customer_id"]), (&json!(kettle), &Value::Null));
    shop.check_log().await;
    shop.verify().await;

    // Staff send the later order all the same; then the earlier one waits.
    shop.done(&format!("order/{}/ship/", orders[1]), Value::Null).await;
    assert_eq!(short(&shop).await, [(orders[0], 2, 2)]);
    let refused = shop.post(&format!("order/{}/ship/", orders[0]), Value::Null).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "not_on_hand"));
    let missing = json!([{ "product_id": kettle, "name": "Kettle", "requested": 2, "on_hand": 0 }]);
    assert_eq!(refused.body["products"], missing);

    // A delivery serves a part of it, and the rest is cancelled.
    let received = shop.done(&path, json!({ "change": 1 })).await;
    assert_eq!((&received["stock"], &received["missing"]), (&json!(0), &json!(1)));
    let part = json!({ "lines": [{ "line": 1, "quantity": 1 }] });
    shop.done(&format!("order/{}/ship/", orders[0]), part.clone()).await;
    let cancelled = shop.done(&format!("order/{}/cancel/", orders[0]), part).await;
    assert_eq!((&cancelled["status"], &cancelled["stock"][0]["stock"]), (&json!("shipped"), &json!(0)));
    assert_eq!(short(&shop).await, []);
    assert_eq!(shop.read(&format!("product/{kettle}/")).await["reserved"], 0);
    assert_eq!(shop.read(&format!("product/{mug}/")).await["stock"], 4);
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_shipment_names_every_product_that_is_not_on_hand() {
    let shop = TestShop::new().await;
    let (kettle, mug) = (shop.product("Kettle", "10.00", 5).await, shop.product("Mug", "5.00", 5).await);
    let lines = json!([
        { "product_id": kettle, "quantity": 2 }, { "product_id": mug, "quantity": 3 },
        { "product_id": kettle, "quantity": 1 }
    ]);
    let order = shop.done("orders/", json!({ "lines": lines })).await["order_id"].as_i64().unwrap();
    shop.address_order(order).await;
    for step in ["pay", "process"] {
        shop.done(&format!("order/{order}/{step}/"), Value::Null).await;
    }
    for product in [kettle, mug] {
        shop.done(&format!("product/{product}/stock/"), json!({ "count": 2 })).await;
    }
    let position = shop.engine.journal.position();
    let refused = shop.post(&format!("order/{order}/ship/"), Value::Null).await;
    let missing = json!([
        { "product_id": kettle, "name": "Kettle", "requested": 3, "on_hand": 2 },
        { "product_id": mug, "name": "Mug", "requested": 3, "on_hand": 2 }
    ]);
    assert_eq!((refused.problem(), &refused.body["products"]), ("not_on_hand", &missing));
    assert_eq!(shop.engine.journal.position(), position);
    assert_eq!(short(&shop).await, [(order, 3, 1), (order, 3, 1)]);
    // Units that come back, and a discontinued product, count like any other.
    let answer = shop.send("PATCH", &format!("product/{mug}/"), json!({ "discontinued": true }), &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let sent = json!({ "lines": [{ "line": 2, "quantity": 2 }] });
    shop.done(&format!("order/{order}/ship/"), sent.clone()).await;
    assert_eq!(short(&shop).await, [(order, 3, 1), (order, 1, 1)]);
    shop.done(&format!("order/{order}/return/"), sent).await;
    assert_eq!(short(&shop).await, [(order, 3, 1)]);
    shop.done(&format!("order/{order}/cancel/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    assert_eq!(short(&shop).await, []);
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn orders_that_wait_are_listed_in_pages() {
    let shop = TestShop::new().await;
    let (kettle, mug) = (shop.product("Kettle", "10.00", 20).await, shop.product("Mug", "5.00", 20).await);
    let of_kettles = orders(&shop, kettle, &[2; 5]).await;
    let of_mugs = orders(&shop, mug, &[1; 3]).await;
    for (product, count) in [(kettle, 3), (mug, 0)] {
        shop.done(&format!("product/{product}/stock/"), json!({ "count": count })).await;
    }
    let whole = short(&shop).await;
    let kettles = of_kettles[1..].iter().rev().map(|order| (*order, 2, if *order == of_kettles[1] { 1 } else { 2 }));
    assert_eq!(whole, kettles.chain(of_mugs.iter().rev().map(|order| (*order, 1, 1))).collect::<Vec<_>>());
    // A cursor of (product, order, units) that the shop did not make.
    let invented = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("[{kettle},9,{}]", i64::MAX));
    let refused = shop.get(&format!("orders/short/?cursor={invented}")).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("cursor")));
    for limit in 1..8 {
        let mut rows = Vec::new();
        let mut path = format!("orders/short/?limit={limit}");
        loop {
            let answer = shop.get(&path).await;
            rows.extend(answer.body.as_array().unwrap().iter().map(|row| row["order_id"].as_i64().unwrap()));
            let link = answer.header("link").strip_prefix("</shop/api/");
            let Some(next) = link.and_then(|link| link.split('>').next()) else { break };
            path = next.to_owned();
        }
        assert_eq!(rows, whole.iter().map(|(order, ..)| *order).collect::<Vec<_>>(), "{limit} a page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orders_that_compete_for_the_last_units_are_not_both_shipped() {
    let database = fresh_database().await;
    let nodes = [TestShop::on(database.clone()).await, TestShop::on(database).await];
    let [shop, other] = &nodes;
    let kettle = shop.product("Kettle", "10.00", 100).await;
    for _ in 0..10 {
        let orders = orders(shop, kettle, &[5, 5]).await;
        shop.done(&format!("product/{kettle}/stock/"), json!({ "count": 6 })).await;
        let ship = |order: i64| format!("order/{order}/ship/");
        let (one, two) = (ship(orders[0]), ship(orders[1]));
        let (first, second) = join(shop.post(&one, Value::Null), other.post(&two, Value::Null)).await;
        let mut codes = [first.status.as_u16(), second.status.as_u16()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409], "{} {}", first.body, second.body);
        let refused = if first.status == StatusCode::OK { &second } else { &first };
        assert_eq!((refused.problem(), &refused.body["products"][0]["on_hand"]), ("not_on_hand", &json!(1)));
        let waiting = if first.status == StatusCode::OK { orders[1] } else { orders[0] };
        assert_eq!(short(shop).await, [(waiting, 5, 4)]);
        shop.done(&format!("order/{waiting}/cancel/"), Value::Null).await;
        shop.done(&format!("product/{kettle}/stock/"), json!({ "count": 100 })).await;
    }
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_long_history_of_a_product_does_not_slow_down_its_short_orders() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "10.00", 10).await;
    let orders = orders(&shop, kettle, &[4, 5]).await;
    shop.done(&format!("product/{kettle}/stock/"), json!({ "count": 3 })).await;
    let cancelled = shop
        .done("orders/", json!({ "lines": [{ "product_id": shop.product("Mug", "1.00", 9).await, "quantity": 1 }] }))
        .await;
    shop.done(&format!("order/{}/cancel/", cancelled["order_id"]), Value::Null).await;
    shop.settle().await;
    let history = "insert into live.order_lines
        select 1000 + n, line, product_id, product_name, category_id, category_name, quantity, unit_price, subtotal,
            discount, tax_rate, tax, total, quantity * (n % 2), withdrawn, returned, n % 2 = 0
        from live.order_lines, generate_series(1, 20000) as n where order_id = $1";
    sqlx::query(history).bind(orders[0]).execute(&shop.pool).await.unwrap();
    sqlx::query("analyze live.order_lines").execute(&shop.pool).await.unwrap();
    assert_eq!(short(&shop).await, [(orders[1], 5, 5), (orders[0], 4, 1)]);

    let explained = format!("explain (analyze) {}", include_str!("../../../projections/products/short_orders.sql"));
    let plan: Vec<String> = sqlx::query_scalar(&explained)
        .bind(0_i64)
        .bind(i64::MAX)
        .bind(0_i64)
        .bind(101_i64)
        .fetch_all(&shop.pool)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("order_lines_open") && !plan.contains("rows=20000"), "{plan}");
    let open: i64 = sqlx::query_scalar("select count(*) from live.order_lines where order_id < 1000 and cancelled")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(open, 1, "a cancelled order has nothing to ship");
}
