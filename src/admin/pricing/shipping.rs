//! The form of the shipping fees.

use askama::Template;
use serde_json::json;

use super::rows::{Table, optional};
use super::{ADDRESS, Fee, Fees};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/pricing/shipping.html")]
struct ShippingPage {
    page: Page,
    form: Form,
    count: usize,
}

const TABLE: Table = Table { name: "fees", fields: &["country", "from", "fee"] };

impl ShippingPage {
    fn new(staff: &Staff, form: Form) -> Self {
        let count = TABLE.count(&form);
        Self { page: staff.page("Shipping fees").below("Taxes and fees", ADDRESS), form, count }
    }

    fn name(&self, row: &usize, field: &str) -> String {
        TABLE.field(*row, field)
    }
}

fn form_of(rows: &[Vec<String>]) -> Form {
    let fields = TABLE.fields_of(rows);
    Form::new(fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

async fn read(staff: &Staff) -> Result<Form, Problem> {
    let reply = staff.api.get("pricing/shipping").read::<Fees>().await?;
    let row = |fee: Fee| vec![fee.country.unwrap_or_default(), fee.from, fee.fee];
    let rows: Vec<_> = reply.data.fees.into_iter().map(row).collect();
    Ok(form_of(&rows).about(&reply.etag))
}

pub async fn show(staff: Staff) -> PageResult {
    staff.require("change_shipping_fees")?;
    staff.show(&ShippingPage::new(&staff, read(&staff).await?))
}

pub async fn save(staff: Staff, form: Form) -> PageResult {
    let rows = TABLE.rows_of(&form);
    let body = json!({ "fees": TABLE.json(&rows, |_, text| optional(text)) });
    let call = staff.api.put("pricing/shipping").json(&body).if_match(&form.etag).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(ADDRESS, "The shipping fees were saved."),
        Err(problem) if problem.is_about_input() => {
            let typed = form_of(&rows).about(&form.etag);
            let form = typed.refused_beside(problem.clone(), read(&staff).await?);
            staff.show_refused(&problem, &ShippingPage::new(&staff, form))
        }
        Err(problem) => Err(problem),
    }
}
