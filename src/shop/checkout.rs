//! A cart becomes an order: cart, stock and order change together.

use super::change_cart::check_owner;
use super::ordering::{NewLine, NewOrder, place_order};
use super::pricing::Asked;
use super::recipients::Recipients;
use super::request_payment::keep_instrument;
use super::terms::Terms;
use super::view::OrderView;
use crate::domain::cart::{Cart, CartCommand};
use crate::domain::ids::{CartId, OrderId};
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct Checkout {
    pub cart_id: CartId,
    pub recipients: Recipients,
    /// `None` is left to staff.
    pub payment_method: Option<PaymentMethod>,
    pub asked: Asked,
    /// What a provider is shown, where one is asked.
    pub instrument: Option<PaymentToken>,
    pub terms: Terms,
}

impl Checkout {
    /// One that staff see to: nothing is asked of a provider, and nothing is known that prices depend on.
    pub fn of(cart_id: CartId) -> Self {
        Self {
            cart_id,
            recipients: Recipients::unnamed(),
            payment_method: None,
            asked: Asked::default(),
            instrument: None,
            terms: Terms::default(),
        }
    }
}

impl UseCase for Checkout {
    type Answer = OrderView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderView, Stop> {
        check_owner(work, self.cart_id)?;
        let cart = work.get::<Cart>(self.cart_id)?;
        let lines = cart.checkout_items()?.iter().map(|(&product_id, &quantity)| NewLine {
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
            pay_by: self.terms.pay_by(self.payment_method, work.now()),
            asked: Some(self.asked.clone()),
        };
        let placed = place_order(work, order)?;
        let order_id = OrderId(placed.order_id);
        self.recipients.write(work, order_id, customer_id)?;
        work.execute::<Cart>(self.cart_id, CartCommand::CheckOut { order_id })?;
        if let Some(token) = &self.instrument {
            keep_instrument(work, order_id, token)?;
        }
        Ok(placed)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Cart>(self.cart_id))
    }
}
