//! What one use case reads and decides, across aggregates, before any of it is stored.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::context::Context;
use super::load::{self, Read};
use super::numbers::Numbers;
use super::stream::{StreamId, Versioned};
use crate::domain::Decider;
use crate::domain::account::Role;
use crate::domain::refusal::Refusal;

/// One thing that a client asks for, all of it or nothing.
///
/// `decide` may be called several times, on newer states each time, until what it decided is stored.
/// It must depend on nothing but itself and the unit of work.
pub trait UseCase: Send + Sync + 'static {
    type Answer: Serialize + DeserializeOwned + Send + Sync + 'static;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Self::Answer, Interrupt>;

    /// The aggregate whose version `If-Match` speaks of.
    fn subject(&self) -> Option<AggregateRef> {
        None
    }
}

/// Why a use case cannot go on.
#[derive(Debug)]
pub enum Interrupt {
    /// These aggregates are not at hand; the use case runs again when they are.
    Missing(Vec<AggregateRef>),
    Refused(Refusal),
    /// A defect, such as an event that cannot be serialised.
    Broken(String),
}

impl<E: Into<Refusal>> From<E> for Interrupt {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// An aggregate to be loaded.
#[derive(Clone)]
pub struct AggregateRef {
    pub(super) stream: StreamId,
    pub(super) read: Read,
}

/// An event that was decided and not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub stream: StreamId,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    /// JSON.
    pub payload: String,
}

/// A change to what is known of a person, stored in the commit of the events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Profile {
    Put {
        customer_id: i64,
        first_name: String,
        last_name: String,
        email: String,
    },
    /// What is `None` stays as it is.
    Change {
        customer_id: i64,
        first_name: Option<String>,
        last_name: Option<String>,
        email: Option<String>,
    },
    /// With everything that hangs on the customer: the account, its sessions, what was to be mailed.
    Forget {
        customer_id: i64,
    },
    PutAddress {
        customer_id: i64,
        address_id: i64,
        name: String,
        line1: String,
        line2: Option<String>,
        postal_code: String,
        city: String,
        region: Option<String>,
        country: String,
    },
    /// What is `None` stays as it is; an empty text takes a line away.
    ChangeAddress {
        customer_id: i64,
        address_id: i64,
        name: Option<String>,
        line1: Option<String>,
        line2: Option<String>,
        postal_code: Option<String>,
        city: Option<String>,
        region: Option<String>,
        country: Option<String>,
    },
    RemoveAddress {
        customer_id: i64,
        address_id: i64,
    },
    /// The address as it is now becomes an order's. Refused if it is gone, or no longer in the country.
    SnapshotAddress {
        order_id: i64,
        kind: AddressKind,
        customer_id: i64,
        address_id: i64,
        /// Two letters of ISO 3166-1; `None` for any.
        country: Option<String>,
    },
    /// A guest's, as it was given with the order.
    PutOrderAddress {
        order_id: i64,
        kind: AddressKind,
        name: String,
        line1: String,
        line2: Option<String>,
        postal_code: String,
        city: String,
        region: Option<String>,
        country: String,
    },
    /// Who the guest is that ordered.
    PutOrderContact {
        order_id: i64,
        name: String,
        email: String,
    },
    /// With the guest's addresses.
    ForgetOrderContact {
        order_id: i64,
    },
    OpenAccount {
        account_id: i64,
        role: Role,
        customer_id: Option<i64>,
        email: String,
        /// An argon2id hash; without one the account waits for its owner to choose a password.
        password_hash: Option<String>,
    },
    /// Ends every session, as the next two do.
    SetPassword {
        account_id: i64,
        password_hash: String,
    },
    SetRole {
        account_id: i64,
        role: Role,
    },
    Disable {
        account_id: i64,
    },
    Enable {
        account_id: i64,
    },
    PutKey {
        key_id: Uuid,
        account_id: i64,
        name: String,
        role: Role,
        /// SHA-256 of the secret, in hexadecimal.
        hash: String,
    },
    RevokeKey {
        key_id: Uuid,
    },
    /// A mailed link, by the SHA-256 of its token; the command is refused if it was used before.
    UseLink {
        hash: String,
    },
    /// What an attempt to pay is made with.
    PutInstrument {
        order_id: i64,
        attempt: i64,
        token: String,
    },
    PutWebhook {
        webhook_id: i64,
        url: String,
        description: Option<String>,
        event_types: Vec<String>,
        secret: String,
    },
    /// What is `None` stays as it is.
    ChangeWebhook {
        webhook_id: i64,
        url: Option<String>,
        description: Option<String>,
        event_types: Option<Vec<String>>,
        active: Option<bool>,
    },
    /// The secret before signs on for a day.
    RotateWebhookSecret {
        webhook_id: i64,
        secret: String,
    },
    RemoveWebhook {
        webhook_id: i64,
    },
}

