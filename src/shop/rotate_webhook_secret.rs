//! The messages of a webhook are signed with another secret; for a day with the old one too.

use super::WebhookRef;
use crate::domain::ids::WebhookId;
use crate::domain::webhook::{Webhook, WebhookCommand, WebhookSecret};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct RotateWebhookSecret {
    pub webhook_id: WebhookId,
    /// A fresh one.
    pub secret: WebhookSecret,
}

impl UseCase for RotateWebhookSecret {
    type Answer = WebhookRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Stop> {
        let Self { webhook_id, secret } = self;
        work.execute::<Webhook>(webhook_id, WebhookCommand::RotateSecret)?;
        work.write_profile(Profile::RotateWebhookSecret {
            webhook_id: webhook_id.0,
            secret: secret.expose().to_owned(),
        });
        Ok(WebhookRef { webhook_id: *webhook_id })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Webhook>(self.webhook_id))
    }
}
