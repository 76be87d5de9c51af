//! What a reactor is: the trait, the events that it receives, and how it reports a failure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::ReactorOptions;

/// A side effect of events outside the database, such as sending a mail or notifying a webhook.
///
/// Implement [`name`](Self::name), [`event_types`](Self::event_types) and [`react`](Self::react), and add the reactor
/// to the list in `src/server.rs`. The other methods have defaults that fit a reactor with one effect per event.
///
/// # Guarantees
///
/// - Every committed event of the chosen types leads to one [`Reaction`] per target, also if the server was down at
///   the time, and never to a reaction for an event that was not committed.
/// - Each reaction is attempted at least once, and retried until [`react`](Self::react) returns `Ok`, the reaction is
///   parked, or an operator drops it. At most one attempt per reaction runs at a time, unless a node loses its
///   connection for longer than its claim lasts.
/// - Reactions run on all nodes and in no particular order: one that is retried runs after later ones.
/// - Rebuilding a read table causes no reaction.
///
/// # Example
///
/// ```no_run
/// use cartwright::reactors::{Failure, Reaction, Reactor};
/// use futures_util::future::BoxFuture;
///
/// /// Reports every new order to a warehouse.
/// struct WarehouseReports;
///
/// impl Reactor for WarehouseReports {
///     fn name(&self) -> &'static str {
///         "warehouse_reports"
///     }
///
///     fn event_types(&self) -> &[&'static str] {
///         &["OrderPlaced"]
///     }
///
///     fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
///         Box::pin(async move {
///             let (key, order) = (reaction.event.event_id, &reaction.event.payload);
///             send_to_warehouse(key, order).await.map_err(|error| Failure::Retry(error.to_string()))
///         })
///     }
/// }
/// # async fn send_to_warehouse(_: uuid::Uuid, _: &serde_json::Value) -> std::io::Result<()> { Ok(()) }
/// ```
pub trait Reactor: Send + Sync + 'static {
    /// Identifies the reactor and its position in the log in the database. Never rename a reactor that has run: under
    /// a new name it would begin at the end of the log, and its pending reactions would stay behind.
    fn name(&self) -> &'static str;

    /// Names of the events that the reactor receives, such as `OrderPlaced`; an empty list stands for all events.
    fn event_types(&self) -> &[&'static str];

    /// Performs the side effect of one event.
    ///
    /// It runs outside any transaction and may run more than once for the same event, for example when the node dies
    /// before the outcome is recorded. So it must be idempotent: send `reaction.event.event_id` along as an
    /// idempotency key; it is the same at every attempt. Attempts for different events run concurrently, up to
    /// [`ReactorOptions::concurrency`].
    ///
    /// # Errors
    ///
    /// A [`Failure`] says whether the attempt is retried or the reaction is parked for an operator. A panic and an
    /// attempt that exceeds [`ReactorOptions::time_limit`] count as [`Failure::Retry`].
    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>>;

    /// Returns the targets of each event, as pairs of the event's position and a target.
    ///
    /// A reactor that fans out gets one reaction for each pair, each with its own attempts; an event without a pair
    /// gets none. It runs in the transaction that enqueues the events and must only read. By default each event has
    /// one target, the empty string.
    fn targets<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        Box::pin(async move { Ok(events.iter().map(|event| (event.position, String::new())).collect()) })
    }

    /// Returns the event types to read now, for a reactor whose subscriptions change at run time.
    ///
    /// `*` stands for all events; an empty list reads nothing and skips the events. `None`, the default, means
    /// [`event_types`](Self::event_types). It runs in the transaction that enqueues the events and must only read.
    fn subscribed_event_types<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, sqlx::Error>> {
        Box::pin(async { Ok(None) })
    }

    /// Returns the reactor's retries, limits and concurrency; `default` holds the server's settings.
    fn options(&self, default: ReactorOptions) -> ReactorOptions {
        default
    }
}

/// An event as it is stored in the log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RecordedEvent {
    /// Position in the log, from 1.
    pub position: i64,
    pub event_id: Uuid,
    /// The stored name, such as `OrderPlaced`.
    pub event_type: String,
    /// Version of the payload's shape.
    pub event_version: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    /// Place among the events of its aggregate, from 1.
    pub sequence: i64,
    pub recorded_at: DateTime<Utc>,
    pub payload: Value,
    pub metadata: Value,
}

/// One attempt to perform the side effect of one event for one target.
#[derive(Clone, Debug)]
pub struct Reaction {
    pub event: RecordedEvent,
    /// Empty, unless the reactor fans out.
    pub target: String,
    /// Counts from 1.
    pub attempt: i32,
}

/// Why an attempt failed. Operators read the reason, so it holds no personal data and no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Retry after a delay that grows with each attempt.
    Retry(String),
    /// Retry after this delay, because the other side asked for it.
    RetryAfter(String, Duration),
    /// Park the reaction at once, because a retry cannot succeed.
    Park(String),
}
