//! The eight documented reads answer the same bytes as ever on the sample shop.
//!
//! A difference is a change of the interface; `golden/README.md` says how to record one that is wanted.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use cartwright::seeds;
use chrono::{Days, NaiveDate, Utc};
use tower::ServiceExt;

use crate::support::{TestShop, tokens};

/// Each read, with the file that holds its answer.
const READS: [(&str, &str); 17] = [
    ("products/", "products"),
    ("products/?search=tea&in_stock=true&sort=price_desc", "products_found"),
    ("products/?category=Coffee&min_price=10&limit=3", "products_of_a_category"),
    // Three orders; none.
    ("customer/1/orders/", "orders_of_customer_1"),
    ("customer/8/orders/", "orders_of_customer_8"),
    // Delivered, a guest's, cancelled before and after processing, pending.
    ("order/2/", "order_2"),
    ("order/4/", "order_4"),
    ("order/8/", "order_8"),
    ("order/13/", "order_13"),
    ("order/16/", "order_16"),
    ("customer/7/cart/", "cart_of_customer_7"),
    ("bestsellers/", "bestsellers"),
    ("bestsellers/?category=Tea&limit=2", "bestsellers_of_a_category"),
    ("low-stock/", "low_stock"),
    ("low-stock/?threshold=30", "low_stock_below_30"),
    ("customer-stats/", "customer_stats"),
    ("category-stats/", "category_stats"),
];

#[tokio::test]
async fn the_documented_reads_answer_the_recorded_bytes() {
    let (shop, today) = sample_shop().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shop/api/golden");
    let mut differences = Vec::new();
    for (path, name) in READS {
        let answer = lines(&answer(&shop, path).await, today);
        let file = folder.join(format!("{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &answer).unwrap();
        }
        let recorded = std::fs::read_to_string(&file).unwrap_or_default();
        if answer != recorded {
            differences.push(format!("GET {path}\nrecorded:\n{recorded}\nanswered:\n{answer}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The sample shop, and the day on which it was filled.
async fn sample_shop() -> (TestShop, NaiveDate) {
    loop {
        let today = Utc::now().date_naive();
        let shop = TestShop::new().await;
        seeds::load(&shop.engine.journal).await.unwrap();
        shop.settle().await;
        // Else it was filled around midnight, on one of two days.
        if Utc::now().date_naive() == today {
            return (shop, today);
        }
    }
}

async fn answer(shop: &TestShop, path: &str) -> String {
    let request =
        Request::get(format!("/shop/api/{path}")).header("authorization", format!("Bearer {}", *tokens::ADMIN));
    let response = shop.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().into()).unwrap()
}

/// A line per row, with days counted back from today.
fn lines(answer: &str, today: NaiveDate) -> String {
    assert!(!answer.contains('\n'), "the answer has line breaks of its own: {answer}");
    let mut answer = answer.replace("},", "},\n") + "\n";
    for days_ago in 0..40 {
        let day = today - Days::new(days_ago);
        let order_date = format!("\"order_date\":\"{day}\"");
        answer = answer.replace(&order_date, &format!("\"order_date\":\"{{days ago: {days_ago}}}\""));
    }
    answer
}
