//! Checkout: a cart becomes an order; cart, stock and order change together.

use super::carts::check_owner;
use super::orders::{NewOrder, OrderView, RequestedLine, place_order};
use super::payments::{PaymentPolicy, store_instrument};
use super::pricing::PricingRequest;
use super::recipients::Recipients;
use crate::domain::cart::{Cart, CartCommand};
use crate::domain::ids::{CartId, OrderId};
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

/// Places the order of a cart.
pub struct Checkout {
    pub cart_id: CartId,
    pub recipients: Recipients,
    /// `None` leaves the payment to staff.
    pub payment_method: Option<PaymentMethod>,
    pub pricing: PricingRequest,
    /// Instrument for the payment provider, if the method has one.
    pub instrument: Option<PaymentToken>,
    pub payment_policy: PaymentPolicy,
}

impl Checkout {
    /// A checkout without payment instrument, addresses and pricing inputs.
    pub fn of(cart_id: CartId) -> Self {
        Self {
            cart_id,
            recipients: Recipients::default(),
            payment_method: None,
            pricing: PricingRequest::default(),
            instrument: None,
            payment_policy: PaymentPolicy::default(),
        }
    }
}

impl UseCase for Checkout {
    type Answer = OrderView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderView, Interrupt> {
        check_owner(work, self.cart_id)?;
        let cart = work.get::<Cart>(self.cart_id)?;
        let lines = cart.checkout_items()?.iter().map(|(&product_id, &quantity)| RequestedLine {
            product_id,
            quantity,
            unit_price: None,
        });
        let customer_id = match self.cart_id {
            CartId::Customer(customer_id) => Some(customer_id),
            CartId::Guest(_) => None,
        };
        let order = NewOrder {
            customer_id,
            placed_at: work.now(),
            reference: None,
            lines: lines.collect(),
            payment_method: self.payment_method,
            pay_by: self.payment_policy.pay_by(self.payment_method, work.now()),
            shipping_country: None,
            pricing: Some(self.pricing.clone()),
        };
        let placed = place_order(work, order)?;
        let order_id = OrderId(placed.order_id);
        self.recipients.write(work, order_id, customer_id)?;
        work.execute::<Cart>(self.cart_id, CartCommand::CheckOut { order_id })?;
        if let Some(token) = &self.instrument {
            store_instrument(work, order_id, token)?;
        }
        Ok(placed)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.cart_id))
    }
}
