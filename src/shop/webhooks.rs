//! Webhooks: subscriptions, endpoints and signing secrets.

use serde::{Deserialize, Serialize};

use crate::domain::customer::OptionalLine;
use crate::domain::ids::WebhookId;
use crate::domain::text::Text;
use crate::domain::webhook::{EventTypes, Webhook, WebhookCommand, WebhookSecret, WebhookUrl};
use crate::journal::{AggregateRef, Profile, Interrupt, UnitOfWork, UseCase};

pub struct CreateWebhook {
    pub url: WebhookUrl,
    pub description: Option<Text<200>>,
    pub event_types: EventTypes,
    /// A fresh one.
    pub secret: WebhookSecret,
}

/// The webhook that a command made or changed: without its secret, because answers are stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WebhookRef {
    #[schema(value_type = i64)]
    pub webhook_id: WebhookId,
}

impl UseCase for CreateWebhook {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Interrupt> {
        let webhook_id = WebhookId(work.next_number::<Webhook>()?);
        work.execute::<Webhook>(webhook_id, WebhookCommand::Create { event_types: self.event_types.clone() })?;
        work.write_profile(Profile::PutWebhook {
            webhook_id: webhook_id.0,
            url: self.url.as_str().to_owned(),
            description: self.description.as_ref().map(ToString::to_string),
            event_types: self.event_types.names().to_vec(),
            secret: self.secret.expose().to_owned(),
        });
        Ok(WebhookRef { webhook_id })
    }
}

/// What is `None` stays as it is.
pub struct ChangeWebhook {
    pub webhook_id: WebhookId,
    pub url: Option<WebhookUrl>,
    /// Empty to take it away.
    pub description: Option<OptionalLine>,
    pub event_types: Option<EventTypes>,
    pub active: Option<bool>,
}

impl UseCase for ChangeWebhook {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Interrupt> {
        let Self { webhook_id, url, description, event_types, active } = self;
        let endpoint_changed = url.is_some() || description.is_some();
        let change = WebhookCommand::Change { event_types: event_types.clone(), active: *active, endpoint_changed };
        work.execute::<Webhook>(webhook_id, change)?;
        work.write_profile(Profile::ChangeWebhook {
            webhook_id: webhook_id.0,
            url: url.as_ref().map(|url| url.as_str().to_owned()),
            description: description.as_ref().map(ToString::to_string),
            event_types: event_types.as_ref().map(|event_types| event_types.names().to_vec()),
            active: *active,
        });
        Ok(WebhookRef { webhook_id: *webhook_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}

pub struct RotateWebhookSecret {
    pub webhook_id: WebhookId,
    /// A fresh one.
    pub secret: WebhookSecret,
}

impl UseCase for RotateWebhookSecret {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Interrupt> {
        let Self { webhook_id, secret } = self;
        work.execute::<Webhook>(webhook_id, WebhookCommand::RotateSecret)?;
        work.write_profile(Profile::RotateWebhookSecret {
            webhook_id: webhook_id.0,
            secret: secret.expose().to_owned(),
        });
        Ok(WebhookRef { webhook_id: *webhook_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}

pub struct RemoveWebhook {
    pub webhook_id: WebhookId,
}

impl UseCase for RemoveWebhook {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Webhook>(self.webhook_id, WebhookCommand::Remove)?;
        work.write_profile(Profile::RemoveWebhook { webhook_id: self.webhook_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Webhook>(self.webhook_id))
    }
}
