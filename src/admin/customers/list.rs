//! The list of customers.

use askama::Template;
use axum::response::Response;

use super::{Customer, address};
use crate::admin::api::Problem;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

/// Parameters of the API's list that the address may have.
const FILTERS: [&str; 4] = ["search", "email", "registered_from", "registered_to"];

#[derive(Template)]
#[template(path = "admin/customers/list.html")]
struct CustomerListPage {
    page: Page,
    list: Listing<Customer>,
}

impl CustomerListPage {
    fn is_filtered(&self) -> bool {
        self.list.query.has_any(&FILTERS)
    }
}

/// Whether a customer has the number.
async fn has_number(staff: &Staff, customer_id: i64) -> Result<bool, Problem> {
    match staff.api.get(format!("customer/{customer_id}")).read::<Customer>().await {
        Ok(_) => Ok(true),
        Err(problem) if [400, 404].contains(&problem.status) => Ok(false),
        Err(problem) => Err(problem),
    }
}

pub async fn show(staff: Staff) -> PageResult {
    // A number that is searched leads to its customer.
    if let Ok(number) = staff.query.get("search").trim().trim_start_matches('#').parse()
        && has_number(&staff, number).await?
    {
        return staff.redirect(&address(number));
    }
    let list = Listing::read(&staff, staff.api.get("customers"), &FILTERS).await?;
    staff.show(&CustomerListPage { page: staff.page("Customers"), list })
}

/// The whole list under the same filters.
pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("customers").queries(staff.query.pairs(&FILTERS)).stream_csv("customers.csv").await
}
