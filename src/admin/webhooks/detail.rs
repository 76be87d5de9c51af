//! A webhook: its settings, its secret, and its deliveries.

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{EventGroup, NewSecret, SecretPage, Webhook, chosen_types, event_groups, is_chosen};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/webhooks/detail.html")]
struct WebhookPage {
    page: Page,
    webhook: Webhook,
    list: Listing<Delivery>,
    groups: Vec<EventGroup>,
    form: Form,
}

#[derive(Deserialize)]
struct Delivery {
    event_id: Uuid,
    position: i64,
    event_type: String,
    outcome: String,
    attempts: i64,
    last_status: Option<i64>,
    error: Option<String>,
    tried_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
}

impl Delivery {
    fn tone(&self) -> &'static str {
        match self.outcome.as_str() {
            "delivered" => "good",
            "due" => "warn",
            "parked" => "bad",
            _ => "calm",
        }
    }
}

impl WebhookPage {
    /// `refused` is a form that was sent, and why it was refused.
    async fn read(staff: &Staff, webhook_id: i64, refused: Option<(Form, Problem)>) -> Result<Self, Problem> {
        let webhook =
            async { Ok::<_, Problem>(staff.api.get(format!("webhook/{webhook_id}")).read::<Webhook>().await?.data) };
        let deliveries = staff.api.get(format!("webhook/{webhook_id}/deliveries"));
        let (webhook, list) = tokio::try_join!(webhook, Listing::<Delivery>::read(staff, deliveries, &[]))?;
        let stored = stored_form(&webhook);
        let form = match refused {
            None => stored,
            // A button was refused, not the form.
            Some((form, problem)) if form.value("url").is_empty() && form.all("event_types").is_empty() => {
                stored.refused(problem)
            }
            Some((form, problem)) => form.refused(problem),
        };
        let page = staff.page(format!("Webhook {webhook_id}")).below("Webhooks", "/admin/webhooks");
        Ok(Self { page, webhook, list, groups: event_groups(), form })
    }

    fn is_chosen(&self, name: &str) -> bool {
        is_chosen(&self.form, name)
    }

    fn has_chosen(&self, group: &EventGroup) -> bool {
        group.types.iter().any(|name| self.is_chosen(name))
    }
}

fn stored_form(webhook: &Webhook) -> Form {
    let all = webhook.event_types.iter().any(|name| name == "*");
    let named = webhook.event_types.iter().filter(|name| *name != "*").map(|name| ("event_types", name.clone()));
    let fields = [
        ("url", webhook.url.clone()),
        ("description", webhook.description.clone().unwrap_or_default()),
        ("all_events", all.to_string()),
    ];
    Form::new(fields.into_iter().chain(named))
}

fn address(webhook_id: i64) -> String {
    format!("/admin/webhooks/{webhook_id}")
}

pub async fn show(staff: Staff, Id(webhook_id): Id) -> PageResult {
    staff.show(&WebhookPage::read(&staff, webhook_id, None).await?)
}

pub async fn save(staff: Staff, Id(webhook_id): Id, form: Form) -> PageResult {
    let body = json!({
        "url": form.text("url"),
        "description": form.text("description"),
        "event_types": chosen_types(&form),
    });
    change(&staff, webhook_id, form, &body, "The webhook was saved.").await
}

pub async fn pause(staff: Staff, Id(webhook_id): Id, form: Form) -> PageResult {
    let done = "Deliveries are paused. Events of the pause are never delivered by themselves.";
    change(&staff, webhook_id, form, &json!({ "active": false }), done).await
}

pub async fn resume(staff: Staff, Id(webhook_id): Id, form: Form) -> PageResult {
    let done = "Events are delivered again. Deliveries from before the pause are retried.";
    change(&staff, webhook_id, form, &json!({ "active": true }), done).await
}

async fn change(staff: &Staff, webhook_id: i64, form: Form, body: &Value, done: &str) -> PageResult {
    let call = staff.api.patch(format!("webhook/{webhook_id}")).json(body).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(&address(webhook_id), done),
        Err(problem) => show_refused(staff, webhook_id, form, problem).await,
    }
}

pub async fn rotate(staff: Staff, Id(webhook_id): Id, form: Form) -> PageResult {
    let call = staff.api.post(format!("webhook/{webhook_id}/secret")).key(&form.key);
    match call.read::<NewSecret>().await {
        Ok(rotated) => {
            let page = staff.page("New secret").below("Webhooks", "/admin/webhooks");
            let page = page.below(format!("Webhook {webhook_id}"), address(webhook_id));
            staff.show(&SecretPage { page, webhook_id, secret: rotated.data.secret, rotated: true })
        }
        Err(problem) => show_refused(&staff, webhook_id, form, problem).await,
    }
}

pub async fn delete(staff: Staff, Id(webhook_id): Id, form: Form) -> PageResult {
    match staff.api.delete(format!("webhook/{webhook_id}")).send_command().await {
        Ok(()) => staff.done("/admin/webhooks", "The webhook was deleted, and its pending deliveries were dropped."),
        Err(problem) => show_refused(&staff, webhook_id, form, problem).await,
    }
}

pub async fn redeliver(staff: Staff, Id(webhook_id): Id, form: Form) -> PageResult {
    let event_id: Uuid = form.value("event_id").parse().map_err(|_| Problem::not_found())?;
    let call = staff.api.post(format!("webhook/{webhook_id}/deliveries/{event_id}/redeliver"));
    match call.send_command().await {
        Ok(()) => staff.done(&address(webhook_id), "The event is delivered again within seconds."),
        Err(problem) => show_refused(&staff, webhook_id, form, problem).await,
    }
}

async fn show_refused(staff: &Staff, webhook_id: i64, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let page = WebhookPage::read(staff, webhook_id, Some((form, problem.clone()))).await?;
    staff.show_refused(&problem, &page)
}
