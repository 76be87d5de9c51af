//! Somebody outside is told nothing more, not even what was on its way.

use crate::domain::ids::WebhookId;
use crate::domain::webhook::{Webhook, WebhookCommand};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct RemoveWebhook {
    pub webhook_id: WebhookId,
}

impl UseCase for RemoveWebhook {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        work.execute::<Webhook>(self.webhook_id, WebhookCommand::Remove)?;
        work.write_profile(Profile::RemoveWebhook { webhook_id: self.webhook_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Webhook>(self.webhook_id))
    }
}
