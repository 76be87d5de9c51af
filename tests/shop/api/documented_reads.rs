//! The reads that the shop's documents fix: exact fields in their order, formats, orders of rows, and 404s.

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use tower::ServiceExt;

use crate::support::TestShop;

/// The names of the fields, in the order in which they are written.
fn fields(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn shop_with_an_order() -> TestShop {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 10).await;
    shop.product("Assam", "8.50", 3).await;
    shop.customer("Ada").await;
    shop.add(1, 1, 2).await;
    shop.add(1, 2, 1).await;
    assert_eq!(shop.check_out(1).await.status, StatusCode::CREATED);
    shop
}

#[tokio::test]
async fn each_documented_read_has_exactly_its_fields_in_their_order() {
    let shop = shop_with_an_order().await;
    shop.add(1, 1, 3).await;
    let product = ["product_id", "name", "price", "stock", "category"];
    for (path, expected) in [
        ("products/", &product[..]),
        ("customer/1/orders/", &["order_id", "order_date", "status", "total_amount", "customer_email"]),
        (
            "order/1/",
            &["order_id", "order_date", "customer_name", "product_name", "quantity", "price_per_unit", "subtotal"],
        ),
        ("bestsellers/", &["product_id", "name", "price", "total_sold", "total_revenue"]),
        ("low-stock/", &product),
        ("customer-stats/", &["customer_id", "name", "email", "total_orders", "total_spent"]),
        ("category-stats/", &["category_name", "product_count", "total_stock", "avg_price"]),
    ] {
        let body = shop.read(path).await;
        assert_eq!(fields(&body[0]), expected, "{path}");
    }
    let cart = shop.read("customer/1/cart/").await;
    assert_eq!(fields(&cart), ["customer_id", "items", "total"]);
    assert_eq!(
        fields(&cart["items"][0]),
        ["product_name", "price", "quantity", "subtotal", "product_id", "available", "reason", "in_stock",]
    );
}

#[tokio::test]
async fn values_are_written_as_documented() {
    let shop = shop_with_an_order().await;
    let today = chrono::Utc::now().date_naive().to_string();
    let orders = shop.read("customer/1/orders/").await;
    assert_eq!(
        orders,
        json!([{
            "order_id": 1, "order_date": today, "status": "pending", "total_amount": "48.50",
            "customer_email": "ada@example.com"
        }])
    );
    let lines = shop.read("order/1/").await;
    assert_eq!(
        lines[0],
        json!({
            "order_id": 1, "order_date": today, "customer_name": "Ada Miller", "product_name": "Kettle", "quantity": 2,
            "price_per_unit": "20.00", "subtotal": "40.00"
        })
    );
    assert_eq!(lines.as_array().unwrap().len(), 2);
    assert_eq!(shop.read("low-stock/").await[0]["stock"], 2, "stock is on hand less reserved");
}

#[tokio::test]
async fn an_unknown_thing_is_404_and_an_emptied_cart_is_empty() {
    let shop = shop_with_an_order().await;
    for (path, code, title) in [
        ("order/99/", "order_not_found", "Order not found"),
        ("order/99/summary/", "order_not_found", "Order not found"),
        ("customer/99/orders/", "customer_not_found", "Customer not found"),
        ("customer/99/cart/", "cart_not_found", "Cart not found"),
        ("product/99/", "product_not_found", "Product not found"),
        ("customer/99/", "customer_not_found", "Customer not found"),
        ("product/99/history/", "product_not_found", "Product not found"),
    ] {
        let answer = shop.get(path).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::NOT_FOUND, code), "{path}");
        assert_eq!(answer.body["error"], title);
    }
    let customer = shop.customer("Bruno").await;
    assert_eq!(shop.read(&format!("customer/{customer}/orders/")).await, json!([]));
    shop.add(customer, 1, 1).await;
    shop.send("DELETE", &format!("customer/{customer}/cart/"), Value::Null, &[]).await;
    let cart = shop.read(&format!("customer/{customer}/cart/")).await;
    assert_eq!(cart, json!({ "customer_id": customer, "items": [], "total": "0.00" }));
}

