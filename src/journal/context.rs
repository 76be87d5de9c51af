//! Who sends a command, and how it is to be carried out.

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;
use uuid::Uuid;

/// Everything about a command that is not its content.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: Actor,
    /// When the command arrived. Use cases take the time from here, so that running them again decides the same.
    pub received_at: DateTime<Utc>,
    pub request_id: String,
    /// Joins everything that one cause led to, across services.
    pub correlation_id: String,
    /// Names this command as the cause of its events.
    pub command_id: Uuid,
    pub idempotency: Option<IdempotencyKey>,
    /// The version that the caller last saw of the use case's subject.
    pub if_match: Option<i64>,
    /// Decide and answer, but store nothing.
    pub dry_run: bool,
}

/// The person or program behind a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub id: String,
    pub role: &'static str,
}

/// The same key and principal get the same answer, for 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of what the request asks for.
    pub fingerprint: [u8; 32],
}

impl Context {
    /// A command of `actor`, received now.
    pub fn of(actor: Actor) -> Self {
        let command_id = Uuid::now_v7();
        Self {
            actor,
            // PostgreSQL keeps microseconds.
            received_at: Utc::now().trunc_subsecs(6),
            request_id: command_id.to_string(),
            correlation_id: command_id.to_string(),
            command_id,
            idempotency: None,
            if_match: None,
            dry_run: false,
        }
    }

    /// The metadata of every event that the command leads to: a flat object of strings, as postgres-es reads it.
    pub(super) fn metadata(&self) -> String {
        json!({
            "actor": self.actor.id,
            "role": self.actor.role,
            "request_id": self.request_id,
            "correlation_id": self.correlation_id,
            "causation_id": self.command_id,
        })
        .to_string()
    }
}
