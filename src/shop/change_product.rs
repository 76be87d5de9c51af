//! Another name, description, category or price of a product, or its end in the catalogue.

use super::create_product::CategoryRef;
use super::view::ProductView;
use crate::domain::category::{Category, CategoryCommand};
use crate::domain::ids::ProductId;
use crate::domain::money::Money;
use crate::domain::product::{Product, ProductCommand};
use crate::domain::text::{Description, Name};
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

/// What is `None` stays as it is.
pub struct ChangeProduct {
    pub product_id: ProductId,
    pub name: Option<Name>,
    pub description: Option<Description>,
    pub category: Option<CategoryRef>,
    pub price: Option<Money>,
    /// Takes the product out of the catalogue, for good.
    pub discontinue: bool,
}

impl UseCase for ChangeProduct {
    type Answer = ProductView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ProductView, Stop> {
        let previous_category_id = work.get::<Product>(self.product_id)?.listing()?.category_id;
        let category_id = self.category.as_ref().map(|category| category.resolve(work)).transpose()?;
        let change =
            ProductCommand::Change { name: self.name.clone(), description: self.description.clone(), category_id };
        work.execute::<Product>(self.product_id, change)?;
        if let Some(category_id) = category_id.filter(|category_id| *category_id != previous_category_id) {
            let product_id = self.product_id;
            work.execute::<Category>(previous_category_id, CategoryCommand::RemoveProduct { product_id })?;
            work.execute::<Category>(category_id, CategoryCommand::AddProduct { product_id })?;
        }
        if let Some(price) = self.price {
            work.execute::<Product>(self.product_id, ProductCommand::Reprice { price })?;
        }
        if self.discontinue {
            work.execute::<Product>(self.product_id, ProductCommand::Discontinue)?;
        }
        ProductView::of(work, self.product_id)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Product>(self.product_id))
    }
}
