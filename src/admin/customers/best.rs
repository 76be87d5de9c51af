//! Customers by what they have spent.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use crate::admin::api::Problem;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/customers/best.html")]
struct BestCustomersPage {
    page: Page,
    list: Listing<Row>,
}

#[derive(Deserialize)]
struct Row {
    customer_id: i64,
    name: String,
    /// Empty after an erasure.
    email: String,
    total_orders: i64,
    total_spent: String,
}

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::read(&staff, staff.api.get("customer-stats"), &[]).await?;
    staff.show(&BestCustomersPage { page: staff.page("Best customers").below("Customers", "/admin/customers"), list })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("customer-stats").stream_csv("best-customers.csv").await
}
