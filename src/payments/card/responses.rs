//! The parts of the provider's responses that the shop reads.

use std::collections::HashMap;

use serde::Deserialize;

use super::super::currency::from_cents;
use super::super::provider::{
    AcceptedRefund, IntentState, MadeRefund, PaymentError, PaymentIntent, PaymentPurpose, RefundRequest, sanitise_code,
};

/// A response with a certain outcome.
pub enum ProviderResponse<T> {
    Done(T),
    /// Final: the request was refused and has no effect.
    Refused(ErrorBody),
}

#[derive(Deserialize)]
pub struct IntentBody {
    pub id: String,
    amount: i64,
    amount_received: Option<i64>,
    status: String,
    last_payment_error: Option<ErrorBody>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
pub struct RefundBody {
    id: String,
    #[serde(default)]
    amount: i64,
    status: Option<String>,
    failure_reason: Option<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
pub struct List<T> {
    pub data: Vec<T>,
}

#[derive(Default, Deserialize)]
pub struct ErrorEnvelope {
    #[serde(default)]
    pub error: ErrorBody,
}

#[derive(Debug, Default, Deserialize)]
pub struct ErrorBody {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
}

impl ErrorBody {
    /// The most specific code.
    fn code(&self) -> String {
        let code = self.decline_code.as_deref().filter(|code| *code != "generic_decline").or(self.code.as_deref());
        code.map_or_else(|| "declined".to_owned(), sanitise_code)
    }

    pub fn declined(&self) -> PaymentError {
        PaymentError::Declined { code: self.code() }
    }
}

impl IntentBody {
    pub fn state(&self) -> IntentState {
        match self.status.as_str() {
            "requires_capture" => IntentState::Authorised,
            "succeeded" => IntentState::Captured,
            "canceled" => IntentState::Cancelled,
            "requires_payment_method" => {
                let code = self.last_payment_error.as_ref().map_or_else(|| "declined".to_owned(), ErrorBody::code);
                IntentState::Failed { code }
            }
            // The shop does not support confirmation by the card holder.
            "requires_action" | "requires_confirmation" => {
                IntentState::Failed { code: "authentication_required".to_owned() }
            }
            _ => IntentState::Open,
        }
    }

    pub fn into_intent(self) -> Result<PaymentIntent, PaymentError> {
        let state = self.state();
        let captured = self.amount_received.filter(|_| state == IntentState::Captured);
        let amount = from_cents(captured.unwrap_or(self.amount))
            .ok_or_else(|| PaymentError::Unavailable(format!("payment {} has no amount", self.id)))?;
        Ok(PaymentIntent { purpose: self.purpose(), state, amount, reference: self.id })
    }

    fn purpose(&self) -> Option<PaymentPurpose> {
        let number = |name: &str| self.metadata.get(name)?.parse().ok();
        let request = self.metadata.get("request")?.parse().ok()?;
        Some(PaymentPurpose { order_id: number("order_id")?, attempt: number("attempt")?, request })
    }
}

impl RefundBody {
    pub fn is_for(&self, refund_request: &RefundRequest) -> bool {
        self.metadata.get("request").is_some_and(|request| *request == refund_request.request.to_string())
    }

    /// The refund with its purpose; `None` if no shop made it, or if it failed.
    pub fn into_made(self) -> Option<MadeRefund> {
        let number = |name: &str| self.metadata.get(name)?.parse().ok();
        let (order_id, refund) = (number("order_id")?, number("refund")?);
        let request = self.metadata.get("request")?.parse().ok()?;
        let amount = from_cents(self.amount)?;
        let reference = self.outcome().ok()?.reference;
        Some(MadeRefund { reference, order_id, refund, amount, request })
    }

    /// A pending refund counts as accepted: the provider completes it, and sends a notification if it fails.
    pub fn outcome(self) -> Result<AcceptedRefund, PaymentError> {
        match self.status.as_deref() {
            Some("failed" | "canceled") => {
                Err(PaymentError::declined(self.failure_reason.as_deref().unwrap_or("refund_failed")))
            }
            _ => Ok(AcceptedRefund { reference: self.id }),
        }
    }
}
