//! Webhooks: who is told of which events, and what became of the messages.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::Secret;
use crate::domain::customer::OptionalLine;
use crate::domain::ids::WebhookId;
use crate::domain::refusal::Refusal;
use crate::domain::text::Text;
use crate::domain::webhook::{EventTypes, WebhookError, WebhookSecret, WebhookUrl};
use crate::http::App;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{ChangeWebhook, CreateWebhook, RemoveWebhook, RotateWebhookSecret, WebhookRef};
use crate::webhooks::{self, DeliveryView, Endpoint, WebhookView};

body! {
    /// Who is to be told of which events.
    pub struct NewWebhook {
        /// http or https, without a password.
        #[schema(value_type = String, min_length = 8, max_length = 2000, example = "https://example.com/hooks")]
        pub url: Endpoint,
        /// Names of events, as `GET events/` shows them; `*` for all.
        #[schema(value_type = Vec<String>, min_items = 1, max_items = 50, example = json!(["OrderPlaced"]))]
        pub event_types: EventTypes,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub description: Option<Text<200>>,
    }
}

body! {
    /// What is to be changed; what is absent stays as it is.
    pub struct WebhookChange {
        #[schema(value_type = Option<String>, min_length = 8, max_length = 2000)]
        pub url: Option<Endpoint>,
        #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 50, example = json!(["*"]))]
        pub event_types: Option<EventTypes>,
        /// Empty to take it away.
        #[schema(value_type = Option<String>, max_length = 200)]
        pub description: Option<OptionalLine>,
        /// Whether it is told of events; those in between it is never told of.
        pub active: Option<bool>,
    }
}

/// A webhook with a secret that was just made.
#[derive(Serialize, ToSchema)]
pub struct WebhookMade {
    #[schema(value_type = i64)]
    pub webhook_id: WebhookId,
    /// What its messages are signed with: `whsec_…`. Shown this once; null when the answer is a replay.
    pub secret: Option<String>,
}

/// All webhooks
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<WebhookView>)))]
pub async fn list(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<WebhookView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = webhooks::list(&app.pool, page.after()?.unwrap_or(0), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.webhook_id))
}

/// A webhook
#[utoipa::path(get, path = "/webhook/{webhook_id}", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = i64, Path)), responses((status = 200, body = WebhookView), (status = 404, body = Problem)))]
pub async fn find(State(app): State<App>, Ids(webhook_id): Ids<i64>) -> Result<Json<WebhookView>, ApiError> {
    Ok(Json(known(&app, webhook_id).await?))
}

/// Tells somebody of every event of some types from now on
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", security(("bearer" = ["admin"])), request_body = NewWebhook,
    params(CommandParams), responses((status = 201, body = WebhookMade), CommandProblems))]
pub async fn create(State(app): State<App>, command: Command<NewWebhook>) -> Result<Answer<WebhookMade>, ApiError> {
    let NewWebhook { url, event_types, description } = command.body;
    let secret = Secret::webhook()?;
    let create =
        CreateWebhook { url: url.into(), description, event_types, secret: WebhookSecret::new(secret.expose()) };
    let dry_run = command.context.dry_run;
    let made = app.run(create, command.context).await?;
    Ok(show(made, &secret, dry_run).created(|made| format!("/shop/api/webhook/{}/", made.webhook_id)))
}

/// Changes what a webhook is told, and where
#[utoipa::path(patch, path = "/webhook/{webhook_id}", tag = "webhooks", security(("bearer" = ["admin"])),
    request_body = WebhookChange, params(("webhook_id" = i64, Path), CommandParams),
    responses((status = 200, body = WebhookRef), CommandProblems))]
pub async fn change(
    State(app): State<App>,
    Ids(webhook_id): Ids<i64>,
    command: Command<WebhookChange>,
) -> Result<Answer<WebhookRef>, ApiError> {
    let WebhookChange { url, event_types, description, active } = command.body;
    let url = url.map(WebhookUrl::from);
    let change = ChangeWebhook { webhook_id: WebhookId(webhook_id), url, description, event_types, active };
    app.run(change, command.context).await
}

/// Tells a webhook nothing more, not even what is on its way
#[utoipa::path(delete, path = "/webhook/{webhook_id}", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = i64, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn remove(
    State(app): State<App>,
    Ids(webhook_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<()>, ApiError> {
    app.run(RemoveWebhook { webhook_id: WebhookId(webhook_id) }, command.context).await
}

/// Signs with another secret; for 24 hours with the old one too
#[utoipa::path(post, path = "/webhook/{webhook_id}/secret", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = i64, Path), CommandParams),
    responses((status = 200, body = WebhookMade), CommandProblems))]
pub async fn rotate_secret(
    State(app): State<App>,
    Ids(webhook_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<WebhookMade>, ApiError> {
    let secret = Secret::webhook()?;
    let rotate = RotateWebhookSecret { webhook_id: WebhookId(webhook_id), secret: WebhookSecret::new(secret.expose()) };
    let dry_run = command.context.dry_run;
    let made = app.run(rotate, command.context).await?;
    Ok(show(made, &secret, dry_run))
}

/// What became of the messages of a webhook, newest event first; those that were tried at least once
#[utoipa::path(get, path = "/webhook/{webhook_id}/deliveries", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = i64, Path), Page),
    responses((status = 200, body = Vec<DeliveryView>), (status = 404, body = Problem)))]
pub async fn list_deliveries(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(webhook_id): Ids<i64>,
    Params(page): Params<Page>,
) -> Result<PageOf<DeliveryView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    known(&app, webhook_id).await?;
    let rows = webhooks::deliveries(&app.pool, webhook_id, page.after()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.position))
}

/// Tells a webhook of an event once more, whatever became of it
#[utoipa::path(post, path = "/webhook/{webhook_id}/deliveries/{event_id}/redeliver", tag = "webhooks",
    security(("bearer" = ["admin"])), params(("webhook_id" = i64, Path), ("event_id" = Uuid, Path)),
    responses((status = 202, body = Value), (status = 404, body = Problem)))]
pub async fn redeliver(
    State(app): State<App>,
    caller: Caller,
    Ids((webhook_id, event_id)): Ids<(i64, Uuid)>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    known(&app, webhook_id).await?;
    if !webhooks::redeliver(&app.pool, webhook_id, event_id, &caller.actor().id).await? {
        return Err(ApiError::not_found("event_not_found", "Event not found"));
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "event_id": event_id, "outcome": "due" }))))
}

async fn known(app: &App, webhook_id: i64) -> Result<WebhookView, ApiError> {
    let found = webhooks::find(&app.pool, webhook_id).await?;
    found.ok_or_else(|| Refusal::from(WebhookError::NotFound).into())
}

fn show(made: Answer<WebhookRef>, secret: &Secret, dry_run: bool) -> Answer<WebhookMade> {
    let shown = (!dry_run && !made.replayed()).then(|| secret.expose().to_owned());
    made.map(|made| WebhookMade { webhook_id: made.webhook_id, secret: shown })
}
