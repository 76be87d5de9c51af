//! A unique name with at most one holder: a category's name, a product's SKU or slug, or an order's reference. The family
//! of a product holds the product's number in the same way, and so does a row of an imported file that names no product.
//!
//! The stream id is made of the kind and the folded name ([`ClaimIds`]): two holders cannot both win, and loading the claim
//! finds the holder of a name.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::ids::ProductId;
use super::product::Slug;
use super::text::{Name, Reference, Sku};

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

/// Stream ids under which a name may be held: those of earlier rules first, then the one of the current rule, which new
/// holders take. An id may belong to both; it keeps its earlier place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimIds {
    all: Vec<String>,
    current: String,
}

impl ClaimIds {
    pub fn category_name(name: &Name) -> Self {
        Self::new("category-name", name.formerly_folded(), name.folded())
    }

    pub fn product_sku(sku: &Sku) -> Self {
        Self::new("product-sku", sku.formerly_folded(), sku.folded())
    }

    pub fn product_slug(slug: &Slug) -> Self {
        let slug = slug.as_str().to_owned();
        Self::new("product-slug", [slug.clone(), slug.clone()], slug)
    }

    /// Earlier rules compared references letter by letter, and kept them composed or decomposed, as typed.
    pub fn order_reference(reference: &Reference) -> Self {
        Self::new("order-reference", [reference.to_string(), reference.decomposed()], reference.folded())
    }

    /// The place of a product in a family; the family is its holder.
    pub fn family_place(product_id: ProductId) -> Self {
        let id = format!("product-family:{product_id}");
        Self { all: vec![id.clone()], current: id }
    }

    /// A row of an imported file, by the digest of its content.
    pub fn import_row(digest: &str) -> Self {
        let id = format!("import-row:{digest}");
        Self { all: vec![id.clone()], current: id }
    }

    fn new(kind: &str, earlier: [String; 2], current: String) -> Self {
        let mut all: Vec<String> = Vec::with_capacity(3);
        for name in earlier.iter().chain([&current]) {
            let id = format!("{kind}:{name}");
            if !all.contains(&id) {
                all.push(id);
            }
        }
        Self { all, current: format!("{kind}:{current}") }
    }

    /// The id that a new holder takes.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// Every id, in the order in which a holder is looked for.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(String::as_str)
    }
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

    #[test]
    fn a_name_is_looked_for_under_earlier_rules_first() {
        let ids = |name: &str| {
            ClaimIds::category_name(&Name::parse(name).unwrap()).all().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(ids("Tea & Coffee"), ["category-name:tea & coffee"]);
        assert_eq!(ids("Café"), ["category-name:café", "category-name:cafe\u{301}"]);
        assert_eq!(ids("Straße"), ["category-name:straße", "category-name:strasse"]);
        let reference = ClaimIds::order_reference(&Reference::parse("SO-1").unwrap());
        assert_eq!(reference.all().collect::<Vec<_>>(), ["order-reference:SO-1", "order-reference:so-1"]);
        assert_eq!(reference.current(), "order-reference:so-1");
        let reference = ClaimIds::order_reference(&Reference::parse("É-1").unwrap());
        assert_eq!(
            reference.all().collect::<Vec<_>>(),
            ["order-reference:É-1", "order-reference:E\u{301}-1", "order-reference:é-1"]
        );
    }
}
