//! Placing an order: prices and names as they are now, stock reserved.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::reference::{request_digest, was_placed_by};
use super::views::OrderView;
use crate::domain::category::Category;
use crate::domain::claim::ClaimIds;
use crate::domain::customer::{Country, CustomerError};
use crate::domain::ids::{CustomerId, OrderId, ProductId};
use crate::domain::metadata::Metadata;
use crate::domain::money::Money;
use crate::domain::order::{self, Order, OrderCommand, OrderLine, PaymentMethod};
use crate::domain::product::{Listing, Product, ProductCommand, UnavailableReason};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, UnavailableItem};
use crate::domain::text::Reference;
use crate::journal::{Interrupt, UnitOfWork, UseCase};
use crate::shop::customers::{check_customer, check_may_order};
use crate::shop::metadata::put_order_metadata;
use crate::shop::names::{find_holder, take_name};
use crate::shop::pricing::{PricingRequest, price, use_discount};
use crate::shop::recipients::{Destination, Recipients};
use crate::shop::stock::low_stock_threshold;

/// Places an order of staff, perhaps imported: with agreed prices, a past date, a reference.
pub struct PlaceOrder {
    /// `None` is a guest.
    pub customer_id: Option<CustomerId>,
    /// `None` means now; a time in the future is refused.
    pub placed_at: Option<DateTime<Utc>>,
    /// Unique: the same request again returns the first order and places none; another one is refused.
    pub reference: Option<Reference>,
    pub lines: Vec<RequestedLine>,
    pub recipients: Recipients,
    pub metadata: Metadata,
}

/// A line of a new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// The agreed price; `None` means the product's.
    pub unit_price: Option<Money>,
}

/// The order of a request of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedByStaff {
    #[serde(flatten)]
    pub order: OrderView,
    /// Whether an earlier request with the same reference and content placed it.
    #[serde(default)]
    pub placed_before: bool,
}

impl UseCase for PlaceOrder {
    type Answer = PlacedByStaff;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<PlacedByStaff, Interrupt> {
        let claim = self.reference.as_ref().map(ClaimIds::order_reference);
        if let Some(claim) = &claim
            && let Some(holder) = find_holder(work, claim)?
        {
            let order_id = OrderId(holder);
            if !was_placed_by(work.get::<Order>(order_id)?.placed()?, self) {
                return Err(Refusal::ReferenceReused { order_id }.into());
            }
            return Ok(PlacedByStaff { order: OrderView::of(work, order_id)?, placed_before: true });
        }
        let placed_at = self.placed_at.map_or(work.now(), as_stored);
        if placed_at > work.now() {
            return Err(Refusal::PlacedInTheFuture.into());
        }
        if placed_at.year() < 1900 {
            return Err(Refusal::PlacedTooEarly.into());
        }
        if let Some(customer_id) = self.customer_id {
            check_customer(work, customer_id).map_err(|interrupt| match interrupt {
                Interrupt::Refused(Refusal::Customer(CustomerError::NotFound)) => {
                    Refusal::UnknownCustomer(customer_id).into()
                }
                other => other,
            })?;
        }
        let order = place_order(
            work,
            NewOrder {
                customer_id: self.customer_id,
                placed_at,
                reference: self.reference.clone(),
                request_digest: self.reference.as_ref().map(|_| request_digest(self)),
                lines: self.lines.clone(),
                payment_method: None,
                pay_by: None,
                shipping_country: self.recipients.shipping.as_ref().and_then(Destination::country).cloned(),
                pricing: None,
            },
        )?;
        self.recipients.write(work, OrderId(order.order_id), self.customer_id)?;
        put_order_metadata(work, OrderId(order.order_id), self.customer_id, &self.metadata)?;
        if let Some(claim) = claim {
            take_name(work, &claim, order.order_id)?;
        }
        Ok(PlacedByStaff { order, placed_before: false })
    }
}

