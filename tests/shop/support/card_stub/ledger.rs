//! The ledger of the stub: payments, refunds, and the messages about them.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::error;

type Form = HashMap<String, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Authorise,
    Capture,
    Cancel,
    Refund,
    Look,
    Find,
    ListRefunds,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
    pub messages: Vec<Value>,
    /// Whether the search does not find payments yet, as shortly after they were made.
    pub search_lags: bool,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub id: String,
    /// In cents, as all amounts here.
    pub amount: i64,
    pub currency: String,
    pub metadata: HashMap<String, String>,
    pub status: &'static str,
    pub captured: i64,
    decline_code: Option<&'static str>,
    capture_fails: bool,
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub id: String,
    pub payment: String,
    pub amount: i64,
    pub metadata: HashMap<String, String>,
}

/// The operation of a request, and its payment.
pub fn route(method: &Method, path: &str) -> Option<(Operation, String)> {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let (operation, id) = match (method.as_str(), &parts[..]) {
        ("POST", ["v1", "payment_intents"]) => (Operation::Authorise, ""),
        ("POST", ["v1", "payment_intents", id, "capture"]) => (Operation::Capture, *id),
        ("POST", ["v1", "payment_intents", id, "cancel"]) => (Operation::Cancel, *id),
        ("POST", ["v1", "refunds"]) => (Operation::Refund, ""),
        ("GET", ["v1", "payment_intents", "search"]) => (Operation::Find, ""),
        ("GET", ["v1", "payment_intents", id]) => (Operation::Look, *id),
        ("GET", ["v1", "refunds"]) => (Operation::ListRefunds, ""),
        _ => return None,
    };
    Some((operation, id.to_owned()))
}

impl Ledger {
    pub fn carry_out(&mut self, operation: Operation, id: &str, query: &Form, form: &Form) -> (u16, Value) {
        match operation {
            Operation::Authorise => self.authorise(form),
            Operation::Capture => self.capture(id, form),
            Operation::Cancel => self.cancel(id),
            Operation::Refund => self.refund(form),
            Operation::Look => match self.payment(id) {
                Some(payment) => (200, payment.to_json()),
                None => missing(),
            },
            Operation::Find => {
                let wanted = query["query"].split('\'').nth(3).unwrap().to_owned();
                let found = self.payments.iter().filter(|payment| payment.metadata.get("request") == Some(&wanted));
                let found: Vec<_> = found.filter(|_| !self.search_lags).map(Payment::to_json).collect();
                (200, json!({ "object": "search_result", "data": found, "has_more": false }))
            }
            Operation::ListRefunds => {
                let of = self.refunds.iter().filter(|refund| refund.payment == query["payment_intent"]);
                (200, json!({ "object": "list", "data": of.map(Refund::to_json).collect::<Vec<_>>() }))
            }
        }
    }

    /// The payments of an order that captured or authorised money.
    pub fn charges(&self, order_id: i64) -> Vec<&Payment> {
        let order_id = order_id.to_string();
        let of = self.payments.iter().filter(|payment| payment.metadata.get("order_id") == Some(&order_id));
        of.filter(|payment| ["requires_capture", "succeeded"].contains(&payment.status)).collect()
    }

    pub fn refunded(&self, payment: &str) -> i64 {
        self.refunds.iter().filter(|refund| refund.payment == payment).map(|refund| refund.amount).sum()
    }

