//! Mails about accounts: confirm a registration, reset a password.

use super::Secret;
use crate::mail::Mail;

pub(super) enum AccountMail {
    Confirm {
        token: Secret,
    },
    /// A registration was requested for an address that already has an account.
    HasAccount,
    Reset {
        token: Secret,
    },
}

impl AccountMail {
    /// Writes the mail; `url` is the public URL of the shop.
    pub fn write(&self, to: &str, url: &str) -> Mail {
        // The token is the fragment of the URL, which browsers send to no server and which reaches no log.
        let (subject, text) = match self {
            Self::Confirm { token } => (
                "Please confirm your registration",
                format!(
                    "Welcome!\n\nPlease confirm your e-mail address:\n\n{url}/account/confirm#{}\n\n\
                     The link works once, within one day. If you did not register, ignore this mail.\n",
                    token.expose()
                ),
            ),
            Self::HasAccount => (
                "You already have an account",
                format!(
                    "A registration was requested for this address, which already has an account.\n\n\
                     If you forgot your password, choose a new one:\n\n{url}/account/reset\n\n\
                     If you did not request this, ignore this mail.\n"
                ),
            ),
            Self::Reset { token } => (
                "Choose a new password",
                format!(
                    "Choose a new password:\n\n{url}/account/reset#{}\n\n\
                     The link works once, within one hour. If you did not request it, ignore this mail.\n",
                    token.expose()
                ),
            ),
        };
        Mail { to: to.to_owned(), subject: subject.to_owned(), text, html: None, id: None }
    }
}
