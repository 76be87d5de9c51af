//! A product: its catalogue data and its stock.
//!
//! `on_hand` counts the units in the warehouse, `reserved` those of open orders; the rest, if any, is available.
//! Every stock event carries both resulting figures, so that a reader needs only the last event.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Decider;
use super::ids::CategoryId;
use super::money::Money;
use super::settings::LowStockThreshold;

mod command;
mod details;
mod error;
mod event;
mod images;
mod low_stock;
mod movement;
mod phone;
mod slug;
mod specifications;
mod stock;
mod supply;
#[cfg(test)]
mod tests;

pub use command::ProductCommand;
pub use details::{Brand, DetailsChange, Dimensions, ProductDetails, SupplierNumber, WeightGrams};
pub use error::ProductError;
pub use event::ProductEvent;
pub use images::{
    Image, ImageCommand, ImageError, ImageNumber, ImageNumberCommand, ImageNumberError, Images, MAX_IMAGES,
};
pub use movement::StockMovement;
pub use phone::{BatteryCapacity, Imei, ImeiError, Phone, PhoneDraft, Ram, Storage};
pub use slug::{Slug, SlugError};
pub use specifications::{Specifications, SpecificationsError};
pub use stock::Stock;
pub use supply::{Supply, UnavailableReason};

/// Life cycle of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Product {
    #[default]
    Unknown,
    Listed(Listing),
    /// Not sold until it is relisted. Units of earlier orders can still be shipped, released and returned.
    Discontinued(Listing),
    /// Keeps its last listing, because carts still show it.
    Deleted(Listing),
}

/// Catalogue data and stock of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub name: String,
    pub description: String,
    pub price: Money,
    pub category_id: CategoryId,
    pub sku: Option<String>,
    pub stock: Stock,
    /// Whether an order has ever reserved units.
    pub ordered: bool,
    #[serde(default, skip_serializing_if = "Images::is_empty")]
    pub images: Images,
    #[serde(with = "details::shared")]
    pub details: Arc<ProductDetails>,
    /// Whether an IMEI is stored beside the log.
    pub has_imei: bool,
    /// Stock below it is low; `None`: the threshold of the shop counts.
    pub low_stock_threshold: Option<LowStockThreshold>,
}

impl Product {
    /// Listing of a product that can be sold.
    pub fn for_sale(&self) -> Result<&Listing, ProductError> {
        match self {
            Self::Listed(listing) if !listing.details.on_sale => Err(ProductError::NotOnSale),
            Self::Listed(listing) => Ok(listing),
            Self::Discontinued(_) => Err(ProductError::Discontinued),
            Self::Unknown | Self::Deleted(_) => Err(ProductError::NotFound),
        }
    }

    /// Listing of a product, discontinued or not.
    pub fn listing(&self) -> Result<&Listing, ProductError> {
        match self {
            Self::Listed(listing) | Self::Discontinued(listing) => Ok(listing),
            Self::Unknown | Self::Deleted(_) => Err(ProductError::NotFound),
        }
    }

    /// The last listing of a product, deleted or not; `None` if there never was such a product.
    pub fn last_listing(&self) -> Option<&Listing> {
        match self {
            Self::Listed(listing) | Self::Discontinued(listing) | Self::Deleted(listing) => Some(listing),
            Self::Unknown => None,
        }
    }
}

