//! The reactor that mails staff about what needs their attention.

use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use super::free_text::without_links;
use super::unmailable::mailable_address;
use super::{Mail, MailError, Mailer};
use crate::reactors::{Failure, Reaction, Reactor, RecordedEvent};

/// Mails every admin when the shop stops the deliveries of a webhook, and editors too when a product runs low; each account
/// is a target.
pub struct StaffMails {
    pool: PgPool,
    mailer: Mailer,
}

pub(super) const NAME: &str = "staff_mails";
/// The most accounts that one event is mailed to.
const MAX_STAFF: i64 = 100;
const WEBHOOK_DISABLED: &str = "WebhookDisabled";
const PRODUCT_RAN_LOW: &str = "ProductRanLow";

impl Reactor for StaffMails {
    fn name(&self) -> &'static str {
        NAME
    }

    fn event_types(&self) -> &[&'static str] {
        &[WEBHOOK_DISABLED, PRODUCT_RAN_LOW]
    }

    fn targets<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        Box::pin(async move {
            let mut targets = Vec::new();
            for with_editors in [false, true] {
                let mailed = events.iter().filter(|event| concerns_editors(&event.event_type) == with_editors);
                let positions: Vec<i64> = mailed.map(|event| event.position).collect();
                if positions.is_empty() {
                    continue;
                }
                let staff = sqlx::query_file_scalar!("src/mail/queries/staff.sql", MAX_STAFF, with_editors);
                let staff = staff.fetch_all(&mut *connection).await?;
                for position in positions {
                    targets.extend(staff.iter().map(|account_id| (position, account_id.to_string())));
                }
            }
            Ok(targets)
        })
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.send_mail(reaction))
    }
}

impl StaffMails {
    pub fn new(pool: PgPool, mailer: Mailer) -> Self {
        Self { pool, mailer }
    }

    /// Subject and text of the mail about a disabled webhook.
    async fn describe_webhook(&self, event: &RecordedEvent) -> Result<(String, String), Failure> {
        let webhook_id = &event.aggregate_id;
        let description = match webhook_id.parse::<i64>() {
            Ok(number) => sqlx::query_file_scalar!("src/mail/queries/webhook_description.sql", number)
                .fetch_optional(&self.pool)
                .await
                .map_err(retry_later)?
                .flatten(),
            Err(_) => None,
        };
        let text = describe_disabled(webhook_id, description.as_deref(), &event.payload, event.position);
        Ok((format!("Webhook {webhook_id} has been disabled"), text))
    }

    async fn send_mail(&self, reaction: &Reaction) -> Result<(), Failure> {
        let Ok(account_id) = reaction.target.parse::<i64>() else {
            return Err(Failure::Park("the target is not the number of an account".to_owned()));
        };
        let event = &reaction.event;
        let with_editors = concerns_editors(&event.event_type);
        let email = sqlx::query_file_scalar!("src/mail/queries/staff_email.sql", account_id, with_editors);
        // The account is gone or disabled, or has another role now.
        let Some(email) = email.fetch_optional(&self.pool).await.map_err(retry_later)? else { return Ok(()) };
        if mailable_address(&email).is_none() {
            tracing::warn!(account_id, "a mail is skipped: the e-mail address of the account is invalid");
            return Ok(());
        }
        let (subject, text) = match event.event_type.as_str() {
            PRODUCT_RAN_LOW => describe_low_stock(&event.aggregate_id, &event.payload),
            _ => self.describe_webhook(event).await?,
        };
        let id = Some(format!("staff.{}.{account_id}", event.event_id));
        let mail = Mail { to: email, subject, text, html: None, id };
        self.mailer.send(&mail).await.map_err(|error| match error {
            MailError::Refused(_) | MailError::Invalid(_) | MailError::Unmailable => Failure::Park(error.to_string()),
            MailError::Settings(_) | MailError::Unsent(_) => Failure::Retry(error.to_string()),
        })
    }
}

/// Whether editors are mailed too.
fn concerns_editors(event_type: &str) -> bool {
    event_type == PRODUCT_RAN_LOW
}

/// Subject and text of the mail about a product that ran low.
fn describe_low_stock(product_id: &str, payload: &Value) -> (String, String) {
    let name = without_links(payload["name"].as_str().unwrap_or_default());
    let (stock, threshold) = (payload["stock"].as_i64().unwrap_or(0), payload["threshold"].as_i64().unwrap_or(0));
    let units = if stock == 1 { "1 unit".to_owned() } else { format!("{stock} units") };
    let text = format!(
        "Product {product_id} ({name}) has {units} left for sale; its threshold is {threshold}.\n\n\
         GET /shop/api/low-stock/?threshold=own lists every product below its threshold.\n\n\
         The next mail about this product comes when its stock has been at the threshold again and falls below it. \
         To receive none:\n\n\
         PATCH /shop/api/product/{product_id}/ {{\"low_stock_threshold\": 0}}\n"
    );
    (format!("Low stock: {name}"), text)
}

/// The text of the mail about a webhook. It does not show the URL, which may hold a secret.
fn describe_disabled(webhook_id: &str, description: Option<&str>, payload: &Value, position: i64) -> String {
    let reason = match payload["reason"].as_str() {
        Some("gone") => "its receiver answered 410 Gone",
        Some("failing") => "no delivery to its receiver has succeeded for days",
        Some("backlog") => "too many deliveries to its receiver are pending",
        _ => "its receiver does not accept deliveries",
    };
    let named = description.map(|text| format!(" ({})", without_links(text))).unwrap_or_default();
    format!(
        "The shop has disabled webhook {webhook_id}{named}: {reason}.\n\n\
         Events after position {position} are not delivered to it. Pending deliveries are kept for a while.\n\n\
         GET /shop/api/webhook/{webhook_id}/deliveries/ shows why the last deliveries failed.\n\n\
         When the receiver works again, activate the webhook:\n\n\
         PATCH /shop/api/webhook/{webhook_id}/ {{\"active\": true}}\n\n\
         The shop then delivers what it has kept. GET /shop/api/webhook/{webhook_id}/ shows which events were missed; \
         read them with GET /shop/api/events/?after=<position>.\n"
    )
}

fn retry_later(error: sqlx::Error) -> Failure {
    tracing::warn!(%error, "cannot read what a mail to staff needs");
    Failure::Retry("cannot read from the database".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mail_says_why_the_webhook_was_disabled_and_how_to_activate_it() {
        let text = describe_disabled("3", Some("the till"), &json!({ "reason": "failing" }), 17);
        assert!(text.starts_with("The shop has disabled webhook 3 (the till): no delivery"), "{text}");
        assert!(text.contains("after position 17") && text.contains("PATCH /shop/api/webhook/3/"), "{text}");
    }
    #[test]
    fn a_mail_says_how_many_units_are_left_and_how_to_receive_no_more() {
        let payload = json!({ "name": "Kettle", "stock": 1, "threshold": 5 });
        let (subject, text) = describe_low_stock("7", &payload);
        assert_eq!(subject, "Low stock: Kettle");
        assert!(text.starts_with("Product 7 (Kettle) has 1 unit left for sale; its threshold is 5."), "{text}");
        assert!(text.contains("PATCH /shop/api/product/7/"), "{text}");
    }
}
