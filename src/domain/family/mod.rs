//! A family: products that differ in options, such as storage and colour.
//!
//! Each product of a family has a value for each option, and each combination of values belongs to one product. The family
//! holds all of them, so two products cannot both take one combination.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::counted::counted;
use super::event::events;
use super::ids::ProductId;
use super::text::Name;

mod options;
#[cfg(test)]
mod tests;

pub use options::{OptionDifference, OptionName, OptionNames, OptionValue, OptionValues, OptionsError};

/// Maximum number of products of a family.
pub const MAX_PRODUCTS: usize = 500;

/// Life cycle of a family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    #[default]
    Unknown,
    Active(ActiveFamily),
    Deleted,
}

/// Name, options and products of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveFamily {
    pub name: String,
    pub options: OptionNames,
    pub products: BTreeMap<ProductId, OptionValues>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FamilyCommand {
    Create {
        name: Name,
        options: OptionNames,
    },
    /// Changes the given fields; `None` keeps a field. With products, options can only be reordered.
    Change {
        name: Option<Name>,
        options: Option<OptionNames>,
    },
    Delete,
    /// Adds a product, or changes its values.
    PutProduct {
        product_id: ProductId,
        options: OptionValues,
    },
    RemoveProduct {
        product_id: ProductId,
    },
}

events! {
    pub enum FamilyEvent {
        Created { name: String, options: OptionNames } = "FamilyCreated",
        /// Carries both fields, changed or not.
        Changed { name: String, options: OptionNames } = "FamilyChanged",
        Deleted { name: String } = "FamilyDeleted",
        ProductAdded { product_id: ProductId, options: OptionValues } = "FamilyProductAdded",
        ProductChanged { product_id: ProductId, options: OptionValues } = "FamilyProductChanged",
        ProductRemoved { product_id: ProductId } = "FamilyProductRemoved",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FamilyError {
    #[error("family not found")]
    NotFound,
    #[error("the family already exists")]
    AlreadyExists,
    #[error("the family has {}; remove them first", counted(*.0, "product", "products"))]
    HasProducts(usize),
    #[error("{}", describe_difference(.0))]
    OptionsDiffer(OptionDifference),
    #[error("product {product_id} of the family has these options")]
    CombinationTaken { product_id: ProductId },
    #[error("a family can have at most {MAX_PRODUCTS} products")]
    TooManyProducts,
    #[error("the product is not in the family")]
    ProductNotFound,
}

fn describe_difference(difference: &OptionDifference) -> String {
    let OptionDifference { expected, missing, unknown } = difference;
    let mut text = format!("the options of the family are {}", expected.join(", "));
    for (what, names) in [("missing", missing), ("unknown", unknown)] {
        if !names.is_empty() {
            text.push_str(&format!("; {what}: {}", names.join(", ")));
        }
    }
    text
}

impl Family {
    /// The family, if it exists.
    pub fn active(&self) -> Result<&ActiveFamily, FamilyError> {
        match self {
            Self::Active(family) => Ok(family),
            Self::Unknown | Self::Deleted => Err(FamilyError::NotFound),
        }
    }
}

impl Decider for Family {
    fn decide(&self, command: FamilyCommand) -> Result<Vec<FamilyEvent>, FamilyError> {
        let family = match (self, &command) {
            (Self::Unknown, FamilyCommand::Create { name, options }) => {
                return Ok(vec![FamilyEvent::Created { name: name.to_string(), options: options.clone() }]);
            }
            (Self::Unknown | Self::Deleted, _) => return Err(FamilyError::NotFound),
            (Self::Active(family), _) => family,
        };
        match command {
            FamilyCommand::Create { .. } => Err(FamilyError::AlreadyExists),
            FamilyCommand::Change { name, options } => {
                let name = name.map_or_else(|| family.name.clone(), String::from);
                let options = options.unwrap_or_else(|| family.options.clone());
                family.check_options(&options)?;
                let same = (&name, &options) == (&family.name, &family.options);
                Ok(if same { vec![] } else { vec![FamilyEvent::Changed { name, options }] })
            }
            FamilyCommand::Delete if !family.products.is_empty() => {
                Err(FamilyError::HasProducts(family.products.len()))
            }
            FamilyCommand::Delete => Ok(vec![FamilyEvent::Deleted { name: family.name.clone() }]),
            FamilyCommand::PutProduct { product_id, options } => family.put_product(product_id, &options),
            FamilyCommand::RemoveProduct { product_id } if family.products.contains_key(&product_id) => {
                Ok(vec![FamilyEvent::ProductRemoved { product_id }])
            }
            FamilyCommand::RemoveProduct { .. } => Err(FamilyError::ProductNotFound),
        }
    }

    fn evolve(&mut self, event: &FamilyEvent) {
        match event {
            FamilyEvent::Created { name, options } => {
                let (name, options) = (name.clone(), options.clone());
                *self = Self::Active(ActiveFamily { name, options, products: BTreeMap::new() });
            }
            FamilyEvent::Changed { name, options } => self.update(|family| {
                family.name.clone_from(name);
                family.options.clone_from(options);
            }),
            FamilyEvent::Deleted { .. } => *self = Self::Deleted,
            FamilyEvent::ProductAdded { product_id, options } | FamilyEvent::ProductChanged { product_id, options } => {
                self.update(|family| drop(family.products.insert(*product_id, options.clone())));
            }
            FamilyEvent::ProductRemoved { product_id } => {
                self.update(|family| drop(family.products.remove(product_id)));
            }
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Active(family) => 1 + family.products.len(),
            Self::Unknown | Self::Deleted => 1,
        }
    }
}

impl Family {
    fn update(&mut self, change: impl FnOnce(&mut ActiveFamily)) {
        if let Self::Active(family) = self {
            change(family);
        }
    }
}

impl ActiveFamily {
    /// A family with products keeps its options, because each product has a value for each of them.
    fn check_options(&self, options: &OptionNames) -> Result<(), FamilyError> {
        if self.products.is_empty() || options.is_reordered(&self.options) {
            Ok(())
        } else {
            Err(FamilyError::HasProducts(self.products.len()))
        }
    }

    fn put_product(&self, product_id: ProductId, options: &OptionValues) -> Result<Vec<FamilyEvent>, FamilyError> {
        let options = self.options.assign(options).map_err(FamilyError::OptionsDiffer)?;
        let combination = options.folded();
        let mut others = self.products.iter().filter(|(other, _)| **other != product_id);
        if let Some((&product_id, _)) = others.find(|(_, other)| other.folded() == combination) {
            return Err(FamilyError::CombinationTaken { product_id });
        }
        match self.products.get(&product_id) {
            Some(present) if *present == options => Ok(vec![]),
            Some(_) => Ok(vec![FamilyEvent::ProductChanged { product_id, options }]),
            None if self.products.len() >= MAX_PRODUCTS => Err(FamilyError::TooManyProducts),
            None => Ok(vec![FamilyEvent::ProductAdded { product_id, options }]),
        }
    }
}

impl super::Numbered for Family {}
super::aggregate!(Family, "Family", FamilyCommand, FamilyEvent, FamilyError);
