//! A new discount.

use askama::Template;

use super::{Discount, address, kinds, terms};
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/discounts/new.html")]
struct NewDiscountPage {
    page: Page,
    kinds: Vec<(String, String)>,
    form: Form,
}

const FIELDS: [&str; 8] = ["code", "kind", "value", "from", "until", "total_limit", "customer_limit", "minimum"];

impl NewDiscountPage {
    fn new(staff: &Staff, form: Form) -> Self {
        Self { page: staff.page("New discount").below("Discounts", "/admin/discounts"), kinds: kinds(), form }
    }
}

pub async fn show(staff: Staff) -> PageResult {
    staff.require("create_discount")?;
    let form = Form::new(FIELDS.map(|field| (field, String::new())));
    staff.show(&NewDiscountPage::new(&staff, form))
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let mut body = terms(&staff, &form);
    body["code"] = form.text("code");
    match staff.api.post("discounts").json(&body).key(&form.key).read::<Discount>().await {
        Ok(created) => staff.done(&address(&created.data.code), "The discount was created."),
        Err(problem) if problem.is_about_input() => {
            staff.show_refused(&problem, &NewDiscountPage::new(&staff, form.refused(problem.clone())))
        }
        Err(problem) => Err(problem),
    }
}