/// The time in whole microseconds: PostgreSQL would round nanoseconds and leap seconds, perhaps into another day than
/// the answer shows.
pub(in crate::shop) fn as_stored(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

/// Of an older order, as an import brings, staff need not hear that it left little stock.
const NEWS: TimeDelta = TimeDelta::hours(1);

/// An order to place. Several lines may have one product.
pub(in crate::shop) struct NewOrder {
    pub customer_id: Option<CustomerId>,
    pub placed_at: DateTime<Utc>,
    pub reference: Option<Reference>,
    /// Digest of the request, to recognise it when it is sent again.
    pub request_digest: Option<String>,
    pub lines: Vec<RequestedLine>,
    pub payment_method: Option<PaymentMethod>,
    pub pay_by: Option<DateTime<Utc>>,
    /// Country of the shipping address, if the pricing inputs do not have it.
    pub shipping_country: Option<Country>,
    /// Pricing inputs. `None`: line prices are final, nothing is added.
    pub pricing: Option<PricingRequest>,
}

/// Places the order under the next number and reserves its stock. If products cannot be ordered, the refusal names all of
/// them.
pub(in crate::shop) fn place_order(work: &mut UnitOfWork<'_>, order: NewOrder) -> Result<OrderView, Interrupt> {
    if let Some(customer_id) = order.customer_id {
        check_may_order(work, customer_id)?;
    }
    let requested = units_by_product(order.lines.iter().map(|line| (line.product_id, line.quantity.get())));
    let listings = check_supply(work, &requested)?;
    let category_ids: Vec<_> = listings.values().map(|listing| listing.category_id).collect();
    let categories = work.get_all::<Category, _>(&category_ids)?;
    let categories: BTreeMap<_, Arc<Category>> = category_ids.into_iter().zip(categories).collect();

    let lines = order.lines.iter().map(|line| {
        let listing = &listings[&line.product_id];
        let category_name = categories[&listing.category_id].name()?;
        Ok(OrderLine::of(line.product_id, listing, category_name, line.quantity, line.unit_price)?)
    });
    let lines = lines.collect::<Result<Vec<_>, Interrupt>>()?;
    let NewOrder { customer_id, placed_at, reference, request_digest, payment_method, pay_by, .. } = order;
    let NewOrder { shipping_country, pricing, .. } = order;
    let priced = pricing.as_ref().map(|request| price(work, request, &lines)).transpose()?.flatten();
    let PricingRequest { country, discount_code } = pricing.unwrap_or_default();
    let order_id = OrderId(work.next_number::<Order>()?);
    let place = order::OrderDraft {
        customer_id,
        placed_at,
        reference,
        request_digest,
        lines,
        payment_method,
        pay_by,
        shipping_country: country.or(shipping_country),
        priced,
        discount_code,
    };
    work.execute::<Order>(order_id, OrderCommand::Place(place))?;
    use_discount(work, order_id)?;
    let is_past = work.now() - placed_at > NEWS;
    let shop_threshold = if is_past { None } else { Some(low_stock_threshold(work)?) };
    for (product_id, quantity) in requested {
        work.execute::<Product>(product_id, ProductCommand::Reserve { order_id, quantity, shop_threshold })?;
    }
    OrderView::of(work, order_id)
}

/// Units by product, so that several lines of one product count together.
fn units_by_product(lines: impl Iterator<Item = (ProductId, i64)>) -> BTreeMap<ProductId, i64> {
    let mut units = BTreeMap::new();
    for (product_id, quantity) in lines {
        *units.entry(product_id).or_default() += quantity;
    }
    units
}

/// Listings of the products; refuses them if any cannot be ordered in its quantity.
fn check_supply(
    work: &UnitOfWork<'_>,
    requested: &BTreeMap<ProductId, i64>,
) -> Result<BTreeMap<ProductId, Listing>, Interrupt> {
    let products = work.get_all::<Product, _>(requested.keys())?;
    let mut listings = BTreeMap::new();
    let mut unavailable = Vec::new();
    for ((&product_id, &requested), product) in requested.iter().zip(products) {
        let (supply, listing) = (product.supply(), product.last_listing());
        match (supply.refuse(requested), listing) {
            (None, Some(listing)) => drop(listings.insert(product_id, listing.clone())),
            (reason, listing) => unavailable.push(UnavailableItem {
                product_id,
                name: listing.map(|listing| listing.name.clone()),
                reason: reason.unwrap_or(UnavailableReason::Unknown),
                requested,
                available: supply.units(),
            }),
        }
    }
    if unavailable.is_empty() { Ok(listings) } else { Err(Refusal::ItemsUnavailable(unavailable).into()) }
}
