//! Stock of a product: receipts, losses and counts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::products::product_view_digest;
use crate::domain::ids::ProductId;
use crate::domain::product::{Product, ProductCommand};
use crate::domain::settings::{LowStockThreshold, SHOP, ShopSettings};
use crate::domain::text::Reason;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

/// Adjusts the stock of a product.
pub struct AdjustStock {
    pub product_id: ProductId,
    pub change: StockChange,
    pub reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockChange {
    /// Units more (positive) or fewer (negative).
    By(i64),
    /// Units on hand, as counted; may be fewer than are reserved.
    Counted(i64),
}

/// The threshold of products without one of their own.
pub(super) fn low_stock_threshold(work: &UnitOfWork<'_>) -> Result<LowStockThreshold, Interrupt> {
    Ok(work.get::<ShopSettings>(SHOP)?.low_stock_threshold)
}

impl UseCase for AdjustStock {
    type Answer = StockView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<StockView, Interrupt> {
        let reason = self.reason.clone();
        let shop_threshold = low_stock_threshold(work)?;
        let command = match self.change {
            StockChange::By(change) => ProductCommand::AdjustStock { change, reason, shop_threshold },
            StockChange::Counted(counted) => ProductCommand::CountStock { counted, reason, shop_threshold },
        };
        work.execute::<Product>(self.product_id, command)?;
        StockView::of(work, self.product_id)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Product>(self.product_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        product_view_digest(work, self.product_id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockView {
    pub product_id: i64,
    /// Units available for sale: `on_hand` less `reserved`, never below 0.
    pub stock: i64,
    pub on_hand: i64,
    pub reserved: i64,
    /// Reserved units that are not on hand; `orders/short/` lists the orders that cannot be served.
    #[serde(default)]
    pub missing: i64,
}

impl StockView {
    pub(super) fn of(work: &UnitOfWork<'_>, product_id: ProductId) -> Result<Self, Interrupt> {
        let product = work.get::<Product>(product_id)?;
        let stock = product.listing()?.stock;
        Ok(Self {
            product_id: product_id.0,
            stock: stock.available(),
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            missing: stock.missing(),
        })
    }
}
