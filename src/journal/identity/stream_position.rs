//! A reader's place in the log, with the generation that it belongs to.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A position of the log, written as `2-1045`, or without its generation as `1045`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// `None` if the reader named none.
    pub generation: Option<i64>,
    /// Position of the last event that the reader has; 0 before the first.
    pub position: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be the id of an event, such as 2-1045, or a position, such as 1045")]
pub struct MalformedPosition;

impl StreamPosition {
    pub fn of(generation: i64, position: i64) -> Self {
        Self { generation: Some(generation), position }
    }
}

impl fmt::Display for StreamPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(generation) = self.generation {
            write!(formatter, "{generation}-")?;
        }
        self.position.fmt(formatter)
    }
}

impl FromStr for StreamPosition {
    type Err = MalformedPosition;

    fn from_str(text: &str) -> Result<Self, MalformedPosition> {
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(|_| MalformedPosition),
            false => Err(MalformedPosition),
        };
        match text.split_once('-') {
            Some((generation, position)) => {
                let generation = Some(number(generation)?).filter(|generation| *generation > 0);
                Ok(Self { generation: Some(generation.ok_or(MalformedPosition)?), position: number(position)? })
            }
            None => Ok(Self { generation: None, position: number(text)? }),
        }
    }
}

impl Serialize for StreamPosition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamPosition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PositionVisitor)
    }
}

/// Reads the text, or the number that earlier versions wrote.
struct PositionVisitor;

impl Visitor<'_> for PositionVisitor {
    type Value = StreamPosition;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the id of an event, or a position")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<StreamPosition, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, position: u64) -> Result<StreamPosition, E> {
        let position = i64::try_from(position).map_err(|_| E::custom(MalformedPosition))?;
        Ok(StreamPosition { generation: None, position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written_and_may_stand_alone() {
        for text in ["0", "17", "1-0", "2-1045", "9223372036854775807-9223372036854775807"] {
            assert_eq!(text.parse::<StreamPosition>().unwrap().to_string(), text);
        }
        assert_eq!("2-17".parse(), Ok(StreamPosition::of(2, 17)));
        assert_eq!("17".parse(), Ok(StreamPosition { generation: None, position: 17 }));
        for text in ["", "-", "-1", "1-", "0-5", "+1", "1-+2", "1-2-3", "x", "9223372036854775808", " 1"] {
            assert_eq!(text.parse::<StreamPosition>(), Err(MalformedPosition), "{text}");
        }
    }
}
