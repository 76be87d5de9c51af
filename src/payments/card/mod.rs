//! Card payments through Stripe, or a provider with a compatible PaymentIntents API.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::Url;
use uuid::Uuid;

use super::currency::to_cents;
use super::provider::{
    AcceptedRefund, Authorisation, AuthorisationRequest, IntentState, MadeRefund, NotificationError, PaymentError,
    PaymentIntent, PaymentProvider, ProviderFuture, ProviderSecret, RefundRequest,
};
use crate::domain::money::Money;

mod client;
mod notification;
mod responses;

use client::CardClient;
use notification::NotificationSecret;
use responses::{IntentBody, List, ProviderResponse, RefundBody};

/// How to reach the card provider.
#[derive(Clone, Debug)]
pub struct CardConfig {
    /// Base URL without a path, such as `https://api.stripe.com`.
    pub url: Url,
    pub key: ProviderSecret,
    /// The key that the provider signs notifications with. Without it, notifications are rejected.
    pub webhook_secret: Option<ProviderSecret>,
    /// How long a response may take. After that, the outcome is unknown.
    pub timeout: Duration,
}

/// The card provider's client.
pub struct CardProvider {
    client: CardClient,
    notification_secret: Option<NotificationSecret>,
}

/// Every character that could end a path segment or a query value.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

impl CardConfig {
    /// Generous, because an authorisation waits for the bank.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
}

impl CardProvider {
    pub fn new(config: &CardConfig) -> Result<Self, PaymentError> {
        let notification_secret = config.webhook_secret.as_ref().map(NotificationSecret::new);
        Ok(Self { client: CardClient::new(config)?, notification_secret })
    }

    async fn authorise_payment(
        &self,
        authorisation_request: &AuthorisationRequest,
    ) -> Result<Authorisation, PaymentError> {
        let form = [
            ("amount", to_cents(authorisation_request.amount).to_string()),
            ("currency", authorisation_request.currency.code().to_ascii_lowercase()),
            ("payment_method", authorisation_request.instrument.expose().to_owned()),
            ("payment_method_types[]", "card".to_owned()),
            ("capture_method", "manual".to_owned()),
            ("confirm", "true".to_owned()),
            // The shop does not support confirmation by the card holder: the attempt fails, and the buyer may use another
            // card.
            ("error_on_requires_action", "true".to_owned()),
            ("metadata[order_id]", authorisation_request.purpose.order_id.to_string()),
            ("metadata[attempt]", authorisation_request.purpose.attempt.to_string()),
            ("metadata[request]", authorisation_request.purpose.request.to_string()),
        ];
        let key = format!("authorise-{}", authorisation_request.purpose.request);
        let intent = match self.client.post::<IntentBody>("/v1/payment_intents", &form, Some(&key)).await? {
            ProviderResponse::Done(intent) => intent,
            ProviderResponse::Refused(refusal) => return Err(refusal.declined()),
        };
        match intent.state() {
            IntentState::Authorised | IntentState::Captured => Ok(Authorisation { reference: intent.id }),
            IntentState::Cancelled => Err(PaymentError::declined("cancelled")),
            IntentState::Failed { code } => Err(PaymentError::Declined { code }),
            IntentState::Open => {
                Err(PaymentError::Unavailable(format!("payment {} is still being processed", intent.id)))
            }
        }
    }

    async fn capture_payment(&self, reference: &str, amount: Money) -> Result<Money, PaymentError> {
        // No idempotency key: a payment can be captured only once, and the provider would replay a refusal.
        let form = [("amount_to_capture", to_cents(amount).to_string())];
        match self.client.post::<IntentBody>(&intent_path(reference, "/capture"), &form, None).await? {
            ProviderResponse::Done(intent) => match intent.into_intent()? {
                PaymentIntent { state: IntentState::Captured, amount, .. } => Ok(amount),
                _ => Err(PaymentError::Unavailable(format!("payment {reference} is not captured yet"))),
            },
            // Another request may have captured it, perhaps with another amount.
            ProviderResponse::Refused(refusal) => match self.retrieve_payment(reference).await? {
                PaymentIntent { state: IntentState::Captured, amount, .. } => Ok(amount),
                PaymentIntent { state: IntentState::Cancelled, .. } => {
                    Err(PaymentError::declined("authorisation_gone"))
                }
                _ => Err(refusal.declined()),
            },
        }
    }

