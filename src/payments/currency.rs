//! The currency of the shop's prices. A shop has one.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

use crate::domain::money::Money;

/// An ISO 4217 currency with two decimals, because `Money` has two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CurrencyError {
    #[error("must be a three-letter currency code such as EUR")]
    NotACurrency,
    #[error("must be a currency with two decimals")]
    NotTwoDecimals,
}

/// Currencies that payment providers count without decimals or in thousandths.
const WITHOUT_CENTS: [&str; 24] = [
    "BHD", "BIF", "CLP", "DJF", "GNF", "IQD", "JOD", "JPY", "KMF", "KRW", "KWD", "LYD", "OMR", "PYG", "RWF", "TND",
    "UGX", "VND", "VUV", "XAF", "XOF", "ISK", "MGA", "XPF",
];

impl Currency {
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters, such as `EUR`.
    pub fn code(&self) -> &str {
        // ASCII letters are valid UTF-8.
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
        if WITHOUT_CENTS.contains(&code.as_str()) {
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

/// The amount in cents. The largest has fourteen digits, so it fits.
pub fn to_cents(amount: Money) -> i64 {
    (amount.amount() * Decimal::ONE_HUNDRED).to_i64().unwrap_or(i64::MAX)
}

/// `None` if the amount is negative or exceeds the range of `Money`.
pub fn from_cents(cents: i64) -> Option<Money> {
    Money::try_from(Decimal::new(cents, 2)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_currencies_with_cents_are_accepted() {
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
            assert_eq!(from_cents(to_cents(money)), Some(money));
        }
        assert_eq!(to_cents(Money::parse("12.5").unwrap()), 1_250);
        assert_eq!(from_cents(-1), None);
    }
}
