//! The dashboard and the statistics.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use chrono::{Days, NaiveDate, Utc};
use serde_json::json;

use crate::support::TestShop;
use crate::support::visitor::{VisitedPage, Visitor};

async fn order(shop: &TestShop, customer: i64, product: i64, units: i64, day: NaiveDate) -> i64 {
    let lines = json!([{ "product_id": product, "quantity": units }]);
    let order = json!({ "customer_id": customer, "placed_at": format!("{day}T00:00:00Z"), "lines": lines });
    shop.done("orders/", order).await["order_id"].as_i64().unwrap()
}

/// The number that stands before a task of the panel.
fn to_do(page: &VisitedPage, title: &str) -> String {
    let before = page.html.split(&format!("</span> {title}</a>")).next().unwrap();
    assert_ne!(before.len(), page.html.len(), "{title}: {}", page.html);
    before.rsplit('>').next().unwrap().to_owned()
}

const REPORTS: [&str; 9] = [
    "/admin/statistics",
    "/admin/statistics/orders",
    "/admin/statistics/bestsellers",
    "/admin/statistics/never-ordered",
    "/admin/statistics/category-sales",
    "/admin/statistics/categories",
    "/admin/statistics/buyers",
    "/admin/statistics/customers",
    "/admin/statistics/abandoned-carts",
];

#[tokio::test]
async fn the_dashboard_shows_figures_with_the_lists_that_they_are_made_of() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let empty = visitor.visit("/admin/").await;
    for text in [
        "There is nothing to show for these days.",
        "Nothing was sold in these days.",
        "No product is below its threshold.",
    ] {
        assert!(empty.html.contains(text), "{text}: {}", empty.html);
    }
    for report in REPORTS {
        assert!(visitor.visit(report).await.html.contains("class=\"empty\"") || report == REPORTS[0], "{report}");
    }

    let hostile = "<b>Kettle</b> & \"co\"";
    let kettle = shop.product(hostile, "20.00", 40).await;
    shop.product("Unloved", "3.00", 2).await;
    let ada = shop.customer("Ada").await;
    let today = Utc::now().date_naive();
    order(&shop, ada, kettle, 1, today - Days::new(40)).await;
    let paid = order(&shop, ada, kettle, 2, today - Days::new(3)).await;
    shop.done(&format!("order/{paid}/pay/"), json!({})).await;
    order(&shop, ada, kettle, 3, today).await;
    shop.settle().await;

    let page = visitor.visit("/admin/").await;
    let shown =
        ["100.00\u{a0}EUR", "20.00\u{a0}EUR before, +400.0\u{a0}%", "Returning customers:\u{a0}1", "Ada Miller"];
    for text in shown {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
    assert!(!page.html.contains("<b>Kettle") && page.html.contains("Kettle"), "{}", page.html);
    for (title, count) in [
        ("Orders to pack", "1"),
        ("Orders not paid", "2"),
        ("Orders to ship", "0"),
        ("Products with low stock", "1"),
        ("Warnings of the shop", "0"),
    ] {
        assert_eq!(to_do(&page, title), count, "{title}");
    }
    assert!(!page.html.contains("Parked deliveries"), "a reader may not see them");
    let links = page.links();
    let days = format!("from={}&to={today}", today - Days::new(29));
    for link in [
        format!("/admin/orders?{days}"),
        format!("/admin/orders?status=pending&{days}"),
        format!("/admin/orders?from={today}&to={today}"),
        format!("/admin/orders?product_id={kettle}&{days}"),
        format!("/admin/statistics/category-sales/csv?{days}"),
        "/admin/orders?status=pending&payment=paid".to_owned(),
        "/admin/products/low-stock".to_owned(),
        "?period=7days".to_owned(),
    ] {
        assert!(links.contains(&link), "{link}: {links:?}");
    }
    let today_alone = visitor.visit("/admin/?period=today").await;
    assert!(today_alone.html.contains("60.00\u{a0}EUR") && today_alone.html.contains("none before"));
    let refused = visitor.visit("/admin/?from=2026-02-01&to=nonsense").await;
    assert!(refused.html.contains("role=\"alert\"") && refused.html.contains("value=\"nonsense\""), "{}", refused.html);

    check_reports(&visitor, kettle, &days).await;
    let admin = Visitor::logged_in(&shop, Role::Admin).await;
    assert_eq!(to_do(&admin.visit("/admin/").await, "Parked deliveries"), "0");
}

async fn check_reports(visitor: &Visitor<'_>, kettle: i64, days: &str) {
    for (address, shown, file, lines) in [
        ("?by=month&period=year", "Sum", format!("sales/csv?by=day&{days}"), 31),
        ("/orders?period=30days", ">Paid<", format!("orders/csv?{days}"), 3),
        ("/bestsellers?category_id=1", "Kettle", format!("bestsellers/csv?category_id=1&{days}"), 2),
        ("/never-ordered", "Unloved", "never-ordered/csv".to_owned(), 2),
        ("/category-sales", "Kitchen", format!("category-sales/csv?{days}"), 2),
        ("/categories", "Kitchen", "categories/csv".to_owned(), 2),
        ("/buyers", "Returning", format!("buyers/csv?{days}"), 2),
        ("/customers", "Ada Miller", "customers/csv".to_owned(), 2),
        ("/abandoned-carts?days=3", "There are no abandoned carts.", "abandoned-carts/csv?days=3".to_owned(), 1),
    ] {
        let page = visitor.visit(&format!("/admin/statistics{address}")).await;
        assert!(page.html.contains(shown), "{address}: {}", page.html);
        assert!(page.links().iter().any(|link| link.contains("/csv")), "{address}");
        let csv = visitor.visit(&format!("/admin/statistics/{file}")).await;
        assert!(csv.header("content-type").starts_with("text/csv"), "{file}");
        assert_eq!(csv.html.lines().count(), lines, "{file}: {}", csv.html);
    }
    let bestsellers = visitor.visit("/admin/statistics/bestsellers").await;
    assert!(bestsellers.links().contains(&format!("/admin/products/{kettle}")), "{:?}", bestsellers.links());
    let refused = visitor.visit("/admin/statistics/abandoned-carts?days=many").await;
    assert!(refused.html.contains("role=\"alert\">days"), "{}", refused.html);
    assert_eq!(visitor.get("/admin/statistics/nonsense/csv").await.status, StatusCode::NOT_FOUND);
    let refused = visitor.get("/admin/statistics/sales/csv?from=nonsense").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}
