//! A discount for buyers with its code, within its dates and limits.
//!
//! The unit of work that places an order also uses the discount, so that limits hold exactly under concurrent checkouts.
//! Cancelling the order releases the use. A code is never reused: in the log it always means the same discount.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use chrono::SecondsFormat::AutoSi;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::ids::{CustomerId, OrderId};
use super::money::Money;
use super::pricing::{Benefit, Percent};

mod code;
#[cfg(test)]
mod tests;

pub use code::{DiscountCode, DiscountCodeError};

/// Life cycle of a discount, by the folded code as stream id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Discount {
    #[default]
    Unknown,
    Created(CreatedDiscount),
}

/// Terms and uses of a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedDiscount {
    /// The code as entered.
    pub code: DiscountCode,
    pub terms: DiscountTerms,
    pub ended: bool,
    /// Number of orders with the discount, without cancelled ones.
    pub uses: u32,
    /// Number of orders of each customer. Guests are counted in `uses` only.
    pub uses_by_customer: BTreeMap<CustomerId, u32>,
}

/// Benefit, dates and limits of a discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscountTerms {
    #[serde(flatten)]
    pub benefit: Benefit,
    /// First moment of validity.
    pub from: Option<DateTime<Utc>>,
    /// End of validity, exclusive.
    pub until: Option<DateTime<Utc>>,
    /// Maximum number of orders.
    pub total_limit: Option<NonZeroU32>,
    /// Maximum number of orders of one customer.
    pub customer_limit: Option<NonZeroU32>,
    /// Minimum subtotal of an order.
    pub minimum: Option<Money>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscountCommand {
    Create { code: DiscountCode, terms: DiscountTerms },
    Change { terms: DiscountTerms },
    End,
    Use(DiscountUse),
    Release { order_id: OrderId, customer_id: Option<CustomerId> },
}

/// An order that is to use the discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscountUse {
    pub order_id: OrderId,
    /// `None` for a guest.
    pub customer_id: Option<CustomerId>,
    pub at: DateTime<Utc>,
    pub subtotal: Money,
}

