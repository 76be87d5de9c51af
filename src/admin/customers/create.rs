//! A new customer.

use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::address;
use crate::admin::form::Form;
use crate::admin::notes;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/customers/new.html")]
struct NewCustomerPage {
    page: Page,
    form: Form,
}

#[derive(Deserialize)]
struct Created {
    customer_id: i64,
}

const FIELDS: [&str; 4] = ["first_name", "last_name", "email", "metadata"];

impl NewCustomerPage {
    fn new(staff: &Staff, form: Form) -> Self {
        Self { page: staff.page("New customer").below("Customers", "/admin/customers"), form }
    }
}

pub async fn show(staff: Staff) -> PageResult {
    staff.require("register_customer")?;
    staff.show(&NewCustomerPage::new(&staff, Form::new(FIELDS.map(|field| (field, String::new())))))
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let created = match notes::pairs(form.value("metadata")) {
        Ok(metadata) => {
            let body = json!({
                "first_name": form.text("first_name"),
                "last_name": form.text("last_name"),
                "email": form.text("email"),
                "metadata": metadata,
            });
            staff.api.post("customers").json(&body).key(&form.key).read::<Created>().await
        }
        Err(problem) => Err(problem),
    };
    match created {
        Ok(created) => staff.done(&address(created.data.customer_id), "The customer was created."),
        Err(problem) if problem.is_about_input() => {
            staff.show_refused(&problem, &NewCustomerPage::new(&staff, form.refused(problem.clone())))
        }
        Err(problem) => Err(problem),
    }
}
