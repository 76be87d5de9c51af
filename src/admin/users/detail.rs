//! A user: role, state, and what changed.

use askama::Template;
use serde_json::{Value, json};

use super::{User, staff_roles};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::history::{self, History};
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/users/detail.html")]
struct UserPage {
    page: Page,
    user: User,
    /// Whether it is the member's own account, whose role and state others change.
    is_own: bool,
    roles: Vec<(String, String)>,
    form: Form,
    history: History,
}

impl UserPage {
    /// `refused` is a form that was sent, and why it was refused.
    async fn read(staff: &Staff, account_id: i64, refused: Option<(Form, Problem)>) -> Result<Self, Problem> {
        let subject = format!("user/{account_id}");
        let user = async { Ok::<_, Problem>(staff.api.get(&subject).read::<User>().await?.data) };
        let (user, history) = tokio::try_join!(user, history::read(staff, &subject))?;
        let stored = Form::new([("role", user.role.clone())]);
        let form = match refused {
            None => stored,
            Some((form, problem)) if form.value("role").is_empty() => stored.refused(problem),
            Some((form, problem)) => form.refused(problem),
        };
        let page = staff.page(user.email.clone()).below("Users", "/admin/users");
        Ok(Self { page, is_own: account_id == staff.account_id, user, roles: staff_roles(), form, history })
    }
}

pub async fn show(staff: Staff, Id(account_id): Id) -> PageResult {
    staff.show(&UserPage::read(&staff, account_id, None).await?)
}

pub async fn change_role(staff: Staff, Id(account_id): Id, form: Form) -> PageResult {
    let body = json!({ "role": form.text("role") });
    change(&staff, account_id, form, &body, "The role was changed. The user must log in again.").await
}

pub async fn disable(staff: Staff, Id(account_id): Id, form: Form) -> PageResult {
    let body = json!({ "disabled": true });
    change(&staff, account_id, form, &body, "The user was disabled. All sessions and API keys have ended.").await
}

pub async fn enable(staff: Staff, Id(account_id): Id, form: Form) -> PageResult {
    change(&staff, account_id, form, &json!({ "disabled": false }), "The user may log in again.").await
}

async fn change(staff: &Staff, account_id: i64, form: Form, body: &Value, done: &str) -> PageResult {
    let call = staff.api.patch(format!("user/{account_id}")).json(body).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(&format!("/admin/users/{account_id}"), done),
        Err(problem) => show_refused(staff, account_id, form, problem).await,
    }
}

/// Mails a link with which the owner sets a password.
pub async fn mail_link(staff: Staff, Id(account_id): Id, form: Form) -> PageResult {
    let user = staff.api.get(format!("user/{account_id}")).read::<User>().await?.data;
    match staff.api.post("auth/reset").json(&json!({ "email": user.email })).send_command().await {
        Ok(()) => {
            let to = format!("/admin/users/{account_id}");
            staff.done(&to, format!("A mail to {} has a link to set a password.", user.email))
        }
        Err(problem) => show_refused(&staff, account_id, form, problem).await,
    }
}

async fn show_refused(staff: &Staff, account_id: i64, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() && problem.status != 429 {
        return Err(problem);
    }
    let page = UserPage::read(staff, account_id, Some((form, problem.clone()))).await?;
    staff.show_refused(&problem, &page)
}
