//! The next step in an order's life; the stock follows it.

use serde::{Deserialize, Serialize};

use super::ordering::units_by_product;
use crate::domain::ids::OrderId;
use crate::domain::order::{Order, OrderCommand, Status};
use crate::domain::product::{Product, ProductCommand};
use crate::domain::text::Reason;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct MoveOrder {
    pub order_id: OrderId,
    pub to: Status,
    /// Why, for a cancellation.
    pub reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderMoved {
    #[schema(value_type = i64)]
    pub order_id: OrderId,
    #[schema(value_type = String)]
    pub status: Status,
}

impl UseCase for MoveOrder {
    type Answer = OrderMoved;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<OrderMoved, Stop> {
        let order_id = self.order_id;
        work.execute::<Order>(order_id, OrderCommand::Move { to: self.to, reason: self.reason.clone() })?;
        let order = work.get::<Order>(order_id)?;
        let lines = order.placed()?.lines.iter().map(|line| (line.product_id, line.quantity.get()));
        let stock_command: fn(OrderId, i64) -> ProductCommand = match self.to {
            Status::Shipped => |order_id, quantity| ProductCommand::Ship { order_id, quantity },
            Status::Cancelled => |order_id, quantity| ProductCommand::Release { order_id, quantity },
            Status::Pending | Status::Processing | Status::Completed => {
                return Ok(OrderMoved { order_id, status: self.to });
            }
        };
        let units = units_by_product(lines);
        work.get_all::<Product, _>(units.keys())?;
        for (product_id, quantity) in units {
            work.execute::<Product>(product_id, stock_command(order_id, quantity))?;
        }
        Ok(OrderMoved { order_id, status: self.to })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Order>(self.order_id))
    }
}
