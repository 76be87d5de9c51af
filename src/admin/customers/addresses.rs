//! An address of a customer: a new one, its correction and its deletion.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Customer, address};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

/// An address as the API lists it.
#[derive(Deserialize)]
pub struct Address {
    pub address_id: i64,
    pub name: String,
    pub line1: String,
    pub line2: Option<String>,
    pub postal_code: String,
    pub city: String,
    pub region: Option<String>,
    pub country: String,
    pub default_shipping: bool,
    pub default_billing: bool,
}

#[derive(Template)]
#[template(path = "admin/customers/address.html")]
struct AddressPage {
    page: Page,
    customer_id: i64,
    /// `None` for a new address.
    address_id: Option<i64>,
    form: Form,
}

/// The fields of an address, and whether they may be empty.
const FIELDS: [(&str, bool); 7] = [
    ("name", false),
    ("line1", false),
    ("line2", true),
    ("postal_code", true),
    ("city", false),
    ("region", true),
    ("country", false),
];
const MARKS: [&str; 2] = ["default_shipping", "default_billing"];
const MAX_ADDRESSES: usize = 1_000;

/// The number of a customer and of one of their addresses, in an address of a page.
type AddressPath = Result<Path<(i64, i64)>, PathRejection>;

impl Address {
    fn form(self) -> Form {
        let mark = |is_default: bool| if is_default { "true".to_owned() } else { String::new() };
        Form::new([
            ("name", self.name),
            ("line1", self.line1),
            ("line2", self.line2.unwrap_or_default()),
            ("postal_code", self.postal_code),
            ("city", self.city),
            ("region", self.region.unwrap_or_default()),
            ("country", self.country),
            ("default_shipping", mark(self.default_shipping)),
            ("default_billing", mark(self.default_billing)),
        ])
    }

    /// Postal code and city in a line.
    pub fn place(&self) -> String {
        format!("{} {}", self.postal_code, self.city).trim().to_owned()
    }
}

impl AddressPage {
    fn new(staff: &Staff, customer: &Customer, address_id: Option<i64>, form: Form) -> Self {
        let title = if address_id.is_some() { "Address" } else { "New address" };
        let page = staff.page(title).below("Customers", "/admin/customers");
        let customer_id = customer.customer_id;
        Self { page: page.below(customer.name(), address(customer_id)), customer_id, address_id, form }
    }
}

/// The customer, with the tag of all their data.
async fn read_customer(staff: &Staff, customer_id: i64) -> Result<(Customer, String), Problem> {
    let reply = staff.api.get(format!("customer/{customer_id}")).read::<Customer>().await?;
    Ok((reply.data, reply.etag))
}

async fn read_address(staff: &Staff, customer_id: i64, address_id: i64) -> Result<(Customer, Form), Problem> {
    let addresses = staff.api.get(format!("customer/{customer_id}/addresses")).query("limit", MAX_ADDRESSES);
    let ((customer, etag), addresses) =
        tokio::try_join!(read_customer(staff, customer_id), addresses.read::<Vec<Address>>())?;
    let found = addresses.data.into_iter().find(|address| address.address_id == address_id);
    Ok((customer, found.ok_or_else(Problem::not_found)?.form().about(&etag)))
}

/// The body of a command. `null` is no value of a field that is changed, so there an empty field is an empty text.
fn body(form: &Form, is_new: bool) -> Value {
    let value = |(name, may_be_empty): (&str, bool)| {
        let value = if is_new && may_be_empty { form.optional(name) } else { form.text(name) };
        (name.to_owned(), value)
    };
    let marks = MARKS.map(|name| (name.to_owned(), form.flag(name)));
    Value::Object(FIELDS.into_iter().map(value).chain(marks).collect::<Map<_, _>>())
}

pub async fn show_new(staff: Staff, Id(customer_id): Id) -> PageResult {
    staff.require("add_address")?;
    let (customer, _) = read_customer(&staff, customer_id).await?;
    let fields = FIELDS.map(|(field, _)| (field, if field == "name" { customer.name() } else { String::new() }));
    let form = Form::new(fields.into_iter().chain(MARKS.map(|mark| (mark, String::new()))));
    staff.show(&AddressPage::new(&staff, &customer, None, form))
}

pub async fn add(staff: Staff, Id(customer_id): Id, form: Form) -> PageResult {
    let call = staff.api.post(format!("customer/{customer_id}/addresses")).json(&body(&form, true));
    match call.key(&form.key).send_command().await {
        Ok(()) => staff.done(&address(customer_id), "The address was added."),
        Err(problem) if problem.is_about_input() => {
            let (customer, _) = read_customer(&staff, customer_id).await?;
            let page = AddressPage::new(&staff, &customer, None, form.refused(problem.clone()));
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}

pub async fn show(staff: Staff, path: AddressPath) -> PageResult {
    let Path((customer_id, address_id)) = path.map_err(|_| Problem::not_found())?;
    staff.require("change_address")?;
    let (customer, form) = read_address(&staff, customer_id, address_id).await?;
    staff.show(&AddressPage::new(&staff, &customer, Some(address_id), form))
}

pub async fn save(staff: Staff, path: AddressPath, form: Form) -> PageResult {
    let Path((customer_id, address_id)) = path.map_err(|_| Problem::not_found())?;
    let subject = format!("customer/{customer_id}/addresses/{address_id}");
    let call = staff.api.patch(&subject).json(&body(&form, false)).if_match(&form.etag).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(&address(customer_id), "The address was saved."),
        Err(problem) if problem.is_about_input() => {
            let (customer, stored) = read_address(&staff, customer_id, address_id).await?;
            let form = form.refused_beside(problem.clone(), stored);
            staff.show_refused(&problem, &AddressPage::new(&staff, &customer, Some(address_id), form))
        }
        Err(problem) => Err(problem),
    }
}

pub async fn delete(staff: Staff, path: AddressPath, form: Form) -> PageResult {
    let Path((customer_id, address_id)) = path.map_err(|_| Problem::not_found())?;
    let subject = format!("customer/{customer_id}/addresses/{address_id}");
    match staff.api.delete(&subject).if_match(&form.etag).send_command().await {
        Ok(()) => staff.done(&address(customer_id), "The address was deleted."),
        Err(problem) if problem.is_about_input() => {
            let (customer, stored) = read_address(&staff, customer_id, address_id).await?;
            let form = stored.refused(problem.clone());
            staff.show_refused(&problem, &AddressPage::new(&staff, &customer, Some(address_id), form))
        }
        Err(problem) => Err(problem),
    }
}