events! {
    pub enum DiscountEvent {
        Created {
            /// The code as entered; its upper-case form is the stream id.
            code: DiscountCode,
            #[serde(flatten)]
            terms: DiscountTerms,
        } = "DiscountCreated",
        /// Carries all terms, changed or not.
        Changed {
            #[serde(flatten)]
            terms: DiscountTerms,
        } = "DiscountChanged",
        Ended {} = "DiscountEnded",
        Used { order_id: OrderId, customer_id: Option<CustomerId> } = "DiscountUsed",
        Released { order_id: OrderId, customer_id: Option<CustomerId> } = "DiscountReleased",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DiscountError {
    #[error("discount not found")]
    NotFound,
    #[error("the code already belongs to a discount")]
    AlreadyExists,
    #[error("a discount needs a value above 0, or free shipping")]
    NothingGiven,
    #[error("the discount ends before it begins")]
    NeverValid,
    #[error("the discount has ended")]
    Ended,
    #[error("the discount is not valid before {}", .from.to_rfc3339_opts(AutoSi, true))]
    NotYetValid { from: DateTime<Utc> },
    #[error("the discount expired at {}", .until.to_rfc3339_opts(AutoSi, true))]
    Expired { until: DateTime<Utc> },
    #[error("the discount is used up")]
    UsedUp,
    #[error("the customer has used up the discount")]
    UsedUpByCustomer,
    #[error("the discount is limited per customer, so guests cannot use it")]
    NeedsCustomer,
    #[error("the discount needs a subtotal of {minimum} or more; the order has {subtotal}")]
    BelowMinimum { minimum: Money, subtotal: Money },
}

impl Discount {
    /// The discount, if the code belongs to one.
    pub fn created(&self) -> Result<&CreatedDiscount, DiscountError> {
        match self {
            Self::Created(discount) => Ok(discount),
            Self::Unknown => Err(DiscountError::NotFound),
        }
    }
}

impl Decider for Discount {
    fn decide(&self, command: DiscountCommand) -> Result<Vec<DiscountEvent>, DiscountError> {
        let discount = match (self, &command) {
            (Self::Unknown, DiscountCommand::Create { code, terms }) => {
                terms.check()?;
                return Ok(vec![DiscountEvent::Created { code: code.clone(), terms: *terms }]);
            }
            (Self::Unknown, _) => return Err(DiscountError::NotFound),
            (Self::Created(discount), _) => discount,
        };
        Ok(match command {
            DiscountCommand::Create { .. } => return Err(DiscountError::AlreadyExists),
            DiscountCommand::Change { .. } if discount.ended => return Err(DiscountError::Ended),
            DiscountCommand::Change { terms } if terms == discount.terms => vec![],
            DiscountCommand::Change { terms } => {
                terms.check()?;
                vec![DiscountEvent::Changed { terms }]
            }
            DiscountCommand::End if discount.ended => vec![],
            DiscountCommand::End => vec![DiscountEvent::Ended {}],
            DiscountCommand::Use(wanted) => {
                discount.check(&wanted)?;
                vec![DiscountEvent::Used { order_id: wanted.order_id, customer_id: wanted.customer_id }]
            }
            // The order's life cycle guarantees that this happens once.
            DiscountCommand::Release { order_id, customer_id } => {
                vec![DiscountEvent::Released { order_id, customer_id }]
            }
        })
    }

    fn evolve(&mut self, event: &DiscountEvent) {
        match event {
            DiscountEvent::Created { code, terms } => {
                *self = Self::Created(CreatedDiscount {
                    code: code.clone(),
                    terms: *terms,
                    ended: false,
                    uses: 0,
                    uses_by_customer: BTreeMap::new(),
                });
            }
            DiscountEvent::Changed { terms } => self.change(|discount| discount.terms = *terms),
            DiscountEvent::Ended {} => self.change(|discount| discount.ended = true),
            DiscountEvent::Used { customer_id, .. } => self.change(|discount| {
                discount.uses = discount.uses.saturating_add(1);
                if let Some(customer_id) = customer_id {
                    *discount.uses_by_customer.entry(*customer_id).or_default() += 1;
                }
            }),
            DiscountEvent::Released { customer_id, .. } => self.change(|discount| {
                discount.uses = discount.uses.saturating_sub(1);
                if let Some(customer_id) = customer_id {
                    discount.release_use(*customer_id);
                }
            }),
        }
    }

    /// The state grows with the number of customers who use the discount.
    fn weight(&self) -> usize {
        match self {
            Self::Created(discount) => 1 + discount.uses_by_customer.len(),
            Self::Unknown => 1,
        }
    }
}

impl Discount {
    fn change(&mut self, change: impl FnOnce(&mut CreatedDiscount)) {
        if let Self::Created(discount) = self {
            change(discount);
        }
    }
}

impl CreatedDiscount {
    fn check(&self, wanted: &DiscountUse) -> Result<(), DiscountError> {
        let DiscountTerms { from, until, total_limit, customer_limit, minimum, .. } = self.terms;
        if self.ended {
            return Err(DiscountError::Ended);
        }
        if let Some(from) = from.filter(|from| wanted.at < *from) {
            return Err(DiscountError::NotYetValid { from });
        }
        if let Some(until) = until.filter(|until| wanted.at >= *until) {
            return Err(DiscountError::Expired { until });
        }
        if let Some(minimum) = minimum.filter(|minimum| wanted.subtotal < *minimum) {
            return Err(DiscountError::BelowMinimum { minimum, subtotal: wanted.subtotal });
        }
        if total_limit.is_some_and(|limit| self.uses >= limit.get()) {
            return Err(DiscountError::UsedUp);
        }
        if let Some(limit) = customer_limit {
            let customer_id = wanted.customer_id.ok_or(DiscountError::NeedsCustomer)?;
            let uses = self.uses_by_customer.get(&customer_id).copied().unwrap_or_default();
            if uses >= limit.get() {
                return Err(DiscountError::UsedUpByCustomer);
            }
        }
        Ok(())
    }

    fn release_use(&mut self, customer_id: CustomerId) {
        if let Some(uses) = self.uses_by_customer.get_mut(&customer_id) {
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                self.uses_by_customer.remove(&customer_id);
            }
        }
    }
}

impl DiscountTerms {
    fn check(&self) -> Result<(), DiscountError> {
        let nothing = [Benefit::Percent(Percent::ZERO), Benefit::Amount(Money::ZERO)];
        if nothing.contains(&self.benefit) {
            return Err(DiscountError::NothingGiven);
        }
        match (self.from, self.until) {
            (Some(from), Some(until)) if from >= until => Err(DiscountError::NeverValid),
            _ => Ok(()),
        }
    }
}

super::aggregate!(Discount, "Discount", DiscountCommand, DiscountEvent, DiscountError);
