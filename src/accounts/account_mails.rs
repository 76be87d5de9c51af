//! What is mailed about accounts.

use super::Secret;
use crate::mail::Mail;

pub(super) enum AccountMail {
    Confirm {
        token: Secret,
    },
    /// Somebody wants to register with an address that has an account.
    HasAccount,
    Reset {
        token: Secret,
    },
}

impl AccountMail {
    /// The account_mail as a mail; `url` is where the shop is.
    pub fn write(&self, to: &str, url: &str) -> Mail {
        // A token stands behind the `#`: it goes to no server and into no log.
        let (subject, text) = match self {
            Self::Confirm { token } => (
                "Please confirm your registration",
                format!(
                    "Welcome!\n\nConfirm that this address is yours:\n\n{url}/account/confirm#{}\n\n\
                     The link is good for one day, and once. If you did not register, do nothing.\n",
                    token.expose()
                ),
            ),
            Self::HasAccount => (
                "You have an account already",
                format!(
                    "Somebody, perhaps you, wants to register with this address, which has an account already.\n\n\
                     If you forgot your password, choose another one:\n\n{url}/account/reset\n\n\
                     If it was not you, do nothing.\n"
                ),
            ),
            Self::Reset { token } => (
                "Choose another password",
                format!(
                    "Choose another password:\n\n{url}/account/reset#{}\n\n\
                     The link is good for one hour, and once. If you did not ask for it, do nothing.\n",
                    token.expose()
                ),
            ),
        };
        Mail { to: to.to_owned(), subject: subject.to_owned(), text, html: None, id: None }
    }
}
