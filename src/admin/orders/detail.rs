//! An order: its lines, money, shipments and recipients, and what can be done with it.

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::action::{Action, explain};
use super::order::{Order, OrderFile, Payment, method};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::history::{self, History};
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
        let stored = Form::new([("notes", notes(&order))]).about(&etag);
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
        let fits = |(name, text): (&String, &String)| !name.contains([':', '\n']) && !text.contains('\n');
        self.page.may("change_order_metadata") && self.order.metadata.iter().all(fits)
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

/// The metadata of an order, a pair a line.
fn notes(order: &Order) -> String {
    order.metadata.iter().map(|(name, text)| format!("{name}: {text}\n")).collect()
}

/// The metadata of a form.
fn pairs(notes: &str) -> Result<Map<String, Value>, Problem> {
    let mut pairs = Map::new();
    for (place, line) in notes.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((name, text)) = line.split_once(':') else {
            let message = format!("needs a name, a colon and a text in line {}, such as `gift: yes`", place + 1);
            return Err(Problem::invalid("notes", &message));
        };
        if pairs.insert(name.trim().to_owned(), text.trim().into()).is_some() {
            return Err(Problem::invalid("notes", &format!("have the name {} twice", name.trim())));
        }
    }
    Ok(pairs)
}

pub async fn show(staff: Staff, Id(order_id): Id) -> PageResult {
    staff.show(&OrderPage::read(&staff, order_id, None).await?)
}

pub async fn save_notes(staff: Staff, Id(order_id): Id, form: Form) -> PageResult {
    let saved = match pairs(form.value("notes")) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_pairs_in_lines() {
        let read = pairs("gift: yes\n\n wish : card: \"Happy birthday\"\n").unwrap();
        assert_eq!(Value::from(read), json!({ "gift": "yes", "wish": "card: \"Happy birthday\"" }));
        for (notes, part) in [("gift", "in line 1"), ("a: 1\nb", "in line 2"), ("a: 1\na: 2", "twice")] {
            let problem = pairs(notes).unwrap_err();
            assert!(problem.errors[0].message.contains(part), "{notes}: {problem:?}");
        }
    }
}
