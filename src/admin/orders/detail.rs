//! An order: its lines, money, shipments and recipients, and what can be done with it.

use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::action::{Action, explain};
use super::order::{Order, OrderFile, Payment, method};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::history::{self, History};
use crate::admin::notes;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/orders/detail.html")]
struct OrderPage {
    page: Page,
    order: Order,
    payments: Vec<Payment>,
    /// The customer; `None` for a guest.
    customer: Option<Customer>,
    actions: Vec<Action>,
    form: Form,
    history: History,
}

#[derive(Deserialize)]
struct Customer {
    first_name: String,
    last_name: String,
    email: String,
}

impl OrderPage {
    async fn read(staff: &Staff, order_id: i64, refused: Option<(Form, Problem)>) -> Result<Self, Problem> {
        let subject = format!("order/{order_id}");
        let (file, history) = tokio::try_join!(OrderFile::read(staff, order_id), history::read(staff, &subject))?;
        let OrderFile { order, payments, etag } = file;
        let customer = match order.customer_id {
            Some(customer_id) => read_customer(staff, customer_id).await?,
            None => None,
        };
        let stored = Form::new([("metadata", notes::lines(&order.metadata))]).about(&etag);
        let form = match refused {
            None => stored,
            Some((form, problem)) => form.refused_beside(problem, stored),
        };
        let may = |action: &Action| staff.may(action.operation()) && action.is_open(&order);
        let actions = Action::ALL.into_iter().filter(may).collect();
        let page = staff.page(format!("Order {order_id}")).below("Orders", "/admin/orders");
        Ok(Self { page, payments, customer, actions, form, history, order })
    }

    /// How the order is to be paid.
    fn method(&self) -> &str {
        self.order.payment_method.as_deref().map_or("entered by staff", method)
    }

    /// Whether every note fits a line of the form.
    fn may_edit_notes(&self) -> bool {
        self.page.may("change_order_metadata") && notes::fit_lines(&self.order.metadata)
    }
}

/// `None` if the customer was erased.
async fn read_customer(staff: &Staff, customer_id: i64) -> Result<Option<Customer>, Problem> {
    let call = staff.api.get(format_args!("customer/{customer_id}"));
    match call.read().await {
        Ok(reply) => Ok(Some(reply.data)),
        Err(problem) if [404, 410].contains(&problem.status) => Ok(None),
        Err(problem) => Err(problem),
    }
}

pub async fn show(staff: Staff, Id(order_id): Id) -> PageResult {
    staff.show(&OrderPage::read(&staff, order_id, None).await?)
}

pub async fn save_notes(staff: Staff, Id(order_id): Id, form: Form) -> PageResult {
    let saved = match notes::pairs(form.value("metadata")) {
        Ok(metadata) => {
            let call = staff.api.patch(format_args!("order/{order_id}")).json(&json!({ "metadata": metadata }));
            call.if_match(&form.etag).key(&form.key).send_command().await
        }
        Err(problem) => Err(problem),
    };
    match saved {
        Ok(()) => staff.done(&format!("/admin/orders/{order_id}"), "The notes were saved."),
        Err(problem) if problem.is_about_input() => {
            let problem = explain(problem, None, &[]);
            let page = OrderPage::read(&staff, order_id, Some((form, problem.clone()))).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}
