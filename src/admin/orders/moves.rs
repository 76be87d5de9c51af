//! The page of an action: its form, a preview of what it would do, and the action itself.

use askama::Template;

use super::action::{Action, Move, explain};
use super::effect::{Effect, Moved};
use super::order::{Order, OrderFile};
use crate::admin::api::{Call, Problem};
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/orders/move.html")]
struct MovePage {
    page: Page,
    order: Order,
    action: Action,
    form: Form,
    effect: Option<Effect>,
    /// Shipments that have not arrived.
    shipments: Vec<(String, String)>,
}

impl MovePage {
    fn new(staff: &Staff, order: Order, action: Action, form: Form, effect: Option<Effect>) -> Self {
        let way = format!("Order {}", order.order_id);
        let page = staff.page(action.heading(order.order_id));
        let page = page.below("Orders", "/admin/orders").below(way, address(order.order_id));
        let open = order.shipments.iter().filter(|shipment| shipment.delivered_at.is_none());
        let shipments = [(String::new(), "All shipments".to_owned())].into_iter().chain(open.map(|shipment| {
            let by = shipment.carrier.as_ref().map(|carrier| format!(" by {carrier}")).unwrap_or_default();
            (shipment.shipment.to_string(), format!("Shipment {}{by}", shipment.shipment))
        }));
        Self { page, shipments: shipments.collect(), order, action, form, effect }
    }

    /// Whether the form makes sense: the order allows the action, or its refusal is shown.
    fn is_open(&self) -> bool {
        self.action.is_open(&self.order) || self.form.summary().is_some()
    }

    /// The fields that the confirmation sends again.
    fn repeated(&self) -> Vec<(&str, &str)> {
        self.form.pairs().filter(|(name, value)| *name != "step" && !value.is_empty()).collect()
    }
}

fn address(order_id: i64) -> String {
    format!("/admin/orders/{order_id}")
}

pub async fn show(staff: Staff, Move(order_id, action): Move) -> PageResult {
    action.require(&staff)?;
    let file = OrderFile::read(&staff, order_id).await?;
    let form = action.form(&file.order, &file.etag);
    staff.show(&MovePage::new(&staff, file.order, action, form, None))
}

/// Shows what a sent form would do, or does it.
pub async fn send(staff: Staff, Move(order_id, action): Move, form: Form) -> PageResult {
    action.require(&staff)?;
    let file = OrderFile::read(&staff, order_id).await?;
    let command = match action.command(&form, &file.order) {
        Ok(command) => command,
        Err(problem) => return refuse(&staff, file, action, form, problem),
    };
    let call = |form: &Form| -> Call {
        let call = staff.api.post(format_args!("order/{order_id}/{}", action.route())).if_match(&form.etag);
        if command.body.is_null() { call } else { call.json(&command.body) }
    };
    if form.value("step") == "apply" {
        return match call(&form).key(&form.key).send_command().await {
            Ok(()) => staff.done(&address(order_id), action.done()),
            Err(problem) => refuse(&staff, file, action, form, explain(problem, Some(action), &command.lines)),
        };
    }
    match call(&form).dry_run().read::<Moved>().await {
        Ok(moved) => {
            let effect = Effect::of(action, &staff.page(""), &file, &moved.data);
            staff.show(&MovePage::new(&staff, file.order, action, form.with_new_key(), Some(effect)))
        }
        Err(problem) => refuse(&staff, file, action, form, explain(problem, Some(action), &command.lines)),
    }
}

fn refuse(staff: &Staff, file: OrderFile, action: Action, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let form = form.refused_beside(problem.clone(), action.form(&file.order, &file.etag));
    staff.show_refused(&problem, &MovePage::new(staff, file.order, action, form, None))
}
