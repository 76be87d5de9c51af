//! What a payment provider does for the shop, and which errors it reports.

use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use thiserror::Error;
use uuid::Uuid;

use super::currency::Currency;
use crate::domain::money::Money;
use crate::domain::order::PaymentToken;

/// A service that moves money: authorises, captures, voids and refunds payments.
///
/// The shop calls it from [`PaymentReactor`](super::PaymentReactor) only, after the event that causes the call is
/// stored.
///
/// # What an implementation guarantees
///
/// - **Idempotency.** Every call may be repeated, concurrently, from another node and after a crash, and moves money
///   once. [`authorise`](Self::authorise) and [`refund`](Self::refund) carry an idempotency key, the id of the event
///   that requests them; the other calls name a payment by its reference.
/// - **Honest errors.** [`PaymentError::Declined`] is final and means that no money moved. Whenever the outcome is not
///   certain, such as after a timeout or a 5xx response, the error is [`PaymentError::Unavailable`], and the shop
///   repeats the call.
/// - **No secrets.** References and error codes are stored in the log and shown to staff: they contain no token, no
///   card number and no personal data.
pub trait PaymentProvider: Send + Sync + 'static {
    /// Authorises a payment: holds the amount until it is captured or voided.
    ///
    /// The same `purpose.request` must authorise once for at least [`IDEMPOTENCY_WINDOW`](super::IDEMPOTENCY_WINDOW); after that the
    /// shop calls [`find`](Self::find) instead of repeating the call.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the instrument is refused or needs the holder's confirmation.
    fn authorise<'a>(&'a self, authorisation_request: &'a AuthorisationRequest) -> ProviderFuture<'a, Authorisation>;

    /// Captures an authorised payment and returns the captured amount; again, if it is captured already.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the payment cannot be captured, for example because its authorisation expired.
    fn capture<'a>(&'a self, reference: &'a str, amount: Money) -> ProviderFuture<'a, Money>;

    /// Voids an authorised payment: releases the held amount. Succeeds if the payment is void already.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the payment cannot be voided, for example because it is captured. The shop then
    /// retrieves the payment and records its state.
    fn void<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, ()>;

    /// Refunds a captured payment or a part of it, once for each `refund_request.request`, at any time.
    ///
    /// A refund that the provider has accepted but not completed counts as accepted.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the provider refuses the refund or if it has failed.
    fn refund<'a>(&'a self, refund_request: &'a RefundRequest) -> ProviderFuture<'a, AcceptedRefund>;

    /// Finds the refunds of a payment that shops have made, to notice those of a lost part of the log.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the provider has no such payment.
    fn find_refunds<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, Vec<MadeRefund>>;

    /// Retrieves the current state of a payment.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the provider has no such payment.
    fn retrieve<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, PaymentIntent>;

    /// Finds the payment that a request made, after its response was lost.
    ///
    /// The payment may exist although the answer is `None`: a search index may lag behind.
    ///
    /// # Errors
    ///
    /// [`PaymentError::Declined`] if the provider cannot search; the shop treats it as `None`.
    fn find(&self, request: Uuid) -> ProviderFuture<'_, Option<PaymentIntent>>;

    /// Verifies the signature of a notification and returns the reference of the payment that it is about, if any.
    ///
    /// Nothing else is taken from a notification, because notifications are repeated, delayed and reordered: the shop
    /// retrieves the payment instead.
    fn read_notification(
        &self,
        signature: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Option<String>, NotificationError>;
}

/// The response of a provider.
pub type ProviderFuture<'a, T> = BoxFuture<'a, Result<T, PaymentError>>;

/// A payment to be authorised.
#[derive(Clone, Debug)]
pub struct AuthorisationRequest {
    pub purpose: PaymentPurpose,
    pub amount: Money,
    pub currency: Currency,
    pub instrument: PaymentToken,
}

/// The order and attempt that a payment is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentPurpose {
    pub order_id: i64,
    /// Counts from 1 for each order.
    pub attempt: i64,
    /// Id of the event that requests the payment; the idempotency key. It is unique across shops.
    pub request: Uuid,
}

/// A refund to be made.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// The payment to be refunded.
    pub reference: String,
    pub order_id: i64,
    /// Counts from 1 for each order.
    pub refund: i64,
    pub amount: Money,
    /// Id of the event that requests the refund; the idempotency key.
    pub request: Uuid,
}

/// A key that the shop shares with a provider. It never appears in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderSecret(String);

/// An authorised payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorisation {
    /// The provider's id of the payment.
    pub reference: String,
}

/// A refund that the provider has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedRefund {
    /// The provider's id of the refund.
    pub reference: String,
}

/// A refund as the provider reports it, neither failed nor cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeRefund {
    /// The provider's id of the refund.
    pub reference: String,
    pub order_id: i64,
    /// Counts from 1 for each order; 0 for a payment that the order did not accept.
    pub refund: i64,
    pub amount: Money,
    /// Id of the event that requested the refund.
    pub request: Uuid,
}

/// A payment as the provider reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentIntent {
    pub reference: String,
    /// `None` if the payment was not made by a shop.
    pub purpose: Option<PaymentPurpose>,
    pub state: IntentState,
    /// The captured amount, or the requested amount before the capture.
    pub amount: Money,
}

/// How far a payment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// The provider is still processing it.
    Open,
    Authorised,
    Captured,
    Cancelled,
    Failed {
        code: String,
    },
}

/// Why a call to a provider failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// Final: no money moved. The code is the provider's, such as `insufficient_funds`.
    #[error("declined: {code}")]
    Declined { code: String },
    /// The outcome is unknown: money may have moved. Repeat the call with the same idempotency key.
    #[error("unknown outcome: {0}")]
    Unavailable(String),
    /// No money moved. Every call fails until an operator corrects the settings.
    #[error("payments are misconfigured: {0}")]
    Misconfigured(String),
}

/// Why a notification is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotificationError {
    #[error("the signature is invalid")]
    InvalidSignature,
    #[error("the signature is older than five minutes")]
    Expired,
    #[error("the notification cannot be parsed")]
    Unreadable,
    #[error("notifications are not accepted: no signing secret is configured")]
    NotConfigured,
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
    /// The code comes from outside and is stored in the log for ever, so anything that does not look like a code is replaced.
    pub fn declined(code: &str) -> Self {
        Self::Declined { code: sanitise_code(code) }
    }
}

/// Returns `code` if it looks like a provider's code, such as `insufficient_funds`; otherwise `declined`.
pub fn sanitise_code(code: &str) -> String {
    let plain = !code.is_empty() && code.len() <= 64;
    let plain = plain && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    // Many digits may be a card number, which must not be stored.
    let plain = plain && code.bytes().filter(u8::is_ascii_digit).count() < 8;
    if plain { code.to_owned() } else { "declined".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_code_is_stored() {
        assert_eq!(sanitise_code("insufficient_funds"), "insufficient_funds");
        for strange in ["", "Ada Miller", "4242424242424242", "card_4242424242424242", "<b>", &"x".repeat(65)] {
            assert_eq!(sanitise_code(strange), "declined", "{strange}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", PaymentToken::new("pm_secret")), "PaymentToken(…)");
        assert_eq!(format!("{:?}", ProviderSecret::new("sk_secret")), "ProviderSecret(…)");
    }
}
