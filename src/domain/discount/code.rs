//! The code of a discount, as buyers enter it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// 1 to [`DiscountCode::MAX`] ASCII letters, digits, `-` and `_`; case-insensitive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(description = "Letters, digits, `-` and `_`; upper and lower case are the same.")]
pub struct DiscountCode(String);

/// A text that is not a discount code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have 1 to {} letters, digits, \"-\" and \"_\"", DiscountCode::MAX)]
pub struct DiscountCodeError;

impl DiscountCode {
    /// Maximum number of characters.
    pub const MAX: usize = 40;

    pub fn parse(text: &str) -> Result<Self, DiscountCodeError> {
        let text = text.trim();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let good = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(allowed);
        if good { Ok(Self(text.to_owned())) } else { Err(DiscountCodeError) }
    }

    /// The code as entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code in upper case, for comparison: the id of the discount's stream.
    pub fn folded(&self) -> String {
        self.0.to_ascii_uppercase()
    }
}

impl TryFrom<String> for DiscountCode {
    type Error = DiscountCodeError;

    fn try_from(text: String) -> Result<Self, DiscountCodeError> {
        Self::parse(&text)
    }
}

impl From<DiscountCode> for String {
    fn from(code: DiscountCode) -> Self {
        code.0
    }
}

impl fmt::Display for DiscountCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
