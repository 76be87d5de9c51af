//! Stock that came in, went missing, or was counted.

use super::view::StockView;
use crate::domain::ids::ProductId;
use crate::domain::product::{Product, ProductCommand};
use crate::domain::text::Reason;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct AdjustStock {
    pub product_id: ProductId,
    pub change: StockChange,
    pub reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockChange {
    /// Units more (positive) or fewer (negative).
    By(i64),
    /// Units that stand in the store.
    Counted(i64),
}

impl UseCase for AdjustStock {
    type Answer = StockView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<StockView, Stop> {
        let reason = self.reason.clone();
        let command = match self.change {
            StockChange::By(change) => ProductCommand::AdjustStock { change, reason },
            StockChange::Counted(counted) => ProductCommand::CountStock { counted, reason },
        };
        work.execute::<Product>(self.product_id, command)?;
        StockView::of(work, self.product_id)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Product>(self.product_id))
    }
}
