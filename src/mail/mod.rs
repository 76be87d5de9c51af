//! E-mail: composes mails, and sends them by SMTP or writes them to a folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use thiserror::Error;

use crate::clock::Clock;

mod folder;
mod folder_limit;
mod free_text;
mod order_mails;
mod staff_mails;
mod template_checks;
mod templates;
mod unmailable;

pub use folder::restrict_mails;
pub use order_mails::OrderMails;
pub use staff_mails::StaffMails;
pub use template_checks::check;
pub use templates::{Rendered, TemplateError, Templates};
pub use unmailable::{UnmailableOwners, find_unmailable};

/// The reactors that send mails.
pub const REACTORS: [&str; 2] = [order_mails::NAME, staff_mails::NAME];

/// How mails are sent. Debug output does not show the SMTP password.
#[derive(Clone)]
pub struct MailConfig {
    /// `smtps://user:password@host`. Without it, mails are written to `folder`.
    pub smtp_url: Option<String>,
    pub folder: PathBuf,
    /// The most mails in the folder; beyond them the oldest are deleted. 0 keeps all.
    pub folder_max: usize,
    /// Sender of the mails, such as `The Shop <shop@example.com>`.
    pub from: String,
    /// Base URL of links in mails, without a trailing slash.
    pub public_url: String,
}

/// Why a mail was not sent.
#[derive(Debug, Error)]
pub enum MailError {
    #[error("invalid SMTP settings: {0}")]
    Settings(String),
    /// No mail can be sent to the recipient's address; a retry cannot succeed.
    #[error("the recipient's e-mail address is invalid")]
    Unmailable,
    /// The mail itself is invalid; a retry cannot succeed.
    #[error("cannot compose the mail: {0}")]
    Invalid(String),
    /// The server refused the mail for good; a retry cannot succeed.
    #[error("cannot send the mail: {0}")]
    Refused(String),
    /// A retry may succeed.
    #[error("cannot send the mail: {0}")]
    Unsent(String),
}

/// A mail to one recipient. It has no debug output, because its text may hold a link that opens an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    /// A single line.
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Message id, the same for each copy of a mail that may be sent twice, so that mail programs show one. Random if
    /// `None`.
    pub id: Option<String>,
}

/// Sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    config: Arc<MailConfig>,
    clock: Clock,
    /// Mails written to the folder by this process.
    written: Arc<AtomicU64>,
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let smtp_url = self.smtp_url.as_ref().map(|_| "…");
        let Self { folder, from, public_url, .. } = self;
        let mut fields = formatter.debug_struct("MailConfig");
        fields.field("smtp_url", &smtp_url).field("folder", folder).field("from", from);
        fields.field("public_url", public_url).finish()
    }
}

impl Mailer {
    /// Mails are dated by `clock`.
    pub fn new(config: &MailConfig, clock: &Clock) -> Self {
        Self { config: Arc::new(config.clone()), clock: clock.clone(), written: Arc::default() }
    }

    pub fn config(&self) -> &MailConfig {
        &self.config
    }

    /// Sends a mail by SMTP, or writes it to the folder.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.compose(mail)?;
        match &self.config.smtp_url {
            Some(url) => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|error| MailError::Settings(error.to_string()))?
                    .build();
                transport.send(message).await.map(drop).map_err(|error| classify_error(&error))
            }
            None => {
                let written = folder::write_mail(&self.config.folder, &message.formatted());
                written.map_err(|error| MailError::Unsent(error.to_string()))?;
                self.bound_folder().await;
                Ok(())
            }
        }
    }

    /// Deletes the oldest mails of the folder, if it has too many. The mail is written, so a failure is only logged.
    async fn bound_folder(&self) {
        let (folder, most) = (self.config.folder.clone(), self.config.folder_max);
        if most == 0 || !self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(folder_limit::CHECK_EVERY) {
            return;
        }
        match tokio::task::spawn_blocking(move || folder_limit::delete_oldest(&folder, most)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(deleted)) => tracing::warn!(deleted, "deleted the oldest mails of the mail folder; see --mail-files"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot bound the mail folder"),
            Err(error) => tracing::error!(%error, "the mail folder could not be bounded"),
        }
    }

    fn compose(&self, mail: &Mail) -> Result<Message, MailError> {
        let from: Mailbox = self.config.from.parse().map_err(invalid)?;
        let to = unmailable::mailable_address(&mail.to).ok_or(MailError::Unmailable)?;
        let id = mail.id.as_ref().map(|id| format!("<{id}@{}>", from.email.domain()));
        // Stops automatic replies (RFC 3834).
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(&mail.subject)
            .date((&self.clock).into())
            .message_id(id)
            .raw_header(automatic);
        match &mail.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
            None => message.singlepart(SinglePart::plain(mail.text.clone())),
        }
        .map_err(invalid)
    }
}

fn invalid(error: impl ToString) -> MailError {
    MailError::Invalid(error.to_string())
}

/// Classifies an SMTP error. The text does not quote the server, which may name the recipient.
fn classify_error(error: &smtp::Error) -> MailError {
    // 53x is about the shop's authentication, which an operator can correct.
    let logs_in = error.status().is_some_and(|code| code.to_string().starts_with("53"));
    if error.is_timeout() {
        MailError::Unsent("the SMTP server timed out".to_owned())
    } else if error.is_permanent() && logs_in {
        MailError::Unsent("the SMTP server rejected the login".to_owned())
    } else if error.is_permanent() {
        MailError::Refused("the SMTP server refused it".to_owned())
    } else if error.is_transient() {
        MailError::Unsent("the SMTP server is temporarily unable to accept it".to_owned())
    } else {
        MailError::Unsent("cannot reach the SMTP server".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_smtp_password() {
        let config = MailConfig {
            smtp_url: Some("smtps://jo:secret@mail.example.com".to_owned()),
            folder: PathBuf::from("mails"),
            folder_max: 0,
            from: "shop@example.com".to_owned(),
            public_url: "https://shop.example.com".to_owned(),
        };
        assert!(!format!("{config:?}").contains("secret"), "{config:?}");
    }
}
