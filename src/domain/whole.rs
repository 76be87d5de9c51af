//! Whole numbers within bounds.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Whole<const MIN: i64, const MAX: i64>(i64);

/// A number outside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a whole number from {min} to {max}")]
pub struct OutOfBounds {
    min: i64,
    max: i64,
}

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    pub fn new(number: i64) -> Result<Self, OutOfBounds> {
        if (MIN..=MAX).contains(&number) { Ok(Self(number)) } else { Err(OutOfBounds { min: MIN, max: MAX }) }
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> TryFrom<i64> for Whole<MIN, MAX> {
    type Error = OutOfBounds;

    fn try_from(number: i64) -> Result<Self, OutOfBounds> {
        Self::new(number)
    }
}

impl<const MIN: i64, const MAX: i64> From<Whole<MIN, MAX>> for i64 {
    fn from(number: Whole<MIN, MAX>) -> Self {
        number.0
    }
}
