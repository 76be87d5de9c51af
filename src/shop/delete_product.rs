//! The end of a product that nobody ever ordered.

use crate::domain::category::{Category, CategoryCommand};
use crate::domain::claim::{Claim, ClaimCommand, ClaimKind, claim_id};
use crate::domain::ids::ProductId;
use crate::domain::product::{Product, ProductCommand};
use crate::domain::text::Sku;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct DeleteProduct {
    pub product_id: ProductId,
}

impl UseCase for DeleteProduct {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        let product_id = self.product_id;
        let listing = work.get::<Product>(product_id)?.listing()?.clone();
        work.execute::<Product>(product_id, ProductCommand::Delete)?;
        work.execute::<Category>(listing.category_id, CategoryCommand::RemoveProduct { product_id })?;
        if let Some(sku) = listing.sku {
            let sku = Sku::parse(&sku).map_err(|error| Stop::Broken(error.to_string()))?;
            work.execute::<Claim>(claim_id(ClaimKind::ProductSku, &sku.folded()), ClaimCommand::Release)?;
        }
        Ok(())
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Product>(self.product_id))
    }
}
