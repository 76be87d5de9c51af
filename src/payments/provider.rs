//! What the shop asks of whoever moves the money, and what can come of it.

use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use thiserror::Error;
use uuid::Uuid;

use super::currency::Currency;
use crate::domain::money::Money;
use crate::domain::order::PaymentToken;

/// Holds, takes and gives back money. Every call may be repeated, and does nothing more then.
pub trait Provider: Send + Sync + 'static {
    /// Holds the amount. A card that is refused is [`PaymentError::Declined`]. The same request holds it once, as long
    /// as [`REPEATABLE`](super::REPEATABLE) is not over.
    fn authorise<'a>(&'a self, charge: &'a Charge) -> Asked<'a, Authorisation>;

    /// Takes what is held, and tells how much was taken. What was taken already is no error.
    fn capture<'a>(&'a self, reference: &'a str, amount: Money) -> Asked<'a, Money>;

    /// Lets go of what is held. What was let go of already is no error; what was taken is.
    fn cancel<'a>(&'a self, reference: &'a str) -> Asked<'a, ()>;

    /// Gives back what was taken, or part of it: once for each request.
    fn refund<'a>(&'a self, repayment: &'a Repayment) -> Asked<'a, Refunded>;

    /// What became of a payment, as the provider knows it.
    fn look<'a>(&'a self, reference: &'a str) -> Asked<'a, Intent>;

    /// The payment of a request whose answer was lost. `None` is no proof: it may become known a little later.
    fn find(&self, request: Uuid) -> Asked<'_, Option<Intent>>;

    /// Reads a message of the provider, if its signature is good: which payment to look at, if any. What else it says
    /// is not believed, because messages come twice, late, and out of order.
    fn read_notice(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<Option<String>, NoticeError>;
}

/// An answer that takes its time.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, PaymentError>>;

#[derive(Clone, Debug)]
pub struct Charge {
    pub purpose: Purpose,
    pub amount: Money,
    pub currency: Currency,
    pub instrument: PaymentToken,
}

/// What a payment is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    pub order_id: i64,
    /// Counts from 1 for each order.
    pub attempt: i64,
    /// The event that asks for it. No other shop has one of this id.
    pub request: Uuid,
}

/// Money to be given back.
#[derive(Clone, Debug)]
pub struct Repayment {
    /// The payment that it comes from.
    pub reference: String,
    pub order_id: i64,
    /// Counts from 1 for each order.
    pub refund: i64,
    pub amount: Money,
    /// The event that asks for it.
    pub request: Uuid,
}

/// A key that the shop shares with a provider. It never appears in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderSecret(String);

/// The provider holds the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorisation {
    /// The payment's name at the provider.
    pub reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// The refund's name at the provider.
    pub reference: String,
}

/// A payment as the provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub reference: String,
    /// `None` if no shop made it.
    pub purpose: Option<Purpose>,
    pub state: IntentState,
    /// What was taken, or else what was asked for.
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// The provider is still at it.
    Open,
    Authorised,
    Captured,
    Cancelled,
    Failed {
        code: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// Final, and nothing was moved.
    #[error("declined: {code}")]
    Declined { code: String },
    /// It may have been done or not. To be asked again with the same key.
    #[error("the outcome is not known: {0}")]
    Unavailable(String),
    /// Nothing was moved, and nothing will be until somebody changes the settings.
    #[error("payments are not set up as they must be: {0}")]
    Misconfigured(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoticeError {
    #[error("the signature is not good")]
    Forged,
    #[error("the signature is older than five minutes")]
    Stale,
    #[error("the message cannot be read")]
    Unreadable,
    #[error("messages are not taken, because no secret for their signatures is set")]
    NotTaken,
}

impl ProviderSecret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The key itself: to sign or to authenticate with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProviderSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ProviderSecret(…)")
    }
}

impl PaymentError {
    /// `code` comes from outside and goes into the log for ever: what does not look like a code does not get there.
    pub fn declined(code: &str) -> Self {
        Self::Declined { code: plain_code(code) }
    }
}

/// A code as providers write it, such as `insufficient_funds`.
pub fn plain_code(code: &str) -> String {
    let plain = !code.is_empty() && code.len() <= 64;
    let plain = plain && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    // A number may be one that nobody is to keep.
    let plain = plain && code.bytes().filter(u8::is_ascii_digit).count() < 8;
    if plain { code.to_owned() } else { "declined".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_from_outside_is_a_code_and_nothing_else() {
        assert_eq!(plain_code("insufficient_funds"), "insufficient_funds");
        for strange in ["", "Ada Miller", "4242424242424242", "card_4242424242424242", "<b>", &"x".repeat(65)] {
            assert_eq!(plain_code(strange), "declined", "{strange}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", PaymentToken::new("pm_secret")), "PaymentToken(…)");
        assert_eq!(format!("{:?}", ProviderSecret::new("sk_secret")), "ProviderSecret(…)");
    }
}
