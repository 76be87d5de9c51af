//! The tree of categories, and new ones.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{CategoryOption, read_options};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/categories/list.html")]
struct CategoryListPage {
    page: Page,
    categories: Vec<CategoryOption>,
    parents: Vec<(String, String)>,
    form: Form,
}

#[derive(Deserialize)]
struct Created {
    category_id: i64,
}

impl CategoryListPage {
    async fn read(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let categories = read_options(staff).await?;
        Ok(Self { page: staff.page("Categories"), parents: parents(&categories, None), categories, form })
    }
}

/// The categories that a category may be placed below, and none.
pub fn parents(categories: &[CategoryOption], without: Option<i64>) -> Vec<(String, String)> {
    let top = (String::new(), "At the top".to_owned());
    let others = categories.iter().filter(|option| Some(option.category_id) != without).map(CategoryOption::pair);
    [top].into_iter().chain(others).collect()
}

pub async fn show(staff: Staff) -> PageResult {
    let empty = [("category_name", String::new()), ("parent_id", String::new())];
    staff.show(&CategoryListPage::read(&staff, Form::new(empty)).await?)
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let body = json!({ "category_name": form.text("category_name"), "parent_id": form.number("parent_id") });
    match staff.api.post("categories").json(&body).key(&form.key).read::<Created>().await {
        Ok(created) => {
            let to = format!("/admin/categories/{}", created.data.category_id);
            staff.done(&to, "The category was created.")
        }
        Err(problem) if problem.is_about_input() => {
            let page = CategoryListPage::read(&staff, form.refused(problem.clone())).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("categories").stream_csv("categories.csv").await
}
