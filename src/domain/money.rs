//! Money: exact decimals with two places, never a float.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quantity::Quantity;

/// Amount from `0.00` to [`Money::MAX`] with at most two decimals; in JSON a string: `"235.99"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(description = "An amount of money with two decimals.")]
#[schemars(extend("pattern" = "^[0-9]{1,12}[.][0-9]{2}$"))]
pub struct Money(Decimal);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    #[error("must be a decimal number in a string, such as \"12.50\"")]
    NotADecimal,
    #[error("must not be negative")]
    Negative,
    #[error("must have at most two decimals")]
    TooPrecise,
    #[error("must be at most {}", Money::MAX)]
    TooLarge,
}

impl Money {
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// `999999999999.99`, the largest amount that `numeric(14, 2)` holds.
    pub const MAX: Self = Self(Decimal::from_parts(276_447_231, 23_283, 0, false, 2));

    /// Parses `"12.5"` or `"12.50"`; rejects exponents, signs, more than two decimals and amounts out of range.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        if text.starts_with('-') && text[1..].starts_with(|first: char| first.is_ascii_digit()) {
            return Err(MoneyError::Negative);
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !plain || !text.starts_with(|first: char| first.is_ascii_digit()) || text.ends_with('.') {
            return Err(MoneyError::NotADecimal);
        }
        let whole_digits = text.split('.').next().unwrap_or_default().trim_start_matches('0').len();
        if whole_digits > 12 {
            return Err(MoneyError::TooLarge);
        }
        Decimal::from_str_exact(text).map_err(|_| MoneyError::TooPrecise)?.try_into()
    }

    /// Price of `quantity` units; `None` above [`Money::MAX`].
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        self.0.checked_mul(Decimal::from(quantity.get())).and_then(|amount| Self::try_from(amount).ok())
    }

    /// Sum; `None` above [`Money::MAX`].
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|amount| Self::try_from(amount).ok())
    }

    /// Difference; zero if `other` is larger.
    pub fn less(self, other: Self) -> Self {
        Self((self.0 - other.0).max(Decimal::ZERO))
    }

    /// Share of `part` out of `whole` units, rounded half away from zero. All units have the whole amount.
    pub fn share(self, part: i64, whole: i64) -> Self {
        let share = self.0 * Decimal::from(part) / Decimal::from(whole.max(1));
        Self(share.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero))
    }

    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The amount as a decimal number.
    pub fn amount(self) -> Decimal {
        self.0
    }

    /// Amount in hundredths.
    pub fn cents(self) -> i128 {
        let mut amount = self.0;
        amount.rescale(2);
        amount.mantissa()
    }

    /// Amount from hundredths; `None` below zero and above [`Money::MAX`].
    pub fn from_cents(cents: i128) -> Option<Self> {
        Decimal::try_from_i128_with_scale(cents, 2).ok().and_then(|amount| Self::try_from(amount).ok())
    }
}

/// Formats an amount with two decimals, rounded half away from zero.
pub fn two_decimals(amount: Decimal) -> String {
    format!("{:.2}", amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero))
}

impl TryFrom<Decimal> for Money {
    type Error = MoneyError;

    fn try_from(amount: Decimal) -> Result<Self, Self::Error> {
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(MoneyError::Negative);
        }
        if amount.normalize().scale() > 2 {
            return Err(MoneyError::TooPrecise);
        }
        if amount > Self::MAX.0 {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self(amount))
    }
}

impl TryFrom<String> for Money {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_shown_with_two_decimals() {
        for (text, shown) in
            [("12.5", "12.50"), ("0", "0.00"), ("007.10", "7.10"), ("999999999999.99", "999999999999.99")]
        {
            assert_eq!(Money::parse(text).unwrap().to_string(), shown);
        }
        assert_eq!(Money::MAX.to_string(), "999999999999.99");
    }

    #[test]
    fn an_invalid_amount_is_rejected_with_its_reason() {
        for text in ["", ".5", "1.", "1e3", "+1", "NaN", "1,00", "١", "-", "--1", "1.2.3"] {
            assert!(Money::parse(text).is_err(), "{text:?} was parsed as money");
        }
        assert_eq!(Money::parse("-1"), Err(MoneyError::Negative));
        assert_eq!(Money::parse("1.005"), Err(MoneyError::TooPrecise));
        assert_eq!(Money::parse("1000000000000"), Err(MoneyError::TooLarge));
        assert_eq!(Money::parse(&"9".repeat(1000)), Err(MoneyError::TooLarge));
    }

    #[test]
    fn a_product_or_sum_above_the_maximum_is_none() {
        let two = Quantity::new(2).unwrap();
        assert_eq!(Money::MAX.times(two), None);
        assert_eq!(Money::MAX.plus(Money::MAX), None);
        assert_eq!(Money::parse("0.05").unwrap().times(two), Some(Money::parse("0.10").unwrap()));
    }

    #[test]
    fn an_amount_is_its_cents() {
        for (text, cents) in [("0", 0), ("0.05", 5), ("12.5", 1_250), ("999999999999.99", 99_999_999_999_999)] {
            let money = Money::parse(text).unwrap();
            assert_eq!((money.cents(), Money::from_cents(cents)), (cents, Some(money)));
        }
        assert_eq!((Money::from_cents(-1), Money::from_cents(100_000_000_000_000)), (None, None));
        assert_eq!(Money::from_cents(i128::MAX), None);
    }

    #[test]
    fn a_share_rounds_half_away_from_zero_and_all_units_have_all_of_it() {
        let money = |text| Money::parse(text).unwrap();
        assert_eq!(money("0.05").share(1, 2), money("0.03"));
        assert_eq!(money("10.00").share(1, 3), money("3.33"));
        assert_eq!(money("10.00").share(3, 3), money("10.00"));
        assert_eq!(money("1.00").less(money("0.40")), money("0.60"));
        assert_eq!(money("0.40").less(money("1.00")), Money::ZERO);
    }

    #[test]
    fn averages_round_half_away_from_zero() {
        assert_eq!(two_decimals(Decimal::new(2_005, 3)), "2.01");
        assert_eq!(two_decimals(Decimal::new(-2_005, 3)), "-2.01");
    }
}
