//! A unique name with at most one holder: a category's name, a product's SKU or an order's reference.
//!
//! The stream id is made of the kind and the name ([`claim_id`]): two holders cannot both win, and loading the claim
//! finds the holder of a name.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;

/// Holder of a name, by number; `None` if the name is free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub holder: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimCommand {
    Take { holder: i64 },
    Release,
}

events! {
    pub enum ClaimEvent {
        Taken { holder: i64 } = "ClaimTaken",
        Released { holder: i64 } = "ClaimReleased",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClaimError {
    #[error("the name already belongs to number {holder}")]
    Taken { holder: i64 },
}

/// Kind of a unique name. Names of different kinds do not conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimKind {
    CategoryName,
    ProductSku,
    OrderReference,
}

/// Stream id of the claim on `name`.
pub fn claim_id(kind: ClaimKind, name: &str) -> String {
    let kind = match kind {
        ClaimKind::CategoryName => "category-name",
        ClaimKind::ProductSku => "product-sku",
        ClaimKind::OrderReference => "order-reference",
    };
    format!("{kind}:{name}")
}

impl Decider for Claim {
    fn decide(&self, command: ClaimCommand) -> Result<Vec<ClaimEvent>, ClaimError> {
        match (command, self.holder) {
            (ClaimCommand::Take { holder }, None) => Ok(vec![ClaimEvent::Taken { holder }]),
            (ClaimCommand::Take { holder }, Some(current)) if holder == current => Ok(vec![]),
            (ClaimCommand::Take { .. }, Some(holder)) => Err(ClaimError::Taken { holder }),
            (ClaimCommand::Release, Some(holder)) => Ok(vec![ClaimEvent::Released { holder }]),
            (ClaimCommand::Release, None) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &ClaimEvent) {
        self.holder = match event {
            ClaimEvent::Taken { holder } => Some(*holder),
            ClaimEvent::Released { .. } => None,
        };
    }
}

super::aggregate!(Claim, "Claim", ClaimCommand, ClaimEvent, ClaimError);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    #[test]
    fn a_name_has_one_holder_at_a_time() {
        let taken = ClaimEvent::Taken { holder: 1 };
        let take = |holder| ClaimCommand::Take { holder };
        let claims = || TestFramework::<Claim>::with(());
        claims().given_no_previous_events().when(take(1)).then_expect_events(vec![taken.clone()]);
        claims().given(vec![taken.clone()]).when(take(1)).then_expect_events(vec![]);
        claims().given(vec![taken.clone()]).when(take(2)).then_expect_error(ClaimError::Taken { holder: 1 });
        let released = ClaimEvent::Released { holder: 1 };
        claims().given(vec![taken.clone()]).when(ClaimCommand::Release).then_expect_events(vec![released.clone()]);
        claims().given(vec![taken, released]).when(take(2)).then_expect_events(vec![ClaimEvent::Taken { holder: 2 }]);
    }
}
