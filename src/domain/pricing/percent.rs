//! A percentage, exact to three decimals.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Percentage from `0` to `100` with at most three decimals; in JSON a string: `"19"`, `"8.875"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[0-9]{1,3}([.][0-9]{1,3})?$"))]
pub struct Percent(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PercentError {
    #[error("must be a decimal number in a string, such as \"7.5\"")]
    NotADecimal,
    #[error("must have at most three decimals")]
    TooPrecise,
    #[error("must be at most 100")]
    TooLarge,
}

impl Percent {
    pub const ZERO: Self = Self(0);
    /// 100 % in thousandths of a percent.
    pub const WHOLE: i128 = 100_000;
    const DECIMALS: usize = 3;

    /// Parses `"7.5"` or `"7.50"`; rejects signs, exponents, more than three decimals and values out of range.
    pub fn parse(text: &str) -> Result<Self, PercentError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(PercentError::NotADecimal);
        }
        if decimals.len() > Self::DECIMALS {
            return Err(PercentError::TooPrecise);
        }
        let number = format!("{whole}{decimals:0<width$}", width = Self::DECIMALS);
        match number.trim_start_matches('0').parse() {
            _ if number.bytes().all(|digit| digit == b'0') => Ok(Self::ZERO),
            Ok(thousandths) if i128::from(thousandths) <= Self::WHOLE => Ok(Self(thousandths)),
            _ => Err(PercentError::TooLarge),
        }
    }

    /// The percentage in thousandths of a percent.
    pub fn thousandths(self) -> i128 {
        i128::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        formatter.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl TryFrom<String> for Percent {
    type Error = PercentError;

    fn try_from(text: String) -> Result<Self, PercentError> {
        Self::parse(&text)
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_shown_without_trailing_zeros() {
        for (text, shown) in [
            ("0", "0"),
            ("0.000", "0"),
            ("7", "7"),
            ("7.5", "7.5"),
            ("07.50", "7.5"),
            ("8.875", "8.875"),
            ("0.001", "0.001"),
            ("10", "10"),
            ("100", "100"),
            ("100.000", "100"),
        ] {
            assert_eq!(Percent::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn an_invalid_percentage_is_rejected_with_its_reason() {
        for text in ["", ".5", "5.", "-1", "+1", "1e1", "NaN", "1,5", "١", "1.2.3", " 1"] {
            assert_eq!(Percent::parse(text), Err(PercentError::NotADecimal), "{text:?}");
        }
        assert_eq!(Percent::parse("1.0000"), Err(PercentError::TooPrecise));
        for text in ["100.001", "101", "99999999999999999999"] {
            assert_eq!(Percent::parse(text), Err(PercentError::TooLarge), "{text:?}");
        }
    }
}
