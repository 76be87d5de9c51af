//! A customer: data, orders, addresses, cart, wishlist, notes and history.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::addresses::Address;
use super::{Customer, address};
use crate::admin::api::Problem;
use crate::admin::carts::{Cart, CartLine};
use crate::admin::form::Form;
use crate::admin::history::{self, History};
use crate::admin::notes;
use crate::admin::orders::states::{self, Badge};
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/customers/detail.html")]
struct CustomerPage {
    page: Page,
    customer: Customer,
    figures: Figures,
    orders: Vec<Order>,
    has_more_orders: bool,
    addresses: Vec<Address>,
    cart: Cart,
    wishes: Vec<Wish>,
    has_more_wishes: bool,
    form: Form,
    notes: Form,
    history: History,
}

/// What the customer has ordered in total.
#[derive(Deserialize)]
struct Figures {
    total_orders: i64,
    total_spent: Decimal,
}

#[derive(Deserialize)]
struct Order {
    order_id: i64,
    order_date: NaiveDate,
    status: String,
    total_amount: String,
}

/// A product of the wishlist.
#[derive(Deserialize)]
struct Wish {
    product_id: i64,
    name: String,
    price: String,
    available: bool,
    in_stock: i64,
    added_at: DateTime<Utc>,
}

/// A form that was sent, and why it was refused.
struct Refused {
    part: Part,
    form: Form,
    problem: Problem,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Data,
    Notes,
}

/// Rows of a part of the page.
const SHOWN: usize = 10;
/// The API has fewer addresses of a customer.
const MAX_ADDRESSES: usize = 1_000;

impl Figures {
    fn average(&self) -> Option<String> {
        let average = self.total_spent.checked_div(Decimal::from(self.total_orders))?;
        Some(format!("{:.2}", average.round_dp(2)))
    }
}

impl Order {
    fn badge(&self) -> Badge {
        states::status(&self.status)
    }
}

impl CustomerPage {
    async fn read(staff: &Staff, customer_id: i64, mut refused: Option<Refused>) -> Result<Self, Problem> {
        let subject = format!("customer/{customer_id}");
        let part = |name: &str| staff.api.get(format!("{subject}/{name}"));
        let (customer, figures, orders, addresses, cart, wishes, history) = tokio::try_join!(
            staff.api.get(&subject).read::<Customer>(),
            part("figures").read::<Figures>(),
            part("orders").query("limit", SHOWN).read::<Vec<Order>>(),
            part("addresses").query("limit", MAX_ADDRESSES).read::<Vec<Address>>(),
            read_cart(staff, customer_id),
            part("wishlist").query("limit", SHOWN).read::<Vec<Wish>>(),
            history::read(staff, &subject),
        )?;
        let (etag, customer) = (customer.etag, customer.data);
        let mut fill = |part: Part, stored: Form| {
            let stored = stored.about(&etag);
            match refused.take_if(|refused| refused.part == part) {
                None => stored,
                Some(Refused { form, problem, .. }) => form.refused_beside(problem, stored),
            }
        };
        let data = [
            ("first_name", customer.first_name.clone()),
            ("last_name", customer.last_name.clone()),
            ("email", customer.email.clone()),
        ];
        let form = fill(Part::Data, Form::new(data));
        let notes = fill(Part::Notes, Form::new([("metadata", notes::lines(&customer.metadata))]));
        Ok(Self {
            page: staff.page(customer.name()).below("Customers", "/admin/customers"),
            figures: figures.data,
            has_more_orders: orders.next.is_some(),
            orders: orders.data,
            addresses: addresses.data,
            cart,
            has_more_wishes: wishes.next.is_some(),
            wishes: wishes.data,
            form,
            notes,
            history,
            customer,
        })
    }

    fn may_edit_notes(&self) -> bool {
        self.page.may("change_customer") && notes::fit_lines(&self.customer.metadata)
    }

    fn lines(&self) -> &[CartLine] {
        &self.cart.items
    }
}

/// The cart of a customer, empty before the first item.
async fn read_cart(staff: &Staff, customer_id: i64) -> Result<Cart, Problem> {
    match staff.api.get(format!("customer/{customer_id}/cart")).query("view", "full").read().await {
        Ok(reply) => Ok(reply.data),
        Err(problem) if problem.code == "cart_not_found" => Ok(Cart::default()),
        Err(problem) => Err(problem),
    }
}

pub async fn show(staff: Staff, Id(customer_id): Id) -> PageResult {
    staff.show(&CustomerPage::read(&staff, customer_id, None).await?)
}

pub async fn save(staff: Staff, Id(customer_id): Id, form: Form) -> PageResult {
    // The address of a customer with an account is not for staff to change, so it is sent only if it was changed.
    let mut body = json!({ "first_name": form.text("first_name"), "last_name": form.text("last_name") });
    if form.value("email") != form.value("email_before") {
        body["email"] = form.text("email");
    }
    change(&staff, customer_id, form, Part::Data, Ok(body), "The customer was saved.").await
}

pub async fn save_notes(staff: Staff, Id(customer_id): Id, form: Form) -> PageResult {
    let body = notes::pairs(form.value("metadata")).map(|metadata| json!({ "metadata": metadata }));
    change(&staff, customer_id, form, Part::Notes, body, "The notes were saved.").await
}

async fn change(
    staff: &Staff,
    customer_id: i64,
    form: Form,
    part: Part,
    body: Result<Value, Problem>,
    message: &str,
) -> PageResult {
    let changed = match body {
        Ok(body) => {
            let call = staff.api.patch(format!("customer/{customer_id}")).json(&body);
            call.if_match(&form.etag).key(&form.key).send_command().await
        }
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(()) => staff.done(&address(customer_id), message),
        Err(problem) if problem.is_about_input() => {
            let refused = Refused { part, form, problem: problem.clone() };
            let page = CustomerPage::read(staff, customer_id, Some(refused)).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}
