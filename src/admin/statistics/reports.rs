//! The reports beside that of sales: orders, products, categories, customers and carts.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Cell, Choice, Report, customer_page, money, number, text, time};
use crate::admin::categories::{CategoryOption, read_options};
use crate::admin::dashboard::reads::{BestCustomer, Bestseller, Buyers, CategorySales, OrderStates};
use crate::admin::dashboard::shares::{INCOMPLETE, word_of_buyers};
use crate::admin::days::Days;
use crate::admin::form::capitalized;
use crate::admin::list::Listing;
use crate::admin::orders::states;
use crate::admin::staff::{PageResult, Staff};

/// The most categories that the API lists.
pub const MAX_CATEGORIES: usize = 1_000;

#[derive(Deserialize)]
struct CategoryStock {
    category_name: String,
    category_id: i64,
    product_count: i64,
    total_stock: i64,
    avg_price: String,
}

#[derive(Deserialize)]
struct NeverOrdered {
    product_id: i64,
    name: String,
    price: String,
    stock: i64,
    category: String,
}

#[derive(Deserialize)]
struct AbandonedCart {
    customer_id: Option<i64>,
    items: i64,
    units: i64,
    value: String,
    changed_at: DateTime<Utc>,
}

/// Days without a change after which a cart counts as abandoned.
const CART_DAYS: [(&str, &str); 3] = [("3", "3 days"), ("7", "7 days"), ("30", "30 days")];

pub async fn show_orders(staff: Staff) -> PageResult {
    let days = Days::read(&staff.query, staff.today());
    let states = days.bound(staff.api.get("order-states")).read::<Vec<OrderStates>>().await?.data;
    let mut report =
        Report::new(&staff, "Orders by state", "Orders that were placed in these days (UTC), by status and payment.");
    let page = &report.page;
    let row = |row: &OrderStates| {
        let link = format!("/admin/orders?status={}&payment={}&{}", row.status, row.payment, days.parameters());
        vec![
            text(capitalized(&states::status(&row.status).text)),
            text(capitalized(&states::payment(&row.payment).text)),
            number(page.quantity(&row.orders)).to(link),
            number(money(page, row.total_amount)),
        ]
    };
    report.rows = states.iter().map(row).collect();
    report.heads = vec![text("State"), text("Payment"), number("Orders"), number("Value")];
    report.remark = if states.iter().all(|states| states.complete) { "" } else { INCOMPLETE };
    report.csv = format!("/admin/statistics/orders/csv?{}", days.parameters());
    report.empty = "No orders were placed in these days. Choose other days above.";
    report.days = Some(days);
    staff.show(&report)
}

pub async fn show_bestsellers(staff: Staff) -> PageResult {
    let days = Days::read(&staff.query, staff.today());
    let call = days.bound(staff.api.get("bestsellers"));
    let (list, categories) =
        tokio::try_join!(Listing::<Bestseller>::read(&staff, call, &["category_id"]), read_options(&staff))?;
    let mut report = Report::new(
        &staff,
        "Bestsellers",
        "Products by units sold in orders of these days (UTC), without cancelled and returned units.",
    );
    let page = &report.page;
    let row = |product: &Bestseller| {
        vec![
            text(product.name.as_str()).to(format!("/admin/products/{}", product.product_id)),
            number(page.quantity(&product.total_sold)).to(format!(
                "/admin/orders?product_id={}&{}",
                product.product_id,
                days.parameters()
            )),
            number(page.money(&product.total_revenue)),
        ]
    };
    report.rows = list.rows.iter().map(row).collect();
    report.heads = vec![text("Product"), number("Units"), number("Revenue")];
    let category = staff.query.pairs(&["category_id"]).map(|(name, value)| format!("&{name}={value}"));
    report.csv = format!("/admin/statistics/bestsellers/csv?{}{}", days.parameters(), category.collect::<String>());
    report.choices = vec![Choice {
        name: "category_id",
        label: "Category",
        any: "Any",
        options: categories.iter().map(CategoryOption::pair).collect(),
    }];
    (report.pager, report.problem) = (list.pager, list.problem);
    report.empty = "Nothing was sold in these days. Choose other days above.";
    report.days = Some(days);
    staff.show(&report)
}

pub async fn show_category_sales(staff: Staff) -> PageResult {
    let days = Days::read(&staff.query, staff.today());
    let call = days.bound(staff.api.get("category-sales")).query("limit", MAX_CATEGORIES);
    let categories = call.read::<Vec<CategorySales>>().await?.data;
    let mut report = Report::new(
        &staff,
        "Sales of categories",
        "Units sold in orders of these days (UTC), by the category that each product has now.",
    );
    let whole: Decimal = categories.iter().map(|category| category.revenue).sum();
    let page = &report.page;
    let row = |category: &CategorySales| {
        let id = category.category_id;
        let bestsellers = format!("/admin/statistics/bestsellers?category_id={id}&{}", days.parameters());
        vec![
            text(category.category_name.as_str()).to(format!("/admin/categories/{id}")),
            number(page.quantity(&category.units)).to(bestsellers),
            number(money(page, category.revenue)),
            number(page.percent(&category.revenue, &whole)),
        ]
    };
    report.rows = categories.iter().map(row).collect();
    report.heads = vec![text("Category"), number("Units"), number("Revenue"), number("Share")];
    report.csv = format!("/admin/statistics/category-sales/csv?{}", days.parameters());
    report.empty = "Nothing was sold in these days. Choose other days above.";
    report.days = Some(days);
    staff.show(&report)
}

