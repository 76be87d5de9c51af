//! Mails: composed, and sent by SMTP, or written into a folder where there is no SMTP.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use thiserror::Error;

mod order_mails;
mod templates;

pub use order_mails::{OrderMails, check};
pub use templates::{Rendered, TemplateError, Templates};

#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `smtps://user:password@host`; without it mails are written into the folder.
    pub smtp_url: Option<String>,
    pub folder: PathBuf,
    /// Who the mails are from: `The Shop <shop@example.com>`.
    pub from: String,
    /// Where the shop is for those who read the mails, without a slash at the end.
    pub public_url: String,
}

#[derive(Debug, Error)]
pub enum MailError {
    #[error("the SMTP settings are not usable: {0}")]
    Settings(String),
    #[error("a mail cannot be written: {0}")]
    Unwritable(String),
    /// Trying again does not help.
    #[error("a mail cannot be sent: {0}")]
    Refused(String),
    #[error("a mail cannot be sent: {0}")]
    Unsent(String),
}

/// What somebody is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    /// One line.
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// The same for a mail that may be sent twice, so that the reader's program shows one; random if there is none.
    pub id: Option<String>,
}

#[derive(Clone)]
pub struct Mailer(Arc<MailConfig>);

impl Mailer {
    pub fn new(config: &MailConfig) -> Self {
        Self(Arc::new(config.clone()))
    }

    pub fn config(&self) -> &MailConfig {
        &self.0
    }

    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.compose(mail)?;
        match &self.0.smtp_url {
            Some(url) => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|error| MailError::Settings(error.to_string()))?
                    .build();
                transport.send(message).await.map(drop).map_err(|error| judge(&error))
            }
            None => {
                // A mail may hold what opens an account: nobody else on the machine is to read it.
                let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0.folder);
                made.map_err(|error| MailError::Unsent(error.to_string()))?;
                let transport = AsyncFileTransport::<Tokio1Executor>::new(&self.0.folder);
                transport.send(message).await.map(drop).map_err(|error| MailError::Unsent(error.to_string()))
            }
        }
    }

    fn compose(&self, mail: &Mail) -> Result<Message, MailError> {
        let from: Mailbox = self.0.from.parse().map_err(unwritable)?;
        let to = mail.to.parse().map_err(|_| unwritable("the address is not usable"))?;
        let id = mail.id.as_ref().map(|id| format!("<{id}@{}>", from.email.domain()));
        // Programs that answer mails by themselves leave these alone.
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(&mail.subject)
            .message_id(id)
            .raw_header(automatic);
        match &mail.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
            None => message.singlepart(SinglePart::plain(mail.text.clone())),
        }
        .map_err(unwritable)
    }
}

fn unwritable(error: impl ToString) -> MailError {
    MailError::Unwritable(error.to_string())
}

/// What went wrong, without the server's words: they may name the address.
fn judge(error: &smtp::Error) -> MailError {
    // 53x is about how the shop logs in, which somebody may mend.
    let logs_in = error.status().is_some_and(|code| code.to_string().starts_with("53"));
    if error.is_timeout() {
        MailError::Unsent("the SMTP server did not answer in time".to_owned())
    } else if error.is_permanent() && logs_in {
        MailError::Unsent("the SMTP server does not let the shop log in".to_owned())
    } else if error.is_permanent() {
        MailError::Refused("the SMTP server refuses it".to_owned())
    } else if error.is_transient() {
        MailError::Unsent("the SMTP server cannot take it now".to_owned())
    } else {
        MailError::Unsent("the SMTP server could not be reached".to_owned())
    }
}
