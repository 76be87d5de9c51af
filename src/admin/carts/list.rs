//! Open carts with items, and the abandoned ones among them.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin::api::{Call, Problem};
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

const FILTERS: [&str; 1] = ["days"];
/// Days without a change, and how the filter names them.
const UNCHANGED: [(&str, &str); 4] =
    [("1", "1 day (abandoned)"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days")];

#[derive(Template)]
#[template(path = "admin/carts/list.html")]
struct CartListPage {
    page: Page,
    list: Listing<Row>,
    unchanged: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Row {
    cart_id: String,
    /// `None` for a guest.
    customer_id: Option<i64>,
    items: i64,
    units: i64,
    value: String,
    changed_at: DateTime<Utc>,
}

impl CartListPage {
    fn is_filtered(&self) -> bool {
        self.list.query.has_any(&FILTERS)
    }
}

/// Without a number of days, every open cart.
fn call(staff: &Staff) -> Call {
    let call = staff.api.get("abandoned-carts");
    if staff.query.has("days") { call } else { call.query("days", 0) }
}

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::read(&staff, call(&staff), &FILTERS).await?;
    let mut unchanged = UNCHANGED.map(|(days, text)| (days.to_owned(), text.to_owned())).to_vec();
    let days = list.query.get("days");
    if !days.is_empty() && UNCHANGED.iter().all(|(known, _)| *known != days) {
        unchanged.push((days.to_owned(), format!("{days} days")));
    }
    staff.show(&CartListPage { page: staff.page("Carts"), list, unchanged })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    call(&staff).queries(staff.query.pairs(&FILTERS)).stream_csv("carts.csv").await
}
