//! Checkout: a cart becomes an order; cart, stock and order change together.

use super::carts::{RequestedCart, cart_view_digest};
use super::metadata::hand_to_order;
use super::orders::{NewOrder, OrderView, RequestedLine, place_order};
use super::payments::{BuyerTerms, PaymentPolicy, store_instrument};
use super::pricing::PricingRequest;
use super::recipients::Recipients;
use super::unpaid::hold_unpaid;
use crate::domain::cart::{Cart, CartCommand, CartError};
use crate::domain::ids::{CartId, OrderId};
use crate::domain::money::Money;
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::domain::refusal::Refusal;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase, ViewDigest};

/// Places the order of a cart.
#[derive(Clone)]
pub struct Checkout {
    pub cart: RequestedCart,
    pub recipients: Recipients,
    /// `None` means an invoice.
    pub payment_method: Option<PaymentMethod>,
    pub pricing: PricingRequest,
    /// Instrument for the payment provider, if the method has one.
    pub instrument: Option<PaymentToken>,
    pub payment_policy: PaymentPolicy,
    /// `None` for a checkout by staff.
    pub buyer: Option<BuyerTerms>,
    /// The total that the buyer has seen; another total is refused.
    pub expected_total: Option<Money>,
}

impl Checkout {
    /// A checkout without payment instrument, addresses and pricing inputs.
    pub fn of(cart_id: CartId) -> Self {
        Self {
            cart: cart_id.into(),
            recipients: Recipients::default(),
            payment_method: None,
            pricing: PricingRequest::default(),
            instrument: None,
            payment_policy: PaymentPolicy::default(),
            buyer: None,
            expected_total: None,
        }
    }
}

impl UseCase for Checkout {
    type Answer = OrderView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderView, Interrupt> {
        let cart_id = self.cart.cart_id;
        self.cart.check(work)?;
        if self.cart.is_unused(work)? {
            return Err(CartError::Empty.into());
        }
        let cart = work.get::<Cart>(cart_id)?;
        let lines = cart.checkout_items()?.iter().map(|(&product_id, &quantity)| RequestedLine {
            product_id,
            quantity,
            unit_price: None,
        });
        let customer_id = cart_id.customer();
        self.recipients.check_defaults(work, customer_id)?;
        let payment_method = self.payment_method.unwrap_or(PaymentMethod::Invoice);
        let order = NewOrder {
            customer_id,
            placed_at: work.now(),
            reference: None,
            request_digest: None,
            lines: lines.collect(),
            payment_method: Some(payment_method),
            pay_by: self.payment_policy.pay_by(payment_method, work.now()),
            shipping_country: None,
            pricing: Some(self.pricing.clone()),
        };
        let placed = place_order(work, order)?;
        let total = placed.total_amount;
        if let Some(expected) = self.expected_total.filter(|expected| *expected != total) {
            return Err(Refusal::TotalChanged { expected, total }.into());
        }
        let order_id = OrderId(placed.order_id);
        self.recipients.write(work, order_id, customer_id)?;
        if let Some(buyer) = &self.buyer {
            // An order with nothing to pay needs no method.
            if !total.is_zero() {
                buyer.require_offered(payment_method)?;
            }
            hold_unpaid(work, order_id, customer_id, buyer)?;
        }
        if cart.has_metadata() {
            hand_to_order(work, cart_id, order_id, customer_id)?;
        }
        work.execute::<Cart>(cart_id, CartCommand::CheckOut { order_id })?;
        if let Some(token) = &self.instrument {
            store_instrument(work, order_id, token)?;
        }
        Ok(placed)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Cart>(self.cart.cart_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        cart_view_digest(work, self.cart.cart_id)
    }
}
