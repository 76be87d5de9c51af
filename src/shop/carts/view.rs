//! The view of a cart: one function makes it, for reads from the tables and for commands from the aggregates.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::cart::Cart;
use crate::domain::ids::{CartId, CustomerId, ProductId};
use crate::domain::money::two_decimals;
use crate::domain::product::{Product, Supply, UnavailableReason};
use crate::journal::{Interrupt, UnitOfWork, ViewDigest};

/// An item of a cart, and what the shop knows about its product now.
#[derive(Clone, Debug)]
pub struct CartItem {
    pub product_id: ProductId,
    pub quantity: i64,
    /// Name of the product; the last name of a deleted product.
    pub name: String,
    /// Price of a unit; the last price of a deleted product.
    pub price: Decimal,
    pub supply: Supply,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<i64>,
    pub items: Vec<CartLineView>,
    /// Sum of the available items.
    pub total: String,
    /// With `view=full`; never in the answer of a command, because answers are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartLineView {
    pub product_name: String,
    /// Current price of the product.
    pub price: String,
    pub quantity: i64,
    pub subtotal: String,
    pub product_id: i64,
    /// Whether this quantity can be ordered now. Other items are not in the total, and prevent the checkout.
    #[serde(default = "available_before")]
    #[schema(required = true)]
    pub available: bool,
    /// Why the item cannot be ordered; `null` if it can.
    #[serde(default)]
    pub reason: Option<UnavailableReason>,
    /// Units of the product that can still be sold.
    #[serde(default)]
    #[schema(required = true)]
    pub in_stock: i64,
}

/// Stored answers from before items could be unavailable show available items only.
fn available_before() -> bool {
    true
}

impl CartView {
    /// The cart at current prices.
    pub fn of_items(customer_id: Option<CustomerId>, items: impl IntoIterator<Item = CartItem>) -> Self {
        let mut total = Decimal::ZERO;
        let lines = items.into_iter().map(|item| {
            let subtotal = item.price * Decimal::from(item.quantity);
            let reason = item.supply.refuse(item.quantity);
            if reason.is_none() {
                total += subtotal;
            }
            CartLineView {
                product_name: item.name,
                price: two_decimals(item.price),
                quantity: item.quantity,
                subtotal: two_decimals(subtotal),
                product_id: item.product_id.0,
                available: reason.is_none(),
                reason,
                in_stock: item.supply.units(),
            }
        });
        let items = lines.collect();
        Self {
            customer_id: customer_id.map(|customer_id| customer_id.0),
            items,
            total: two_decimals(total),
            metadata: None,
        }
    }

    /// Digest of what the cart shows beyond its stream: names, prices and availability, but not units in stock.
    pub fn digest(&self) -> ViewDigest {
        ViewDigest::of(self.items.iter().flat_map(|line| {
            let reason = line.reason.map_or("", UnavailableReason::as_str);
            [line.product_name.as_str(), line.price.as_str(), reason]
        }))
    }

    /// The cart as it is in a unit of work.
    pub(in crate::shop) fn of(work: &UnitOfWork<'_>, cart_id: CartId) -> Result<Self, Interrupt> {
        let items = work.get::<Cart>(cart_id)?.items();
        let products = work.get_all::<Product, _>(items.keys())?;
        let items = items.into_iter().zip(products).filter_map(|((product_id, quantity), product)| {
            let listing = product.last_listing()?;
            Some(CartItem {
                product_id,
                quantity: quantity.get(),
                name: listing.name.clone(),
                price: listing.price.amount(),
                supply: product.supply(),
            })
        });
        Ok(Self::of_items(cart_id.customer(), items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(quantity: i64, supply: Supply) -> CartItem {
        CartItem { product_id: ProductId(1), quantity, name: "Kettle".to_owned(), price: Decimal::TWO, supply }
    }

    #[test]
    fn the_digest_follows_availability_and_not_the_units_in_stock() {
        let digest = |stock| CartView::of_items(None, [item(3, Supply::new(None, stock))]).digest();
        assert_eq!(digest(3), digest(500));
        assert_ne!(digest(3), digest(2));
        assert_eq!(digest(2), digest(-4));
        let gone = |reason| CartView::of_items(None, [item(3, Supply::new(Some(reason), 9))]).digest();
        assert_ne!(gone(UnavailableReason::Deleted), gone(UnavailableReason::Discontinued));
    }

    #[test]
    fn a_withdrawn_product_sells_no_unit_and_a_shortage_is_shown_as_none() {
        let discontinued = Supply::new(Some(UnavailableReason::Discontinued), 9);
        let view = CartView::of_items(None, [item(1, discontinued), item(2, Supply::new(None, -1))]);
        assert_eq!(view.items.iter().map(|line| line.in_stock).collect::<Vec<_>>(), [0, 0]);
        assert_eq!((view.total.as_str(), view.items[0].subtotal.as_str()), ("0.00", "2.00"));
    }

    #[test]
    fn a_stored_answer_from_before_is_read() {
        let stored = r#"{"items":[{"product_name":"Kettle","price":"2.00","quantity":1,"subtotal":"2.00","product_id":1}],"total":"2.00"}"#;
        let view: CartView = serde_json::from_str(stored).unwrap();
        assert!(view.items[0].available && view.items[0].reason.is_none());
    }
}
