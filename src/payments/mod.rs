//! Payments: authorises, captures, voids and refunds through payment providers, and never charges twice.
//!
//! The log records what was paid, as events of the order. A request to a provider is sent only after the event that
//! causes it is stored, with that event's id as its idempotency key. So a request whose response was lost is repeated
//! safely. The shop never sees a card number, only the token that the provider gave the client; a table of its own
//! stores the token until it is used.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

mod card;
mod currency;
mod instrument;
mod lost_refunds;
mod order_payments;
mod provider;
mod reactor;
mod test_provider;

pub use card::{CardConfig, CardProvider};
pub use currency::{Currency, CurrencyError};
pub use instrument::{
    Instrument, InstrumentError, StoredInstrument, delete_instrument, find_instrument, mark_requested,
    sweep_instruments,
};
pub use order_payments::PaymentFault;
pub use provider::{
    AcceptedRefund, Authorisation, AuthorisationRequest, IntentState, MadeRefund, NotificationError, PaymentError,
    PaymentIntent, PaymentProvider, PaymentPurpose, ProviderFuture, ProviderSecret, RefundRequest,
};
pub use reactor::PaymentReactor;
pub use test_provider::{TestCard, TestProvider};

/// How long a provider recognises a repeated request, less a margin of one hour. Later it would charge again.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(23 * 60 * 60);

/// Which providers are configured. By default there are none, and orders are paid by invoice.
#[derive(Clone, Debug, Default)]
pub struct PaymentsConfig {
    pub currency: Currency,
    /// Whether the documented test card numbers are accepted.
    pub test: bool,
    pub card: Option<CardConfig>,
}

/// The configured providers; none by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Payments {
    pub currency: Currency,
    test: Option<Arc<dyn PaymentProvider>>,
    card: Option<Arc<dyn PaymentProvider>>,
}

/// What to do after a provider's notification.
pub enum Notification {
    /// Refresh the payment with this reference.
    About(String),
    /// Nothing: it is not about a payment.
    Other,
}

/// Whether guests may pay by invoice if the setting is absent: only in shops that are older than the setting.
pub async fn guest_invoices_by_default(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select guest_invoices from shop_origin").fetch_one(pool).await
}

impl Payments {
    pub fn new(config: &PaymentsConfig, pool: &PgPool) -> Result<Self, PaymentError> {
        let test = config.test.then(|| Arc::new(TestProvider::new(pool.clone())) as Arc<dyn PaymentProvider>);
        let card = match &config.card {
            Some(card) => Some(Arc::new(CardProvider::new(card)?) as Arc<dyn PaymentProvider>),
            None => None,
        };
        Ok(Self { currency: config.currency, test, card })
    }

    /// Verifies a notification of the card provider and returns what to do about it.
    pub fn read_notification(
        &self,
        signature: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Notification, NotificationError> {
        let card = self.card.as_deref().ok_or(NotificationError::NotConfigured)?;
        Ok(card.read_notification(signature, body, now)?.map_or(Notification::Other, Notification::About))
    }

    /// The provider for a payment method, if it is configured.
    pub fn provider(&self, method: &str) -> Option<&dyn PaymentProvider> {
        match method {
            "test" => self.test.as_deref(),
            "card" => self.card.as_deref(),
            _ => None,
        }
    }
}
