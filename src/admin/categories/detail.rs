//! A category: its name, its place in the tree, and what it was.

use askama::Template;
use serde_json::json;

use super::list::parents;
use super::{Category, CategoryOption, read_options};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::history::{self, History};
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/categories/detail.html")]
struct CategoryPage {
    page: Page,
    category: Category,
    parents: Vec<(String, String)>,
    /// The categories directly below.
    children: Vec<Category>,
    form: Form,
    history: History,
}

/// The form as the category is stored now, and the category.
async fn read_category(staff: &Staff, category_id: i64) -> Result<(Category, Form), Problem> {
    let reply = staff.api.get(format!("categories/{category_id}")).read::<Category>().await?;
    let category = reply.data;
    let parent_id = category.parent_id.map(|parent_id| parent_id.to_string()).unwrap_or_default();
    let form = Form::new([("category_name", category.category_name.clone()), ("parent_id", parent_id)]);
    Ok((category, form.about(&reply.etag)))
}

impl CategoryPage {
    /// `refused` is a form that was sent, and why it was refused.
    async fn read(staff: &Staff, category_id: i64, refused: Option<(Form, Problem)>) -> Result<Self, Problem> {
        let subject = format!("categories/{category_id}");
        let (category, history, options) =
            tokio::try_join!(read_category(staff, category_id), history::read(staff, &subject), read_options(staff))?;
        let (category, stored) = category;
        let form = match refused {
            None => stored,
            Some((form, problem)) => form.refused_beside(problem, stored),
        };
        let children = options.iter().map(|option: &CategoryOption| &option.category);
        let children = children.filter(|child| child.parent_id == Some(category_id)).cloned().collect();
        let page = staff.page(category.category_name.clone()).below("Categories", "/admin/categories");
        Ok(Self { page, parents: parents(&options, Some(category_id)), children, category, form, history })
    }
}

pub async fn show(staff: Staff, Id(category_id): Id) -> PageResult {
    staff.show(&CategoryPage::read(&staff, category_id, None).await?)
}

pub async fn save(staff: Staff, Id(category_id): Id, form: Form) -> PageResult {
    let body = json!({ "category_name": form.text("category_name"), "parent_id": form.number("parent_id") });
    let call = staff.api.patch(format!("categories/{category_id}")).json(&body);
    match call.if_match(&form.etag).key(&form.key).send_command().await {
        Ok(()) => staff.done(&format!("/admin/categories/{category_id}"), "The category was saved."),
        Err(problem) => show_refused(&staff, category_id, form, problem).await,
    }
}

pub async fn delete(staff: Staff, Id(category_id): Id, form: Form) -> PageResult {
    match staff.api.delete(format!("categories/{category_id}")).if_match(&form.etag).send_command().await {
        Ok(()) => staff.done("/admin/categories", "The category was deleted."),
        Err(problem) => {
            // The form of the page, not that of the button, shows why.
            let (_, stored) = read_category(&staff, category_id).await?;
            show_refused(&staff, category_id, stored, problem).await
        }
    }
}

async fn show_refused(staff: &Staff, category_id: i64, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let page = CategoryPage::read(staff, category_id, Some((form, problem.clone()))).await?;
    staff.show_refused(&problem, &page)
}
