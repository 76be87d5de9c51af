//! Webhooks: subscriptions to events, and their deliveries.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use serde::Serialize;
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
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::scheduler::{self, tasks::TEND_WEBHOOKS};
use crate::shop::{ChangeWebhook, CreateWebhook, RemoveWebhook, RotateWebhookSecret, WebhookRef};
use crate::webhooks::{self, DeliveryView, Endpoint, WebhookView};

body! {
    /// A new webhook.
    #[schema(examples(json!({ "url": "https://example.com/hooks", "event_types": ["OrderPlaced"], "description": "order export" })))]
    pub struct NewWebhook {
        pub url: Endpoint,
        pub event_types: EventTypes,
        pub description: Option<Text<200>>,
    }
}

body! {
    /// The fields to change; absent fields keep their value.
    #[schema(examples(json!({ "event_types": ["*"], "active": true })))]
    pub struct WebhookChange {
        pub url: Option<Endpoint>,
        pub event_types: Option<EventTypes>,
        pub description: Option<OptionalLine>,
        /// `false` pauses deliveries; events during the pause are never delivered. `true` resumes them: deliveries from
        /// before the pause are retried, and `missed_after` and `missed_upto` of the webhook name the missed events.
        pub active: Option<bool>,
    }
}

/// A webhook with its new secret.
#[derive(Serialize, ToSchema)]
pub struct NewSecretView {
    pub webhook_id: WebhookId,
    /// The key that signs deliveries: `whsec_…`. Shown only once: null when an idempotent request is replayed.
    pub secret: Option<String>,
}

/// List webhooks
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<WebhookView>)))]
pub async fn list_webhooks(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<WebhookView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = webhooks::list(&app.pool, page.after()?.unwrap_or(0), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.webhook_id))
}

/// Get a webhook
#[utoipa::path(get, path = "/webhook/{webhook_id}", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = WebhookId, Path)), responses((status = 200, body = WebhookView), (status = 404, body = Problem)))]
pub async fn find_webhook(
    State(app): State<App>,
    Ids(webhook_id): Ids<WebhookId>,
) -> Result<Json<WebhookView>, ApiError> {
    Ok(Json(require_webhook(&app, webhook_id).await?))
}

/// Create a webhook: delivers future events of the given types to a URL
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", security(("bearer" = ["admin"])), request_body = NewWebhook,
    params(CommandParams), responses((status = 201, body = NewSecretView), CommandProblems))]
pub async fn create_webhook(
    State(app): State<App>,
    command: Command<NewWebhook>,
) -> Result<CommandResponse<NewSecretView>, ApiError> {
    let NewWebhook { url, event_types, description } = command.body;
    require_known(&event_types)?;
    let secret = Secret::webhook()?;
    let create =
        CreateWebhook { url: url.into(), description, event_types, secret: WebhookSecret::new(secret.expose()) };
    let dry_run = command.context.dry_run;
    let made = app.run(create, command.context).await?;
    Ok(with_secret(made, &secret, dry_run).created(|made| format!("/shop/api/webhook/{}/", made.webhook_id)))
}

/// Change the URL, event types or state of a webhook
#[utoipa::path(patch, path = "/webhook/{webhook_id}", tag = "webhooks", security(("bearer" = ["admin"])),
    request_body = WebhookChange, params(("webhook_id" = WebhookId, Path), CommandParams),
    responses((status = 200, body = WebhookRef), CommandProblems))]
pub async fn change_webhook(
    State(app): State<App>,
    Ids(webhook_id): Ids<WebhookId>,
    command: Command<WebhookChange>,
) -> Result<CommandResponse<WebhookRef>, ApiError> {
    let WebhookChange { url, event_types, description, active } = command.body;
    event_types.as_ref().map_or(Ok(()), require_known)?;
    let url = url.map(WebhookUrl::from);
    let change = ChangeWebhook { webhook_id, url, description, event_types, active };
    let activates = active == Some(true) && !command.context.dry_run;
    let changed = app.run(change, command.context).await?;
    if activates && let Err(error) = scheduler::run_now(&app.pool, TEND_WEBHOOKS).await {
        // Its next regular run does the same.
        tracing::warn!(%error, %webhook_id, "the kept deliveries of a webhook are retried later");
    }
    Ok(changed)
}

