//! A cart for a guest, found by a token that only the guest knows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::cart::{Cart, CartCommand};
use crate::domain::ids::CartId;
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct OpenGuestCart {
    /// A fresh random token.
    pub token: Uuid,
    /// What hides the token in the answer, which may be kept.
    pub seal: u128,
}

/// The token, hidden: exclusive-or with the seal brings it back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SealedToken {
    sealed_token: Uuid,
}

impl UseCase for OpenGuestCart {
    type Answer = SealedToken;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<SealedToken, Stop> {
        work.execute::<Cart>(CartId::of_token(self.token), CartCommand::Open)?;
        Ok(SealedToken { sealed_token: Uuid::from_u128(self.token.as_u128() ^ self.seal) })
    }
}

impl SealedToken {
    pub fn open(self, seal: u128) -> Uuid {
        Uuid::from_u128(self.sealed_token.as_u128() ^ seal)
    }
}
