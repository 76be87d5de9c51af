//! When a product runs low: its stock falls below its own threshold, or below that of the shop if it has none.
//!
//! It runs low once for each fall: not again before the stock has been at the threshold or above.

use super::{Listing, Product, ProductCommand, ProductEvent};
use crate::domain::settings::LowStockThreshold;

impl Listing {
    /// The threshold in force.
    fn threshold(&self, shop: LowStockThreshold) -> i64 {
        self.low_stock_threshold.unwrap_or(shop).get()
    }
}

impl ProductCommand {
    /// The shop's threshold, in commands that may lower the stock of a product or change its threshold.
    pub(super) fn shop_threshold(&self) -> Option<LowStockThreshold> {
        match self {
            Self::Reserve { shop_threshold, .. } => *shop_threshold,
            Self::AdjustStock { shop_threshold, .. }
            | Self::CountStock { shop_threshold, .. }
            | Self::ChangeLowStockThreshold { shop_threshold, .. } => Some(*shop_threshold),
            _ => None,
        }
    }
}

impl Product {
    /// The event that follows if `change` makes the product run low.
    pub(super) fn run_low(&self, change: &ProductEvent, shop: LowStockThreshold) -> Option<ProductEvent> {
        // What is not listed is not bought again.
        let Self::Listed(listing) = self else { return None };
        let (before, threshold_before) = (listing.stock.available(), listing.threshold(shop));
        let (stock, threshold) = match change {
            // A new product has no stock yet.
            ProductEvent::LowStockThresholdChanged { .. } if before == 0 && !listing.ordered => return None,
            ProductEvent::LowStockThresholdChanged { threshold, .. } => (before, threshold.unwrap_or(shop).get()),
            other => (other.stock_movement()?.after.available(), threshold_before),
        };
        let runs_low = before >= threshold_before && stock < threshold;
        runs_low.then(|| ProductEvent::RanLow { name: listing.name.clone(), stock, threshold })
    }
}
