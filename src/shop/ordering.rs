//! What every way of ordering shares: prices and names as they are now, stock reserved, the order placed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::pricing::{Asked, price, use_discount};
use super::view::OrderView;
use crate::domain::category::Category;
use crate::domain::ids::{CustomerId, OrderId, ProductId};
use crate::domain::money::Money;
use crate::domain::order::{Order, OrderCommand, OrderLine, PaymentMethod, PlaceOrder};
use crate::domain::product::{Listing, Product, ProductCommand};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Shortage};
use crate::domain::text::Reference;
use crate::journal::{Stop, UnitOfWork};

/// An order to be placed. A product may stand in several lines.
pub(super) struct NewOrder {
    pub customer_id: Option<CustomerId>,
    pub placed_at: DateTime<Utc>,
    pub reference: Option<Reference>,
    pub lines: Vec<NewLine>,
    pub payment_method: Option<PaymentMethod>,
    pub pay_by: Option<DateTime<Utc>>,
    /// What is said to price the order by; `None` where the prices of the lines are all that was agreed.
    pub asked: Option<Asked>,
}

pub(super) struct NewLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// The agreed price; `None` means the product's.
    pub unit_price: Option<Money>,
}

/// Places the order under the next number and reserves its stock: all of it, or a refusal that names every product
/// that is short.
pub(super) fn place_order(work: &mut UnitOfWork<'_>, order: NewOrder) -> Result<OrderView, Stop> {
    let requested = units_by_product(order.lines.iter().map(|line| (line.product_id, line.quantity.get())));
    let listings = check_stock(work, &requested)?;
    let category_ids: Vec<_> = listings.values().map(|listing| listing.category_id).collect();
    let categories = work.get_all::<Category, _>(&category_ids)?;
    let categories: BTreeMap<_, Arc<Category>> = category_ids.into_iter().zip(categories).collect();

    let lines = order.lines.iter().map(|line| {
        let listing = &listings[&line.product_id];
        let category_name = categories[&listing.category_id].name()?;
        Ok(OrderLine::of(line.product_id, listing, category_name, line.quantity, line.unit_price)?)
    });
    let lines = lines.collect::<Result<Vec<_>, Stop>>()?;
    let NewOrder { customer_id, placed_at, reference, payment_method, pay_by, asked, .. } = order;
    let priced = asked.as_ref().map(|asked| price(work, asked, &lines)).transpose()?.flatten();
    let Asked { country: shipping_country, discount_code } = asked.unwrap_or_default();
    let order_id = OrderId(work.next_number::<Order>()?);
    let place = PlaceOrder {
        customer_id,
        placed_at,
        reference,
        lines,
        payment_method,
        pay_by,
        shipping_country,
        priced,
        discount_code,
    };
    work.execute::<Order>(order_id, OrderCommand::Place(place))?;
    use_discount(work, order_id)?;
    for (product_id, quantity) in requested {
        work.execute::<Product>(product_id, ProductCommand::Reserve { order_id, quantity })?;
    }
    OrderView::of(work, order_id)
}

/// Units by product, so that several lines of one product count together.
pub(super) fn units_by_product(lines: impl Iterator<Item = (ProductId, i64)>) -> BTreeMap<ProductId, i64> {
    let mut units = BTreeMap::new();
    for (product_id, quantity) in lines {
        *units.entry(product_id).or_default() += quantity;
    }
    units
}

fn check_stock(
    work: &UnitOfWork<'_>,
    requested: &BTreeMap<ProductId, i64>,
) -> Result<BTreeMap<ProductId, Listing>, Stop> {
    let products = work.get_all::<Product, _>(requested.keys())?;
    let mut listings = BTreeMap::new();
    let mut shortages = Vec::new();
    for ((&product_id, &requested), product) in requested.iter().zip(products) {
        let listing = product.for_sale().map_err(|error| Refusal::Unavailable { product_id, error })?;
        let available = listing.stock.available();
        if requested > available {
            shortages.push(Shortage { product_id, name: listing.name.clone(), requested, available });
        }
        listings.insert(product_id, listing.clone());
    }
    if shortages.is_empty() { Ok(listings) } else { Err(Refusal::OutOfStock(shortages).into()) }
}
