//! Commands of a product.

use chrono::{DateTime, Utc};

use super::{DetailsChange, ImageCommand};
use crate::domain::ids::{CategoryId, OrderId};
use crate::domain::money::Money;
use crate::domain::settings::LowStockThreshold;
use crate::domain::text::{Description, Name, Reason, Sku};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductCommand {
    Create {
        name: Name,
        description: Description,
        price: Money,
        category_id: CategoryId,
        sku: Option<Sku>,
        details: Box<DetailsChange>,
        /// When another system created the product; `None` means now.
        created_at: Option<DateTime<Utc>>,
        /// `None`: the threshold of the shop counts.
        low_stock_threshold: Option<LowStockThreshold>,
    },
    /// Changes catalogue data; `None` keeps a field.
    Change {
        name: Option<Name>,
        description: Option<Description>,
        category_id: Option<CategoryId>,
    },
    Reprice {
        price: Money,
    },
    Discontinue,
    /// Puts a discontinued product back on sale.
    Relist,
    /// `None` removes the SKU.
    ChangeSku {
        sku: Option<Sku>,
    },
    ChangeDetails(Box<DetailsChange>),
    /// Records that the IMEI, which is stored beside the log, was set or removed.
    ChangeImei {
        present: bool,
    },
    Delete,
    Image(ImageCommand),
    /// Adds received units (positive) or removes missing ones (negative).
    AdjustStock {
        change: i64,
        reason: Option<Reason>,
        shop_threshold: LowStockThreshold,
    },
    /// Corrects the stock to the counted units on hand, which may be fewer than are reserved.
    CountStock {
        counted: i64,
        reason: Option<Reason>,
        shop_threshold: LowStockThreshold,
    },
    /// Sets the threshold of the product; `None`: that of the shop counts.
    ChangeLowStockThreshold {
        threshold: Option<LowStockThreshold>,
        shop_threshold: LowStockThreshold,
    },
    Reserve {
        order_id: OrderId,
        quantity: i64,
        /// `None` for an order of the past: what it leaves is nothing new.
        shop_threshold: Option<LowStockThreshold>,
    },
    Release {
        order_id: OrderId,
        quantity: i64,
    },
    Ship {
        order_id: OrderId,
        quantity: i64,
    },
    /// Adds returned units that can be sold again.
    Restock {
        order_id: OrderId,
        quantity: i64,
    },
}