pub async fn show_categories(staff: Staff) -> PageResult {
    let call = staff.api.get("category-stats").query("subtree", true);
    let list = Listing::<CategoryStock>::read(&staff, call, &[]).await?;
    let mut report = Report::new(
        &staff,
        "Stock of categories",
        "Products of each category and of the categories below it, as of now.",
    );
    let page = &report.page;
    let row = |category: &CategoryStock| {
        let id = category.category_id;
        vec![
            text(category.category_name.as_str()).to(format!("/admin/categories/{id}")),
            number(page.quantity(&category.product_count)).to(format!("/admin/products?category_id={id}")),
            number(page.quantity(&category.total_stock)),
            number(page.money(&category.avg_price)),
        ]
    };
    report.rows = list.rows.iter().map(row).collect();
    report.heads = vec![text("Category"), number("Products"), number("Units in stock"), number("Average price")];
    (report.pager, report.problem) = (list.pager, list.problem);
    report.csv = "/admin/statistics/categories/csv".to_owned();
    report.empty = "There are no categories yet. Create one under Categories.";
    staff.show(&report)
}

pub async fn show_buyers(staff: Staff) -> PageResult {
    let days = Days::read(&staff.query, staff.today());
    let buyers = days.bound(staff.api.get("buyers")).read::<Vec<Buyers>>().await?.data;
    let mut report = Report::new(
        &staff,
        "New and returning",
        "Buyers of these days (UTC), without cancelled orders. A customer is new if the first order was in these days.",
    );
    let page = &report.page;
    let orders = || format!("/admin/orders?{}", days.parameters());
    let row = |buyers: &Buyers| {
        let customers = if buyers.kind == "guest" { String::new() } else { page.quantity(&buyers.customers) };
        vec![
            text(word_of_buyers(&buyers.kind)),
            number(customers),
            number(page.quantity(&buyers.orders)).to(orders()),
            number(money(page, buyers.total_amount)),
        ]
    };
    report.rows = buyers.iter().map(row).collect();
    report.heads = vec![text("Buyers"), number("Customers"), number("Orders"), number("Revenue")];
    report.remark = if buyers.iter().all(|buyers| buyers.complete) { "" } else { INCOMPLETE };
    report.csv = format!("/admin/statistics/buyers/csv?{}", days.parameters());
    report.empty = "No orders were placed in these days. Choose other days above.";
    report.days = Some(days);
    staff.show(&report)
}

pub async fn show_customers(staff: Staff) -> PageResult {
    let list = Listing::<BestCustomer>::read(&staff, staff.api.get("customer-stats"), &[]).await?;
    let mut report = Report::new(
        &staff,
        "Best customers",
        "Customers by what they spent since the first order, without cancelled orders.",
    );
    let page = &report.page;
    let row = |customer: &BestCustomer| {
        vec![
            Cell { link: customer.address(), ..text(customer.name.as_str()) },
            text(customer.email.as_str()),
            number(page.quantity(&customer.total_orders))
                .to(format!("/admin/orders?customer_id={}", customer.customer_id)),
            number(page.money(&customer.total_spent)),
        ]
    };
    report.rows = list.rows.iter().map(row).collect();
    report.heads = vec![text("Customer"), text("E-mail"), number("Orders"), number("Spent")];
    (report.pager, report.problem) = (list.pager, list.problem);
    report.csv = "/admin/statistics/customers/csv".to_owned();
    report.empty = "There are no customers yet. They appear here after their first order.";
    staff.show(&report)
}

pub async fn show_never_ordered(staff: Staff) -> PageResult {
    let list = Listing::<NeverOrdered>::read(&staff, staff.api.get("never-ordered"), &[]).await?;
    let mut report = Report::new(&staff, "Never ordered", "Products that were never ordered.");
    let page = &report.page;
    let row = |product: &NeverOrdered| {
        vec![
            text(product.name.as_str()).to(format!("/admin/products/{}", product.product_id)),
            text(product.category.as_str()),
            number(page.money(&product.price)),
            number(page.quantity(&product.stock)),
        ]
    };
    report.rows = list.rows.iter().map(row).collect();
    report.heads = vec![text("Product"), text("Category"), number("Price"), number("Stock")];
    (report.pager, report.problem) = (list.pager, list.problem);
    report.csv = "/admin/statistics/never-ordered/csv".to_owned();
    report.empty = "Every product was ordered at least once.";
    staff.show(&report)
}

pub async fn show_abandoned_carts(staff: Staff) -> PageResult {
    let list = Listing::<AbandonedCart>::read(&staff, staff.api.get("abandoned-carts"), &["days"]).await?;
    let mut report = Report::new(
        &staff,
        "Abandoned carts",
        "Carts with items that were not checked out, the latest change first. The value counts what can be ordered.",
    );
    let page = &report.page;
    let row = |cart: &AbandonedCart| {
        let buyer = match cart.customer_id {
            Some(customer_id) => text(format!("Customer {customer_id}")).to(customer_page(customer_id)),
            None => text("Guest"),
        };
        vec![
            buyer,
            number(page.quantity(&cart.items)),
            number(page.quantity(&cart.units)),
            number(page.money(&cart.value)),
            time(cart.changed_at),
        ]
    };
    report.rows = list.rows.iter().map(row).collect();
    report.heads = vec![text("Cart of"), number("Products"), number("Units"), number("Value"), text("Last change")];
    let days = staff.query.pairs(&["days"]).map(|(name, value)| format!("?{name}={value}"));
    report.csv = format!("/admin/statistics/abandoned-carts/csv{}", days.collect::<String>());
    report.choices = vec![Choice {
        name: "days",
        label: "Unchanged for",
        any: "1 day",
        options: CART_DAYS.map(|(days, title)| (days.to_owned(), title.to_owned())).to_vec(),
    }];
    (report.pager, report.problem) = (list.pager, list.problem);
    report.empty = "There are no abandoned carts. A cart appears here when it was not changed for these days.";
    staff.show(&report)
}
