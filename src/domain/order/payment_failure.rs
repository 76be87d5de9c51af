//! Reasons of failed payment attempts: codes of the shop and of payment providers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::text::{Reason, TextError};

/// Reason for which a payment attempt failed. In JSON a code: `"insufficient_funds"`.
///
/// Codes that the shop does not know are kept as the provider wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
pub enum PaymentFailure {
    /// The order or the provider's payment was cancelled.
    Cancelled,
    Declined,
    InsufficientFunds,
    /// The bank wants the buyer to confirm the payment.
    AuthenticationRequired,
    /// The request became too old to be sent to the provider.
    Expired,
    /// The card token was deleted before the provider was asked.
    InstrumentMissing,
    /// The provider no longer knows the outcome of the request.
    OutcomeUnknown,
    /// The order was paid by another attempt.
    NotWanted,
    /// Any other code, byte for byte.
    Other(String),
}

/// Codes of the known failures. Of two codes for one failure the first is written.
const CODES: [(&str, PaymentFailure); 9] = [
    ("cancelled", PaymentFailure::Cancelled),
    // Spelling of Stripe and of older events.
    ("canceled", PaymentFailure::Cancelled),
    ("declined", PaymentFailure::Declined),
    ("insufficient_funds", PaymentFailure::InsufficientFunds),
    ("authentication_required", PaymentFailure::AuthenticationRequired),
    ("expired", PaymentFailure::Expired),
    ("instrument_missing", PaymentFailure::InstrumentMissing),
    ("outcome_unknown", PaymentFailure::OutcomeUnknown),
    ("not_wanted", PaymentFailure::NotWanted),
];

impl PaymentFailure {
    /// Parses a code from outside; rejects text that no event may hold.
    pub fn parse(code: &str) -> Result<Self, TextError> {
        Reason::parse(code).map(|code| Self::from(String::from(code)))
    }

    /// The code as it is stored and shown.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(code) => code,
            known => CODES.iter().find(|(_, failure)| failure == known).map_or("declined", |(code, _)| code),
        }
    }
}

impl From<String> for PaymentFailure {
    /// Reads a stored code of any form.
    fn from(code: String) -> Self {
        let known = CODES.into_iter().find(|(known, _)| *known == code);
        known.map_or_else(|| Self::Other(code), |(_, failure)| failure)
    }
}

impl From<PaymentFailure> for String {
    fn from(failure: PaymentFailure) -> Self {
        failure.as_str().to_owned()
    }
}

impl fmt::Display for PaymentFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Decider;
    use crate::domain::order::{Order, OrderEvent};

    #[test]
    fn both_spellings_of_cancelled_are_read_and_one_is_written() {
        for spelling in ["cancelled", "canceled"] {
            let stored = serde_json::json!({ "event": "OrderPaymentFailed", "attempt": 1, "reason": spelling });
            let event = Order::read_event("1.0", stored).unwrap();
            assert_eq!(
                event,
                OrderEvent::PaymentFailed { attempt: 1, reason: PaymentFailure::Cancelled, payment: None }
            );
            assert_eq!(serde_json::to_value(&event).unwrap()["reason"], "cancelled");
        }
    }

    #[test]
    fn every_known_failure_has_a_code_that_reads_back() {
        for (code, failure) in CODES {
            assert_eq!(PaymentFailure::parse(code).as_ref(), Ok(&failure));
            assert_eq!(PaymentFailure::from(failure.to_string()), failure);
        }
    }

    #[test]
    fn an_unknown_code_survives_reading_and_writing_byte_for_byte() {
        for code in ["do_not_honor", "Canceled", " cancelled", "", "ünknown\u{301}", "a\tb"] {
            let failure: PaymentFailure = serde_json::from_value(code.into()).unwrap();
            assert_eq!(failure, PaymentFailure::Other(code.to_owned()));
            assert_eq!(serde_json::to_value(&failure).unwrap(), code);
        }
    }

    #[test]
    fn a_code_from_outside_has_no_control_characters() {
        assert_eq!(PaymentFailure::parse("a\0b"), Err(TextError::Control));
    }
}
