//! Mails: sent by SMTP, or written into a folder where there is no SMTP.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use thiserror::Error;

use super::Secret;

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
    #[error("a mail cannot be sent: {0}")]
    Unsent(String),
}

#[derive(Clone)]
pub struct Mailer(Arc<MailConfig>);

pub(super) enum Letter {
    Confirm {
        token: Secret,
    },
    /// Somebody wants to register with an address that has an account.
    HasAccount,
    Reset {
        token: Secret,
    },
}

impl Mailer {
    pub fn new(config: &MailConfig) -> Self {
        Self(Arc::new(config.clone()))
    }

    pub(super) async fn send(&self, to: &str, letter: &Letter) -> Result<(), MailError> {
        let message = self.compose(to, letter)?;
        match &self.0.smtp_url {
            Some(url) => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|error| MailError::Settings(error.to_string()))?
                    .build();
                let sent = transport.send(message).await;
                // The answer of a server may name the address.
                sent.map(drop).map_err(|error| MailError::Unsent(kind(&error).to_owned()))
            }
            None => {
                // A mail holds what opens an account: nobody else on the machine is to read it.
                let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0.folder);
                made.map_err(|error| MailError::Unsent(error.to_string()))?;
                let transport = AsyncFileTransport::<Tokio1Executor>::new(&self.0.folder);
                transport.send(message).await.map(drop).map_err(|error| MailError::Unsent(error.to_string()))
            }
        }
    }

    fn compose(&self, to: &str, letter: &Letter) -> Result<Message, MailError> {
        let url = &self.0.public_url;
        // A token stands behind the `#`: it goes to no server and into no log.
        let (subject, text) = match letter {
            Letter::Confirm { token } => (
                "Please confirm your registration",
                format!(
                    "Welcome!\n\nConfirm that this address is yours:\n\n{url}/account/confirm#{}\n\n\
                     The link is good for one day, and once. If you did not register, do nothing.\n",
                    token.expose()
                ),
            ),
            Letter::HasAccount => (
                "You have an account already",
                format!(
                    "Somebody, perhaps you, wants to register with this address, which has an account already.\n\n\
                     If you forgot your password, choose another one:\n\n{url}/account/reset\n\n\
                     If it was not you, do nothing.\n"
                ),
            ),
            Letter::Reset { token } => (
                "Choose another password",
                format!(
                    "Choose another password:\n\n{url}/account/reset#{}\n\n\
                     The link is good for one hour, and once. If you did not ask for it, do nothing.\n",
                    token.expose()
                ),
            ),
        };
        let mailbox =
            |address: &str| address.parse::<Mailbox>().map_err(|error| MailError::Unwritable(error.to_string()));
        let message = Message::builder()
            .from(mailbox(&self.0.from)?)
            .to(Mailbox::new(None, to.parse().map_err(|_| MailError::Unwritable("the address is not usable".into()))?))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text);
        message.map_err(|error| MailError::Unwritable(error.to_string()))
    }
}

/// What went wrong, without the server's words.
fn kind(error: &lettre::transport::smtp::Error) -> &'static str {
    if error.is_timeout() {
        "the SMTP server did not answer in time"
    } else if error.is_permanent() {
        "the SMTP server refuses it"
    } else if error.is_transient() {
        "the SMTP server cannot take it now"
    } else {
        "the SMTP server could not be reached"
    }
}
