//! Erasures that wait for open orders, and their withdrawal.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::address;
use crate::admin::api::Problem;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/customers/erasures.html")]
struct ErasuresPage {
    page: Page,
    list: Listing<WaitingErasure>,
}

#[derive(Deserialize)]
struct WaitingErasure {
    requested_at: DateTime<Utc>,
    customer_id: Option<i64>,
    /// The order of a guest.
    order_id: Option<i64>,
    open_orders: Vec<i64>,
}

const ADDRESS: &str = "/admin/customers/erasures";

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::read(&staff, staff.api.get("erasures"), &[]).await?;
    let page = staff.page("Waiting erasures").below("Customers", "/admin/customers");
    staff.show(&ErasuresPage { page, list })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("erasures").stream_csv("erasures.csv").await
}

pub async fn withdraw(staff: Staff, Id(customer_id): Id) -> PageResult {
    staff.api.delete(format!("customer/{customer_id}/erasure")).send_command().await?;
    staff.done(&address(customer_id), "The erasure was withdrawn. The customer can order again.")
}

/// The same for the contact of a guest's order.
pub async fn withdraw_guest(staff: Staff, Id(order_id): Id) -> PageResult {
    staff.api.delete(format!("order/{order_id}/contact/erasure")).send_command().await?;
    staff.done(ADDRESS, format!("The erasure of the contact of order {order_id} was withdrawn."))
}
