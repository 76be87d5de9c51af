//! Text from clients: bounded, trimmed and without control characters, which PostgreSQL's jsonb rejects.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One line of text, trimmed, of 1 to `MAX` characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(String);

/// The name of a product, a category or a person.
pub type Name = Text<200>;
/// Stock-keeping unit: a merchant's own code for a product, by custom in upper case.
pub type Sku = Text<64>;
/// Number of an order in an external system.
pub type Reference = Text<100>;
/// Reason for a change, as staff enter it.
pub type Reason = Text<200>;

/// Text of several lines with at most [`Description::MAX`] characters; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Description(String);

/// E-mail address; compared case-insensitively.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// Why a text from a client is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {0} characters")]
    TooLong(usize),
    #[error("must not contain control characters")]
    Control,
    #[error("must be an e-mail address, such as \"jo@example.com\"")]
    NotAnEmail,
}

impl<const MAX: usize> Text<MAX> {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            Err(TextError::Empty)
        } else if trimmed.chars().count() > MAX {
            Err(TextError::TooLong(MAX))
        } else if trimmed.contains(char::is_control) {
            Err(TextError::Control)
        } else {
            Ok(Self(trimmed.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Canonical form for comparison: lower case, white space collapsed.
    pub fn folded(&self) -> String {
        self.0.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
    }
}

impl Description {
    /// Maximum number of characters.
    pub const MAX: usize = 10_000;

    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.chars().count() > Self::MAX {
            Err(TextError::TooLong(Self::MAX))
        } else if text.contains(|letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
            Err(TextError::Control)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// Checks only the shape `local@domain`; a confirmation mail proves that the address works.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = Text::<254>::parse(text)?.0;
        let shaped = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.len() <= 64
                && !domain.contains('@')
                && domain.split('.').all(|label| !label.is_empty())
        });
        if shaped && !text.contains(char::is_whitespace) { Ok(Self(text)) } else { Err(TextError::NotAnEmail) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! strings {
    ($([$($generics:tt)*] $name:ty),*) => {$(
        impl<$($generics)*> TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl<$($generics)*> From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl<$($generics)*> fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )*};
}
strings!([const MAX: usize] Text<MAX>, [] Description, [] Email);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_bounded_and_free_of_control_characters() {
        assert_eq!(Name::parse("  Tea  ").unwrap().as_str(), "Tea");
        assert_eq!(Name::parse(" \n "), Err(TextError::Empty));
        assert_eq!(Name::parse("a\0b"), Err(TextError::Control));
        assert!(Name::parse(&"é".repeat(200)).is_ok());
        assert_eq!(Name::parse(&"é".repeat(201)), Err(TextError::TooLong(200)));
    }

    #[test]
    fn names_are_compared_without_case_and_extra_white_space() {
        assert_eq!(Name::parse("Tea  &  Coffee").unwrap().folded(), Name::parse("tea & coffee").unwrap().folded());
    }

    #[test]
    fn an_email_has_one_at_and_a_domain() {
        for email in ["a@b", "jo@example.com", "o'neil+x@mail.example.com"] {
            assert!(Email::parse(email).is_ok(), "{email}");
        }
        for email in ["", "jo", "@b", "a@", "a@b@c", "a b@c", "a@b..c", "a@.b"] {
            assert!(Email::parse(email).is_err(), "{email}");
        }
    }

    #[test]
    fn a_description_may_be_empty_and_have_lines() {
        assert!(Description::parse("").is_ok());
        assert!(Description::parse("one\ntwo").is_ok());
        assert_eq!(Description::parse("a\0"), Err(TextError::Control));
    }
}
