//! The stock of a product, within its bounds.

use serde::{Deserialize, Serialize};

use super::ProductError;

/// Units in the warehouse: `0 <= reserved <= on_hand <= Stock::MAX`.
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
        self.on_hand - self.reserved
    }

    /// Stock with `change` more units on hand, within bounds.
    pub(super) fn with_change(self, change: i64) -> Result<Self, ProductError> {
        let on_hand = self.on_hand.checked_add(change).ok_or(ProductError::TooManyUnits)?;
        if on_hand > Self::MAX {
            Err(ProductError::TooManyUnits)
        } else if on_hand < self.reserved {
            Err(ProductError::BelowReserved { reserved: self.reserved })
        } else {
            Ok(Self { on_hand, ..self })
        }
    }
}
