//! The engine room: what an operator looks at and decides about.

pub mod events;
pub mod overview;
pub mod projections;
pub mod reactions;
pub mod sign_ins;
pub mod tasks;

use super::page::Page;

/// The pages of aggregates with a number: type, address in front of it, and the `operationId` of the page's read.
const SUBJECTS: [(&str, &str, &str); 8] = [
    ("Account", "/admin/users/", "find_account"),
    ("Category", "/admin/categories/", "find_category"),
    ("Customer", "/admin/customers/", "find_customer"),
    ("Family", "/admin/families/", "find_family"),
    ("Order", "/admin/orders/", "find_order_summary"),
    ("Product", "/admin/products/", "find_product"),
    ("Webhook", "/admin/webhooks/", "find_webhook"),
    ("Wishlist", "/admin/customers/", "find_customer"),
];

/// The page of an aggregate; `None` if it has none, or if the member may not see it.
pub fn page_of(page: &Page, aggregate_type: &str, aggregate_id: &str) -> Option<String> {
    // An id of another form has no page of its own.
    let is_number = !aggregate_id.is_empty() && aggregate_id.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_name = !aggregate_id.is_empty() && aggregate_id.bytes().all(is_plain);
    let (address, operation) = match aggregate_type {
        "ShopSettings" => ("/admin/settings".to_owned(), "find_settings"),
        "Pricing" => ("/admin/pricing".to_owned(), "find_tax_rates"),
        // Numbers of customers, and the ids of guests' carts.
        "Cart" if is_name => (format!("/admin/carts/{aggregate_id}"), "cart_history"),
        "Discount" if is_name => (format!("/admin/discounts/{aggregate_id}"), "find_discount"),
        _ => {
            let (_, address, operation) = SUBJECTS.iter().find(|(subject, ..)| *subject == aggregate_type)?;
            (is_number.then(|| format!("{address}{aggregate_id}"))?, *operation)
        }
    };
    page.may(operation).then_some(address)
}

/// Address of the list of a subject's events; `subject` is the path of its read, such as `categories/7`.
pub fn events_of(subject: &str) -> Option<String> {
    let (noun, id) = subject.split_once('/')?;
    let aggregate_type = match noun {
        "cart" => "Cart",
        "categories" => "Category",
        "customer" => "Customer",
        "family" => "Family",
        "order" => "Order",
        "product" => "Product",
        "user" => "Account",
        // A discount's stream has the code in another form.
        _ => return None,
    };
    Some(format!("/admin/events?stream={aggregate_type}%2F{id}"))
}