/// What an order's address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    Shipping,
    Billing,
}

/// Where a unit of work finds what was decided before it.
pub(super) trait StateView {
    fn get(&self, stream: &StreamId) -> Option<Versioned>;
}

pub struct UnitOfWork<'view> {
    view: &'view dyn StateView,
    context: &'view Context,
    pub(super) changed: HashMap<StreamId, Versioned>,
    pub(super) events: Vec<NewEvent>,
    pub(super) profiles: Vec<Profile>,
    pub(super) numbers: Numbers,
}

impl AggregateRef {
    pub fn of<A: Decider>(id: impl Display) -> Self {
        Self { stream: StreamId::of::<A>(id), read: load::read_aggregate::<A> }
    }

    pub(super) fn answer(stream: StreamId) -> Self {
        Self { stream, read: load::read_answer }
    }
}

impl std::fmt::Debug for AggregateRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.stream.kind, self.stream.id)
    }
}

impl<'view> UnitOfWork<'view> {
    pub(super) fn new(view: &'view dyn StateView, context: &'view Context, numbers: Numbers) -> Self {
        Self { view, context, changed: HashMap::new(), events: Vec::new(), profiles: Vec::new(), numbers }
    }

    /// When the command arrived.
    pub fn now(&self) -> DateTime<Utc> {
        self.context.received_at
    }

    /// The aggregate as it is now, with everything decided so far.
    pub fn get<A: Decider>(&self, id: impl Display) -> Result<Arc<A>, Interrupt> {
        self.typed(&AggregateRef::of::<A>(id)).map(|(_, aggregate)| aggregate)
    }

    /// Several aggregates of one type; what is missing is loaded together.
    pub fn get_all<A: Decider, Id: Display>(&self, ids: impl IntoIterator<Item = Id>) -> Result<Vec<Arc<A>>, Interrupt> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for id in ids {
            match self.get::<A>(id) {
                Ok(aggregate) => found.push(aggregate),
                Err(Interrupt::Missing(loads)) => missing.extend(loads),
                Err(interrupt) => return Err(interrupt),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(Interrupt::Missing(missing)) }
    }

    /// Lets the aggregate decide `command`, and keeps what happened.
    pub fn execute<A: Decider>(&mut self, id: impl Display, command: A::Command) -> Result<(), Interrupt>
    where
        Refusal: From<A::Error>,
    {
        let load = AggregateRef::of::<A>(id);
        let (mut version, aggregate) = self.typed::<A>(&load)?;
        let events = aggregate.decide(command).map_err(|error| Interrupt::Refused(error.into()))?;
        if events.is_empty() {
            return Ok(());
        }
        let mut state = Arc::unwrap_or_clone(aggregate);
        for event in &events {
            state.evolve(event);
            version += 1;
            self.events.push(NewEvent {
                stream: load.stream.clone(),
                sequence: version,
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: serde_json::to_string(event).map_err(|error| Interrupt::Broken(error.to_string()))?,
            });
        }
        self.changed.insert(load.stream, Versioned { version, state: Arc::new(state) });
        Ok(())
    }

    /// The number for a new aggregate. Nothing need be loaded for it: a stream above the highest number is empty.
    pub fn next_number<A: Decider>(&mut self) -> Result<i64, Interrupt> {
        let number = self.numbers.next(A::TYPE).ok_or_else(|| Interrupt::Broken(format!("{} has no numbers", A::TYPE)))?;
        self.changed.insert(StreamId::of::<A>(number), Versioned { version: 0, state: Arc::new(A::default()) });
        Ok(number)
    }

    /// Changes what is known of a person, in the commit of the events.
    pub fn write_profile(&mut self, profile: Profile) {
        self.profiles.push(profile);
    }

    pub(super) fn version(&self, load: &AggregateRef) -> Result<i64, Interrupt> {
        self.find(load).map(|versioned| versioned.version)
    }

    fn typed<A: Decider>(&self, load: &AggregateRef) -> Result<(i64, Arc<A>), Interrupt> {
        let versioned = self.find(load)?;
        let aggregate =
            versioned.as_type().ok_or_else(|| Interrupt::Broken(format!("{load:?} is cached as another type")))?;
        Ok((versioned.version, aggregate))
    }

    fn find(&self, load: &AggregateRef) -> Result<Versioned, Interrupt> {
        let found = self.changed.get(&load.stream).cloned().or_else(|| self.view.get(&load.stream));
        found.ok_or_else(|| Interrupt::Missing(vec![load.clone()]))
    }
}
