//! The list of discounts.

use askama::Template;
use axum::response::Response;

use super::Discount;
use crate::admin::api::Problem;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/discounts/list.html")]
struct DiscountListPage {
    page: Page,
    list: Listing<Discount>,
}

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::read(&staff, staff.api.get("discounts"), &[]).await?;
    staff.show(&DiscountListPage { page: staff.page("Discounts"), list })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("discounts").stream_csv("discounts.csv").await
}
