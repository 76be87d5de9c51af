//! The reactor that mails admins about what needs their attention.

use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use super::free_text::without_links;
use super::unmailable::mailable_address;
use super::{Mail, MailError, Mailer};
use crate::reactors::{Failure, Reaction, Reactor, RecordedEvent};

/// Mails every admin when the shop stops the deliveries of a webhook; each admin is a target.
pub struct StaffMails {
    pool: PgPool,
    mailer: Mailer,
}

pub(super) const NAME: &str = "staff_mails";
/// The most admins that one event is mailed to.
const MAX_ADMINS: i64 = 100;

impl Reactor for StaffMails {
    fn name(&self) -> &'static str {
        NAME
    }

    fn event_types(&self) -> &[&'static str] {
        &["WebhookDisabled"]
    }

    fn targets<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        Box::pin(async move {
            let admins = sqlx::query_file_scalar!("src/mail/queries/admins.sql", MAX_ADMINS);
            let admins = admins.fetch_all(connection).await?;
            let targets = events.iter().flat_map(|event| {
                let position = event.position;
                admins.iter().map(move |account_id| (position, account_id.to_string()))
            });
            Ok(targets.collect())
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

    async fn send_mail(&self, reaction: &Reaction) -> Result<(), Failure> {
        let Ok(account_id) = reaction.target.parse::<i64>() else {
            return Err(Failure::Park("the target is not the number of an account".to_owned()));
        };
        let email = sqlx::query_file_scalar!("src/mail/queries/admin_email.sql", account_id);
        // The account is gone, disabled, or no admin any more.
        let Some(email) = email.fetch_optional(&self.pool).await.map_err(retry_later)? else { return Ok(()) };
        if mailable_address(&email).is_none() {
            tracing::warn!(account_id, "a mail is skipped: the admin's e-mail address is invalid");
            return Ok(());
        }
        let event = &reaction.event;
        let webhook_id = &event.aggregate_id;
        let description = match webhook_id.parse::<i64>() {
            Ok(number) => sqlx::query_file_scalar!("src/mail/queries/webhook_description.sql", number)
                .fetch_optional(&self.pool)
                .await
                .map_err(retry_later)?
                .flatten(),
            Err(_) => None,
        };
        let mail = Mail {
            to: email,
            subject: format!("Webhook {webhook_id} has been disabled"),
            text: describe_disabled(webhook_id, description.as_deref(), &event.payload, event.position),
            html: None,
            id: Some(format!("staff.{}.{account_id}", event.event_id)),
        };
        self.mailer.send(&mail).await.map_err(|error| match error {
            MailError::Refused(_) | MailError::Invalid(_) | MailError::Unmailable => Failure::Park(error.to_string()),
            MailError::Settings(_) | MailError::Unsent(_) => Failure::Retry(error.to_string()),
        })
    }
}

/// The text of the mail. It does not show the URL, which may hold a secret.
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
}