/// Delete a webhook; pending deliveries are dropped
#[utoipa::path(delete, path = "/webhook/{webhook_id}", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = WebhookId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn delete_webhook(
    State(app): State<App>,
    Ids(webhook_id): Ids<WebhookId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(RemoveWebhook { webhook_id }, command.context).await
}

/// Rotate the secret of a webhook; the old secret also signs for 24 hours
#[utoipa::path(post, path = "/webhook/{webhook_id}/secret", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = WebhookId, Path), CommandParams),
    responses((status = 200, body = NewSecretView), CommandProblems))]
pub async fn rotate_webhook_secret(
    State(app): State<App>,
    Ids(webhook_id): Ids<WebhookId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<NewSecretView>, ApiError> {
    let secret = Secret::webhook()?;
    let rotate = RotateWebhookSecret { webhook_id, secret: WebhookSecret::new(secret.expose()) };
    let dry_run = command.context.dry_run;
    let made = app.run(rotate, command.context).await?;
    Ok(with_secret(made, &secret, dry_run))
}

/// List deliveries of a webhook that were attempted, newest event first
#[utoipa::path(get, path = "/webhook/{webhook_id}/deliveries", tag = "webhooks", security(("bearer" = ["admin"])),
    params(("webhook_id" = WebhookId, Path), Page),
    responses((status = 200, body = Vec<DeliveryView>), (status = 404, body = Problem)))]
pub async fn list_webhook_deliveries(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(webhook_id): Ids<WebhookId>,
    Params(page): Params<Page>,
) -> Result<PageOf<DeliveryView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    require_webhook(&app, webhook_id).await?;
    let rows = webhooks::deliveries(&app.pool, webhook_id.0, page.after()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.position))
}

/// A delivery that will be attempted again.
#[derive(Serialize, ToSchema)]
pub struct Redelivery {
    pub event_id: Uuid,
    /// Always `due`.
    pub outcome: &'static str,
}

/// Deliver an event to a webhook again, regardless of its earlier outcome
#[utoipa::path(post, path = "/webhook/{webhook_id}/deliveries/{event_id}/redeliver", tag = "webhooks",
    security(("bearer" = ["admin"])), params(("webhook_id" = WebhookId, Path), ("event_id" = Uuid, Path)),
    responses((status = 202, body = Redelivery), (status = 404, body = Problem)))]
pub async fn redeliver_event(
    State(app): State<App>,
    caller: Caller,
    Ids((webhook_id, event_id)): Ids<(WebhookId, Uuid)>,
) -> Result<(StatusCode, Json<Redelivery>), ApiError> {
    require_webhook(&app, webhook_id).await?;
    if !webhooks::redeliver(&app.pool, webhook_id.0, event_id, &caller.actor().id).await? {
        return Err(ApiError::not_found("event_not_found", "Event not found"));
    }
    Ok((StatusCode::ACCEPTED, Json(Redelivery { event_id, outcome: "due" })))
}

/// 400 that names the first unknown event: a misspelt name would never be delivered.
fn require_known(event_types: &EventTypes) -> Result<(), ApiError> {
    let unknown = event_types.unknown_name().map(|name| format!("names an unknown event: {name}"));
    unknown.map_or(Ok(()), |message| Err(ApiError::invalid_field("event_types", message)))
}

async fn require_webhook(app: &App, webhook_id: WebhookId) -> Result<WebhookView, ApiError> {
    let found = webhooks::find(&app.pool, webhook_id.0).await?;
    found.ok_or_else(|| Refusal::from(WebhookError::NotFound).into())
}

fn with_secret(made: CommandResponse<WebhookRef>, secret: &Secret, dry_run: bool) -> CommandResponse<NewSecretView> {
    let shown = (!dry_run && !made.replayed()).then(|| secret.expose().to_owned());
    made.map(|made| NewSecretView { webhook_id: made.webhook_id, secret: shown })
}
