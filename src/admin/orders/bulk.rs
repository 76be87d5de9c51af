//! The same action for many orders: a preview of each, and the action itself.
//!
//! The preview is the API's dry run of each order, and the actions have keys of the preview's form, so that a second
//! click changes nothing again. Each order is changed or refused alone.

use askama::Template;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::action::{Action, explain};
use super::effect::Moved;
use super::order::amount;
use super::states::OrderStates;
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::list;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/orders/bulk.html")]
struct BulkPage {
    page: Page,
    form: Form,
    action: Action,
    rows: Vec<Row>,
    /// Whether the changes were made, and some were refused.
    applied: bool,
    back: String,
}

/// An order, and what happens to it.
struct Row {
    order_id: i64,
    name: String,
    outcome: Result<Vec<String>, String>,
}

/// Calls at the same time.
const AT_ONCE: usize = 8;
/// Fields that the confirmation sends again.
const LIST: &str = "/admin/orders";
const FIELDS: [&str; 4] = ["action", "carrier", "reason", "back"];

impl BulkPage {
    fn changed(&self) -> usize {
        self.rows.iter().filter(|row| row.outcome.is_ok()).count()
    }

    fn fields(&self) -> Vec<(&'static str, &str)> {
        FIELDS.map(|name| (name, self.form.value(name))).into()
    }
}

fn action(form: &Form) -> Result<Action, Problem> {
    let chosen = [Action::Process, Action::Ship, Action::Cancel];
    let action = chosen.into_iter().find(|action| action.address() == form.value("action"));
    action.ok_or_else(|| Problem::invalid("action", "is unknown"))
}

/// Runs the action of the form for each order, in the order of their numbers' list.
async fn run(staff: &Staff, form: &Form, preview: bool) -> Result<Vec<Row>, Problem> {
    let action = action(form)?;
    action.require(staff)?;
    let page = staff.page("");
    let send = async |order_id: i64| {
        let call = staff.api.post(format_args!("order/{order_id}/{}", action.route()));
        let call = match action {
            Action::Ship => call.json(&json!({ "carrier": form.optional("carrier") })),
            Action::Cancel => call.json(&json!({ "reason": form.optional("reason") })),
            _ => call,
        };
        let call = if preview { call.dry_run() } else { call.key(&format!("{}-{order_id}", form.key)) };
        let outcome = match call.read::<Moved>().await {
            Ok(reply) => Ok(sentences(&reply.data, &page)),
            Err(problem) if problem.is_about_input() || problem.status == 404 => {
                Err(explain(problem, Some(action), &[]).sentence())
            }
            Err(problem) => return Err(problem),
        };
        Ok(Row { order_id, name: form.value(&format!("name.{order_id}")).to_owned(), outcome })
    };
    let orders = list::chosen(form, "order")?;
    let outcomes: Vec<Result<Row, Problem>> = stream::iter(orders).map(send).buffered(AT_ONCE).collect().await;
    outcomes.into_iter().collect()
}

/// What the order is afterwards.
fn sentences(moved: &Moved, page: &Page) -> Vec<String> {
    let states: &OrderStates = &moved.states;
    let mut sentences = moved.refunds(page, &[]);
    let words = [states.status().text, states.payment().text, states.fulfilment().text];
    sentences.push(format!("Afterwards {}", words.join(", ")));
    if !amount(&moved.due).is_zero() {
        sentences.push(format!("{} due", page.money(&moved.due)));
    }
    sentences
}

pub async fn preview(staff: Staff, form: Form) -> PageResult {
    let rows = run(&staff, &form, true).await?;
    // The key of the changes; the preview itself stores nothing.
    show(&staff, form.with_new_key(), rows, false)
}

pub async fn apply(staff: Staff, form: Form) -> PageResult {
    let rows = run(&staff, &form, false).await?;
    if rows.iter().any(|row| row.outcome.is_err()) {
        return show(&staff, form, rows, true);
    }
    let (count, to) = (rows.len(), form.back(LIST));
    let orders = if count == 1 { "1 order was".to_owned() } else { format!("{count} orders were") };
    staff.done(&to, format!("{}: {orders} changed.", action(&form)?.title()))
}

fn show(staff: &Staff, form: Form, rows: Vec<Row>, applied: bool) -> PageResult {
    let (action, back) = (action(&form)?, form.back(LIST));
    let title = match action {
        Action::Process => "Start packing the chosen orders",
        Action::Ship => "Ship the chosen orders",
        _ => "Cancel the chosen orders",
    };
    let page = staff.page(title).below("Orders", back.clone());
    staff.show(&BulkPage { page, form, action, rows, applied, back })
}
