//! A webhook is told of other events, elsewhere, or not at present.

use super::WebhookRef;
use crate::domain::customer::OptionalLine;
use crate::domain::ids::WebhookId;
use crate::domain::webhook::{EventTypes, Webhook, WebhookCommand, WebhookUrl};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

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

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Stop> {
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

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Webhook>(self.webhook_id))
    }
}
