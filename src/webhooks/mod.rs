//! Webhooks: whoever has subscribed is told of events over HTTP, signed, at least once, with one id at every attempt.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use crate::domain::ids::WebhookId;
use crate::journal::{Actor, Context, Journal};
use crate::reactors::{Fact, Failure, Reaction, Reactor, Settings};
use crate::shop::ChangeWebhook;

mod deliveries;
mod endpoint;
mod send;

pub use deliveries::{Delivery, WebhookRow, deliveries, find, list, redeliver, sweep};
pub use endpoint::Endpoint;

use send::{ANSWER_WITHIN, Sender, Sent};

/// Tells webhooks of events.
pub struct Webhooks {
    pool: PgPool,
    /// Deactivates a webhook that is gone.
    journal: Journal,
    sender: Sender,
}

/// Without `Debug`, so that no secret gets into a log.
struct Subscription {
    url: String,
    active: bool,
    secret: String,
    previous_secret: Option<String>,
    previous_secret_until: Option<DateTime<Utc>>,
}

const NAME: &str = "webhooks";

impl Webhooks {
    /// Messages go to private addresses only if that is allowed.
    pub fn new(pool: PgPool, journal: Journal, private_allowed: bool) -> Result<Self, reqwest::Error> {
        Ok(Self { pool, journal, sender: Sender::new(private_allowed)? })
    }

    async fn deliver(&self, webhook_id: i64, fact: &Fact) -> Result<(), Failure> {
        let subscription = sqlx::query_file_as!(Subscription, "src/webhooks/queries/subscription.sql", webhook_id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|_| Failure::Later("the database was away".to_owned()))?;
        // Removed since: nobody is told any more.
        let Some(subscription) = subscription else { return Ok(()) };
        if !subscription.active {
            return Err(Failure::Park("the webhook is not active".to_owned()));
        }
        let Ok(endpoint) = Endpoint::parse(&subscription.url) else {
            return Err(Failure::Park("the URL cannot be read".to_owned()));
        };
        let previous = subscription.previous_secret.as_deref();
        let previous = previous.filter(|_| subscription.previous_secret_until > Some(Utc::now()));
        let secrets: Vec<&str> = [Some(subscription.secret.as_str()), previous].into_iter().flatten().collect();
        let Sent { status, mut outcome } = self.sender.send(&endpoint, &secrets, fact).await;
        let status = status.map(|status| status.as_u16());
        if status == Some(410) {
            outcome = self.deactivate(webhook_id).await.and(outcome);
        }
        if let Err(error) = deliveries::note(&self.pool, webhook_id, fact.position, status, &outcome).await {
            // What came of it counts, noted or not.
            tracing::warn!(%error, webhook_id, "a delivery could not be noted");
        }
        outcome
    }

    /// It said that it is gone, for good.
    async fn deactivate(&self, webhook_id: i64) -> Result<(), Failure> {
        tracing::warn!(webhook_id, "a webhook answered that it is gone, and is told nothing more");
        let webhook_id = WebhookId(webhook_id);
        let change = ChangeWebhook { webhook_id, url: None, description: None, event_types: None, active: Some(false) };
        let context = Context::of(Actor { id: NAME.to_owned(), role: "reactor" });
        match self.journal.run(change, context).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, %webhook_id, "a webhook that is gone could not be deactivated");
                Err(Failure::Later("it answered 410".to_owned()))
            }
        }
    }
}

impl Reactor for Webhooks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn event_types(&self) -> &[&'static str] {
        &[]
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            match reaction.target.parse() {
                Ok(webhook_id) => self.deliver(webhook_id, &reaction.fact).await,
                Err(_) => Err(Failure::Park("the target is no webhook".to_owned())),
            }
        })
    }

    /// Without any webhook nothing of the log is read.
    fn wanted<'a>(
        &'a self,
        connection: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, sqlx::Error>> {
        Box::pin(async move {
            let wanted = "select distinct unnest(event_types) from webhook where active";
            Ok(Some(sqlx::query_scalar(wanted).fetch_all(connection).await?))
        })
    }

    fn targets<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        facts: &'a [Fact],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        Box::pin(async move {
            let (positions, event_types): (Vec<_>, Vec<_>) =
                facts.iter().map(|fact| (fact.position, fact.event_type.clone())).unzip();
            let targets = sqlx::query_file!("src/webhooks/queries/targets.sql", &positions, &event_types);
            Ok(targets.fetch_all(connection).await?.into_iter().map(|row| (row.position, row.target)).collect())
        })
    }

    fn settings(&self, default: Settings) -> Settings {
        // The answer's time, and what the database takes.
        Settings { time_limit: ANSWER_WITHIN * 2, ..default }
    }
}
