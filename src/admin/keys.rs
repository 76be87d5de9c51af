//! API keys: the list, a new key that is shown once, and revocation.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::api::Problem;
use super::form::Form;
use super::list::Listing;
use super::page::Page;
use super::staff::{PageResult, Staff};
use crate::domain::account::Role;

#[derive(Template)]
#[template(path = "admin/keys/list.html")]
struct KeyListPage {
    page: Page,
    list: Listing<Key>,
    roles: Vec<(String, String)>,
    form: Form,
}

/// A new key, shown once.
#[derive(Template)]
#[template(path = "admin/keys/created.html")]
struct NewKeyPage {
    page: Page,
    name: String,
    /// Absent if the form was sent a second time.
    api_key: Option<String>,
}

#[derive(Deserialize)]
struct Key {
    key_id: Uuid,
    account_id: i64,
    name: String,
    role: String,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Created {
    api_key: Option<String>,
}

impl KeyListPage {
    async fn read(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let list = Listing::<Key>::read(staff, staff.api.get("keys"), &[]).await?;
        let roles = Role::ALL.iter().filter(|role| **role != Role::Customer && **role <= staff.role);
        let roles = roles.map(|role| (role.as_str().to_owned(), role.as_str().to_owned())).collect();
        Ok(Self { page: staff.page("API keys"), list, roles, form })
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let empty = [("name", String::new()), ("role", Role::Reader.as_str().to_owned())];
    staff.show(&KeyListPage::read(&staff, Form::new(empty)).await?)
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let body = json!({ "name": form.text("name"), "role": form.text("role") });
    match staff.api.post("keys").json(&body).key(&form.key).read::<Created>().await {
        Ok(created) => {
            let page = staff.page("New API key").below("API keys", "/admin/keys");
            staff.show(&NewKeyPage { page, name: form.value("name").to_owned(), api_key: created.data.api_key })
        }
        Err(problem) if problem.is_about_input() => {
            let page = KeyListPage::read(&staff, form.refused(problem.clone())).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}

pub async fn revoke(staff: Staff, path: Result<Path<Uuid>, PathRejection>) -> PageResult {
    let Path(key_id) = path.map_err(|_| Problem::not_found())?;
    staff.api.delete(format!("key/{key_id}")).send_command().await?;
    staff.done("/admin/keys", "The key was revoked. Requests with it are refused from now on.")
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("keys").stream_csv("api-keys.csv").await
}
