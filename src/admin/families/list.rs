//! The list of families, and new ones.

use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::FamilyRow;
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/families/list.html")]
struct FamilyListPage {
    page: Page,
    list: Listing<FamilyRow>,
    form: Form,
}

#[derive(Deserialize)]
struct Created {
    family_id: i64,
}

impl FamilyListPage {
    async fn read(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let list = Listing::read(staff, staff.api.get("families"), &[]).await?;
        Ok(Self { page: staff.page("Families"), list, form })
    }
}

/// The names of options that were typed: one on each line.
pub fn option_names(form: &Form) -> Value {
    form.value("options").lines().map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>().into()
}

pub async fn show(staff: Staff) -> PageResult {
    let empty = [("name", String::new()), ("options", String::new())];
    staff.show(&FamilyListPage::read(&staff, Form::new(empty)).await?)
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let body = json!({ "name": form.text("name"), "options": option_names(&form) });
    match staff.api.post("families").json(&body).key(&form.key).read::<Created>().await {
        Ok(created) => {
            let to = format!("/admin/families/{}", created.data.family_id);
            staff.done(&to, "The family was created. Add its products below.")
        }
        Err(problem) if problem.is_about_input() => {
            let page = FamilyListPage::read(&staff, form.refused(problem.clone())).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}

pub async fn csv(staff: Staff) -> PageResult {
    staff.api.get("families").stream_csv("families.csv").await
}
