//! The form of the tax rates.

use askama::Template;
use serde_json::{Value, json};

use super::rows::{Table, optional};
use super::{ADDRESS, TaxRate, Taxes};
use crate::admin::api::Problem;
use crate::admin::categories::{CategoryOption, read_options};
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/pricing/taxes.html")]
struct TaxesPage {
    page: Page,
    form: Form,
    count: usize,
    categories: Vec<(String, String)>,
}

const TABLE: Table = Table { name: "rates", fields: &["category_id", "country", "percent"] };

impl TaxesPage {
    async fn new(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let other = (String::new(), "Other goods".to_owned());
        let options = read_options(staff).await?;
        let categories = [other].into_iter().chain(options.iter().map(CategoryOption::pair)).collect();
        let count = TABLE.count(&form);
        Ok(Self { page: staff.page("Tax rates").below("Taxes and fees", ADDRESS), form, count, categories })
    }

    fn name(&self, row: &usize, field: &str) -> String {
        TABLE.field(*row, field)
    }
}

fn form_of(rows: &[Vec<String>], inclusive: bool) -> Form {
    let fields = TABLE.fields_of(rows);
    let inclusive = ("inclusive", if inclusive { "true".to_owned() } else { String::new() });
    Form::new(fields.iter().map(|(name, value)| (name.as_str(), value.clone())).chain([inclusive]))
}

async fn read(staff: &Staff) -> Result<Form, Problem> {
    let reply = staff.api.get("pricing/taxes").read::<Taxes>().await?;
    let row = |rate: TaxRate| {
        let category_id = rate.category_id.map(|category_id| category_id.to_string()).unwrap_or_default();
        vec![category_id, rate.country.unwrap_or_default(), rate.percent]
    };
    let rows: Vec<_> = reply.data.rates.into_iter().map(row).collect();
    Ok(form_of(&rows, reply.data.inclusive).about(&reply.etag))
}

/// Categories are numbers for the API; what is none stays a text, so that the API names the field.
fn value(field: &str, text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if field == "category_id" => Value::from(number),
        _ => optional(text),
    }
}

pub async fn show(staff: Staff) -> PageResult {
    staff.require("change_tax_rates")?;
    let form = read(&staff).await?;
    staff.show(&TaxesPage::new(&staff, form).await?)
}

pub async fn save(staff: Staff, form: Form) -> PageResult {
    let rows = TABLE.rows_of(&form);
    let body = json!({ "inclusive": form.flag("inclusive"), "rates": TABLE.json(&rows, value) });
    let call = staff.api.put("pricing/taxes").json(&body).if_match(&form.etag).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(ADDRESS, "The tax rates were saved."),
        Err(problem) if problem.is_about_input() => {
            let typed = form_of(&rows, form.is_checked("inclusive")).about(&form.etag);
            let form = typed.refused_beside(problem.clone(), read(&staff).await?);
            staff.show_refused(&problem, &TaxesPage::new(&staff, form).await?)
        }
        Err(problem) => Err(problem),
    }
}
