//! The money of one order: what it is worth, what was paid, what went back.
//!
//! `total` is what was agreed. `credited` is by how much the order has been worth less since, because units were taken
//! back, it was cancelled, or money was given back for another reason. `paid` and `refunded` are what has really moved.
//! What is left of the one, `worth`, and of the other, `kept`, are the same once everybody has what is theirs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::money::Money;

/// How an order is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// Later; staff note it.
    Invoice,
    /// The provider for trying things out.
    Test,
    /// The card provider.
    Card,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    pub total: Money,
    pub credited: Money,
    pub paid: Money,
    pub refunded: Money,
    pub method: Option<PaymentMethod>,
    /// When the order is cancelled if it is not paid by then.
    pub pay_by: Option<DateTime<Utc>>,
    /// How often a provider was asked for the money; the last attempt is this one.
    pub attempts: i64,
    /// Whether the provider has not said yet what became of the last attempt.
    pub open_attempt: bool,
    /// The attempt that brought the money, and what the provider calls it.
    pub charge: Option<CapturedCharge>,
    /// By number, from 1.
    pub refunds: Vec<Refund>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedCharge {
    pub attempt: i64,
    pub reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    pub amount: Money,
    pub state: RefundState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    Requested,
    Done,
    Failed,
}

impl PaymentMethod {
    /// Whether a provider is asked for the money.
    pub fn is_online(self) -> bool {
        match self {
            Self::Invoice => false,
            Self::Test | Self::Card => true,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Test => "test",
            Self::Card => "card",
        }
    }
}

impl Bill {
    /// What the order is worth now.
    pub fn worth(&self) -> Money {
        self.total.less(self.credited)
    }

    /// What the shop has of it.
    pub fn kept(&self) -> Money {
        self.paid.less(self.refunded)
    }

    /// What is still to be paid.
    pub fn due(&self) -> Money {
        self.worth().less(self.kept())
    }

    /// What can be given back: what was paid, less what has gone back or is on its way.
    pub fn refundable(&self) -> Money {
        let requested = self.refunds.iter().filter(|refund| refund.state == RefundState::Requested);
        requested.fold(self.kept(), |left, refund| left.less(refund.amount))
    }

    /// What of units taken back is not asked for any more; the rest was paid, and is a matter of a refund.
    pub fn credit_for(&self, value: Money) -> Money {
        value.min(self.due())
    }

    /// By how much a refund makes the order worth less. What was paid beyond its worth goes back for nothing.
    pub fn credit_of_refund(&self, amount: Money) -> Money {
        amount.less(self.kept().less(self.worth()))
    }
}
