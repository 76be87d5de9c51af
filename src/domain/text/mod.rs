//! Text from clients: bounded, trimmed, in one Unicode form (NFC), and readable.
//!
//! `parse` checks what a client typed. `stored` accepts texts of events and tables without a check, because
//! earlier rules were different.

use std::fmt;

use icu_casemap::CaseMapper;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

mod characters;
mod email;

pub use email::Email;

/// One line of text, trimmed, of 1 to `MAX` characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(String);

/// The name of a product, a category or a person.
pub type Name = Text<200>;
/// Stock-keeping unit: a merchant's own code for a product, by custom in upper case.
pub type Sku = Text<64>;
/// New SKU of a product; the empty text removes it.
pub type OptionalSku = OptionalText<64>;
/// Number of an order in an external system.
pub type Reference = Text<100>;
/// Reason for a change, as staff enter it.
pub type Reason = Text<200>;

/// Text of several lines with at most [`Description::MAX`] characters; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Description(String);

/// Last name of a person; empty for a person with one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LastName(String);

/// A line of text that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OptionalText<const MAX: usize>(Option<Text<MAX>>);

impl<const MAX: usize> OptionalText<MAX> {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The text, unless it is empty.
    pub fn text(self) -> Option<Text<MAX>> {
        self.0
    }
}

impl<const MAX: usize> TryFrom<String> for OptionalText<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.trim().is_empty() { Ok(Self(None)) } else { Text::parse(&text).map(|line| Self(Some(line))) }
    }
}

impl<const MAX: usize> From<OptionalText<MAX>> for String {
    fn from(line: OptionalText<MAX>) -> Self {
        line.0.map_or_else(Self::new, Self::from)
    }
}

impl<const MAX: usize> fmt::Display for OptionalText<MAX> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |line| line.fmt(formatter))
    }
}

/// Why a text from a client is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {0} characters")]
    TooLong(usize),
    #[error("must not contain control characters")]
    Control,
    #[error("must not contain invisible or direction-changing characters")]
    Invisible,
    #[error("must be an e-mail address, such as \"jo@example.com\"")]
    NotAnEmail,
    #[error("must be an e-mail address in ASCII before the \"@\", because not every mail server accepts other letters")]
    EmailNotAscii,
}

impl<const MAX: usize> Text<MAX> {
    /// Parses what a client typed.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text: String = text.trim().nfc().collect();
        Self::check_line(&text).map(|()| Self(text))
    }

    /// A text of an event or a table. It was checked by the rule of its time, and is not checked again.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Checks one line of text in NFC.
    fn check_line(text: &str) -> Result<(), TextError> {
        if text.chars().count() > MAX {
            Err(TextError::TooLong(MAX))
        } else if text.contains(char::is_control) {
            Err(TextError::Control)
        } else if !characters::is_visible(text) {
            Err(TextError::Empty)
        } else if !characters::is_readable(text) {
            Err(TextError::Invisible)
        } else {
            Ok(())
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Canonical form for uniqueness: Unicode's case folding and NFC, white space collapsed. Accents count.
    pub fn folded(&self) -> String {
        let collapsed = self.0.split_whitespace().collect::<Vec<_>>().join(" ");
        let letters: String = collapsed.nfd().filter(|letter| !characters::is_drawing_hint(*letter)).collect();
        CaseMapper::new().fold_string(&letters).nfc().collect()
    }

    /// The forms that names were compared by before [`Text::folded`]: lower case, white space collapsed. A name that
    /// clients typed decomposed was kept decomposed.
    pub fn formerly_folded(&self) -> [String; 2] {
        let lower = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        [lower(&self.0), lower(&self.decomposed())]
    }

    /// The text in Unicode's form NFD, as some clients type it.
    pub fn decomposed(&self) -> String {
        self.0.nfd().collect()
    }
}

impl Description {
    /// Maximum number of characters.
    pub const MAX: usize = 10_000;

    /// Parses what a client typed.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text: String = text.nfc().collect();
        let is_layout = |letter| matches!(letter, '\n' | '\r' | '\t');
        if text.chars().count() > Self::MAX {
            Err(TextError::TooLong(Self::MAX))
        } else if text.contains(|letter: char| letter.is_control() && !is_layout(letter)) {
            Err(TextError::Control)
        } else if !text.split(is_layout).all(characters::is_readable) {
            Err(TextError::Invisible)
        } else {
            Ok(Self(text))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LastName {
    /// Parses what a client typed; blank text is no last name.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.trim().is_empty() { Ok(Self::default()) } else { Name::parse(text).map(Self::from) }
    }

    /// Empty for a person with one name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Name> for LastName {
    fn from(name: Name) -> Self {
        Self(name.0)
    }
}

/// First and last name of a person.
pub fn full_name(first_name: &str, last_name: &str) -> String {
    [first_name, last_name].iter().filter(|name| !name.is_empty()).copied().collect::<Vec<_>>().join(" ")
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
strings!([const MAX: usize] Text<MAX>, [] Description, [] Email, [] LastName);

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
    fn names_that_differ_in_unicode_form_or_case_alone_are_the_same_and_accents_count() {
        let folded = |text: &str| Name::parse(text).unwrap().folded();
        for (one, other) in [
            ("Café", "cafe\u{301}"),
            ("STRASSE", "Straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Å", "\u{212b}"),
            ("\u{a0}Tea\u{2003}x", "tea X"),
            ("❤\u{fe0f} tea", "❤ Tea"),
            ("\u{1e9e}", "ss"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [("Café", "Cafe"), ("Åre", "Are"), ("ı", "i"), ("２０２４", "2024")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
        let decomposed = Name::stored("CAFE\u{301}").formerly_folded();
        assert!(Name::parse("Café").unwrap().formerly_folded().contains(&decomposed[0]));
    }

    #[test]
    fn a_text_without_visible_characters_is_empty() {
        for text in ["\u{200b}", "\u{2800}\u{3164}", "\u{301}", "\u{feff} \u{ad}"] {
            assert_eq!(Name::parse(text), Err(TextError::Empty), "{text:?}");
        }
        for text in ["a\u{202e}b", "a\u{200b}", "\u{feff}a", "a\u{2028}b", "soft\u{ad}hyphen"] {
            assert_eq!(Name::parse(text), Err(TextError::Invisible), "{text:?}");
        }
        assert_eq!(Description::parse("a\n\u{202e}b"), Err(TextError::Invisible));
        assert_eq!(Name::parse("cafe\u{301}").unwrap().as_str(), "café");
    }

    #[test]
    fn a_stored_text_is_read_whatever_it_holds() {
        assert_eq!(Name::stored(" \u{202e}\0").as_str(), " \u{202e}\0");
    }

    #[test]
    fn a_person_may_have_one_name() {
        assert_eq!(LastName::parse(" "), Ok(LastName::default()));
        assert_eq!(LastName::parse("Miller").unwrap().as_str(), "Miller");
        assert!(LastName::parse("\u{200b}").is_err());
        assert_eq!(full_name("Sukarno", ""), "Sukarno");
        assert_eq!(full_name("Jo", "Miller"), "Jo Miller");
    }

    #[test]
    fn a_description_may_be_empty_and_have_lines() {
        assert!(Description::parse("").is_ok());
        assert!(Description::parse("one\ntwo").is_ok());
        assert_eq!(Description::parse("a\0"), Err(TextError::Control));
    }
}
