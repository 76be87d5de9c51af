//! A cart that nobody touched for long is emptied; a guest's is gone.

use crate::domain::cart::{Cart, CartCommand};
use crate::domain::ids::CartId;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct ExpireCart {
    pub cart_id: CartId,
}

impl UseCase for ExpireCart {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        work.execute::<Cart>(self.cart_id, CartCommand::Expire)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Cart>(self.cart_id))
    }
}
