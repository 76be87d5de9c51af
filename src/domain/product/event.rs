//! Events of a product. Stock events carry both resulting figures.

use chrono::{DateTime, Utc};

use super::ProductDetails;
use crate::domain::event::events;
use crate::domain::ids::{CategoryId, ImageId, OrderId};
use crate::domain::money::Money;
use crate::domain::picture::Picture;
use crate::domain::settings::LowStockThreshold;

events! {
    pub enum ProductEvent {
        Created {
            name: String,
            description: String,
            price: Money,
            category_id: CategoryId,
            sku: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            details: Option<Box<ProductDetails>>,
            /// When another system created the product.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            created_at: Option<DateTime<Utc>>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            low_stock_threshold: Option<LowStockThreshold>,
        } = "ProductCreated",
        Changed { name: String, description: String, category_id: CategoryId } = "ProductChanged",
        Repriced { price: Money, previous_price: Money } = "ProductRepriced",
        Discontinued {} = "ProductDiscontinued",
        /// Ends a discontinuation.
        Relisted {} = "ProductRelisted",
        SkuChanged { sku: Option<String>, previous_sku: Option<String> } = "ProductSkuChanged",
        DetailsChanged { details: Box<ProductDetails> } = "ProductDetailsChanged",
        /// The IMEI itself is stored beside the log.
        ImeiChanged { present: bool } = "ProductImeiChanged",
        /// `null`: the threshold of the shop counts.
        LowStockThresholdChanged { threshold: Option<LowStockThreshold>, previous_threshold: Option<LowStockThreshold> }
            = "ProductLowStockThresholdChanged",
        /// The stock has fallen below the threshold.
        RanLow { name: String, stock: i64, threshold: i64 } = "ProductRanLow",
        Deleted {} = "ProductDeleted",
        /// `image_ids` are all images in their order after the event.
        ImageAdded {
            image_id: ImageId,
            picture: Picture,
            image_ids: Vec<ImageId>,
            /// Time of an image that is older than the event.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            created_at: Option<DateTime<Utc>>,
        } = "ProductImageAdded",
        ImageReplaced { image_id: ImageId, picture: Picture, previous: Picture } = "ProductImageReplaced",
        /// `image_ids` are the images that are left.
        ImageRemoved { image_id: ImageId, picture: Picture, image_ids: Vec<ImageId> } = "ProductImageRemoved",
        ImagesReordered { image_ids: Vec<ImageId>, previous_image_ids: Vec<ImageId> } = "ProductImagesReordered",
        StockReceived { quantity: i64, reason: Option<String>, on_hand: i64, reserved: i64 } = "StockReceived",
        StockCorrected { change: i64, reason: Option<String>, on_hand: i64, reserved: i64 } = "StockCorrected",
        StockReserved { order_id: OrderId, quantity: i64, on_hand: i64, reserved: i64 } = "StockReserved",
        StockReleased { order_id: OrderId, quantity: i64, on_hand: i64, reserved: i64 } = "StockReleased",
        StockShipped { order_id: OrderId, quantity: i64, on_hand: i64, reserved: i64 } = "StockShipped",
        StockReturned { order_id: OrderId, quantity: i64, on_hand: i64, reserved: i64 } = "StockReturned",
    }
}
