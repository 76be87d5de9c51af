//! A webhook: the event types it receives. URL and secret live in a table outside the log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::event_types::is_event_name;

mod secret;
#[cfg(test)]
mod tests;
mod url;

pub use secret::WebhookSecret;
pub use url::{WebhookUrl, WebhookUrlError};

/// The most webhooks of a shop, because each event may be delivered to each of them.
pub const MAX_WEBHOOKS: usize = 100;

/// Event types of a webhook: 1 to [`EventTypes::MAX`] names, or `*` for all events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(description = "Names of event types, or `*` for all.")]
pub struct EventTypes(Vec<String>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventTypesError {
    #[error("must name at least one event, or \"*\" for all")]
    Empty,
    #[error("must name at most {} events", EventTypes::MAX)]
    TooMany,
    #[error("must contain event names, such as \"OrderPlaced\", or \"*\" for all")]
    NotAName,
}

/// Life cycle of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Webhook {
    #[default]
    Unknown,
    // The name in stored snapshots.
    #[serde(rename = "Standing")]
    Registered {
        event_types: EventTypes,
        /// Whether events are delivered; a paused webhook receives none.
        active: bool,
    },
    Removed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCommand {
    Create {
        event_types: EventTypes,
    },
    /// Changes the given fields; `None` keeps a field.
    Change {
        event_types: Option<EventTypes>,
        active: Option<bool>,
        /// Whether the URL or the description changes, which the log does not hold.
        endpoint_changed: bool,
    },
    RotateSecret,
    /// Stops deliveries; nothing happens if they are stopped already.
    Disable {
        reason: DisableReason,
    },
    Remove,
}

/// Why the shop stopped the deliveries of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// The receiver answered 410 Gone.
    Gone,
    /// No delivery succeeded for days.
    Failing,
    /// Too many deliveries were pending.
    Backlog,
}

events! {
    pub enum WebhookEvent {
        Created { event_types: EventTypes } = "WebhookCreated",
        Changed { event_types: EventTypes, active: bool } = "WebhookChanged",
        SecretRotated {} = "WebhookSecretRotated",
        Disabled { reason: DisableReason } = "WebhookDisabled",
        Removed {} = "WebhookRemoved",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookError {
    #[error("webhook not found")]
    NotFound,
    #[error("the webhook already exists")]
    AlreadyExists,
    #[error("a delivery has succeeded in the meantime")]
    NotFailing,
    #[error("a shop can have at most {MAX_WEBHOOKS} webhooks")]
    TooMany,
}

impl EventTypes {
    /// Maximum number of event types of a webhook.
    pub const MAX: usize = 50;
    const NAME_MAX: usize = 100;

    pub fn parse(names: Vec<String>) -> Result<Self, EventTypesError> {
        if names.is_empty() {
            return Err(EventTypesError::Empty);
        }
        if names.len() > Self::MAX {
            return Err(EventTypesError::TooMany);
        }
        let is_name = |name: &String| {
            let letters = name.bytes().all(|letter| letter.is_ascii_alphanumeric());
            name == "*" || letters && name.len() <= Self::NAME_MAX && name.starts_with(|c: char| c.is_ascii_uppercase())
        };
        if names.iter().all(is_name) { Ok(Self(names)) } else { Err(EventTypesError::NotAName) }
    }

    /// The first name that no event of the shop has. Stored types may have such names, new ones must not.
    pub fn unknown_name(&self) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|name| *name != "*" && !is_event_name(name))
    }

    /// The names, or `*`, as the client gave them.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for EventTypes {
    type Error = EventTypesError;

    fn try_from(names: Vec<String>) -> Result<Self, EventTypesError> {
        Self::parse(names)
    }
}

impl From<EventTypes> for Vec<String> {
    fn from(event_types: EventTypes) -> Self {
        event_types.0
    }
}

impl Webhook {
    /// Whether events are delivered.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Registered { active: true, .. })
    }
}

impl Decider for Webhook {
    fn decide(&self, command: WebhookCommand) -> Result<Vec<WebhookEvent>, WebhookError> {
        let (event_types, active) = match (self, &command) {
            (Self::Unknown, WebhookCommand::Create { event_types }) => {
                return Ok(vec![WebhookEvent::Created { event_types: event_types.clone() }]);
            }
            (Self::Unknown | Self::Removed, _) => return Err(WebhookError::NotFound),
            (Self::Registered { event_types, active }, _) => (event_types, *active),
        };
        match command {
            WebhookCommand::Create { .. } => Err(WebhookError::AlreadyExists),
            WebhookCommand::Change { event_types: wanted, active: wanted_active, endpoint_changed } => {
                let changed = WebhookEvent::Changed {
                    event_types: wanted.unwrap_or_else(|| event_types.clone()),
                    active: wanted_active.unwrap_or(active),
                };
                let same = changed == WebhookEvent::Changed { event_types: event_types.clone(), active };
                Ok(if same && !endpoint_changed { vec![] } else { vec![changed] })
            }
            WebhookCommand::RotateSecret => Ok(vec![WebhookEvent::SecretRotated {}]),
            WebhookCommand::Disable { .. } if !active => Ok(vec![]),
            WebhookCommand::Disable { reason } => Ok(vec![WebhookEvent::Disabled { reason }]),
            WebhookCommand::Remove => Ok(vec![WebhookEvent::Removed {}]),
        }
    }

    fn evolve(&mut self, event: &WebhookEvent) {
        match event {
            WebhookEvent::Created { event_types } => {
                *self = Self::Registered { event_types: event_types.clone(), active: true };
            }
            WebhookEvent::Changed { event_types, active } => {
                *self = Self::Registered { event_types: event_types.clone(), active: *active };
            }
            WebhookEvent::SecretRotated {} => {}
            WebhookEvent::Disabled { .. } => {
                if let Self::Registered { active, .. } = self {
                    *active = false;
                }
            }
            WebhookEvent::Removed {} => *self = Self::Removed,
        }
    }
}

impl super::Numbered for Webhook {}
super::aggregate!(Webhook, "Webhook", WebhookCommand, WebhookEvent, WebhookError);
