//! Metadata: pairs of texts that integrations keep with a product, a cart, an order or a customer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::{Description, Text, TextError};

/// At most [`Metadata::MAX_PAIRS`] pairs: a key is one line of text, a value may have several lines or be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

/// Why pairs from a client are rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    #[error("must have at most {} pairs", Metadata::MAX_PAIRS)]
    TooManyPairs,
    #[error("the key `{key}` {error}")]
    Key { key: String, error: TextError },
    #[error("has the key `{0}` twice")]
    DuplicateKey(String),
    #[error("the value of `{key}` {error}")]
    Value { key: String, error: TextError },
}

impl Metadata {
    /// Maximum number of pairs.
    pub const MAX_PAIRS: usize = 50;
    /// Maximum number of characters of a key.
    pub const MAX_KEY: usize = 40;
    /// Maximum number of characters of a value.
    pub const MAX_VALUE: usize = 500;

    /// Parses what a client sent.
    pub fn parse(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, MetadataError> {
        let mut parsed = BTreeMap::new();
        for (key, value) in pairs {
            if parsed.len() == Self::MAX_PAIRS {
                return Err(MetadataError::TooManyPairs);
            }
            let name = match Text::<{ Self::MAX_KEY }>::parse(&key) {
                Ok(name) => String::from(name),
                Err(error) => return Err(MetadataError::Key { key, error }),
            };
            let value = match Description::parse(&value) {
                Ok(text) if text.as_str().chars().count() > Self::MAX_VALUE => Err(TextError::TooLong(Self::MAX_VALUE)),
                parsed => parsed,
            };
            let value = value.map_err(|error| MetadataError::Value { key: name.clone(), error })?;
            if parsed.insert(name, value.into()).is_some() {
                return Err(MetadataError::DuplicateKey(key));
            }
        }
        Ok(Self(parsed))
    }

    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = MetadataError;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        Self::parse(pairs)
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Metadata, MetadataError> {
        Metadata::parse(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn metadata_is_bounded_in_pairs_keys_and_values() {
        assert!(parse(&[("shelf", "A 3\nupper"), ("empty", "")]).is_ok());
        let many = |count: usize| Metadata::parse((0..count).map(|number| (number.to_string(), String::new())));
        assert!(many(50).is_ok());
        assert_eq!(many(51), Err(MetadataError::TooManyPairs));
        let long_key = parse(&[(&"k".repeat(41), "")]).unwrap_err();
        assert!(long_key.to_string().ends_with("must have at most 40 characters"), "{long_key}");
        let long_value = parse(&[("k", &"v".repeat(501))]).unwrap_err();
        assert_eq!(long_value.to_string(), "the value of `k` must have at most 500 characters");
        assert!(parse(&[("k", "a\0b")]).is_err() && parse(&[("", "v")]).is_err());
        assert_eq!(parse(&[("k", "1"), (" k ", "2")]), Err(MetadataError::DuplicateKey(" k ".to_owned())));
    }
}
