//! Webhooks: delivers events to subscribers over HTTP, signed, at least once, with the same id at every attempt.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use crate::domain::ids::WebhookId;
use crate::domain::webhook::{DisableReason, WebhookSecret};
use crate::journal::{Actor, Context, Journal};
use crate::reactors::{Failure, Reaction, Reactor, ReactorOptions, RecordedEvent};
use crate::shop::DisableWebhook;

mod deliveries;
mod endpoint;
mod limits;
mod send;

pub use deliveries::{DeliveryView, WebhookView, deliveries, find, list, redeliver};
pub use endpoint::Endpoint;
pub use limits::{MAX_DELIVERIES, MAX_PENDING, Swept, find_failing, retry_kept, sweep};

use send::{DeliveryAttempt, RESPONSE_TIMEOUT, WebhookSender};

/// The reactor that delivers events to webhooks; each webhook is a target.
pub struct WebhookReactor {
    pool: PgPool,
    /// Disables webhooks that return 410 Gone.
    journal: Journal,
    sender: WebhookSender,
}

/// A webhook as a delivery needs it.
struct Subscription {
    url: String,
    active: bool,
    secret: WebhookSecret,
    previous_secret: Option<String>,
    previous_secret_until: Option<DateTime<Utc>>,
}

const NAME: &str = "webhooks";

impl WebhookReactor {
    /// `private_allowed` permits deliveries to private addresses.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(pool: PgPool, journal: Journal, private_allowed: bool) -> Result<Self, reqwest::Error> {
        Ok(Self { pool, journal, sender: WebhookSender::new(private_allowed)? })
    }

    async fn deliver(&self, webhook_id: i64, event: &RecordedEvent) -> Result<(), Failure> {
        let subscription = sqlx::query_file_as!(Subscription, "src/webhooks/queries/subscription.sql", webhook_id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|_| Failure::Retry("cannot read the webhook from the database".to_owned()))?;
        // Deleted since: its pending deliveries are dropped.
        let Some(subscription) = subscription else { return Ok(()) };
        if !subscription.active {
            return Err(Failure::Park("the webhook is inactive".to_owned()));
        }
        let Ok(endpoint) = Endpoint::parse(&subscription.url) else {
            return Err(Failure::Park("the stored URL is invalid".to_owned()));
        };
        let (now, log) = (self.journal.clock().database_time(), self.journal.identity());
        let secrets = subscription.signing_secrets(now);
        let DeliveryAttempt { status, mut outcome } = self.sender.send(&endpoint, &secrets, event, log, now).await;
        let status = status.map(|status| status.as_u16());
        if status == Some(410) {
            outcome = self.disable(webhook_id).await.and(outcome);
        }
        if let Err(error) = deliveries::record_attempt(&self.pool, webhook_id, event.position, status, &outcome).await {
            // The record is for people; the outcome counts without it.
            tracing::warn!(%error, webhook_id, "cannot record a delivery");
        }
        outcome
    }

    /// Stops the deliveries of a webhook that returned 410 Gone.
    async fn disable(&self, webhook_id: i64) -> Result<(), Failure> {
        tracing::warn!(webhook_id, "webhook returned 410 Gone; disabling it");
        let webhook_id = WebhookId(webhook_id);
        let disable = DisableWebhook { webhook_id, reason: DisableReason::Gone, failing_since: None };
        let context = Context::of(Actor { id: NAME.to_owned(), role: "reactor" });
        match self.journal.run(disable, context).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, %webhook_id, "cannot disable a webhook that returned 410 Gone");
                Err(Failure::Retry("returned 410".to_owned()))
            }
        }
    }
}

impl Subscription {
    /// The current secret, and the previous one until it expires.
    fn signing_secrets(self, now: DateTime<Utc>) -> Vec<WebhookSecret> {
        let previous = self.previous_secret.filter(|_| self.previous_secret_until > Some(now));
        [Some(self.secret), previous.map(WebhookSecret::new)].into_iter().flatten().collect()
    }
}

impl Reactor for WebhookReactor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn event_types(&self) -> &[&'static str] {
        &[]
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            match reaction.target.parse() {
                Ok(webhook_id) => self.deliver(webhook_id, &reaction.event).await,
                Err(_) => Err(Failure::Park("the target is not the number of a webhook".to_owned())),
            }
        })
    }

    /// The types of webhooks that are active, or were at the reactor's position. Without a webhook, nothing is read from the log.
    fn subscribed_event_types<'a>(
        &'a self,
        connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, sqlx::Error>> {
        Box::pin(async move {
            let event_types = "select distinct unnest(event_types) from webhook
                 where active or off_after > (select position from reactor where name = $1)";
            Ok(Some(sqlx::query_scalar(event_types).bind(NAME).fetch_all(connection).await?))
        })
    }

    fn targets<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        Box::pin(async move {
            let (positions, event_types): (Vec<_>, Vec<_>) =
                events.iter().map(|event| (event.position, event.event_type.clone())).unzip();
            let targets = sqlx::query_file!("src/webhooks/queries/targets.sql", &positions, &event_types);
            Ok(targets.fetch_all(connection).await?.into_iter().map(|row| (row.position, row.target)).collect())
        })
    }

    fn options(&self, default: ReactorOptions) -> ReactorOptions {
        // Time for the response and for the database.
        ReactorOptions { time_limit: RESPONSE_TIMEOUT * 2, ..default }
    }
}
