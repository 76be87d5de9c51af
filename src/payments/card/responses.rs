//! What the provider answers, as far as it is read.

use std::collections::HashMap;

use serde::Deserialize;

use super::super::currency::from_cents;
use super::super::provider::{Intent, IntentState, PaymentError, Purpose, Refunded, Repayment, plain_code};

pub enum Answer<T> {
    Done(T),
    /// Final: it was not done, and will not be.
    Refused(Refusal),
}

#[derive(Deserialize)]
pub struct IntentBody {
    pub id: String,
    amount: i64,
    amount_received: Option<i64>,
    status: String,
    last_payment_error: Option<Refusal>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
pub struct RefundBody {
    id: String,
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
pub struct RefusalBody {
    #[serde(default)]
    pub error: Refusal,
}

#[derive(Debug, Default, Deserialize)]
pub struct Refusal {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
}

impl Refusal {
    /// The most exact code that there is.
    fn code(&self) -> String {
        let code = self.decline_code.as_deref().filter(|code| *code != "generic_decline").or(self.code.as_deref());
        code.map_or_else(|| "declined".to_owned(), plain_code)
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
                let code = self.last_payment_error.as_ref().map_or_else(|| "declined".to_owned(), Refusal::code);
                IntentState::Failed { code }
            }
            // Nobody is asked to confirm anything at the bank.
            "requires_action" | "requires_confirmation" => {
                IntentState::Failed { code: "authentication_required".to_owned() }
            }
            _ => IntentState::Open,
        }
    }

    pub fn read(self) -> Result<Intent, PaymentError> {
        let state = self.state();
        let taken = self.amount_received.filter(|_| state == IntentState::Captured);
        let amount = from_cents(taken.unwrap_or(self.amount))
            .ok_or_else(|| PaymentError::Unavailable(format!("payment {} has no amount", self.id)))?;
        Ok(Intent { purpose: self.purpose(), state, amount, reference: self.id })
    }

    fn purpose(&self) -> Option<Purpose> {
        let number = |name: &str| self.metadata.get(name)?.parse().ok();
        let request = self.metadata.get("request")?.parse().ok()?;
        Some(Purpose { order_id: number("order_id")?, attempt: number("attempt")?, request })
    }
}

impl RefundBody {
    pub fn is_for(&self, repayment: &Repayment) -> bool {
        self.metadata.get("request").is_some_and(|request| *request == repayment.request.to_string())
    }

    /// A refund that is under way counts: the provider sees to it, and says so if it fails.
    pub fn outcome(self) -> Result<Refunded, PaymentError> {
        match self.status.as_deref() {
            Some("failed" | "canceled") => {
                Err(PaymentError::declined(self.failure_reason.as_deref().unwrap_or("refund_failed")))
            }
            _ => Ok(Refunded { reference: self.id }),
        }
    }
}
