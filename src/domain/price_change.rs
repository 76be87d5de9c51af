//! A change of a price by a percentage.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::money::Money;

/// Percentage that prices rise (`"5"`) or fall (`"-12.5"`) by: above -100, at most 1000, with at most three decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PriceChange {
    /// In thousandths of a percent.
    thousandths: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PriceChangeError {
    #[error("must be a decimal number in a string, such as \"-7.5\"")]
    NotADecimal,
    #[error("must have at most three decimals")]
    TooPrecise,
    #[error("must be above -100 and at most 1000")]
    OutOfRange,
}

const DECIMALS: usize = 3;
const WHOLE: i128 = 100_000;

impl PriceChange {
    /// Parses `"5"`, `"+5"` or `"-12.5"`.
    pub fn parse(text: &str) -> Result<Self, PriceChangeError> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) {
            return Err(PriceChangeError::NotADecimal);
        }
        if decimals.len() > DECIMALS {
            return Err(PriceChangeError::TooPrecise);
        }
        let number = format!("{whole}{decimals:0<DECIMALS$}");
        let amount: i32 = number.parse().map_err(|_| PriceChangeError::OutOfRange)?;
        let thousandths = if text.starts_with('-') { -amount } else { amount };
        if !(-99_999..=1_000_000).contains(&thousandths) {
            return Err(PriceChangeError::OutOfRange);
        }
        Ok(Self { thousandths })
    }

    /// The price after the change, rounded to whole cents, half away from zero. A price above zero stays above zero.
    /// `None` above [`Money::MAX`].
    pub fn applied_to(self, price: Money) -> Option<Money> {
        let factor = WHOLE + i128::from(self.thousandths);
        let cents = (price.cents() * factor * 2 + WHOLE) / (WHOLE * 2);
        Money::from_cents(if price.is_zero() { 0 } else { cents.max(1) })
    }
}

impl fmt::Display for PriceChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, amount) = (if self.thousandths < 0 { "-" } else { "" }, self.thousandths.unsigned_abs());
        let (whole, decimals) = (amount / 1_000, format!("{:03}", amount % 1_000));
        match decimals.trim_end_matches('0') {
            "" => write!(formatter, "{sign}{whole}"),
            decimals => write!(formatter, "{sign}{whole}.{decimals}"),
        }
    }
}

impl TryFrom<String> for PriceChange {
    type Error = PriceChangeError;

    fn try_from(text: String) -> Result<Self, PriceChangeError> {
        Self::parse(&text)
    }
}

impl From<PriceChange> for String {
    fn from(change: PriceChange) -> Self {
        change.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(price: &str, percent: &str) -> String {
        let price = Money::parse(price).unwrap();
        PriceChange::parse(percent).unwrap().applied_to(price).map_or("none".to_owned(), |price| price.to_string())
    }

    #[test]
    fn a_changed_price_is_rounded_half_away_from_zero() {
        for (price, percent, expected) in [
            ("10.00", "5", "10.50"),
            ("10.00", "-12.5", "8.75"),
            ("0.10", "5", "0.11"),
            ("0.10", "4.999", "0.10"),
            ("9.99", "3.333", "10.32"),
            ("10.00", "0", "10.00"),
            ("0.00", "50", "0.00"),
            ("0.01", "-99", "0.01"),
            ("999999999999.99", "1", "none"),
            ("1.00", "+1000", "11.00"),
        ] {
            assert_eq!(changed(price, percent), expected, "{price} by {percent} %");
        }
    }

    #[test]
    fn a_percentage_has_one_form() {
        for (text, shown) in
            [("5", "5"), ("-0.500", "-0.5"), ("+7.25", "7.25"), ("1000", "1000"), ("-99.999", "-99.999")]
        {
            assert_eq!(PriceChange::parse(text).map(|change| change.to_string()).as_deref(), Ok(shown));
        }
        for text in ["", "-", "5%", "1e2", "5,5", ".5", "5.", "--5", "NaN"] {
            assert_eq!(PriceChange::parse(text), Err(PriceChangeError::NotADecimal), "{text}");
        }
        assert_eq!(PriceChange::parse("1.0001"), Err(PriceChangeError::TooPrecise));
        for text in ["-100", "1000.001", "99999999999"] {
            assert_eq!(PriceChange::parse(text), Err(PriceChangeError::OutOfRange), "{text}");
        }
    }
}
