//! The lists whose order changes while a client walks them: what each is read from, and what moves its rows.
//!
//! A list by number or by the time of an event needs no rank: its rows stay where they are.

use crate::http::wire::ranked_walk::Rank;

pub const BESTSELLERS: Rank = Rank {
    tables: &["bestsellers", "bestsellers_by_day", "bestsellers_by_month", "products"],
    facts: &["order_line_placed", "order_line_taken_back", "product_changed"],
};

pub const LOW_STOCK: Rank = Rank {
    tables: &["low_stock", "categories"],
    facts: &["product_created", "stock_level", "product_offer", "product_deleted"],
};

/// Below the threshold of each product, or of the shop.
pub const LOW_STOCK_OWN: Rank = Rank {
    tables: &["low_stock", "categories", "settings"],
    facts: &[
        "product_created",
        "stock_level",
        "product_offer",
        "product_deleted",
        "product_low_stock_threshold_changed",
        "shop_low_stock_threshold_changed",
    ],
};

pub const CUSTOMER_STATS: Rank = Rank {
    tables: &["customer_stats", "public.customer_profile"],
    facts: &["customer_registered", "order_placed", "order_cancelled", "order_credited"],
};

pub const CATEGORY_STATS: Rank = Rank {
    tables: &["category_stats"],
    facts: &[
        "category_created",
        "category_renamed",
        "category_deleted",
        "product_created",
        "product_changed",
        "product_offer",
        "product_deleted",
    ],
};

/// Of categories together with those below them.
pub const CATEGORY_TREE_STATS: Rank = Rank {
    tables: &["category_stats", "categories"],
    facts: &[
        "category_created",
        "category_renamed",
        "category_moved",
        "category_deleted",
        "product_created",
        "product_changed",
        "product_offer",
        "product_deleted",
    ],
};

pub const CATEGORIES: Rank =
    Rank { tables: &["categories"], facts: &["category_created", "category_renamed", "category_deleted"] };

const PRODUCT_TABLES: &[&str] = &["products", "product_search", "categories"];

pub const PRODUCTS_BY_NAME: Rank =
    Rank { tables: PRODUCT_TABLES, facts: &["product_created", "product_changed", "product_offer", "product_deleted"] };

/// Also by name, between two prices.
pub const PRODUCTS_BY_PRICE: Rank = Rank {
    tables: PRODUCT_TABLES,
    facts: &["product_created", "product_changed", "product_repriced", "product_offer", "product_deleted"],
};

/// In any order, only products with stock or only those without.
pub const PRODUCTS_IN_STOCK: Rank = Rank {
    tables: PRODUCT_TABLES,
    facts: &[
        "product_created",
        "product_changed",
        "product_repriced",
        "stock_level",
        "product_offer",
        "product_deleted",
    ],
};

/// In any order, of one family or one of each family. Which product of a family is the first depends on all that a list may
/// be filtered by.
pub const PRODUCTS_BY_FAMILY: Rank = Rank {
    tables: &["products", "product_search", "categories", "families", "family_members"],
    facts: &[
        "product_created",
        "product_changed",
        "product_repriced",
        "stock_level",
        "product_offer",
        "product_deleted",
        "family_place",
    ],
};

pub const FAMILIES: Rank =
    Rank { tables: &["families"], facts: &["family_created", "family_changed", "family_deleted"] };

/// In any order, with catalogue details in the filter or in the rows; families count too.
pub const PRODUCTS_BY_DETAILS: Rank = Rank {
    tables: &[
        "products",
        "product_search",
        "categories",
        "product_details",
        "product_images",
        "families",
        "family_members",
    ],
    facts: &[
        "product_created",
        "product_changed",
        "product_repriced",
        "stock_level",
        "product_offer",
        "product_deleted",
        "product_details_changed",
        "family_place",
    ],
};

/// By number, which never changes.
pub const PRODUCTS_NEWEST: Rank = Rank { tables: PRODUCT_TABLES, facts: &[] };

/// By what a search finds.
pub const PRODUCTS_BY_RELEVANCE: Rank = Rank {
    tables: &[
        "product_search",
        "products",
        "categories",
        "product_details",
        "product_images",
        "families",
        "family_members",
    ],
    facts: &[
        "product_text_event",
        "product_repriced",
        "stock_level",
        "product_offer",
        "shop_search_language_changed",
        "category_renamed",
        "family_place",
    ],
};

pub const ABANDONED_CARTS: Rank =
    Rank { tables: &["carts", "cart_items", "products"], facts: &["cart_change", "product_deleted"] };

