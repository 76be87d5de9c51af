//! The stock of a product, within its bounds.

use serde::{Deserialize, Serialize};

use super::ProductError;

/// Units in the warehouse: `0 <= reserved` and `0 <= on_hand <= Stock::MAX`.
///
/// Only a count may leave fewer units on hand than are reserved. Until units arrive or orders release theirs, nothing is
/// available, and orders ship from what is on hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    pub on_hand: i64,
    pub reserved: i64,
}

impl Stock {
    /// Maximum number of units on hand.
    pub const MAX: i64 = 1_000_000_000;

    /// Units that can be ordered.
    pub fn available(self) -> i64 {
        (self.on_hand - self.reserved).max(0)
    }

    /// Reserved units that are not on hand.
    pub fn missing(self) -> i64 {
        (self.reserved - self.on_hand).max(0)
    }

    /// Stock with `change` more units on hand, within bounds. A loss must leave the reserved units.
    pub(super) fn with_change(self, change: i64) -> Result<Self, ProductError> {
        let on_hand = self.on_hand.checked_add(change).ok_or(ProductError::TooManyUnits)?;
        if change < 0 && on_hand < self.reserved {
            return Err(ProductError::BelowReserved { reserved: self.reserved });
        }
        self.with_count(on_hand)
    }

    /// Stock with `on_hand` units on hand, which may be fewer than are reserved.
    pub(super) fn with_count(self, on_hand: i64) -> Result<Self, ProductError> {
        match on_hand {
            ..0 => Err(ProductError::NegativeCount),
            0..=Self::MAX => Ok(Self { on_hand, ..self }),
            _ => Err(ProductError::TooManyUnits),
        }
    }

    /// Stock after `quantity` reserved units have left.
    pub(super) fn shipped(self, quantity: i64) -> Result<Self, ProductError> {
        if quantity > self.on_hand {
            return Err(ProductError::NotOnHand { requested: quantity, on_hand: self.on_hand });
        }
        Ok(Self { on_hand: self.on_hand - quantity, reserved: self.reserved - quantity })
    }
}
