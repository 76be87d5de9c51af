//! The currency of the shop's prices, of which there is one.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

use crate::domain::money::Money;

/// A currency of ISO 4217 with two decimals, because money has two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CurrencyError {
    #[error("must be the three letters of a currency, such as EUR")]
    NotACurrency,
    #[error("has no cents, and the shop's prices have")]
    NotTwoDecimals,
}

/// Those that providers of payments count without decimals, or in thousandths.
const OTHERWISE: [&str; 21] = [
    "BHD", "BIF", "CLP", "DJF", "GNF", "IQD", "JOD", "JPY", "KMF", "KRW", "KWD", "LYD", "OMR", "PYG", "RWF", "TND",
    "UGX", "VND", "VUV", "XAF", "XOF",
];
const ALSO_OTHERWISE: [&str; 3] = ["ISK", "MGA", "XPF"];

impl Currency {
    pub const EUR: Self = Self(*b"EUR");

    /// `EUR`.
    pub fn code(&self) -> &str {
        // They are ASCII letters.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for Currency {
    fn default() -> Self {
        Self::EUR
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let code = text.to_ascii_uppercase();
        if OTHERWISE.contains(&code.as_str()) || ALSO_OTHERWISE.contains(&code.as_str()) {
            return Err(CurrencyError::NotTwoDecimals);
        }
        let letters = <[u8; 3]>::try_from(code.as_bytes()).map_err(|_| CurrencyError::NotACurrency)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(CurrencyError::NotACurrency) }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// The amount in cents. Every amount has some: the largest has fourteen digits.
pub fn cents(amount: Money) -> i64 {
    (amount.amount() * Decimal::ONE_HUNDRED).to_i64().unwrap_or(i64::MAX)
}

/// `None` below zero and above what money can be.
pub fn from_cents(cents: i64) -> Option<Money> {
    Money::try_from(Decimal::new(cents, 2)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_currencies_with_cents_are_taken() {
        assert_eq!("eur".parse(), Ok(Currency::EUR));
        assert_eq!("JPY".parse::<Currency>(), Err(CurrencyError::NotTwoDecimals));
        assert_eq!("KWD".parse::<Currency>(), Err(CurrencyError::NotTwoDecimals));
        for strange in ["", "EU", "EURO", "€", "E1R", "ÄÖ"] {
            assert_eq!(strange.parse::<Currency>(), Err(CurrencyError::NotACurrency), "{strange}");
        }
    }

    #[test]
    fn cents_are_exact_in_both_directions() {
        for text in ["0.00", "0.01", "12.50", "999999999999.99"] {
            let money = Money::parse(text).unwrap();
            assert_eq!(from_cents(cents(money)), Some(money));
        }
        assert_eq!(cents(Money::parse("12.5").unwrap()), 1_250);
        assert_eq!(from_cents(-1), None);
    }
}
