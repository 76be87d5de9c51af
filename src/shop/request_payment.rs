//! Another attempt to pay an order, with what it is to be made with.

use super::view::OrderStanding;
use crate::domain::ids::OrderId;
use crate::domain::order::{Order, OrderCommand, PaymentMethod, PaymentToken};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct RequestPayment {
    pub order_id: OrderId,
    pub method: PaymentMethod,
    /// What the provider is shown.
    pub token: PaymentToken,
}

impl UseCase for RequestPayment {
    type Answer = OrderStanding;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderStanding, Stop> {
        let request = OrderCommand::RequestPayment { method: Some(self.method) };
        work.execute::<Order>(self.order_id, request)?;
        keep_instrument(work, self.order_id, &self.token)?;
        OrderStanding::of(work, self.order_id, std::iter::empty())
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Order>(self.order_id))
    }
}

/// Keeps what the attempt that was just begun is made with, beside the log. An order for nothing needs none.
pub(super) fn keep_instrument(work: &mut UnitOfWork<'_>, order_id: OrderId, token: &PaymentToken) -> Result<(), Stop> {
    let order = work.get::<Order>(order_id)?;
    let bill = &order.placed()?.bill;
    if bill.open_attempt {
        let (order_id, attempt, token) = (order_id.0, bill.attempts, token.expose().to_owned());
        work.write_profile(Profile::PutInstrument { order_id, attempt, token });
    }
    Ok(())
}
