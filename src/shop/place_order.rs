//! An order placed by staff, perhaps taken over from elsewhere: agreed prices, a past date, a reference.

use chrono::{DateTime, Datelike, Utc};

use super::change_cart::check_customer;
use super::ordering::{NewLine, NewOrder, place_order};
use super::view::OrderView;
use crate::domain::claim::{Claim, ClaimCommand, ClaimKind, claim_id};
use crate::domain::customer::CustomerError;
use crate::domain::ids::{CustomerId, OrderId, ProductId};
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::text::Reference;
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct PlaceOrder {
    /// `None` is a guest.
    pub customer_id: Option<CustomerId>,
    /// `None` is now; never in the future.
    pub placed_at: Option<DateTime<Utc>>,
    /// Unique: a repeated one answers the first order, and places none.
    pub reference: Option<Reference>,
    pub lines: Vec<RequestedLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// The agreed price; `None` means the product's.
    pub unit_price: Option<Money>,
}

impl UseCase for PlaceOrder {
    type Answer = OrderView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderView, Stop> {
        let claim = self.reference.as_ref().map(|text| claim_id(ClaimKind::OrderReference, text.as_str()));
        if let Some(claim) = &claim
            && let Some(holder) = work.get::<Claim>(claim)?.holder
        {
            return OrderView::of(work, OrderId(holder));
        }
        let placed_at = self.placed_at.map_or(work.now(), as_stored);
        if placed_at > work.now() {
            return Err(Refusal::PlacedInTheFuture.into());
        }
        if placed_at.year() < 1900 {
            return Err(Refusal::PlacedTooEarly.into());
        }
        if let Some(customer_id) = self.customer_id {
            check_customer(work, customer_id).map_err(|stop| match stop {
                Stop::Refused(Refusal::Customer(CustomerError::NotFound)) => {
                    Refusal::UnknownCustomer(customer_id).into()
                }
                other => other,
            })?;
        }
        let new_line = |line: &RequestedLine| NewLine {
            product_id: line.product_id,
            quantity: line.quantity,
            unit_price: line.unit_price,
        };
        let placed = place_order(
            work,
            NewOrder {
                customer_id: self.customer_id,
                placed_at,
                reference: self.reference.clone(),
                lines: self.lines.iter().map(new_line).collect(),
                payment_method: None,
                pay_by: None,
                asked: None,
            },
        )?;
        if let Some(claim) = claim {
            work.execute::<Claim>(claim, ClaimCommand::Take { holder: placed.order_id })?;
        }
        Ok(placed)
    }
}

/// The time as PostgreSQL knows it, which has neither leap seconds nor nanoseconds and would round them into another
/// day than the one that the client is told.
fn as_stored(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}