#[tokio::test]
async fn products_are_filtered_and_sorted() {
    let shop = TestShop::new().await;
    for (name, price, stock) in [("Kettle", "20.00", 1), ("assam", "8.50", 0), ("Big kettle", "30.00", 5)] {
        shop.product(name, price, stock).await;
    }
    shop.category("Empty").await;
    let names = |path: &'static str| {
        let shop = &shop;
        async move {
            let body = shop.read(path).await;
            body.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(names("products/").await, ["assam", "Big kettle", "Kettle"]);
    assert_eq!(names("products/?sort=price_asc").await, ["assam", "Kettle", "Big kettle"]);
    assert_eq!(names("products/?sort=price_desc").await, ["Big kettle", "Kettle", "assam"]);
    assert_eq!(names("products/?sort=newest").await, ["Big kettle", "assam", "Kettle"]);
    assert_eq!(names("products/?min_price=8.50&max_price=20").await, ["assam", "Kettle"]);
    assert_eq!(names("products/?search=KETTLE+big").await, ["Big kettle"]);
    assert_eq!(names("products/?in_stock=true").await, ["Big kettle", "Kettle"]);
    assert_eq!(names("products/?in_stock=false").await, ["assam"]);
    assert_eq!(names("products/?in_stock=false&sort=price_asc").await, ["assam"]);
    assert_eq!(names("products/?in_stock=false&sort=price_desc").await, ["assam"]);
    assert_eq!(names("products/?in_stock=false&sort=newest").await, ["assam"]);
    assert!(names("products/?in_stock=false&search=kettle").await.is_empty());
    assert_eq!(names("products/?category=1").await.len(), 3);
    assert_eq!(names("products/?category=kitchen").await.len(), 3);
    assert!(names("products/?category=Empty").await.is_empty());
    shop.send("PATCH", "product/1/", json!({ "discontinued": true }), &[]).await;
    assert_eq!(names("products/").await, ["assam", "Big kettle"], "a discontinued product is left out");
}

#[tokio::test]
async fn pages_follow_their_links_through_every_row_once() {
    let shop = TestShop::new().await;
    for number in 0..7 {
        let product = shop.product(&format!("Mug {}", number / 2), "5.00", 5 + number % 2).await;
        let order = json!({ "lines": [{ "product_id": product, "quantity": 1 + number % 3 }] });
        shop.done("orders/", order).await;
        shop.customer(&format!("Ada{number}")).await;
        shop.category(&format!("Empty {number}")).await;
    }
    for path in [
        "products/",
        "products/?sort=price_asc",
        "products/?sort=price_desc",
        "products/?sort=newest",
        "orders/",
        "bestsellers/?limit=100",
        "bestsellers/?from=2020-01-01&limit=100",
        "low-stock/",
        "customer-stats/",
        "category-stats/",
        "categories/",
        "events/",
        "events/?type=OrderPlaced",
        "events/?stream=Product/1",
        "product/1/history/",
    ] {
        let all = shop.read(path).await;
        let mut paged = Vec::new();
        let mut next = format!("{path}{}limit=3", if path.contains('?') { "&" } else { "?" }).replace("limit=100&", "");
        loop {
            let answer = shop.get(&next).await;
            assert_eq!(answer.status, StatusCode::OK, "{next}: {}", answer.body);
            paged.extend(answer.body.as_array().unwrap().iter().cloned());
            let link = answer.header("link");
            let Some(link) = link.strip_prefix("</shop/api/").and_then(|link| link.split('>').next()) else { break };
            next = link.to_owned();
        }
        assert_eq!(Value::Array(paged), all, "{path}");
    }
}

#[tokio::test]
async fn the_description_names_every_route_and_the_page_needs_no_other_host() {
    let shop = TestShop::new().await;
    let get = |path: &str| Request::get(path).body(axum::body::Body::empty()).unwrap();
    let description = shop.call(get("/openapi.json")).await.body;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = description["paths"].as_object().unwrap();
    for path in ["/shop/api/products", "/shop/api/customer/{customer_id}/cart/checkout", "/shop/api/events/stream"] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
    assert_eq!(shop.call(get("/docs")).await.header("location"), "/docs/");
    let page = shop.router.clone().oneshot(get("/docs/")).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
    let page = std::str::from_utf8(&page).unwrap();
    assert!(page.contains("swagger-ui") && !page.contains("https://"), "{page}");
    assert_eq!(shop.call(get("/health/live")).await.status, StatusCode::OK);
    assert_eq!(shop.call(get("/health/ready/")).await.status, StatusCode::OK);
}
