//! What can be sold of a product now, and why an item cannot be ordered.

use super::Product;
use crate::domain::words::words;

words! {
    /// Why units of a product cannot be ordered.
    UnavailableReason {
        /// There never was such a product.
        Unknown = "unknown",
        Deleted = "deleted",
        Discontinued = "discontinued",
        /// Listed, and not on sale for now.
        NotOnSale = "not_on_sale",
        /// Fewer units are left than requested.
        OutOfStock = "out_of_stock",
    }
}

impl UnavailableReason {
    /// Why a product is not sold at all; `None` if it is.
    pub fn of_withdrawn(deleted: bool, discontinued: bool, on_sale: bool) -> Option<Self> {
        match (deleted, discontinued, on_sale) {
            (true, ..) => Some(Self::Deleted),
            (false, true, _) => Some(Self::Discontinued),
            (false, false, false) => Some(Self::NotOnSale),
            (false, false, true) => None,
        }
    }
}

/// What can be sold of a product now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    /// Why the product is not sold at all.
    withdrawn: Option<UnavailableReason>,
    /// Units that can be sold.
    units: i64,
}

impl Supply {
    /// Supply of a product with this stock; a product that is withdrawn sells no unit.
    pub fn new(withdrawn: Option<UnavailableReason>, stock: i64) -> Self {
        Self { withdrawn, units: if withdrawn.is_some() { 0 } else { stock.max(0) } }
    }

    /// Units that can be sold.
    pub fn units(self) -> i64 {
        self.units
    }

    /// Why `requested` units cannot be ordered; `None` if they can.
    pub fn refuse(self, requested: i64) -> Option<UnavailableReason> {
        self.withdrawn.or((requested > self.units).then_some(UnavailableReason::OutOfStock))
    }
}

impl Product {
    pub fn supply(&self) -> Supply {
        match self {
            Self::Unknown => Supply::new(Some(UnavailableReason::Unknown), 0),
            Self::Listed(listing) => {
                let withdrawn = UnavailableReason::of_withdrawn(false, false, listing.details.on_sale);
                Supply::new(withdrawn, listing.stock.available())
            }
            Self::Discontinued(_) => Supply::new(Some(UnavailableReason::Discontinued), 0),
            Self::Deleted(_) => Supply::new(Some(UnavailableReason::Deleted), 0),
        }
    }
}
