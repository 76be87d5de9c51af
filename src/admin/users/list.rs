//! The list of users, and new ones.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{User, staff_roles};
use crate::admin::api::{Call, Problem};
use crate::admin::form::Form;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

const FILTERS: [&str; 1] = ["email"];

#[derive(Template)]
#[template(path = "admin/users/list.html")]
struct UserListPage {
    page: Page,
    list: Listing<User>,
    /// Whether customers are shown too.
    everyone: bool,
    roles: Vec<(String, String)>,
    form: Form,
}

#[derive(Deserialize)]
struct Created {
    account_id: i64,
}

/// The staff, unless the address asks for everyone or for one address.
fn call(staff: &Staff) -> Call {
    let everyone = staff.query.get("show") == "everyone" || staff.query.has("email");
    let call = staff.api.get("users");
    if everyone { call } else { call.query("staff", true) }
}

impl UserListPage {
    async fn read(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let list = Listing::<User>::read(staff, call(staff), &FILTERS).await?;
        let everyone = staff.query.get("show") == "everyone";
        Ok(Self { page: staff.page("Users"), list, everyone, roles: staff_roles(), form })
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let empty = [("email", String::new()), ("role", "reader".to_owned())];
    staff.show(&UserListPage::read(&staff, Form::new(empty)).await?)
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let body = json!({ "email": form.text("email"), "role": form.text("role") });
    match staff.api.post("users").json(&body).key(&form.key).read::<Created>().await {
        Ok(created) => {
            let to = format!("/admin/users/{}", created.data.account_id);
            let email = form.value("email").trim().to_owned();
            staff.done(&to, format!("The user was created. A mail to {email} has a link to set a password."))
        }
        Err(problem) if problem.is_about_input() => {
            let page = UserListPage::read(&staff, form.refused(problem.clone())).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    call(&staff).queries(staff.query.pairs(&FILTERS)).stream_csv("users.csv").await
}
