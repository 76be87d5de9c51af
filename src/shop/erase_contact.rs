//! A guest who ordered is forgotten; the order and its sums stay.

use crate::domain::ids::OrderId;
use crate::domain::order::{Order, OrderCommand};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct EraseContact {
    pub order_id: OrderId,
}

impl UseCase for EraseContact {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        work.execute::<Order>(self.order_id, OrderCommand::EraseContact)?;
        work.write_profile(Profile::ForgetOrderContact { order_id: self.order_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Order>(self.order_id))
    }
}
