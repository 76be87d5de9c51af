//! Orders that wait for stock: a count found fewer units than orders reserve.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin::api::Problem;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/orders/short.html")]
struct ShortOrdersPage {
    page: Page,
    list: Listing<Row>,
}

/// A product of an order as the API lists it.
#[derive(Deserialize)]
struct Row {
    order_id: i64,
    placed_at: DateTime<Utc>,
    product_id: i64,
    product_name: String,
    unshipped: i64,
    missing: i64,
    on_hand: i64,
    reserved: i64,
}

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::read(&staff, staff.api.get("orders/short"), &[]).await?;
    let page = staff.page("Orders short of stock").below("Orders", "/admin/orders");
    staff.show(&ShortOrdersPage { page, list })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("orders/short").stream_csv("orders-short-of-stock.csv").await
}
