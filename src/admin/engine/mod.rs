//! The engine room: what an operator looks at and decides about.

pub mod events;
pub mod overview;
pub mod projections;
pub mod reactions;
pub mod sign_ins;
pub mod tasks;

use super::page::Page;

/// The pages of aggregates: type, address in front of the id, and the `operationId` of the page's read.
const SUBJECTS: [(&str, &str, &str); 4] = [
    ("Account", "/admin/users/", "find_account"),
    ("Category", "/admin/categories/", "find_category"),
    ("Order", "/admin/orders/", "find_order_summary"),
    ("Webhook", "/admin/webhooks/", "find_webhook"),
];

/// The page of an aggregate; `None` if it has none, or if the member may not see it.
pub fn page_of(page: &Page, aggregate_type: &str, aggregate_id: &str) -> Option<String> {
    if aggregate_type == "ShopSettings" {
        return page.may("find_settings").then(|| "/admin/settings".to_owned());
    }
    let (_, address, operation) = SUBJECTS.iter().find(|(subject, ..)| *subject == aggregate_type)?;
    // An id of another form has no page of its own.
    let is_number = aggregate_id.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && page.may(operation)).then(|| format!("{address}{aggregate_id}"))
}
