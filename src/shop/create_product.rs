//! A new product in a category, with its opening stock.

use serde::{Deserialize, Serialize};

use crate::domain::category::{Category, CategoryCommand, CategoryError};
use crate::domain::claim::{Claim, ClaimCommand, ClaimError, ClaimKind, claim_id};
use crate::domain::ids::{CategoryId, ProductId};
use crate::domain::money::Money;
use crate::domain::product::{Product, ProductCommand, ProductError};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Description, Name, Sku};
use crate::journal::{Stop, UnitOfWork, UseCase};

pub struct CreateProduct {
    pub name: Name,
    pub description: Description,
    pub price: Money,
    pub category: CategoryRef,
    pub sku: Option<Sku>,
    /// Units on hand from the start, 0 or more.
    pub stock: i64,
}

/// A category as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CategoryRef {
    Id(CategoryId),
    Name(Name),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProductCreated {
    #[schema(value_type = i64)]
    pub product_id: ProductId,
}

impl UseCase for CreateProduct {
    type Answer = ProductCreated;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ProductCreated, Stop> {
        let category_id = self.category.resolve(work)?;
        let product_id = ProductId(work.next_number::<Product>()?);
        if let Some(sku) = &self.sku {
            claim_sku(work, sku, product_id)?;
        }
        let create = ProductCommand::Create {
            name: self.name.clone(),
            description: self.description.clone(),
            price: self.price,
            category_id,
            sku: self.sku.clone(),
        };
        work.execute::<Product>(product_id, create)?;
        work.execute::<Category>(category_id, CategoryCommand::AddProduct { product_id })?;
        match self.stock {
            0 => {}
            ..0 => return Err(ProductError::NegativeCount.into()),
            change => work.execute::<Product>(product_id, ProductCommand::AdjustStock { change, reason: None })?,
        }
        Ok(ProductCreated { product_id })
    }
}

fn claim_sku(work: &mut UnitOfWork<'_>, sku: &Sku, product_id: ProductId) -> Result<(), Stop> {
    let claim = claim_id(ClaimKind::ProductSku, &sku.folded());
    work.execute::<Claim>(claim, ClaimCommand::Take { holder: product_id.0 }).map_err(|stop| match stop {
        Stop::Refused(Refusal::Claim(ClaimError::Taken { holder })) => Refusal::SkuTaken(ProductId(holder)).into(),
        other => other,
    })
}

impl CategoryRef {
    /// The number of the category, which stands.
    pub(super) fn resolve(&self, work: &UnitOfWork<'_>) -> Result<CategoryId, Stop> {
        let (shown, category_id) = match self {
            Self::Id(category_id) => (category_id.to_string(), Some(*category_id)),
            Self::Name(name) => {
                let claim = work.get::<Claim>(claim_id(ClaimKind::CategoryName, &name.folded()))?;
                (format!("\"{name}\""), claim.holder.map(CategoryId))
            }
        };
        let unknown = || Refusal::UnknownCategory(shown);
        let Some(category_id) = category_id else { return Err(unknown().into()) };
        match work.get::<Category>(category_id)?.name() {
            Ok(_) => Ok(category_id),
            Err(CategoryError::NotFound) => Err(unknown().into()),
            Err(error) => Err(error.into()),
        }
    }
}
