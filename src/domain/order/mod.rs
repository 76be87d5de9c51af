//! An order: lines with name, category and price as they were, and a life from placed to completed or cancelled.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::ids::{CategoryId, CustomerId, ProductId};
use super::money::Money;
use super::quantity::Quantity;
use super::text::{Reason, Reference};

mod moves;
#[cfg(test)]
mod tests;

pub use moves::{MOVES, Move, Status};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    #[default]
    Unknown,
    Placed(PlacedOrder),
}

/// What later decisions need to know of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOrder {
    pub status: Status,
    pub customer_id: Option<CustomerId>,
    pub placed_at: DateTime<Utc>,
    pub reference: Option<String>,
    pub total: Money,
    pub lines: Vec<OrderLine>,
}

/// One line of an order as later events repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedUnits {
    pub product_id: ProductId,
    pub quantity: Quantity,
    pub subtotal: Money,
}

/// One line of an order, with everything as it was when the order was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Counts from 1.
    pub line: i64,
    pub product_id: ProductId,
    pub product_name: String,
    pub category_id: CategoryId,
    pub category_name: String,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// `quantity` times `unit_price`.
    pub subtotal: Money,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    Place(PlaceOrder),
    Move { to: Status, reason: Option<Reason> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceOrder {
    pub customer_id: Option<CustomerId>,
    pub placed_at: DateTime<Utc>,
    pub reference: Option<Reference>,
    pub lines: Vec<PlaceLine>,
}

/// A line to be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceLine {
    pub product_id: ProductId,
    pub product_name: String,
    pub category_id: CategoryId,
    pub category_name: String,
    pub quantity: Quantity,
    pub unit_price: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum OrderEvent {
    #[serde(rename = "OrderPlaced")]
    Placed {
        customer_id: Option<CustomerId>,
        placed_at: DateTime<Utc>,
        reference: Option<String>,
        total: Money,
        lines: Vec<OrderLine>,
    },
    #[serde(rename = "OrderProcessingStarted")]
    ProcessingStarted {},
    #[serde(rename = "OrderShipped")]
    Shipped {},
    #[serde(rename = "OrderCompleted")]
    Completed {},
    /// Carries again what was ordered, so that a reader can take it back without keeping orders.
    #[serde(rename = "OrderCancelled")]
    Cancelled {
        reason: Option<String>,
        customer_id: Option<CustomerId>,
        placed_at: DateTime<Utc>,
        total: Money,
        lines: Vec<OrderedUnits>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    #[error("order not found")]
    NotFound,
    #[error("the order exists already")]
    AlreadyPlaced,
    #[error("an order has at least one line")]
    NoLines,
    #[error("an order has at most {} lines", Order::MAX_LINES)]
    TooManyLines,
    #[error("the total is above {}", Money::MAX)]
    TotalTooLarge,
    #[error("an order that is {} cannot become {}", from.as_str(), to.as_str())]
    IllegalMove { from: Status, to: Status },
}

impl OrderEvent {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Placed { .. } => "OrderPlaced",
            Self::ProcessingStarted {} => "OrderProcessingStarted",
            Self::Shipped {} => "OrderShipped",
            Self::Completed {} => "OrderCompleted",
            Self::Cancelled { .. } => "OrderCancelled",
        }
    }
}

impl Order {
    pub const MAX_LINES: usize = 2_000;

    pub fn placed(&self) -> Result<&PlacedOrder, OrderError> {
        match self {
            Self::Placed(order) => Ok(order),
            Self::Unknown => Err(OrderError::NotFound),
        }
    }
}

impl Decider for Order {
    fn decide(&self, command: OrderCommand) -> Result<Vec<OrderEvent>, OrderError> {
        match (self, command) {
            (Self::Unknown, OrderCommand::Place(order)) => Ok(vec![place(order)?]),
            (Self::Placed(_), OrderCommand::Place(_)) => Err(OrderError::AlreadyPlaced),
            (Self::Unknown, OrderCommand::Move { .. }) => Err(OrderError::NotFound),
            (Self::Placed(order), OrderCommand::Move { to, reason }) => {
                if !order.status.may_become(to) {
                    return Err(OrderError::IllegalMove { from: order.status, to });
                }
                Ok(vec![match to {
                    Status::Pending => return Err(OrderError::IllegalMove { from: order.status, to }),
                    Status::Processing => OrderEvent::ProcessingStarted {},
                    Status::Shipped => OrderEvent::Shipped {},
                    Status::Completed => OrderEvent::Completed {},
                    Status::Cancelled => OrderEvent::Cancelled {
                        reason: reason.map(String::from),
                        customer_id: order.customer_id,
                        placed_at: order.placed_at,
                        total: order.total,
                        lines: order.lines.iter().map(OrderLine::units).collect(),
                    },
                }])
            }
        }
    }

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed { customer_id, placed_at, reference, total, lines } => {
                *self = Self::Placed(PlacedOrder {
                    status: Status::Pending,
                    customer_id: *customer_id,
                    placed_at: *placed_at,
                    reference: reference.clone(),
                    total: *total,
                    lines: lines.clone(),
                });
            }
            OrderEvent::ProcessingStarted {} => self.become_status(Status::Processing),
            OrderEvent::Shipped {} => self.become_status(Status::Shipped),
            OrderEvent::Completed {} => self.become_status(Status::Completed),
            OrderEvent::Cancelled { .. } => self.become_status(Status::Cancelled),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Placed(order) => 1 + order.lines.len(),
            Self::Unknown => 1,
        }
    }
}

impl Order {
    fn become_status(&mut self, status: Status) {
        if let Self::Placed(order) = self {
            order.status = status;
        }
    }
}

impl OrderLine {
    fn units(&self) -> OrderedUnits {
        OrderedUnits { product_id: self.product_id, quantity: self.quantity, subtotal: self.subtotal }
    }
}

fn place(order: PlaceOrder) -> Result<OrderEvent, OrderError> {
    if order.lines.is_empty() {
        return Err(OrderError::NoLines);
    }
    if order.lines.len() > Order::MAX_LINES {
        return Err(OrderError::TooManyLines);
    }
    let mut total = Money::ZERO;
    let mut lines = Vec::with_capacity(order.lines.len());
    for (line, placed) in (1..).zip(order.lines) {
        let subtotal = placed.unit_price.times(placed.quantity).ok_or(OrderError::TotalTooLarge)?;
        total = total.plus(subtotal).ok_or(OrderError::TotalTooLarge)?;
        lines.push(OrderLine {
            line,
            product_id: placed.product_id,
            product_name: placed.product_name,
            category_id: placed.category_id,
            category_name: placed.category_name,
            quantity: placed.quantity,
            unit_price: placed.unit_price,
            subtotal,
        });
    }
    Ok(OrderEvent::Placed {
        customer_id: order.customer_id,
        placed_at: order.placed_at,
        reference: order.reference.map(String::from),
        total,
        lines,
    })
}

super::aggregate!(Order, "Order", OrderCommand, OrderEvent, OrderError);
