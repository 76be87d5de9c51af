//! The list of webhooks, and new ones.

use askama::Template;
use axum::response::Response;
use serde_json::json;

use super::{EventGroup, NewSecret, SecretPage, Webhook, chosen_types, event_groups, is_chosen};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/webhooks/list.html")]
struct WebhookListPage {
    page: Page,
    list: Listing<Webhook>,
    groups: Vec<EventGroup>,
    form: Form,
}

impl WebhookListPage {
    async fn read(staff: &Staff, form: Form) -> Result<Self, Problem> {
        let list = Listing::<Webhook>::read(staff, staff.api.get("webhooks"), &[]).await?;
        Ok(Self { page: staff.page("Webhooks"), list, groups: event_groups(), form })
    }

    fn is_chosen(&self, name: &str) -> bool {
        is_chosen(&self.form, name)
    }

    fn has_chosen(&self, group: &EventGroup) -> bool {
        group.types.iter().any(|name| self.is_chosen(name))
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let empty = [("url", String::new()), ("description", String::new()), ("event_types", "OrderPlaced".to_owned())];
    staff.show(&WebhookListPage::read(&staff, Form::new(empty)).await?)
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let body = json!({
        "url": form.text("url"),
        "description": form.optional("description"),
        "event_types": chosen_types(&form),
    });
    match staff.api.post("webhooks").json(&body).key(&form.key).read::<NewSecret>().await {
        Ok(created) => {
            let NewSecret { webhook_id, secret } = created.data;
            let page = staff.page("New webhook").below("Webhooks", "/admin/webhooks");
            staff.show(&SecretPage { page, webhook_id, secret, rotated: false })
        }
        Err(problem) if problem.is_about_input() => {
            let page = WebhookListPage::read(&staff, form.refused(problem.clone())).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("webhooks").stream_csv("webhooks.csv").await
}
