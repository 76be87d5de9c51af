//! Webhooks: event types in the log; endpoints and signing secrets beside it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::secrets::expose;
use crate::domain::customer::OptionalLine;
use crate::domain::ids::WebhookId;
use crate::domain::refusal::Refusal;
use crate::domain::text::Text;
use crate::domain::webhook::{
    DisableReason, EventTypes, MAX_WEBHOOKS, Webhook, WebhookCommand, WebhookError, WebhookSecret, WebhookUrl,
};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase};

/// Subscribes an endpoint to events.
pub struct CreateWebhook {
    pub url: WebhookUrl,
    pub description: Option<Text<200>>,
    pub event_types: EventTypes,
    /// A fresh one.
    pub secret: WebhookSecret,
}

/// Changes a webhook. `None` keeps a value.
pub struct ChangeWebhook {
    pub webhook_id: WebhookId,
    pub url: Option<WebhookUrl>,
    /// An empty text removes it.
    pub description: Option<OptionalLine>,
    pub event_types: Option<EventTypes>,
    pub active: Option<bool>,
}

/// Replaces the signing secret; for a day messages are signed with the previous one too.
pub struct RotateWebhookSecret {
    pub webhook_id: WebhookId,
    /// A fresh one.
    pub secret: WebhookSecret,
}

/// Stops the deliveries of a webhook whose receiver does not accept them.
pub struct DisableWebhook {
    pub webhook_id: WebhookId,
    pub reason: DisableReason,
    /// Refuses the command if a delivery has succeeded since this first failure; `None` skips the check.
    pub failing_since: Option<DateTime<Utc>>,
}

/// Deletes a webhook; pending deliveries are dropped.
pub struct RemoveWebhook {
    pub webhook_id: WebhookId,
}

/// A webhook without its secret, because answers are stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WebhookRef {
    pub webhook_id: WebhookId,
}

impl UseCase for CreateWebhook {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Interrupt> {
        let webhook_id = WebhookId(work.next_number::<Webhook>()?);
        let Self { url, description, event_types, secret } = self;
        work.execute::<Webhook>(webhook_id, WebhookCommand::Create { event_types: event_types.clone() })?;
        let description = description.as_ref();
        work.add_side_write(&PutWebhook { webhook_id, url, description, event_types, secret, most: MAX_WEBHOOKS })?;
        Ok(WebhookRef { webhook_id })
    }
}

impl UseCase for ChangeWebhook {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Interrupt> {
        let Self { webhook_id, url, description, event_types, active } = self;
        let (webhook_id, active) = (*webhook_id, *active);
        let endpoint_changed = url.is_some() || description.is_some();
        let change = WebhookCommand::Change { event_types: event_types.clone(), active, endpoint_changed };
        work.execute::<Webhook>(webhook_id, change)?;
        let (url, description, event_types) = (url.as_ref(), description.as_ref(), event_types.as_ref());
        work.add_side_write(&PatchWebhook { webhook_id, url, description, event_types, active })?;
        Ok(WebhookRef { webhook_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}

impl UseCase for RotateWebhookSecret {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Interrupt> {
        let webhook_id = self.webhook_id;
        work.execute::<Webhook>(webhook_id, WebhookCommand::RotateSecret)?;
        work.add_side_write(&ReplaceSecret { webhook_id, secret: &self.secret })?;
        Ok(WebhookRef { webhook_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}

impl UseCase for DisableWebhook {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let Self { webhook_id, reason, failing_since } = *self;
        let was_active = work.get::<Webhook>(webhook_id)?.is_active();
        work.execute::<Webhook>(webhook_id, WebhookCommand::Disable { reason })?;
        if was_active { work.add_side_write(&StopDeliveries { webhook_id, reason, failing_since }) } else { Ok(()) }
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}

impl UseCase for RemoveWebhook {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let webhook_id = self.webhook_id;
        work.execute::<Webhook>(webhook_id, WebhookCommand::Remove)?;
        work.add_side_write(&DeleteWebhook { webhook_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}

#[derive(Serialize)]
struct PutWebhook<'a> {
    webhook_id: WebhookId,
    url: &'a WebhookUrl,
    description: Option<&'a Text<200>>,
    event_types: &'a EventTypes,
    #[serde(serialize_with = "expose")]
    secret: &'a WebhookSecret,
    most: usize,
}

impl SideWrite for PutWebhook<'_> {
    const FUNCTION: &'static str = "put_webhook";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "webhook_count").then_some(WebhookError::TooMany.into())
    }
}

#[derive(Serialize)]
struct PatchWebhook<'a> {
    webhook_id: WebhookId,
    url: Option<&'a WebhookUrl>,
    description: Option<&'a OptionalLine>,
    event_types: Option<&'a EventTypes>,
    active: Option<bool>,
}

impl SideWrite for PatchWebhook<'_> {
    const FUNCTION: &'static str = "change_webhook";
}

#[derive(Serialize)]
struct ReplaceSecret<'a> {
    webhook_id: WebhookId,
    #[serde(serialize_with = "expose")]
    secret: &'a WebhookSecret,
}

impl SideWrite for ReplaceSecret<'_> {
    const FUNCTION: &'static str = "rotate_webhook_secret";
}

#[derive(Serialize)]
struct DeleteWebhook {
    webhook_id: WebhookId,
}

impl SideWrite for DeleteWebhook {
    const FUNCTION: &'static str = "remove_webhook";
}

#[derive(Serialize)]
struct StopDeliveries {
    webhook_id: WebhookId,
    reason: DisableReason,
    failing_since: Option<DateTime<Utc>>,
}

impl SideWrite for StopDeliveries {
    const FUNCTION: &'static str = "disable_webhook";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "webhook_still_failing").then_some(WebhookError::NotFailing.into())
    }
}
