//! The stored names of all events of the shop.

use super::account::AccountEvent;
use super::cart::CartEvent;
use super::category::CategoryEvent;
use super::claim::ClaimEvent;
use super::customer::CustomerEvent;
use super::discount::DiscountEvent;
use super::order::OrderEvent;
use super::pricing::PricingEvent;
use super::product::ProductEvent;
use super::webhook::WebhookEvent;
use super::wishlist::WishlistEvent;

/// Stored name and current version of every event.
pub fn versions() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        AccountEvent::VERSIONS,
        CartEvent::VERSIONS,
        CategoryEvent::VERSIONS,
        ClaimEvent::VERSIONS,
        CustomerEvent::VERSIONS,
        DiscountEvent::VERSIONS,
        OrderEvent::VERSIONS,
        PricingEvent::VERSIONS,
        ProductEvent::VERSIONS,
        WebhookEvent::VERSIONS,
        WishlistEvent::VERSIONS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Whether the shop has an event with this stored name.
pub fn is_event_name(name: &str) -> bool {
    versions().any(|(stored_name, _)| stored_name == name)
}
