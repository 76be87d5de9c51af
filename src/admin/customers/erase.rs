//! The erasure of a customer's personal data: what it means, and which orders stand in its way.

use askama::Template;

use super::{Customer, address};
use crate::admin::api::{Call, Problem};
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/customers/erase.html")]
struct ErasePage {
    page: Page,
    customer: Customer,
    /// Orders that are still open, not more than the API names.
    open_orders: Vec<i64>,
    form: Form,
}

fn call(staff: &Staff, customer_id: i64) -> Call {
    staff.api.delete(format!("customer/{customer_id}"))
}

impl ErasePage {
    async fn read(staff: &Staff, customer_id: i64, form: Form) -> Result<Self, Problem> {
        let customer = async {
            let reply = staff.api.get(format!("customer/{customer_id}")).read::<Customer>().await?;
            Ok::<_, Problem>(reply.data)
        };
        let open_orders = async {
            match call(staff, customer_id).dry_run().send_command().await {
                Ok(()) => Ok(Vec::new()),
                Err(problem) if problem.code == "open_orders" => Ok(problem.order_ids.into_vec()),
                Err(problem) => Err(problem),
            }
        };
        let (customer, open_orders) = tokio::try_join!(customer, open_orders)?;
        let page = staff.page("Erase personal data").below("Customers", "/admin/customers");
        let page = page.below(customer.name(), address(customer_id));
        Ok(Self { page, customer, open_orders, form })
    }
}

pub async fn show(staff: Staff, Id(customer_id): Id) -> PageResult {
    let page = ErasePage::read(&staff, customer_id, Form::new([("when", String::new())])).await?;
    staff.show(&page)
}

pub async fn erase(staff: Staff, Id(customer_id): Id, form: Form) -> PageResult {
    let waits = form.value("when") == "orders_closed";
    let call = call(&staff, customer_id).key(&form.key);
    let call = if waits { call.query("when", "orders_closed") } else { call };
    match call.send_command().await {
        Ok(()) => match staff.api.get(format!("customer/{customer_id}")).read::<Customer>().await {
            Ok(_) => staff.done(&address(customer_id), "The erasure waits until the last open order is closed."),
            Err(problem) if problem.status == 404 => {
                staff.done("/admin/customers", "The personal data of the customer was erased.")
            }
            Err(problem) => Err(problem),
        },
        Err(problem) if problem.is_about_input() => {
            let page = ErasePage::read(&staff, customer_id, form.refused(problem.clone())).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}
