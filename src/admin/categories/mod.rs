//! Categories: the tree, and each category.

pub mod detail;
pub mod list;

use serde::Deserialize;

use super::api::Problem;
use super::staff::Staff;

/// A category as the API lists it.
#[derive(Clone, Deserialize)]
pub struct Category {
    pub category_id: i64,
    pub category_name: String,
    pub product_count: i64,
    pub parent_id: Option<i64>,
}

/// A category in a choice, by its way from the top.
pub struct CategoryOption {
    pub category_id: i64,
    /// Names from the top on: `Kitchen › Kettles`.
    pub way: String,
    pub depth: usize,
    pub category: Category,
}

/// The most categories in a choice.
const MAX_OPTIONS: usize = 1_000;
/// The API has fewer levels.
const MAX_DEPTH: usize = 20;

impl CategoryOption {
    pub fn pair(&self) -> (String, String) {
        (self.category_id.to_string(), self.way.clone())
    }
}

/// Every category in the order of the tree, up to [`MAX_OPTIONS`].
pub async fn read_options(staff: &Staff) -> Result<Vec<CategoryOption>, Problem> {
    let categories = staff.api.get("categories").query("limit", MAX_OPTIONS).read::<Vec<Category>>().await?.data;
    Ok(in_tree_order(&categories))
}

fn in_tree_order(categories: &[Category]) -> Vec<CategoryOption> {
    let find = |category_id: i64| categories.iter().find(|category| category.category_id == category_id);
    let option = |category: &Category| {
        let mut names = vec![category.category_name.clone()];
        let mut above = category.parent_id.and_then(find);
        while let Some(parent) = above.filter(|_| names.len() < MAX_DEPTH) {
            names.push(parent.category_name.clone());
            above = parent.parent_id.and_then(find);
        }
        names.reverse();
        let (depth, way) = (names.len() - 1, names.join(" › "));
        (names, CategoryOption { category_id: category.category_id, way, depth, category: category.clone() })
    };
    let mut options: Vec<_> = categories.iter().map(option).collect();
    // The API orders by name; a stable sort by the way keeps that order among neighbours.
    options.sort_by_cached_key(|(names, _)| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>());
    options.into_iter().map(|(_, option)| option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_follow_their_parents() {
        let category = |category_id: i64, name: &str, parent_id: Option<i64>| Category {
            category_id,
            category_name: name.to_owned(),
            product_count: 0,
            parent_id,
        };
        let categories = [
            category(1, "Kettles", Some(3)),
            category(2, "Garden", None),
            category(3, "kitchen", None),
            category(4, "Lost", Some(9)),
        ];
        let options = in_tree_order(&categories);
        let ways: Vec<_> = options.iter().map(|option| (option.way.as_str(), option.depth)).collect();
        assert_eq!(ways, [("Garden", 0), ("kitchen", 0), ("kitchen › Kettles", 1), ("Lost", 0)]);
    }
}
