//! A category: its name and the number of its products.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::ids::ProductId;
use super::text::Name;

#[cfg(test)]
mod tests;

/// Life cycle of a category.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Category {
    #[default]
    Unknown,
    // The name in stored snapshots.
    #[serde(rename = "Standing")]
    Active {
        name: String,
        product_count: i64,
    },
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CategoryCommand {
    Create { name: Name },
    Rename { name: Name },
    Delete,
    AddProduct { product_id: ProductId },
    RemoveProduct { product_id: ProductId },
}

events! {
    pub enum CategoryEvent {
        Created { name: String } = "CategoryCreated",
        Renamed { name: String, previous_name: String } = "CategoryRenamed",
        Deleted { name: String } = "CategoryDeleted",
        ProductAdded { product_id: ProductId } = "CategoryProductAdded",
        ProductRemoved { product_id: ProductId } = "CategoryProductRemoved",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CategoryError {
    #[error("category not found")]
    NotFound,
    #[error("the category already exists")]
    AlreadyExists,
    #[error("the category has {product_count} products")]
    HasProducts { product_count: i64 },
}

impl Category {
    /// Name of an existing category.
    pub fn name(&self) -> Result<&str, CategoryError> {
        match self {
            Self::Active { name, .. } => Ok(name),
            Self::Unknown | Self::Deleted => Err(CategoryError::NotFound),
        }
    }
}

impl Decider for Category {
    fn decide(&self, command: CategoryCommand) -> Result<Vec<CategoryEvent>, CategoryError> {
        let (name, product_count) = match (self, &command) {
            (Self::Unknown, CategoryCommand::Create { name }) => {
                return Ok(vec![CategoryEvent::Created { name: name.to_string() }]);
            }
            (Self::Unknown | Self::Deleted, _) => return Err(CategoryError::NotFound),
            (Self::Active { name, product_count }, _) => (name, *product_count),
        };
        match command {
            CategoryCommand::Create { .. } => Err(CategoryError::AlreadyExists),
            CategoryCommand::Rename { name: new_name } if new_name.as_str() == name => Ok(vec![]),
            CategoryCommand::Rename { name: new_name } => {
                Ok(vec![CategoryEvent::Renamed { name: new_name.to_string(), previous_name: name.clone() }])
            }
            CategoryCommand::Delete if product_count > 0 => Err(CategoryError::HasProducts { product_count }),
            CategoryCommand::Delete => Ok(vec![CategoryEvent::Deleted { name: name.clone() }]),
            CategoryCommand::AddProduct { product_id } => Ok(vec![CategoryEvent::ProductAdded { product_id }]),
            CategoryCommand::RemoveProduct { product_id } => Ok(vec![CategoryEvent::ProductRemoved { product_id }]),
        }
    }

    fn evolve(&mut self, event: &CategoryEvent) {
        match event {
            CategoryEvent::Created { name } => *self = Self::Active { name: name.clone(), product_count: 0 },
            CategoryEvent::Renamed { name: new_name, .. } => {
                if let Self::Active { name, .. } = self {
                    name.clone_from(new_name);
                }
            }
            CategoryEvent::Deleted { .. } => *self = Self::Deleted,
            CategoryEvent::ProductAdded { .. } => self.count(1),
            CategoryEvent::ProductRemoved { .. } => self.count(-1),
        }
    }
}

impl Category {
    fn count(&mut self, change: i64) {
        if let Self::Active { product_count, .. } = self {
            *product_count += change;
        }
    }
}

impl super::Numbered for Category {}
super::aggregate!(Category, "Category", CategoryCommand, CategoryEvent, CategoryError);
