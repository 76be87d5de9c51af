//! On which terms the shop sells, as its settings say.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::order::PaymentMethod;

#[derive(Clone, Debug)]
pub struct Terms {
    /// How long an order waits for a provider's payment before it is cancelled.
    pub online: TimeDelta,
    /// How long an order waits for its invoice to be paid; `None` is for ever.
    pub invoice: Option<TimeDelta>,
}

impl Terms {
    /// When an order that a buyer places `now` is cancelled if it is not paid by then. Without a method it waits as for an
    /// invoice, so that nobody holds stock for ever.
    pub fn pay_by(&self, method: Option<PaymentMethod>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match method {
            None | Some(PaymentMethod::Invoice) => self.invoice.and_then(|within| now.checked_add_signed(within)),
            Some(PaymentMethod::Test | PaymentMethod::Card) => now.checked_add_signed(self.online),
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self { online: TimeDelta::minutes(60), invoice: Some(TimeDelta::days(30)) }
    }
}
