//! My account: the sessions of the member, and the password.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::api::Problem;
use super::form::Form;
use super::log_in::{SessionTokens, set_session};
use super::page::Page;
use super::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/account.html")]
struct AccountPage {
    page: Page,
    sessions: Vec<Session>,
    form: Form,
}

#[derive(Deserialize)]
struct Session {
    session_id: String,
    started_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    current: bool,
}

const ADDRESS: &str = "/admin/account";

impl AccountPage {
    async fn read(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let sessions = staff.api.get("auth/sessions").read().await?.data;
        Ok(Self { page: staff.page("My account"), sessions, form })
    }
}

pub async fn show(staff: Staff) -> PageResult {
    staff.show(&AccountPage::read(&staff, Form::default()).await?)
}

/// Changes the password. Every session ends, and this browser gets a new one.
pub async fn change_password(staff: Staff, form: Form) -> PageResult {
    let wanted = if form.value("new_password") == form.value("new_password_again") {
        let body = json!({
            "current_password": form.value("current_password"),
            "new_password": form.value("new_password"),
        });
        staff.api.post("auth/password").json(&body).read::<SessionTokens>().await
    } else {
        Err(Problem::invalid("new_password_again", "is not the same password"))
    };
    let problem = match wanted {
        Ok(tokens) => {
            let mut response = staff.done_as(&tokens.data.refresh_token, ADDRESS, "The password was changed.")?;
            set_session(response.headers_mut(), &tokens.data.refresh_token, staff.secure);
            return Ok(response);
        }
        Err(problem) if problem.code == "wrong_credentials" => Problem::invalid("current_password", "is wrong"),
        Err(problem) if problem.is_about_input() || problem.status == 429 => problem,
        Err(problem) => return Err(problem),
    };
    // Passwords are not sent back to the browser.
    let names = ["current_password", "new_password", "new_password_again"];
    let empty = Form::new(names.map(|name| (name, String::new())));
    let page = AccountPage::read(&staff, empty.refused(problem.clone())).await?;
    staff.show_refused(&problem, &page)
}

pub async fn end_session(staff: Staff, path: Result<Path<Uuid>, PathRejection>) -> PageResult {
    let Path(session_id) = path.map_err(|_| Problem::not_found())?;
    staff.api.delete(format!("auth/session/{session_id}")).send_command().await?;
    staff.done(ADDRESS, "The session was ended.")
}
