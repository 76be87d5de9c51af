//! Movements of the stock: what each stock event changed, read from the event alone.

use super::{ProductEvent, Stock};
use crate::domain::ids::OrderId;

/// The stock before and after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockMovement<'event> {
    pub before: Stock,
    pub after: Stock,
    /// The order that reserved, released, shipped or returned units.
    pub order_id: Option<OrderId>,
    pub reason: Option<&'event str>,
}

impl ProductEvent {
    /// Stored names of the events that change the units on hand or reserved.
    pub const STOCK_EVENTS: [&'static str; 6] =
        ["StockReceived", "StockCorrected", "StockReserved", "StockReleased", "StockShipped", "StockReturned"];

    /// What the event changed of the stock; `None` for an event that changes none.
    pub fn stock_movement(&self) -> Option<StockMovement<'_>> {
        // The change of the units on hand and of the reserved units.
        let (change, (on_hand, reserved), order_id, reason) = match self {
            Self::StockReceived { quantity, reason, on_hand, reserved } => {
                ((*quantity, 0), (*on_hand, *reserved), None, reason.as_deref())
            }
            Self::StockCorrected { change, reason, on_hand, reserved } => {
                ((*change, 0), (*on_hand, *reserved), None, reason.as_deref())
            }
            Self::StockReserved { order_id, quantity, on_hand, reserved } => {
                ((0, *quantity), (*on_hand, *reserved), Some(*order_id), None)
            }
            Self::StockReleased { order_id, quantity, on_hand, reserved } => {
                ((0, -quantity), (*on_hand, *reserved), Some(*order_id), None)
            }
            Self::StockShipped { order_id, quantity, on_hand, reserved } => {
                ((-quantity, -quantity), (*on_hand, *reserved), Some(*order_id), None)
            }
            Self::StockReturned { order_id, quantity, on_hand, reserved } => {
                ((*quantity, 0), (*on_hand, *reserved), Some(*order_id), None)
            }
            Self::Created { .. }
            | Self::Changed { .. }
            | Self::Repriced { .. }
            | Self::Discontinued {}
            | Self::Relisted {}
            | Self::SkuChanged { .. }
            | Self::ImageAdded { .. }
            | Self::ImageReplaced { .. }
            | Self::ImageRemoved { .. }
            | Self::ImagesReordered { .. }
            | Self::DetailsChanged { .. }
            | Self::ImeiChanged { .. }
            | Self::LowStockThresholdChanged { .. }
            | Self::RanLow { .. }
            | Self::Deleted {} => return None,
        };
        let after = Stock { on_hand, reserved };
        let before = Stock { on_hand: on_hand - change.0, reserved: reserved - change.1 };
        Some(StockMovement { before, after, order_id, reason })
    }
}
