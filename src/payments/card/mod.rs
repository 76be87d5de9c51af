//! Cards, by a provider that speaks the protocol of Stripe's PaymentIntents, over HTTP.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use reqwest::Url;
use uuid::Uuid;

use super::currency::cents;
use super::provider::{
    Asked, Authorisation, Charge, Intent, IntentState, NoticeError, PaymentError, Provider, ProviderSecret, Refunded,
    Repayment,
};
use crate::domain::money::Money;

mod answers;
mod client;
mod notice;

use answers::{Answer, IntentBody, List, RefundBody};
use client::Client;
use notice::NoticeSecret;

#[derive(Clone, Debug)]
pub struct CardConfig {
    /// Without a path: `https://api.stripe.com`.
    pub url: Url,
    pub key: ProviderSecret,
    /// With which the provider signs its messages; without it none are taken.
    pub webhook_secret: Option<ProviderSecret>,
    /// How long an answer may take; then its outcome is unknown.
    pub patience: Duration,
}

pub struct CardProvider {
    client: Client,
    notices: Option<NoticeSecret>,
}

impl CardConfig {
    /// An authorisation takes as long as the bank does.
    pub const PATIENCE: Duration = Duration::from_secs(30);
}

impl CardProvider {
    pub fn new(config: &CardConfig) -> Result<Self, PaymentError> {
        let notices = config.webhook_secret.as_ref().map(NoticeSecret::new);
        Ok(Self { client: Client::new(config)?, notices })
    }

    async fn hold(&self, charge: &Charge) -> Result<Authorisation, PaymentError> {
        let form = [
            ("amount", cents(charge.amount).to_string()),
            ("currency", charge.currency.code().to_ascii_lowercase()),
            ("payment_method", charge.instrument.expose().to_owned()),
            ("payment_method_types[]", "card".to_owned()),
            ("capture_method", "manual".to_owned()),
            ("confirm", "true".to_owned()),
            // Nobody is there to confirm it at the bank: the attempt fails, and another card may do.
            ("error_on_requires_action", "true".to_owned()),
            ("metadata[order_id]", charge.purpose.order_id.to_string()),
            ("metadata[attempt]", charge.purpose.attempt.to_string()),
            ("metadata[request]", charge.purpose.request.to_string()),
        ];
        let key = format!("authorise-{}", charge.purpose.request);
        let intent = match self.client.post::<IntentBody>("/v1/payment_intents", &form, Some(&key)).await? {
            Answer::Done(intent) => intent,
            Answer::Refused(refusal) => return Err(refusal.declined()),
        };
        match intent.state() {
            IntentState::Authorised | IntentState::Captured => Ok(Authorisation { reference: intent.id }),
            IntentState::Cancelled => Err(PaymentError::declined("canceled")),
            IntentState::Failed { code } => Err(PaymentError::Declined { code }),
            IntentState::Open => Err(PaymentError::Unavailable(format!("payment {} is not done", intent.id))),
        }
    }

    async fn take(&self, reference: &str, amount: Money) -> Result<Money, PaymentError> {
        // Without a key: what was taken cannot be taken again, and a refusal is not to be remembered.
        let form = [("amount_to_capture", cents(amount).to_string())];
        match self.client.post::<IntentBody>(&intent_path(reference, "/capture"), &form, None).await? {
            Answer::Done(intent) => match intent.read()? {
                Intent { state: IntentState::Captured, amount, .. } => Ok(amount),
                _ => Err(PaymentError::Unavailable(format!("payment {reference} is not taken yet"))),
            },
            // Somebody else may have taken it, and another amount.
            Answer::Refused(refusal) => match self.look_at(reference).await? {
                Intent { state: IntentState::Captured, amount, .. } => Ok(amount),
                Intent { state: IntentState::Cancelled, .. } => Err(PaymentError::declined("authorisation_gone")),
                _ => Err(refusal.declined()),
            },
        }
    }

    async fn let_go(&self, reference: &str) -> Result<(), PaymentError> {
        match self.client.post::<IntentBody>(&intent_path(reference, "/cancel"), &[], None).await? {
            Answer::Done(_) => Ok(()),
            Answer::Refused(refusal) => match self.look_at(reference).await?.state {
                IntentState::Cancelled => Ok(()),
                _ => Err(refusal.declined()),
            },
        }
    }

    async fn give_back(&self, repayment: &Repayment) -> Result<Refunded, PaymentError> {
        // A key is forgotten after a day, so what was given back already is looked for first.
        let path = format!("/v1/refunds?payment_intent={}&limit=100", path_part(&repayment.reference));
        let known = match self.client.get::<List<RefundBody>>(&path).await? {
            Answer::Done(list) => list.data,
            Answer::Refused(refusal) => return Err(refusal.declined()),
        };
        if let Some(refund) = known.into_iter().find(|refund| refund.is_for(repayment)) {
            return refund.outcome();
        }
        let form = [
            ("payment_intent", repayment.reference.clone()),
            ("amount", cents(repayment.amount).to_string()),
            ("metadata[order_id]", repayment.order_id.to_string()),
            ("metadata[refund]", repayment.refund.to_string()),
            ("metadata[request]", repayment.request.to_string()),
        ];
        let key = format!("refund-{}", repayment.request);
        match self.client.post::<RefundBody>("/v1/refunds", &form, Some(&key)).await? {
            Answer::Done(refund) => refund.outcome(),
            Answer::Refused(refusal) => Err(refusal.declined()),
        }
    }

    async fn look_at(&self, reference: &str) -> Result<Intent, PaymentError> {
        match self.client.get::<IntentBody>(&intent_path(reference, "")).await? {
            Answer::Done(intent) => intent.read(),
            Answer::Refused(refusal) => Err(refusal.declined()),
        }
    }

    async fn search(&self, request: Uuid) -> Result<Option<Intent>, PaymentError> {
        let query = format!("metadata['request']:'{request}'");
        let path = format!("/v1/payment_intents/search?query={}", path_part(&query));
        match self.client.get::<List<IntentBody>>(&path).await? {
            Answer::Done(list) => list.data.into_iter().next().map(IntentBody::read).transpose(),
            Answer::Refused(refusal) => Err(refusal.declined()),
        }
    }
}

impl Provider for CardProvider {
    fn authorise<'a>(&'a self, charge: &'a Charge) -> Asked<'a, Authorisation> {
        self.hold(charge).boxed()
    }

    fn capture<'a>(&'a self, reference: &'a str, amount: Money) -> Asked<'a, Money> {
        self.take(reference, amount).boxed()
    }

    fn cancel<'a>(&'a self, reference: &'a str) -> Asked<'a, ()> {
        self.let_go(reference).boxed()
    }

    fn refund<'a>(&'a self, repayment: &'a Repayment) -> Asked<'a, Refunded> {
        self.give_back(repayment).boxed()
    }

    fn look<'a>(&'a self, reference: &'a str) -> Asked<'a, Intent> {
        self.look_at(reference).boxed()
    }

    fn find(&self, request: Uuid) -> Asked<'_, Option<Intent>> {
        self.search(request).boxed()
    }

    fn read_notice(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<Option<String>, NoticeError> {
        self.notices.as_ref().ok_or(NoticeError::NotTaken)?.read(signature, body, now)
    }
}

fn intent_path(reference: &str, action: &str) -> String {
    format!("/v1/payment_intents/{}{action}", path_part(reference))
}

/// With everything encoded that means something in an address.
fn path_part(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
