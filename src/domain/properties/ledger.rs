//! Units that were received, shipped, returned and released, independently of the stock figures in the events.

use std::collections::BTreeMap;

use crate::domain::product::ProductEvent;

/// Units by product, summed up from the quantities of events only.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger {
    received: BTreeMap<i64, i64>,
    corrected: BTreeMap<i64, i64>,
    pub(super) shipped: BTreeMap<(i64, i64), i64>,
    pub(super) returned: BTreeMap<(i64, i64), i64>,
    pub(super) released: BTreeMap<(i64, i64), i64>,
}

impl Ledger {
    pub(super) fn record(&mut self, product: i64, event: &ProductEvent) {
        match event {
            ProductEvent::StockReceived { quantity, .. } => *self.received.entry(product).or_default() += quantity,
            ProductEvent::StockCorrected { change, .. } => *self.corrected.entry(product).or_default() += change,
            ProductEvent::StockShipped { order_id, quantity, .. } => {
                *self.shipped.entry((order_id.0, product)).or_default() += quantity;
            }
            ProductEvent::StockReturned { order_id, quantity, .. } => {
                *self.returned.entry((order_id.0, product)).or_default() += quantity;
            }
            ProductEvent::StockReleased { order_id, quantity, .. } => {
                *self.released.entry((order_id.0, product)).or_default() += quantity;
            }
            ProductEvent::StockReserved { on_hand, reserved, .. } => {
                assert!(reserved <= on_hand, "{reserved} of {on_hand} units are reserved");
            }
            ProductEvent::Created { .. }
            | ProductEvent::Changed { .. }
            | ProductEvent::Repriced { .. }
            | ProductEvent::Discontinued {}
            | ProductEvent::Relisted {}
            | ProductEvent::SkuChanged { .. }
            | ProductEvent::DetailsChanged { .. }
            | ProductEvent::ImeiChanged { .. }
            | ProductEvent::LowStockThresholdChanged { .. }
            | ProductEvent::RanLow { .. }
            | ProductEvent::ImageAdded { .. }
            | ProductEvent::ImageReplaced { .. }
            | ProductEvent::ImageRemoved { .. }
            | ProductEvent::ImagesReordered { .. }
            | ProductEvent::Deleted {} => {}
        }
    }

    pub(super) fn on_hand(&self, product: i64) -> i64 {
        let units = |counted: &BTreeMap<i64, i64>| counted.get(&product).copied().unwrap_or_default();
        let moved = |counted: &BTreeMap<(i64, i64), i64>| {
            counted.iter().filter(|((_, moved), _)| *moved == product).map(|(_, units)| units).sum::<i64>()
        };
        units(&self.received) + units(&self.corrected) - moved(&self.shipped) + moved(&self.returned)
    }
}
