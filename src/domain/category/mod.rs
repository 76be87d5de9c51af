//! A category: its name, its place in the tree of categories, and the number of its products.
//!
//! Each category knows its parent and its children, so that the use case can walk the tree in both directions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::counted::counted;
use super::event::events;
use super::ids::{CategoryId, ProductId};
use super::text::Name;

#[cfg(test)]
mod tests;

/// Maximum number of levels of a tree of categories.
pub const MAX_LEVELS: usize = 8;
/// Maximum number of categories directly below a category.
pub const MAX_CHILDREN: usize = 500;

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
        /// `None` for a category at the top.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<CategoryId>,
        /// Categories directly below.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        children: BTreeSet<CategoryId>,
    },
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CategoryCommand {
    Create {
        name: Name,
        parent_id: Option<CategoryId>,
    },
    Rename {
        name: Name,
    },
    /// Moves the category below another, or to the top. The use case checks the tree.
    Move {
        parent_id: Option<CategoryId>,
    },
    Delete,
    AddChild {
        child_id: CategoryId,
    },
    RemoveChild {
        child_id: CategoryId,
    },
    AddProduct {
        product_id: ProductId,
    },
    RemoveProduct {
        product_id: ProductId,
    },
}

events! {
    pub enum CategoryEvent {
        Created {
            name: String,
            /// Absent for a category at the top.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            parent_id: Option<CategoryId>,
        } = "CategoryCreated",
        Renamed { name: String, previous_name: String } = "CategoryRenamed",
        /// `parent_id` is null for a category at the top.
        Moved { parent_id: Option<CategoryId>, previous_parent_id: Option<CategoryId> } = "CategoryMoved",
        ChildAdded { child_id: CategoryId } = "CategoryChildAdded",
        ChildRemoved { child_id: CategoryId } = "CategoryChildRemoved",
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
    #[error("the category has {}", counted(*.product_count, "product", "products"))]
    HasProducts { product_count: i64 },
    #[error("{} below the category", counted(*.0, "category is", "categories are"))]
    HasChildren(usize),
    #[error("a category cannot be below itself")]
    BelowItself,
    #[error("categories have at most {MAX_LEVELS} levels")]
    TooManyLevels,
    #[error("a category can have at most {MAX_CHILDREN} categories directly below it")]
    TooManyChildren,
}

impl Category {
    /// Name of an existing category.
    pub fn name(&self) -> Result<&str, CategoryError> {
        match self {
            Self::Active { name, .. } => Ok(name),
            Self::Unknown | Self::Deleted => Err(CategoryError::NotFound),
        }
    }

    /// The category above; `None` at the top.
    pub fn parent_id(&self) -> Option<CategoryId> {
        match self {
            Self::Active { parent_id, .. } => *parent_id,
            Self::Unknown | Self::Deleted => None,
        }
    }

    /// The categories directly below.
    pub fn children(&self) -> impl Iterator<Item = CategoryId> {
        let children = match self {
            Self::Active { children, .. } => Some(children),
            Self::Unknown | Self::Deleted => None,
        };
        children.into_iter().flatten().copied()
    }
}

impl Decider for Category {
    fn decide(&self, command: CategoryCommand) -> Result<Vec<CategoryEvent>, CategoryError> {
        let (name, product_count, previous_parent_id, children) = match (self, &command) {
            (Self::Unknown, CategoryCommand::Create { name, parent_id }) => {
                return Ok(vec![CategoryEvent::Created { name: name.to_string(), parent_id: *parent_id }]);
            }
            (Self::Unknown | Self::Deleted, _) => return Err(CategoryError::NotFound),
            (Self::Active { name, product_count, parent_id, children }, _) => {
                (name, *product_count, *parent_id, children)
            }
        };
        match command {
            CategoryCommand::Create { .. } => Err(CategoryError::AlreadyExists),
            CategoryCommand::Rename { name: new_name } if new_name.as_str() == name => Ok(vec![]),
            CategoryCommand::Rename { name: new_name } => {
                Ok(vec![CategoryEvent::Renamed { name: new_name.to_string(), previous_name: name.clone() }])
            }
            CategoryCommand::Move { parent_id } if parent_id == previous_parent_id => Ok(vec![]),
            CategoryCommand::Move { parent_id } => Ok(vec![CategoryEvent::Moved { parent_id, previous_parent_id }]),
            CategoryCommand::AddChild { .. } if children.len() >= MAX_CHILDREN => Err(CategoryError::TooManyChildren),
            CategoryCommand::AddChild { child_id } => Ok(vec![CategoryEvent::ChildAdded { child_id }]),
            CategoryCommand::RemoveChild { child_id } => Ok(vec![CategoryEvent::ChildRemoved { child_id }]),
            CategoryCommand::Delete if !children.is_empty() => Err(CategoryError::HasChildren(children.len())),
            CategoryCommand::Delete if product_count > 0 => Err(CategoryError::HasProducts { product_count }),
            CategoryCommand::Delete => Ok(vec![CategoryEvent::Deleted { name: name.clone() }]),
            CategoryCommand::AddProduct { product_id } => Ok(vec![CategoryEvent::ProductAdded { product_id }]),
            CategoryCommand::RemoveProduct { product_id } => Ok(vec![CategoryEvent::ProductRemoved { product_id }]),
        }
    }

    fn evolve(&mut self, event: &CategoryEvent) {
        match event {
            CategoryEvent::Created { name, parent_id } => {
                let (name, parent_id) = (name.clone(), *parent_id);
                *self = Self::Active { name, product_count: 0, parent_id, children: BTreeSet::new() };
            }
            CategoryEvent::Moved { parent_id: new_parent_id, .. } => {
                if let Self::Active { parent_id, .. } = self {
                    *parent_id = *new_parent_id;
                }
            }
            CategoryEvent::ChildAdded { child_id } => {
                if let Self::Active { children, .. } = self {
                    children.insert(*child_id);
                }
            }
            CategoryEvent::ChildRemoved { child_id } => {
                if let Self::Active { children, .. } = self {
                    children.remove(child_id);
                }
            }
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

    fn weight(&self) -> usize {
        1 + self.children().count()
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