    async fn void_payment(&self, reference: &str) -> Result<(), PaymentError> {
        match self.client.post::<IntentBody>(&intent_path(reference, "/cancel"), &[], None).await? {
            ProviderResponse::Done(_) => Ok(()),
            ProviderResponse::Refused(refusal) => match self.retrieve_payment(reference).await?.state {
                IntentState::Cancelled => Ok(()),
                _ => Err(refusal.declined()),
            },
        }
    }

    async fn refund_payment(&self, refund_request: &RefundRequest) -> Result<AcceptedRefund, PaymentError> {
        // The provider forgets idempotency keys after a day, so look for an earlier refund first.
        let earlier = self.list_refunds(&refund_request.reference).await?;
        if let Some(refund) = earlier.into_iter().find(|refund| refund.is_for(refund_request)) {
            return refund.outcome();
        }
        let form = [
            ("payment_intent", refund_request.reference.clone()),
            ("amount", to_cents(refund_request.amount).to_string()),
            ("metadata[order_id]", refund_request.order_id.to_string()),
            ("metadata[refund]", refund_request.refund.to_string()),
            ("metadata[request]", refund_request.request.to_string()),
        ];
        let key = format!("refund-{}", refund_request.request);
        match self.client.post::<RefundBody>("/v1/refunds", &form, Some(&key)).await? {
            ProviderResponse::Done(refund) => refund.outcome(),
            ProviderResponse::Refused(refusal) => Err(refusal.declined()),
        }
    }

    async fn list_refunds(&self, reference: &str) -> Result<Vec<RefundBody>, PaymentError> {
        let path = format!("/v1/refunds?payment_intent={}&limit=100", path_part(reference));
        match self.client.get::<List<RefundBody>>(&path).await? {
            ProviderResponse::Done(list) => Ok(list.data),
            ProviderResponse::Refused(refusal) => Err(refusal.declined()),
        }
    }

    async fn retrieve_payment(&self, reference: &str) -> Result<PaymentIntent, PaymentError> {
        match self.client.get::<IntentBody>(&intent_path(reference, "")).await? {
            ProviderResponse::Done(intent) => intent.into_intent(),
            ProviderResponse::Refused(refusal) => Err(refusal.declined()),
        }
    }

    async fn search_payment(&self, request: Uuid) -> Result<Option<PaymentIntent>, PaymentError> {
        let query = format!("metadata['request']:'{request}'");
        let path = format!("/v1/payment_intents/search?query={}", path_part(&query));
        match self.client.get::<List<IntentBody>>(&path).await? {
            ProviderResponse::Done(list) => list.data.into_iter().next().map(IntentBody::into_intent).transpose(),
            ProviderResponse::Refused(refusal) => Err(refusal.declined()),
        }
    }
}

impl PaymentProvider for CardProvider {
    fn authorise<'a>(&'a self, authorisation_request: &'a AuthorisationRequest) -> ProviderFuture<'a, Authorisation> {
        self.authorise_payment(authorisation_request).boxed()
    }

    fn capture<'a>(&'a self, reference: &'a str, amount: Money) -> ProviderFuture<'a, Money> {
        self.capture_payment(reference, amount).boxed()
    }

    fn void<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, ()> {
        self.void_payment(reference).boxed()
    }

    fn refund<'a>(&'a self, refund_request: &'a RefundRequest) -> ProviderFuture<'a, AcceptedRefund> {
        self.refund_payment(refund_request).boxed()
    }

    fn find_refunds<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, Vec<MadeRefund>> {
        let made = self.list_refunds(reference);
        async move { Ok(made.await?.into_iter().filter_map(RefundBody::into_made).collect()) }.boxed()
    }

    fn retrieve<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, PaymentIntent> {
        self.retrieve_payment(reference).boxed()
    }

    fn find(&self, request: Uuid) -> ProviderFuture<'_, Option<PaymentIntent>> {
        self.search_payment(request).boxed()
    }

    fn read_notification(
        &self,
        signature: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Option<String>, NotificationError> {
        self.notification_secret.as_ref().ok_or(NotificationError::NotConfigured)?.read(signature, body, now)
    }
}

fn intent_path(reference: &str, action: &str) -> String {
    format!("/v1/payment_intents/{}{action}", path_part(reference))
}

/// Percent-encodes a path segment or query value.
fn path_part(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}