impl Decider for Product {
    fn decide(&self, command: ProductCommand) -> Result<Vec<ProductEvent>, ProductError> {
        if let ProductCommand::Create {
            name,
            description,
            price,
            category_id,
            sku,
            details,
            created_at,
            low_stock_threshold,
        } = command
        {
            return match self {
                Self::Unknown => Ok(vec![ProductEvent::Created {
                    name: name.into(),
                    description: description.into(),
                    price,
                    category_id,
                    sku: sku.map(String::from),
                    details: (!details.is_empty()).then(|| Box::new(details.apply(&ProductDetails::default()))),
                    created_at,
                    low_stock_threshold,
                }]),
                _ => Err(ProductError::AlreadyExists),
            };
        }
        let listing = self.listing()?;
        match command {
            ProductCommand::Create { .. } => Err(ProductError::AlreadyExists),
            ProductCommand::Change { name, description, category_id } => {
                let name = name.map_or_else(|| listing.name.clone(), String::from);
                let description = description.map_or_else(|| listing.description.clone(), String::from);
                let category_id = category_id.unwrap_or(listing.category_id);
                let same =
                    (&name, &description, category_id) == (&listing.name, &listing.description, listing.category_id);
                Ok(if same { vec![] } else { vec![ProductEvent::Changed { name, description, category_id }] })
            }
            ProductCommand::Reprice { price } if price == listing.price => Ok(vec![]),
            ProductCommand::Reprice { price } => {
                Ok(vec![ProductEvent::Repriced { price, previous_price: listing.price }])
            }
            ProductCommand::Discontinue => match self {
                Self::Discontinued(_) => Ok(vec![]),
                _ => Ok(vec![ProductEvent::Discontinued {}]),
            },
            ProductCommand::Relist => match self {
                Self::Discontinued(_) => Ok(vec![ProductEvent::Relisted {}]),
                _ => Ok(vec![]),
            },
            ProductCommand::ChangeSku { sku } => {
                let (sku, previous_sku) = (sku.map(String::from), listing.sku.clone());
                Ok(if sku == previous_sku { vec![] } else { vec![ProductEvent::SkuChanged { sku, previous_sku }] })
            }
            ProductCommand::Image(command) => listing.images.decide(command),
            ProductCommand::ChangeDetails(change) => {
                let details = change.apply(&listing.details);
                let same = details == *listing.details;
                Ok(if same { vec![] } else { vec![ProductEvent::DetailsChanged { details: Box::new(details) }] })
            }
            ProductCommand::ChangeImei { present: false } if !listing.has_imei => Ok(vec![]),
            ProductCommand::ChangeImei { present } => Ok(vec![ProductEvent::ImeiChanged { present }]),
            ProductCommand::ChangeLowStockThreshold { threshold, .. } if threshold == listing.low_stock_threshold => {
                Ok(vec![])
            }
            ProductCommand::ChangeLowStockThreshold { threshold, shop_threshold } => {
                let previous_threshold = listing.low_stock_threshold;
                let change = ProductEvent::LowStockThresholdChanged { threshold, previous_threshold };
                Ok(self.with_low_stock(change, shop_threshold))
            }
            ProductCommand::Delete if listing.ordered => Err(ProductError::Ordered),
            ProductCommand::Delete => Ok(vec![ProductEvent::Deleted {}]),
            ProductCommand::AdjustStock { change: 0, .. } => Err(ProductError::NoChange),
            ProductCommand::AdjustStock { change, reason, shop_threshold } => {
                let Stock { on_hand, reserved } = listing.stock.with_change(change)?;
                let reason = reason.map(String::from);
                Ok(if change > 0 {
                    vec![ProductEvent::StockReceived { quantity: change, reason, on_hand, reserved }]
                } else {
                    let loss = ProductEvent::StockCorrected { change, reason, on_hand, reserved };
                    self.with_low_stock(loss, shop_threshold)
                })
            }
            ProductCommand::CountStock { counted, reason, shop_threshold } => {
                let Stock { on_hand, reserved } = listing.stock.with_count(counted)?;
                let change = on_hand - listing.stock.on_hand;
                let reason = reason.map(String::from);
                Ok(if change == 0 {
                    vec![]
                } else {
                    let correction = ProductEvent::StockCorrected { change, reason, on_hand, reserved };
                    self.with_low_stock(correction, shop_threshold)
                })
            }
            ProductCommand::Reserve { order_id, quantity, shop_threshold } => {
                let Listing { stock, .. } = self.for_sale()?;
                if quantity > stock.available() {
                    return Err(ProductError::OutOfStock { requested: quantity, available: stock.available() });
                }
                let Stock { on_hand, reserved } = *stock;
                let reserved = reserved + quantity;
                let reservation = ProductEvent::StockReserved { order_id, quantity, on_hand, reserved };
                Ok(match shop_threshold {
                    Some(shop_threshold) => self.with_low_stock(reservation, shop_threshold),
                    None => vec![reservation],
                })
            }
            ProductCommand::Release { order_id, quantity } => {
                let Stock { on_hand, reserved } = listing.stock;
                Ok(vec![ProductEvent::StockReleased { order_id, quantity, on_hand, reserved: reserved - quantity }])
            }
            ProductCommand::Ship { order_id, quantity } => {
                let Stock { on_hand, reserved } = listing.stock.shipped(quantity)?;
                Ok(vec![ProductEvent::StockShipped { order_id, quantity, on_hand, reserved }])
            }
            ProductCommand::Restock { order_id, quantity } => {
                let Stock { on_hand, reserved } = listing.stock.with_change(quantity)?;
                Ok(vec![ProductEvent::StockReturned { order_id, quantity, on_hand, reserved }])
            }
        }
    }

