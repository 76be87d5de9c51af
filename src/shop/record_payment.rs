//! What a provider has told about the money of an order; or nothing, to see how the order stands.

use serde::{Deserialize, Serialize};

use crate::domain::ids::OrderId;
use crate::domain::order::{Bill, Order, OrderCommand, OrderStates};
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct RecordPayment {
    pub order_id: OrderId,
    /// One of those whose names begin with `Record`.
    pub note: Option<OrderCommand>,
}

/// How an order and its money stand now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MoneyStanding {
    pub states: OrderStates,
    pub bill: Bill,
}

impl UseCase for RecordPayment {
    type Answer = MoneyStanding;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<MoneyStanding, Stop> {
        if let Some(note) = &self.note {
            work.execute::<Order>(self.order_id, note.clone())?;
        }
        let order = work.get::<Order>(self.order_id)?;
        let order = order.placed()?;
        Ok(MoneyStanding { states: order.states, bill: order.bill.clone() })
    }
}
