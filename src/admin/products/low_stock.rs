//! Products to order again: those whose stock is below its threshold.

use askama::Template;
use serde::Deserialize;

use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/products/low_stock.html")]
struct LowStockPage {
    page: Page,
    list: Listing<Row>,
}

/// A product as the API lists it.
#[derive(Deserialize)]
struct Row {
    product_id: i64,
    name: String,
    price: String,
    stock: i64,
    category: String,
    low_stock_threshold: i64,
    /// Not part of this list.
    #[serde(default)]
    reserved: i64,
}

pub async fn show(staff: Staff) -> PageResult {
    let call = staff.api.get("low-stock").query("threshold", "own");
    let list = Listing::read(&staff, call, &[]).await?;
    staff.show(&LowStockPage { page: staff.page("Low stock").below("Products", "/admin/products"), list })
}

pub async fn csv(staff: Staff) -> PageResult {
    staff.api.get("low-stock").query("threshold", "own").stream_csv("low-stock.csv").await
}
