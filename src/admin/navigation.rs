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
    NavigationGroup { title: "Sales", items: &[item("Orders", "/admin/orders", "list_orders")] },
    NavigationGroup {
        title: "Catalogue",
        items: &[
            item("Products", "/admin/products", "list_products"),
            item("Families", "/admin/families", "list_families"),
            item("Categories", "/admin/categories", "list_categories"),
            item("Stock movements", "/admin/stock-movements", "list_stock_movements"),
        ],
    },
    NavigationGroup { title: "Customers", items: &[] },
    NavigationGroup { title: "Settings", items: &[] },
    NavigationGroup { title: "Engine room", items: &[] },
];
