//! Context of a command: its actor, and how to carry it out.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entity_tag::EntityTag;

/// Field of an event's metadata that names the idempotency key of its command.
pub(super) const KEY_DIGEST: &str = "key_digest";

/// Everything about a command except its content.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: Actor,
    /// Scope of idempotency keys and of read-your-writes; by default the actor.
    pub principal: String,
    /// Another principal under which the caller may read its writes: a guest reads most routes without the cart's token.
    pub reader: Option<String>,
    /// Arrival of the command; `None`: when the journal takes it, by the shop's clock.
    pub received_at: Option<DateTime<Utc>>,
    pub request_id: String,
    /// Shared by all effects of one cause, across services.
    pub correlation_id: String,
    /// Id of this command, the causation id of its events.
    pub command_id: Uuid,
    pub idempotency: Option<IdempotencyKey>,
    /// The tag of the use case's subject that the caller last read.
    pub if_match: Option<EntityTag>,
    /// Whether to decide and answer only, and store nothing.
    pub dry_run: bool,
}

/// The person or program behind a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub id: String,
    pub role: &'static str,
}

/// Names a command for 24 hours: the same key of the same principal returns the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// SHA-256 of principal and key, in hexadecimal. The key itself is not stored, because it may contain anything.
    pub(super) digest: String,
    /// SHA-256 of the request.
    pub(super) fingerprint: [u8; 32],
}

impl IdempotencyKey {
    /// Two requests are the same if all parts of `request` are.
    pub fn new(principal: &str, key: &str, request: &[&[u8]]) -> Self {
        let digest = sha256([principal, key]);
        Self { digest: hex::encode(digest), fingerprint: sha256(request) }
    }

    /// The key of a part of the request, which has an answer of its own.
    pub fn part(&self, part: &str) -> Self {
        Self { digest: hex::encode(sha256([&self.digest, part])), fingerprint: self.fingerprint }
    }
}

/// Hashes the parts with their lengths, so that their boundaries count.
pub(super) fn sha256<Part: AsRef<[u8]>>(parts: impl IntoIterator<Item = Part>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl Context {
    /// A command of `actor`, received when the journal takes it.
    pub fn of(actor: Actor) -> Self {
        let command_id = Uuid::now_v7();
        Self {
            principal: actor.id.clone(),
            actor,
            reader: None,
            received_at: None,
            request_id: command_id.to_string(),
            correlation_id: command_id.to_string(),
            command_id,
            idempotency: None,
            if_match: None,
            dry_run: false,
        }
    }

    /// Metadata of the command's events: a flat object of strings, as postgres-es reads it.
    pub(super) fn metadata(&self) -> String {
        // Strings and UUIDs can always be written.
        serde_json::to_string(&EventMetadata {
            actor: &self.actor.id,
            role: self.actor.role,
            request_id: &self.request_id,
            correlation_id: &self.correlation_id,
            causation_id: self.command_id,
            key_digest: self.idempotency.as_ref().map(|idempotency| idempotency.digest.as_str()),
        })
        .unwrap_or_default()
    }
}

#[derive(Serialize)]
struct EventMetadata<'context> {
    actor: &'context str,
    role: &'static str,
    request_id: &'context str,
    correlation_id: &'context str,
    causation_id: Uuid,
    /// Tells other nodes that the key has an answer now. [`KEY_DIGEST`] is its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_digest: Option<&'context str>,
}
