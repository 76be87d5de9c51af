//! The money of one order: agreed, credited, paid and refunded.
//!
//! `total` is the agreed amount. `credited` is the reduction since then, by returns, a cancellation or refunds.
//! `paid` and `refunded` are the amounts that really moved.
//! The order is settled when `worth` (`total - credited`) equals `kept` (`paid - refunded`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::money::Money;
use crate::domain::words::words;

words!(
    /// Payment method of an order.
    PaymentMethod {
        /// Payment by invoice, recorded by staff.
        Invoice = "invoice",
        /// The built-in test provider.
        Test = "test",
        /// The card provider.
        Card = "card",
    }
);

/// Money of an order, and the state of its payment attempts and refunds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    pub total: Money,
    pub credited: Money,
    pub paid: Money,
    pub refunded: Money,
    pub method: Option<PaymentMethod>,
    /// Deadline: an unpaid order is cancelled then.
    pub pay_by: Option<DateTime<Utc>>,
    /// Number of payment attempts, which is also the number of the last one.
    pub attempts: i64,
    /// Whether the outcome of the last attempt is still unknown.
    pub open_attempt: bool,
    /// The successful attempts, in the order of their captures.
    pub charges: Vec<CapturedCharge>,
    /// Refunds in the order of their numbers, which count from 1.
    pub refunds: Vec<Refund>,
}

/// A successful payment attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedCharge {
    pub attempt: i64,
    /// The provider's.
    pub reference: String,
    pub amount: Money,
}

/// A refund of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    pub amount: Money,
    pub state: RefundState,
    /// The payment attempt whose provider refunds; `None` if staff do it.
    pub attempt: Option<i64>,
}

/// State of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    Requested,
    Done,
    Failed,
}

impl PaymentMethod {
    /// Whether a payment provider collects the money.
    pub fn is_online(self) -> bool {
        match self {
            Self::Invoice => false,
            Self::Test | Self::Card => true,
        }
    }
}

impl Bill {
    /// Current value of the order.
    pub fn worth(&self) -> Money {
        self.total.less(self.credited)
    }

    /// Money that the shop has received and not refunded.
    pub fn kept(&self) -> Money {
        self.paid.less(self.refunded)
    }

    /// Amount that is still to be paid.
    pub fn due(&self) -> Money {
        self.worth().less(self.kept())
    }

    /// Amount that can still be refunded: requested refunds count as refunded.
    pub fn refundable(&self) -> Money {
        let requested = self.refunds.iter().filter(|refund| refund.state == RefundState::Requested);
        requested.fold(self.kept(), |left, refund| left.less(refund.amount))
    }

    /// The captured charge of a payment attempt.
    pub fn charge_of(&self, attempt: i64) -> Option<&CapturedCharge> {
        self.charges.iter().find(|charge| charge.attempt == attempt)
    }

    /// Amount of a charge that its provider can still refund: requested refunds count as refunded.
    pub fn refundable_of(&self, charge: &CapturedCharge) -> Money {
        let of_charge = self.refunds.iter().filter(|refund| refund.attempt == Some(charge.attempt));
        let refunds = of_charge.filter(|refund| refund.state != RefundState::Failed);
        refunds.fold(charge.amount, |left, refund| left.less(refund.amount))
    }

    /// Credit for returned units: the unpaid part of their value. The paid part needs a refund.
    pub fn credit_for(&self, value: Money) -> Money {
        value.min(self.due())
    }

    /// Credit for a refund. Refunding an overpayment does not reduce the value of the order; refunding all that was
    /// received leaves nothing due.
    pub fn credit_of_refund(&self, amount: Money) -> Money {
        if self.kept().less(amount).is_zero() {
            return self.worth();
        }
        amount.less(self.kept().less(self.worth()))
    }
}
