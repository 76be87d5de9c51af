//! Addresses and contact of an order, and their correction.

use askama::Template;
use serde_json::{Value, json};

use super::action::explain;
use super::order::{Address, Order, OrderFile};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/orders/recipients.html")]
struct RecipientsPage {
    page: Page,
    order: Order,
    /// Shipping and billing address.
    addresses: [AddressForm; 2],
    contact: Form,
}

struct AddressForm {
    kind: &'static str,
    title: &'static str,
    form: Form,
}

const KINDS: [(&str, &str); 2] = [("shipping", "Shipping address"), ("billing", "Billing address")];
/// The fields of an address, and whether they are optional.
const FIELDS: [(&str, bool); 7] = [
    ("name", false),
    ("line1", false),
    ("line2", true),
    ("postal_code", false),
    ("city", false),
    ("region", true),
    ("country", false),
];

/// A form that was refused, and why.
struct Refused {
    /// `shipping`, `billing` or `contact`.
    part: &'static str,
    form: Form,
    problem: Problem,
}

impl RecipientsPage {
    fn new(staff: &Staff, file: OrderFile, mut refused: Option<Refused>) -> Self {
        let OrderFile { order, etag, .. } = file;
        let mut fill = |part: &str, stored: Form| match refused.take_if(|refused| refused.part == part) {
            None => stored,
            Some(Refused { form, problem, .. }) => form.refused_beside(problem, stored),
        };
        let addresses = KINDS.map(|(kind, title)| {
            let form = address_form(kind, order.address(kind)).about(&etag);
            AddressForm { kind, title, form: fill(kind, form) }
        });
        let (name, email) = order.contact.clone().map(|contact| (contact.name, contact.email)).unwrap_or_default();
        let contact = fill("contact", Form::new([("name", name), ("email", email)]).about(&etag));
        let page = staff.page(format!("Recipients of order {}", order.order_id)).below("Orders", "/admin/orders");
        let page = page.below(format!("Order {}", order.order_id), format!("/admin/orders/{}", order.order_id));
        Self { page, order, addresses, contact }
    }
}

fn address_form(kind: &str, address: Option<&Address>) -> Form {
    let names = FIELDS.map(|(field, _)| format!("{kind}.{field}"));
    let values = match address.cloned() {
        Some(Address { name, line1, line2, postal_code, city, region, country, .. }) => {
            [name, line1, line2.unwrap_or_default(), postal_code, city, region.unwrap_or_default(), country]
        }
        None => Default::default(),
    };
    Form::new(names.iter().map(String::as_str).zip(values))
}

pub async fn show(staff: Staff, Id(order_id): Id) -> PageResult {
    let file = OrderFile::read(&staff, order_id).await?;
    staff.show(&RecipientsPage::new(&staff, file, None))
}

pub async fn save_shipping(staff: Staff, Id(order_id): Id, form: Form) -> PageResult {
    save_address(&staff, order_id, KINDS[0].0, form).await
}

pub async fn save_billing(staff: Staff, Id(order_id): Id, form: Form) -> PageResult {
    save_address(&staff, order_id, KINDS[1].0, form).await
}

async fn save_address(staff: &Staff, order_id: i64, kind: &'static str, form: Form) -> PageResult {
    let value = |(field, optional): (&str, bool)| {
        let name = format!("{kind}.{field}");
        let value = if optional { form.optional(&name) } else { form.text(&name) };
        (field.to_owned(), value)
    };
    let address: Value = FIELDS.map(value).into_iter().collect::<serde_json::Map<_, _>>().into();
    let body = json!({ kind: address });
    save(staff, order_id, kind, "addresses", &body, form, "The address was corrected.").await
}

pub async fn save_contact(staff: Staff, Id(order_id): Id, form: Form) -> PageResult {
    let body = json!({ "name": form.text("name"), "email": form.text("email") });
    save(&staff, order_id, "contact", "contact", &body, form, "The contact was corrected.").await
}

async fn save(
    staff: &Staff,
    order_id: i64,
    part: &'static str,
    route: &str,
    body: &Value,
    form: Form,
    done: &str,
) -> PageResult {
    let call = staff.api.put(format_args!("order/{order_id}/{route}")).json(body);
    match call.if_match(&form.etag).key(&form.key).send_command().await {
        Ok(()) => staff.done(&format!("/admin/orders/{order_id}"), done),
        Err(problem) if problem.is_about_input() => {
            let problem = explain(problem, None, &[]);
            let file = OrderFile::read(staff, order_id).await?;
            let refused = Refused { part, form, problem: problem.clone() };
            staff.show_refused(&problem, &RecipientsPage::new(staff, file, Some(refused)))
        }
        Err(problem) => Err(problem),
    }
}
