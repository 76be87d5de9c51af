//! Somebody outside is told of events from now on.

use serde::{Deserialize, Serialize};

use crate::domain::ids::WebhookId;
use crate::domain::text::Text;
use crate::domain::webhook::{EventTypes, Webhook, WebhookCommand, WebhookSecret, WebhookUrl};
use crate::journal::{Profile, Stop, UnitOfWork, UseCase};

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

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<WebhookRef, Stop> {
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
