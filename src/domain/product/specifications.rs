//! Specifications of a product: a JSON object of the merchant's own, bounded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::text::{Description, Text, TextError};

/// A JSON object with at most [`Specifications::MAX_BYTES`] bytes, nested at most [`Specifications::MAX_DEPTH`] deep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Specifications(Map<String, Value>);

/// Why specifications from a client are rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecificationsError {
    #[error("must have at most {} bytes as JSON", Specifications::MAX_BYTES)]
    TooLong,
    #[error("must be nested at most {} deep", Specifications::MAX_DEPTH)]
    TooDeep,
    #[error("the key `{key}` {error}")]
    Key { key: String, error: TextError },
    #[error("has the key `{0}` twice")]
    DuplicateKey(String),
    #[error("the value of `{key}` {error}")]
    Text { key: String, error: TextError },
}

impl Specifications {
    /// Maximum number of bytes, written as JSON without spaces.
    pub const MAX_BYTES: usize = 16_384;
    /// Maximum depth: an object of plain values has depth 1.
    pub const MAX_DEPTH: usize = 5;
    /// Maximum number of characters of a key.
    pub const MAX_KEY: usize = 100;

    /// Parses what a client sent.
    pub fn parse(object: Map<String, Value>) -> Result<Self, SpecificationsError> {
        let parsed = parse_object(object, Self::MAX_DEPTH)?;
        if Value::Object(parsed.clone()).to_string().len() > Self::MAX_BYTES {
            return Err(SpecificationsError::TooLong);
        }
        Ok(Self(parsed))
    }

    pub fn object(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn parse_object(object: Map<String, Value>, depth: usize) -> Result<Map<String, Value>, SpecificationsError> {
    let depth = depth.checked_sub(1).ok_or(SpecificationsError::TooDeep)?;
    let mut parsed = Map::new();
    for (key, value) in object {
        let name = match Text::<{ Specifications::MAX_KEY }>::parse(&key) {
            Ok(name) => String::from(name),
            Err(error) => return Err(SpecificationsError::Key { key, error }),
        };
        let value = parse_value(&name, value, depth)?;
        if parsed.insert(name, value).is_some() {
            return Err(SpecificationsError::DuplicateKey(key));
        }
    }
    Ok(parsed)
}

fn parse_value(key: &str, value: Value, depth: usize) -> Result<Value, SpecificationsError> {
    Ok(match value {
        Value::Object(object) => Value::Object(parse_object(object, depth)?),
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or(SpecificationsError::TooDeep)?;
            let items = items.into_iter().map(|item| parse_value(key, item, depth));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::String(text) => {
            let text = Description::parse(&text);
            Value::String(text.map_err(|error| SpecificationsError::Text { key: key.to_owned(), error })?.into())
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    })
}

impl TryFrom<Map<String, Value>> for Specifications {
    type Error = SpecificationsError;

    fn try_from(object: Map<String, Value>) -> Result<Self, SpecificationsError> {
        Self::parse(object)
    }
}

impl From<Specifications> for Map<String, Value> {
    fn from(specifications: Specifications) -> Self {
        specifications.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<Specifications, SpecificationsError> {
        let Value::Object(object) = value else { panic!("not an object") };
        Specifications::parse(object)
    }

    #[test]
    fn specifications_are_bounded_in_size_depth_and_letters() {
        let kept = json!({ "power": { "watts": 2200.5, "plug": null }, "colours": ["red", true], "note": "a\nb" });
        assert_eq!(Value::Object(parse(kept.clone()).unwrap().into()), kept);
        assert!(parse(json!({ "a": { "b": { "c": { "d": {} } } } })).is_ok());
        assert_eq!(parse(json!({ "a": { "b": { "c": { "d": [[]] } } } })), Err(SpecificationsError::TooDeep));
        assert_eq!(parse(json!({ "a": { "b": { "c": { "d": { "e": {} } } } } })), Err(SpecificationsError::TooDeep));
        assert_eq!(parse(json!({ "a": vec!["x".repeat(9_000); 2] })), Err(SpecificationsError::TooLong));
        let nul = parse(json!({ "a": { "b": "x\0" } })).unwrap_err();
        assert_eq!(nul.to_string(), "the value of `b` must not contain control characters");
        assert!(matches!(parse(json!({ "a\0": 1 })), Err(SpecificationsError::Key { .. })));
        assert!(matches!(parse(json!({ "k": 1, " k": 1 })), Err(SpecificationsError::DuplicateKey(_))));
    }
}
