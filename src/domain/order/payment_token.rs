//! The payment provider's token for a buyer's card.

use std::fmt;

/// The provider's token for a payment instrument. It never appears in events, logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentToken(String);

impl PaymentToken {
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself: to store it, or to send it to the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for PaymentToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for PaymentToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PaymentToken(…)")
    }
}