    fn payment(&mut self, id: &str) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|payment| payment.id == id)
    }

    fn tell(&mut self, kind: &str, object: Value) {
        let id = format!("evt_{}", self.messages.len() + 1);
        self.messages.push(json!({ "id": id, "object": "event", "type": kind, "data": { "object": object } }));
    }

    fn authorise(&mut self, form: &Form) -> (u16, Value) {
        assert_eq!((form["capture_method"].as_str(), form["confirm"].as_str()), ("manual", "true"));
        assert_eq!(
            (form["error_on_requires_action"].as_str(), form["payment_method_types[]"].as_str()),
            ("true", "card")
        );
        let amount: i64 = form["amount"].parse().unwrap();
        if amount < 50 {
            return error(400, "invalid_request_error", Some("amount_too_small"));
        }
        let (code, decline_code) = match form["payment_method"].as_str() {
            "pm_card_visa" | "pm_card_stubCaptureFails" => (None, None),
            "pm_card_chargeDeclined" => (Some("card_declined"), Some("generic_decline")),
            "pm_card_visa_chargeDeclinedInsufficientFunds" => (Some("card_declined"), Some("insufficient_funds")),
            "pm_card_authenticationRequired" => (Some("authentication_required"), None),
            _ => return error(400, "invalid_request_error", Some("resource_missing")),
        };
        let metadata = form.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), value.clone()))
        });
        let payment = Payment {
            // The longest name that is allowed.
            id: format!("pi_{:0252}", self.payments.len() + 1),
            amount,
            currency: form["currency"].clone(),
            metadata: metadata.collect(),
            status: if code.is_none() { "requires_capture" } else { "requires_payment_method" },
            captured: 0,
            decline_code: decline_code.or(code),
            capture_fails: form["payment_method"].ends_with("CaptureFails"),
        };
        let object = payment.to_json();
        self.payments.push(payment);
        match code {
            None => {
                self.tell("payment_intent.amount_capturable_updated", object.clone());
                (200, object)
            }
            Some(code) => {
                self.tell("payment_intent.payment_failed", object.clone());
                let refusal = json!({
                    "type": "card_error", "code": code, "decline_code": decline_code, "payment_intent": object,
                });
                (402, json!({ "error": refusal }))
            }
        }
    }

    fn capture(&mut self, id: &str, form: &Form) -> (u16, Value) {
        let Some(payment) = self.payment(id) else { return missing() };
        let amount: i64 = form["amount_to_capture"].parse().unwrap();
        if payment.status != "requires_capture" || amount > payment.amount {
            return error(400, "invalid_request_error", Some("payment_intent_unexpected_state"));
        }
        if payment.capture_fails {
            payment.status = "canceled";
            let object = payment.to_json();
            self.tell("payment_intent.canceled", object);
            return error(400, "invalid_request_error", Some("charge_expired_for_capture"));
        }
        payment.status = "succeeded";
        payment.captured = amount;
        let object = payment.to_json();
        self.tell("payment_intent.succeeded", object.clone());
        (200, object)
    }

    fn cancel(&mut self, id: &str) -> (u16, Value) {
        let Some(payment) = self.payment(id) else { return missing() };
        if !["requires_capture", "requires_payment_method"].contains(&payment.status) {
            return error(400, "invalid_request_error", Some("payment_intent_unexpected_state"));
        }
        payment.status = "canceled";
        let object = payment.to_json();
        self.tell("payment_intent.canceled", object.clone());
        (200, object)
    }

    fn refund(&mut self, form: &Form) -> (u16, Value) {
        let (id, amount) = (form["payment_intent"].clone(), form["amount"].parse::<i64>().unwrap());
        let refunded = self.refunded(&id);
        let Some(payment) = self.payment(&id) else { return missing() };
        if refunded + amount > payment.captured {
            return error(400, "invalid_request_error", Some("charge_already_refunded"));
        }
        let metadata = form.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), value.clone()))
        });
        let id_of_refund = format!("re_{:0252}", self.refunds.len() + 1);
        let refund = Refund { id: id_of_refund, payment: id.clone(), amount, metadata: metadata.collect() };
        let object = refund.to_json();
        self.refunds.push(refund);
        self.tell("charge.refunded", json!({ "id": "ch_1", "object": "charge", "payment_intent": id }));
        self.tell("refund.updated", object.clone());
        (200, object)
    }
}

impl Payment {
    fn to_json(&self) -> Value {
        let error = self.decline_code.map(|code| json!({ "type": "card_error", "code": code }));
        json!({
            "id": self.id, "object": "payment_intent", "amount": self.amount, "amount_received": self.captured,
            "currency": self.currency, "metadata": self.metadata, "status": self.status, "last_payment_error": error,
        })
    }
}

impl Refund {
    fn to_json(&self) -> Value {
        json!({
            "id": self.id, "object": "refund", "amount": self.amount, "payment_intent": self.payment,
            "metadata": self.metadata, "status": "succeeded",
        })
    }
}

fn missing() -> (u16, Value) {
    error(404, "invalid_request_error", Some("resource_missing"))
}
