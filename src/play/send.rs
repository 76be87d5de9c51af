//! Sending of commands, with retries while the shop is busy or the database unavailable, and preloading of aggregates.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::background::Backoff;
use crate::domain::category::Category;
use crate::domain::claim::{Claim, ClaimIds};
use crate::domain::customer::Customer;
use crate::domain::ids::{CustomerId, ProductId};
use crate::domain::product::Product;
use crate::domain::settings::{SHOP, ShopSettings};
use crate::journal::{Actor, CommandError, Context, Interrupt, Journal, UnitOfWork, UseCase};
use crate::shop::find_holder;

/// Attempts per command: about half a minute if nothing answers.
const ATTEMPTS: u32 = 12;
const RETRIES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// Number of claims that one use case reads.
const CHUNK: usize = 500;

/// Runs a use case, with retries. It must be idempotent: it runs twice if the first response was lost.
pub(super) async fn send<U: UseCase>(journal: &Journal, use_case: impl Fn() -> U) -> Result<U::Answer, CommandError> {
    let mut retries = RETRIES;
    let mut attempt = 1;
    loop {
        let context = Context::of(Actor { id: "play".to_owned(), role: "admin" });
        match journal.run(use_case(), context).await {
            Err(CommandError::Busy | CommandError::Unavailable { .. } | CommandError::OutcomeUnknown)
                if attempt < ATTEMPTS => {}
            concluded => return concluded.map(|receipt| receipt.answer),
        }
        tokio::time::sleep(retries.next_pause()).await;
        attempt += 1;
    }
}

/// Returns the holder of each name.
pub(super) async fn claim_holders(journal: &Journal, claims: Vec<ClaimIds>) -> Result<Vec<Option<i64>>, CommandError> {
    let mut holders = Vec::with_capacity(claims.len());
    for claims in claims.chunks(CHUNK) {
        holders.extend(send(journal, || ReadClaimHolders(claims.to_vec())).await?);
    }
    Ok(holders)
}

/// Reads claims through the writer, so that the newest state is returned.
struct ReadClaimHolders(Vec<ClaimIds>);

impl UseCase for ReadClaimHolders {
    type Answer = Vec<Option<i64>>;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Self::Answer, Interrupt> {
        // Read together first, so that missing claims are loaded together.
        work.get_all::<Claim, _>(self.0.iter().flat_map(ClaimIds::all))?;
        self.0.iter().map(|ids| find_holder(work, ids)).collect()
    }
}

/// Loads the aggregates of the next commands, so that none waits for a load and loses its place in the order.
#[derive(Default)]
pub(super) struct Preload {
    pub claims: Vec<ClaimIds>,
    /// Claim of a category's name; its category is loaded too.
    pub category_claim: Option<ClaimIds>,
    pub products: BTreeSet<ProductId>,
    pub customers: BTreeSet<CustomerId>,
    /// Whether the settings of the shop are loaded.
    pub settings: bool,
}

impl UseCase for Preload {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let claims = work.get_all::<Claim, _>(self.claims.iter().flat_map(ClaimIds::all)).map(drop);
        let customers = work.get_all::<Customer, _>(&self.customers).map(drop);
        let products = work.get_all::<Product, _>(&self.products);
        let products = products.and_then(|products| {
            let listings = products.iter().filter_map(|product| product.listing().ok());
            let categories: BTreeSet<_> = listings.map(|listing| listing.category_id).collect();
            work.get_all::<Category, _>(categories).map(drop)
        });
        let category = work.get_all::<Claim, _>(self.category_claim.iter().flat_map(ClaimIds::all));
        let category = category
            .and_then(|claims| work.get_all::<Category, _>(claims.iter().filter_map(|claim| claim.holder)).map(drop));
        let settings = if self.settings { work.get::<ShopSettings>(SHOP).map(drop) } else { Ok(()) };
        combine_missing([claims, customers, products, category, settings])
    }
}

/// Combines the missing aggregates of all parts, so that they are loaded together.
fn combine_missing<const COUNT: usize>(parts: [Result<(), Interrupt>; COUNT]) -> Result<(), Interrupt> {
    let mut missing = Vec::new();
    for part in parts {
        match part {
            Ok(()) => {}
            Err(Interrupt::Missing(loads)) => missing.extend(loads),
            Err(interrupt) => return Err(interrupt),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Interrupt::Missing(missing)) }
}