    fn evolve(&mut self, event: &ProductEvent) {
        match event {
            ProductEvent::Created {
                name, description, price, category_id, sku, details, low_stock_threshold, ..
            } => {
                *self = Self::Listed(Listing {
                    name: name.clone(),
                    description: description.clone(),
                    price: *price,
                    category_id: *category_id,
                    sku: sku.clone(),
                    stock: Stock::default(),
                    ordered: false,
                    images: Images::default(),
                    details: Arc::new(details.as_deref().cloned().unwrap_or_default()),
                    has_imei: false,
                    low_stock_threshold: *low_stock_threshold,
                });
            }
            ProductEvent::Changed { name, description, category_id } => self.update(|listing| {
                listing.name.clone_from(name);
                listing.description.clone_from(description);
                listing.category_id = *category_id;
            }),
            ProductEvent::Repriced { price, .. } => self.update(|listing| listing.price = *price),
            ProductEvent::Discontinued {} => {
                if let Self::Listed(listing) = self {
                    *self = Self::Discontinued(listing.clone());
                }
            }
            ProductEvent::Relisted {} => {
                if let Self::Discontinued(listing) = self {
                    *self = Self::Listed(listing.clone());
                }
            }
            ProductEvent::SkuChanged { sku, .. } => self.update(|listing| listing.sku.clone_from(sku)),
            ProductEvent::DetailsChanged { details } => {
                self.update(|listing| listing.details = Arc::new(details.as_ref().clone()));
            }
            ProductEvent::ImeiChanged { present } => self.update(|listing| listing.has_imei = *present),
            ProductEvent::LowStockThresholdChanged { threshold, .. } => {
                self.update(|listing| listing.low_stock_threshold = *threshold);
            }
            ProductEvent::RanLow { .. } => {}
            ProductEvent::Deleted {} => {
                if let Self::Listed(listing) | Self::Discontinued(listing) = self {
                    *self = Self::Deleted(listing.clone());
                }
            }
            ProductEvent::ImageAdded { image_id, picture, .. } => {
                self.update(|listing| listing.images.add(*image_id, picture));
            }
            ProductEvent::ImageReplaced { image_id, picture, .. } => {
                self.update(|listing| listing.images.replace(*image_id, picture));
            }
            ProductEvent::ImageRemoved { image_id, .. } => self.update(|listing| listing.images.remove(*image_id)),
            ProductEvent::ImagesReordered { image_ids, .. } => {
                self.update(|listing| listing.images.reorder_to(image_ids));
            }
            ProductEvent::StockReserved { on_hand, reserved, .. } => self.update(|listing| {
                listing.ordered = true;
                listing.stock = Stock { on_hand: *on_hand, reserved: *reserved };
            }),
            ProductEvent::StockReceived { on_hand, reserved, .. }
            | ProductEvent::StockCorrected { on_hand, reserved, .. }
            | ProductEvent::StockReleased { on_hand, reserved, .. }
            | ProductEvent::StockShipped { on_hand, reserved, .. }
            | ProductEvent::StockReturned { on_hand, reserved, .. } => {
                self.update(|listing| listing.stock = Stock { on_hand: *on_hand, reserved: *reserved });
            }
        }
    }
}

impl Product {
    fn update(&mut self, change: impl FnOnce(&mut Listing)) {
        if let Self::Listed(listing) | Self::Discontinued(listing) = self {
            change(listing);
        }
    }
}

impl super::Numbered for Product {}
super::aggregate!(Product, "Product", ProductCommand, ProductEvent, ProductError);
