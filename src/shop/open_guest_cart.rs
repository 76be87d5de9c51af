//! A cart for a guest, found by a token that only the guest knows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::cart::{Cart, CartCommand};
use crate::domain::ids::CartId;
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct OpenGuestCart {
    /// A fresh random token.
    pub token: Uuid,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GuestCartOpened {
    pub cart_token: Uuid,
}

impl UseCase for OpenGuestCart {
    type Answer = GuestCartOpened;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<GuestCartOpened, Stop> {
        work.execute::<Cart>(CartId::of_token(self.token), CartCommand::Open)?;
        Ok(GuestCartOpened { cart_token: self.token })
    }
}
