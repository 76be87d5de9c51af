//! Figures of some days: states of orders, buyers, and what categories sold.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;

async fn order(shop: &TestShop, customer: Option<i64>, product: i64, units: i64, day: &str) -> i64 {
    let lines = json!([{ "product_id": product, "quantity": units }]);
    let order = json!({ "customer_id": customer, "placed_at": format!("{day}T12:00:00Z"), "lines": lines });
    shop.done("orders/", order).await["order_id"].as_i64().unwrap()
}

#[tokio::test]
async fn states_buyers_and_categories_count_the_orders_of_the_days() {
    let shop = TestShop::new().await;
    for path in ["order-states/", "order-states/?open=true", "buyers/", "category-sales/"] {
        assert_eq!(shop.read(path).await, json!([]), "{path}");
    }
    let kettle = shop.product("Kettle", "20.00", 90).await;
    let garden = shop.category("Garden").await;
    let rake = json!({ "name": "Rake", "price": "5.00", "category": "Garden", "stock": 90 });
    let rake = shop.done("products/", rake).await["product_id"].as_i64().unwrap();
    let (ada, bea) = (shop.customer("Ada").await, shop.customer("Bea").await);
    order(&shop, Some(ada), kettle, 1, "2025-12-31").await;
    let cancelled = order(&shop, Some(bea), kettle, 1, "2025-12-31").await;
    shop.done(&format!("order/{cancelled}/cancel/"), json!({})).await;
    let paid = order(&shop, Some(ada), kettle, 2, "2026-01-01").await;
    shop.done(&format!("order/{paid}/pay/"), json!({})).await;
    order(&shop, Some(ada), rake, 1, "2026-01-31").await;
    order(&shop, Some(bea), rake, 3, "2026-02-28").await;
    order(&shop, None, kettle, 1, "2026-02-28").await;
    let gone = order(&shop, None, kettle, 7, "2026-02-28").await;
    shop.done(&format!("order/{gone}/cancel/"), json!({})).await;
    order(&shop, Some(bea), kettle, 1, "2026-03-01").await;

    let days = "from=2026-01-01&to=2026-02-28";
    let states = |status: &str, payment: &str, orders: i64, total: &str| json!({ "status": status, "payment": payment, "orders": orders, "total_amount": total, "complete": true });
    let counted = shop.read(&format!("order-states/?{days}")).await;
    let gone = counted.as_array().unwrap().iter().find(|row| row["status"] == "cancelled").unwrap().clone();
    assert_eq!((&gone["orders"], &gone["total_amount"]), (&json!(1), &json!("140.00")), "{counted}");
    let open: Vec<Value> = counted.as_array().unwrap().iter().filter(|row| **row != gone).cloned().collect();
    assert_eq!(open, [states("pending", "paid", 1, "40.00"), states("pending", "pending", 3, "40.00")]);
    let open = shop.read("order-states/?open=true").await;
    assert_eq!(open, json!([states("pending", "paid", 1, "40.00"), states("pending", "pending", 5, "80.00")]));

    let buyers = |kind: &str, customers: i64, orders: i64, total: &str| json!({ "kind": kind, "customers": customers, "orders": orders, "total_amount": total, "complete": true });
    assert_eq!(
        shop.read(&format!("buyers/?{days}")).await,
        json!([buyers("guest", 0, 1, "20.00"), buyers("new", 1, 1, "15.00"), buyers("returning", 1, 2, "45.00")]),
        "a cancelled order makes no customer a returning one"
    );

    let kitchen = shop.read(&format!("product/{kettle}/")).await["category_id"].clone();
    let sold = |id: Value, name: &str, units: i64, revenue: &str| json!({ "category_id": id, "category_name": name, "units": units, "revenue": revenue });
    let category_sales = shop.read(&format!("category-sales/?{days}")).await;
    let kitchen = if kitchen.is_null() { category_sales[0]["category_id"].clone() } else { kitchen };
    assert_eq!(
        category_sales,
        json!([sold(kitchen.clone(), "Kitchen", 3, "60.00"), sold(json!(garden), "Garden", 4, "20.00")])
    );
    assert_eq!(
        shop.read("category-sales/?from=2026-01-31&to=2026-02-28&limit=1").await,
        json!([sold(kitchen, "Kitchen", 1, "20.00")]),
        "a day, a whole month, and the greater of two equal amounts by number"
    );
    for (path, field) in [
        ("order-states/?open=true&from=2026-01-01", "open"),
        ("order-states/?from=2026-01-02&to=2026-01-01", "from"),
        ("order-states/?to=yesterday", "to"),
        ("buyers/?from=2026-01-02&to=2026-01-01", "from"),
        ("category-sales/?limit=1001", "limit"),
        ("category-sales/?limit=0", "limit"),
    ] {
        let refused = shop.get(path).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{path}: {}", refused.body);
    }
    let all = "?from=0001-01-01&to=9999-12-31";
    for path in ["order-states/", "buyers/", "category-sales/"] {
        assert_eq!(shop.read(&format!("{path}{all}")).await, shop.read(path).await, "all days without from and to");
    }
}
