//! Which answers are kept: public and statistics reads that name no person.
//!
//! The questions that a route asks name the tables that its answers are read from, so a new join needs no change here.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::projector::projections_read;

/// A read whose answers are kept.
pub struct Rule {
    /// Places of the projections that its answers are read from.
    pub projections: Vec<usize>,
    /// Whether its answers depend on the current day.
    pub by_day: bool,
}

macro_rules! rules {
    ($($route:literal => [$($question:literal),* $(,)?]),* $(,)?) => {
        /// Routes, and the name and text of each question that they ask.
        const QUESTIONS: &[(&str, &[(&str, &str)])] = &[$((
            concat!("/shop/api", $route),
            &[$(($question, include_str!(concat!("../../../../projections/", $question, ".sql")))),*],
        )),*];
    };
}

rules! {
    "/products" => [
        "product_search/next_by_name",
        "products/list",
        "products/list_by_name",
        "products/list_by_price_asc",
        "products/list_by_price_desc",
        "products/find_by_sku",
        "products/list_newest",
        "product_details/find_by_slug",
        "categories/find_named",
        "categories/subtree",
        "families/member_ids",
        "product_search/narrow",
        "product_search/contain",
        "product_search/expand",
        "product_search/rank",
    ],
    "/products/facets" => [
        "product_facets/count",
        "product_details/find_by_slug",
        "categories/find_named",
        "categories/subtree",
        "families/member_ids",
        "product_search/narrow",
        "product_search/contain",
        "product_search/expand",
        "product_search/rank",
    ],
    "/product/{product_id}" => ["products/find"],
    "/product/{product_id}/family" => ["families/place"],
    "/families" => ["families/list"],
    "/family/{family_id}" => ["families/find", "families/members"],
    "/categories" => ["categories/list"],
    "/categories/{category_id}" => ["categories/find"],
    "/pricing/shipping" => ["pricing/find"],
    "/pricing/taxes" => ["pricing/find"],
    "/bestsellers" => [
        "bestsellers/top",
        "bestsellers/top_between",
        "categories/find_named",
        "categories/subtree",
    ],
    "/low-stock" => ["low_stock/list", "low_stock/list_own"],
    "/category-stats" => ["category_stats/list", "category_stats/list_subtrees"],
    "/sales" => ["sales/days", "sales/by_period"],
    "/never-ordered" => ["products/never_ordered"],
}

/// Without `to`, sales end today.
const BY_DAY: &[&str] = &["/shop/api/sales"];

/// The rule of a route; `None` if its answers are not kept.
pub fn rule_of(route: &str) -> Option<&'static Rule> {
    static RULES: LazyLock<HashMap<&str, Rule>> = LazyLock::new(|| {
        let rule = |route, questions: &[(&str, &str)]| {
            let mut projections: Vec<_> = questions.iter().flat_map(|(_, sql)| projections_read(sql)).collect();
            projections.sort_unstable();
            projections.dedup();
            Rule { projections, by_day: BY_DAY.contains(&route) }
        };
        QUESTIONS.iter().map(|(route, questions)| (*route, rule(route, questions))).collect()
    });
    RULES.get(route)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projector::PROJECTIONS;

    /// The handlers of the routes above.
    const HANDLERS: [&str; 11] = [
        include_str!("../../products/facets.rs"),
        include_str!("../../products/list.rs"),
        include_str!("../../products/search/mod.rs"),
        include_str!("../../products/mod.rs"),
        include_str!("../../categories.rs"),
        include_str!("../../category_stats.rs"),
        include_str!("../../families.rs"),
        include_str!("../../low_stock.rs"),
        include_str!("../../pricing.rs"),
        include_str!("../../sales.rs"),
        include_str!("../../statistics.rs"),
    ];
    /// Questions of routes in the same files whose answers are not kept.
    const UNKEPT: [&str; 2] = ["customer_stats/list", "carts/abandoned"];

    #[test]
    fn every_question_of_a_kept_answer_is_listed() {
        let listed: Vec<_> = QUESTIONS.iter().flat_map(|(_, questions)| *questions).map(|(name, _)| *name).collect();
        for handlers in HANDLERS {
            let asked = handlers.split("\"projections/").skip(1).filter_map(|rest| rest.split(".sql\"").next());
            for question in asked {
                assert!(listed.contains(&question) || UNKEPT.contains(&question), "{question} is not listed");
            }
        }
    }

    #[test]
    fn no_kept_answer_is_read_from_a_table_about_people() {
        let personal = [
            "customer_profile",
            "customer_stats",
            "customers",
            "address",
            "entity_metadata",
            "order_contact",
            "credential",
            "carts",
            "cart_items",
            "wishlist_items",
            "order_address",
        ];
        for (route, questions) in QUESTIONS {
            for (name, sql) in *questions {
                let words: Vec<_> =
                    sql.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
                let named: Vec<_> = personal.iter().filter(|table| words.contains(*table)).collect();
                assert!(named.is_empty(), "{route}: {name} reads {named:?}");
            }
        }
    }

    #[test]
    fn a_rule_knows_the_tables_of_its_questions() {
        let read = |route: &str| {
            let rule = rule_of(route).unwrap();
            rule.projections.iter().map(|place| PROJECTIONS[*place].name).collect::<Vec<_>>()
        };
        assert_eq!(read("/shop/api/category-stats"), ["categories", "category_stats"]);
        assert_eq!(read("/shop/api/low-stock"), ["categories", "low_stock", "settings"]);
        assert!(rule_of("/shop/api/customer-stats").is_none());
    }
}
