//! E-mail addresses, as far as a mail can reach them.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

use super::{Text, TextError};

/// E-mail address; compared case-insensitively. Requests are parsed with [`Email::parse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(pub(super) String);

/// Longest address that SMTP carries, in bytes.
const MAX: usize = 254;
/// Longest part before the `@`.
const LOCAL_MAX: usize = 64;

impl Email {
    /// Parses an address that a client typed: one that every mail server accepts.
    ///
    /// The part before the `@` is ASCII without quotes or comments, the rest is a host name with a dot, or `localhost`.
    /// A domain in other letters becomes its ASCII form: `jo@bücher.example` is `jo@xn--bcher-kva.example`.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(TextError::NotAnEmail)?;
        if !is_local_part(local) {
            return Err(if local.is_ascii() { TextError::NotAnEmail } else { TextError::EmailNotAscii });
        }
        let domain = host_name(domain).ok_or(TextError::NotAnEmail)?;
        let email = format!("{local}@{domain}");
        if email.len() > MAX { Err(TextError::TooLong(MAX)) } else { Ok(Self(email)) }
    }

    /// An address of a table. It was checked by the rule of its time, and is not checked again.
    pub fn stored(email: String) -> Self {
        Self(email)
    }

    /// Parses the address of an existing account, which may be valid by an earlier rule only.
    pub fn parse_known(text: &str) -> Result<Self, TextError> {
        Self::parse(text).or_else(|error| match Text::<MAX>::check_line(text.trim()) {
            Ok(()) if text.contains('@') => Ok(Self(text.trim().to_owned())),
            _ => Err(error),
        })
    }

    /// Whether a mail can reach the address. Stored addresses of an earlier rule may not.
    pub fn can_be_mailed(&self) -> bool {
        Self::parse(&self.0).is_ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address in lower case: two addresses are the same if these are.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Words of letters, digits and the signs of RFC 5322, separated by single dots.
fn is_local_part(local: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    local.len() <= LOCAL_MAX && local.split('.').all(|word| !word.is_empty() && word.bytes().all(is_sign))
}

/// The host name in ASCII, if the text is one: labels of letters, digits and inner hyphens.
fn host_name(domain: &str) -> Option<Cow<'_, str>> {
    let ascii =
        Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
    // Lower case comes with the conversion only; an address in ASCII stays as it was typed.
    let ascii = if domain.is_ascii() { ascii.map(|_| Cow::Borrowed(domain)) } else { ascii };
    ascii.ok().filter(|name| {
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_public = name.contains('.') && !last.bytes().all(|byte| byte.is_ascii_digit());
        is_public || name.eq_ignore_ascii_case("localhost")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_that_can_be_mailed_are_accepted_as_typed() {
        for email in [
            "jo@example.com",
            "jo+shop@example.com",
            "Jo.O'Neil@example.co.uk",
            "o'neil+x@mail.example.com",
            "_@a-b.example",
            "admin@localhost",
            "admin@shop.localhost",
            "1@2.example",
            "JO@EXAMPLE.COM",
            "a@r3---sn.example",
        ] {
            assert_eq!(Email::parse(email).as_ref().map(Email::as_str), Ok(email));
        }
        assert_eq!(Email::parse("  jo@example.com\n").unwrap().as_str(), "jo@example.com");
    }

    #[test]
    fn addresses_that_no_mail_reaches_are_refused() {
        for email in [
            "",
            "jo",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b..c",
            "a@.b",
            "jo..x@example.com",
            ".jo@example.com",
            "jo.@example.com",
            "<jo@example.com>",
            "Jo <jo@example.com>",
            "jo@example.com,",
            "jo@example.com;",
            "jo,x@example.com",
            "jo@-example.com",
            "jo@example-.com",
            "jo@exa_mple.com",
            "jo@example.com.",
            "jo@example",
            "jo@127.0.0.1",
            "jo@[127.0.0.1]",
            "\"jo x\"@example.com",
            "jo(x)@example.com",
            "jo@exam ple.com",
            "jo@example.com\nBcc: x@example.com",
            "jo\u{200b}@example.com",
            "jo@exam\u{202e}ple.com",
            "jo\0@example.com",
            "mailto:jo@example.com",
        ] {
            assert!(Email::parse(email).is_err(), "{email:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "x".repeat(65))).is_err());
        assert!(Email::parse(&format!("jo@{}.example", "x".repeat(64))).is_err());
        assert!(
            Email::parse(&format!("{}@{}.example", "x".repeat(64), ["x".repeat(60).as_str(); 4].join("."))).is_err()
        );
        assert_eq!(Email::parse("jö@example.com"), Err(TextError::EmailNotAscii));
    }

    #[test]
    fn a_domain_in_other_letters_has_one_form() {
        for email in ["jo@bücher.example", "jo@BÜCHER.example", "jo@bu\u{308}cher.example", "jo@xn--bcher-kva.example"]
        {
            assert_eq!(Email::parse(email).unwrap().as_str(), "jo@xn--bcher-kva.example", "{email}");
        }
    }

    #[test]
    fn an_address_of_an_earlier_rule_can_be_named_but_not_mailed() {
        for email in ["jo..x@example.com", "jo@example", "jö@example.com"] {
            let known = Email::parse_known(email).unwrap();
            assert_eq!((known.as_str(), known.can_be_mailed()), (email, false));
        }
        assert!(Email::parse_known("jo").is_err());
        assert!(Email::parse_known("jo\0@example.com").is_err());
    }

    proptest! {
        #[test]
        fn the_mailer_accepts_every_address_that_is_accepted(
            local in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~ \"(),:;<>@-]{1,20}", domain in "[a-zA-Z0-9.ü_-]{1,30}"
        ) {
            if let Ok(email) = Email::parse(&format!("{local}@{domain}")) {
                prop_assert!(email.as_str().is_ascii());
                prop_assert!(email.as_str().parse::<lettre::Address>().is_ok(), "{}", email.as_str());
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }
    }
}