pub const SHORT_ORDERS: Rank = Rank {
    tables: &["products_short", "products", "order_lines", "orders"],
    facts: &[
        "stock_level",
        "order_placed",
        "order_cancelled",
        "order_units_cancelled",
        "order_shipment_sent",
        "order_shipped",
        "order_completed",
        "order_returned",
    ],
};

pub const ERASURES: Rank = Rank {
    tables: &["customers", "orders", "refunds"],
    facts: &[
        "customer_erasure_requested",
        "customer_erasure_withdrawn",
        "customer_erased",
        "order_contact_erasure_requested",
        "order_contact_erasure_withdrawn",
        "order_contact_erased",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projector::{PROJECTIONS, event_types_of, facts_that_set};

    const ALL: [&Rank; 18] = [
        &PRODUCTS_BY_DETAILS,
        &BESTSELLERS,
        &LOW_STOCK,
        &LOW_STOCK_OWN,
        &CUSTOMER_STATS,
        &CATEGORY_STATS,
        &CATEGORY_TREE_STATS,
        &CATEGORIES,
        &PRODUCTS_BY_NAME,
        &PRODUCTS_BY_PRICE,
        &PRODUCTS_IN_STOCK,
        &PRODUCTS_NEWEST,
        &PRODUCTS_BY_RELEVANCE,
        &PRODUCTS_BY_FAMILY,
        &FAMILIES,
        &ABANDONED_CARTS,
        &SHORT_ORDERS,
        &ERASURES,
    ];

    #[test]
    fn every_rank_names_facts_and_tables_that_exist() {
        let tables: Vec<_> = PROJECTIONS.iter().flat_map(|projection| projection.tables()).collect();
        for rank in ALL {
            for fact in rank.facts {
                assert!(!event_types_of(&[fact]).is_empty(), "there is no fact {fact}");
            }
            for table in rank.tables.iter().filter(|table| !table.starts_with("public.")) {
                assert!(tables.contains(table), "there is no table {table}");
            }
        }
    }

    /// These set the version of a row, and of the columns below at most nulls in a new row.
    const SET_VERSIONS: [&str; 8] = [
        "product_event",
        "customer_registered",
        "customer_changed",
        "customer_metadata_changed",
        "customer_address_added",
        "customer_address_changed",
        "customer_address_removed",
        "customer_default_addresses_changed",
    ];

    /// A statement that sets a column of an order from a fact that its rank does not name would move rows unnoticed.
    #[test]
    fn every_fact_that_sets_a_column_of_an_order_is_named() {
        for (rank, projection, columns) in [
            (&BESTSELLERS, "bestsellers", &["units_sold"][..]),
            (&LOW_STOCK, "low_stock", &["stock", "listed"]),
            (&LOW_STOCK_OWN, "low_stock", &["stock", "listed", "threshold"]),
            (&CUSTOMER_STATS, "customer_stats", &["total_spent"]),
            (&CATEGORY_STATS, "category_stats", &["product_count", "name_key"]),
            (&CATEGORY_TREE_STATS, "category_stats", &["product_count", "name_key"]),
            (&CATEGORY_TREE_STATS, "categories", &["parent_id"]),
            (&CATEGORIES, "categories", &["name_key"]),
            (&PRODUCTS_BY_NAME, "products", &["name_key", "discontinued"]),
            (&PRODUCTS_BY_PRICE, "products", &["price", "name_key", "discontinued"]),
            (&PRODUCTS_IN_STOCK, "products", &["price", "name_key", "discontinued", "stock"]),
            (&PRODUCTS_BY_FAMILY, "products", &["price", "name_key", "discontinued", "stock"]),
            (&PRODUCTS_BY_FAMILY, "family_members", &["family_id"]),
            (&FAMILIES, "families", &["name_key"]),
            (&ABANDONED_CARTS, "carts", &["updated_at", "state"]),
            (&SHORT_ORDERS, "products", &["missing"]),
            (&ERASURES, "customers", &["erasure_requested_at"]),
        ] {
            let setting = facts_that_set(projection, columns);
            assert!(!setting.is_empty(), "{projection}: no statement sets {columns:?}");
            for fact in setting.into_iter().filter(|fact| !SET_VERSIONS.contains(fact)) {
                let types = event_types_of(rank.facts);
                let other: Vec<_> = event_types_of(&[fact]).into_iter().filter(|name| !types.contains(name)).collect();
                assert!(other.is_empty(), "{projection}: {fact} sets {columns:?}, and its {other:?} are not named");
            }
        }
    }
}
