//! Mails about accounts: confirm a registration, reset a password, change an e-mail address.
//!
//! Each says what was requested, when and from which network. None contains text from the request: strangers can cause
//! these mails.

use chrono::{DateTime, Utc};

use super::Secret;
use crate::mail::Mail;

pub(super) enum AccountMail {
    Confirm {
        token: Secret,
    },
    /// A registration was requested for an address that already has an account.
    HasAccount,
    /// A registration or a new password was requested for the address of a disabled account.
    Disabled,
    Reset {
        token: Secret,
    },
    /// To the new address of an account.
    ChangeEmail {
        token: Secret,
    },
    /// A change to an address was requested that another account or customer has.
    EmailTaken,
    /// To the present address of an account.
    EmailNotice,
}

/// When and from which network a mail was requested.
pub(super) struct RequestOrigin {
    pub requested_at: DateTime<Utc>,
    /// The client address, shortened to its network; unknown for requests that an earlier version stored.
    pub network: Option<String>,
}

impl AccountMail {
    /// Whether the mail contains a single-use link.
    pub fn has_link(&self) -> bool {
        matches!(self, Self::Confirm { .. } | Self::Reset { .. } | Self::ChangeEmail { .. })
    }

    /// Writes the mail; `url` is the public URL of the shop.
    pub fn write(&self, to: &str, url: &str, origin: &RequestOrigin) -> Mail {
        let requested = format!("was requested at {url} {}", origin.describe());
        // The token is the fragment of the URL, which browsers send to no server and which reaches no log.
        let (subject, text) = match self {
            Self::Confirm { token } => (
                "Please confirm your registration",
                format!(
                    "A registration with this e-mail address {requested}.\n\n\
                     To complete it, choose a password:\n\n{url}/account/confirm#{}\n\n\
                     The link works once, within one day. If you did not request this, ignore this mail: \
                     there is no account without the link.\n",
                    token.expose()
                ),
            ),
            Self::HasAccount => (
                "You already have an account",
                format!(
                    "A registration with this e-mail address {requested}, but the address already has an account.\n\n\
                     If you forgot your password, choose a new one:\n\n{url}/account/reset\n\n\
                     If you did not request this, ignore this mail.\n"
                ),
            ),
            Self::Disabled => (
                "Your account is disabled",
                format!(
                    "A registration or a new password for this e-mail address {requested}, \
                     but the account with this address is disabled. Nothing was changed.\n\n\
                     To use the account again, contact the shop. If you did not request this, ignore this mail.\n"
                ),
            ),
            Self::Reset { token } => (
                "Choose a new password",
                format!(
                    "A new password for the account with this e-mail address {requested}.\n\n\
                     To choose it:\n\n{url}/account/reset#{}\n\n\
                     The link works once, within one hour. If you did not request this, ignore this mail.\n",
                    token.expose()
                ),
            ),
            Self::ChangeEmail { token } => (
                "Please confirm your new e-mail address",
                format!(
                    "A change of the e-mail address of an account to this address {requested}.\n\n\
                     To confirm the new address:\n\n{url}/account/email#{}\n\n\
                     The link works once, within one hour. If you did not request this, ignore this mail: \
                     nothing changes without the link.\n",
                    token.expose()
                ),
            ),
            Self::EmailTaken => (
                "This e-mail address is already in use",
                format!(
                    "A change of the e-mail address of another account to this address {requested}. \
                     Nothing was changed, because the address already belongs to a customer or an account.\n\n\
                     If you forgot your password, choose a new one:\n\n{url}/account/reset\n\n\
                     If you did not request this, ignore this mail.\n"
                ),
            ),
            Self::EmailNotice => (
                "The e-mail address of your account is to change",
                format!(
                    "A change of the e-mail address of your account to another address {requested}. \
                     It takes effect when the link in the mail to the new address is used.\n\n\
                     If you did not request this, choose a new password now, which also cancels the change:\n\n\
                     {url}/account/reset\n\n\
                     If you can no longer log in, contact the shop.\n"
                ),
            ),
        };
        Mail { to: to.to_owned(), subject: subject.to_owned(), text, html: None, id: None }
    }
}

impl RequestOrigin {
    fn describe(&self) -> String {
        let time = self.requested_at.format("on %-d %B %Y at %H:%M UTC");
        match self.network.as_deref().filter(|network| !network.is_empty()) {
            Some(network) => {
                let bits = if network.contains(':') { 48 } else { 24 };
                format!("{time} from the network {network}/{bits}")
            }
            None => time.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_says_when_and_from_which_network_it_was_requested() {
        let requested_at = DateTime::from_timestamp(1_777_640_400, 0).unwrap();
        let describe =
            |network: Option<&str>| RequestOrigin { requested_at, network: network.map(str::to_owned) }.describe();
        assert_eq!(describe(Some("203.0.113.0")), "on 1 May 2026 at 13:00 UTC from the network 203.0.113.0/24");
        assert_eq!(describe(Some("2001:db8:1::")), "on 1 May 2026 at 13:00 UTC from the network 2001:db8:1::/48");
        assert_eq!(describe(None), "on 1 May 2026 at 13:00 UTC");
    }
}
