//! How values look in answers.

use rust_decimal::Decimal;
use serde::Serializer;

use crate::domain::money::two_decimals;

/// Money as a string with two decimals.
pub fn money<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&two_decimals(*amount))
}
