//! Payments: whom the shop asks to hold, take and give back money, and how it never asks for the same twice.
//!
//! What was paid stands in the log, as events of the order. What is asked of a provider is asked after the event that
//! wishes it was stored, with a key that the event gives: so an answer that is lost is asked for again, and nothing is
//! charged twice. A card number never comes here, only a token that the provider gave to the client, and that token
//! stands in a table of its own until it was used.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

mod books;
mod card;
mod currency;
mod instrument;
mod provider;
mod reactor;
mod test_provider;

pub use books::Fault;
pub use card::{CardConfig, CardProvider};
pub use currency::{Currency, CurrencyError};
pub use instrument::{
    Instrument, InstrumentError, Kept, drop_instrument, kept_instrument, note_asked, sweep_instruments,
};
pub use provider::{
    Asked, Authorisation, Charge, Intent, IntentState, NoticeError, PaymentError, Provider, ProviderSecret, Purpose,
    Refunded, Repayment,
};
pub use reactor::PaymentReactor;
pub use test_provider::{TestCard, TestProvider};

/// How long a provider knows a request again, with an hour to spare. Later it would take it for another.
pub const REPEATABLE: Duration = Duration::from_secs(23 * 60 * 60);

/// Nothing but invoices by default.
#[derive(Clone, Debug, Default)]
pub struct PaymentsConfig {
    pub currency: Currency,
    /// Whether orders can be paid with the documented numbers of cards that do not exist.
    pub test: bool,
    pub card: Option<CardConfig>,
}

/// The providers that are set up; none by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Payments {
    pub currency: Currency,
    test: Option<Arc<dyn Provider>>,
    card: Option<Arc<dyn Provider>>,
}

/// What a message of a provider is a reason for.
pub enum Notice {
    /// To look at the payment of this reference.
    About(String),
    Other,
}

impl Payments {
    pub fn new(config: &PaymentsConfig, pool: &PgPool) -> Result<Self, PaymentError> {
        let test = config.test.then(|| Arc::new(TestProvider::new(pool.clone())) as Arc<dyn Provider>);
        let card = match &config.card {
            Some(card) => Some(Arc::new(CardProvider::new(card)?) as Arc<dyn Provider>),
            None => None,
        };
        Ok(Self { currency: config.currency, test, card })
    }

    /// Reads a message of the card provider.
    pub fn read_notice(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<Notice, NoticeError> {
        let card = self.card.as_deref().ok_or(NoticeError::NotTaken)?;
        Ok(card.read_notice(signature, body, now)?.map_or(Notice::Other, Notice::About))
    }

    /// Whom an order of this method is paid through, if it is set up.
    pub fn provider(&self, method: &str) -> Option<&dyn Provider> {
        match method {
            "test" => self.test.as_deref(),
            "card" => self.card.as_deref(),
            _ => None,
        }
    }
}
