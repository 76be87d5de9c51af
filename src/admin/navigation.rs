//! The navigation: its groups and pages.

/// A group of pages.
pub struct NavigationGroup {
    pub title: &'static str,
    pub items: &'static [NavigationItem],
}

/// A page of the navigation.
pub struct NavigationItem {
    pub title: &'static str,
    pub address: &'static str,
    /// The `operationId` of the read that the page shows; without the right to it, the item is not shown.
    pub operation: &'static str,
}

const fn item(title: &'static str, address: &'static str, operation: &'static str) -> NavigationItem {
    NavigationItem { title, address, operation }
}

/// In the order of the page.
pub static NAVIGATION: [NavigationGroup; 5] = [
    NavigationGroup {
        title: "Sales",
        items: &[
            item("Dashboard", "/admin/", "sales"),
            item("Orders", "/admin/orders", "list_orders"),
            item("Statistics", "/admin/statistics", "sales"),
        ],
    },
    NavigationGroup {
        title: "Catalogue",
        items: &[
            item("Products", "/admin/products", "list_products"),
            item("Families", "/admin/families", "list_families"),
            item("Categories", "/admin/categories", "list_categories"),
            item("Stock movements", "/admin/stock-movements", "list_stock_movements"),
        ],
    },
    NavigationGroup {
        title: "Customers",
        items: &[
            item("Customers", "/admin/customers", "list_customers"),
            item("Carts", "/admin/carts", "abandoned_carts"),
            item("Discounts", "/admin/discounts", "list_discounts"),
        ],
    },
    NavigationGroup {
        title: "Settings",
        items: &[
            item("Taxes and fees", "/admin/pricing", "find_tax_rates"),
            item("Users", "/admin/users", "list_accounts"),
            item("API keys", "/admin/keys", "list_keys"),
            item("Webhooks", "/admin/webhooks", "list_webhooks"),
            item("Shop settings", "/admin/settings", "find_settings"),
        ],
    },
    NavigationGroup {
        title: "Engine room",
        items: &[
            item("Health", "/admin/engine", "show_status"),
            item("Events", "/admin/events", "list_events"),
            item("Projections", "/admin/projections", "list_projections"),
            item("Deliveries", "/admin/reactions", "list_reactions"),
            item("Tasks", "/admin/tasks", "list_tasks"),
            item("Sign-ins", "/admin/sign-ins", "list_sign_ins"),
        ],
    },
];
